/** The agent of a request, and the configured MCP servers that it names as tools: resolved once, when the turn is taken in. Pure. */
import type { Agent } from '../../domain/agents/agent.ts';
import { settingsOfAgent } from '../../domain/agents/agent-settings.ts';
import { type BudgetRules, noBudgets, withBudget } from '../../domain/turn/turn-budget.ts';
import type { JsonObject } from '../../domain/item.ts';
import { mistakeIn } from '../../domain/agents/mcp-request.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import type { ResponseSettings, Tool } from '../../domain/response/response-settings.ts';
import { ApiError } from '../http/errors.ts';

/** What a gateway knows of the configuration of agents. */
export interface AgentDirectory {
  /** By their names, which requests give as `model`. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** The names of the MCP servers. */
  readonly mcpServers: ReadonlySet<string>;
  /** Which API a configured provider speaks. */
  readonly apiOf: (provider: string) => ProviderApi;
  /** Absent: nothing is limited, and no price is known. */
  readonly budgets?: BudgetRules;
}

/** Settings as they came, and the tools among them that a worker runs. */
export interface AgentSettings {
  readonly settings: ResponseSettings;
  readonly workerTools: readonly Tool[];
}

/** @throws ApiError 400 naming a tool of the type `mcp` that turnkeep cannot have, or one that has the name of a tool of the agent's */
export function withAgent(directory: AgentDirectory | undefined, settings: ResponseSettings): AgentSettings {
  const { agents, mcpServers, budgets = noBudgets } = directory ?? { agents: new Map<string, Agent>(), mcpServers: new Set<string>() };
  const own: Tool[] = [];
  const names: string[] = [];
  for (const [index, tool] of settings.tools.entries()) {
    const label = labelOf(tool);
    if (label === undefined || !mcpServers.has(label)) continue;
    assertNoUrl(tool, `tools[${index}]`);
    assertForm(tool, `tools[${index}]`);
    own.push(tool);
    names.push(`mcp:${label}`);
  }
  const agent = agents.get(settings.model);
  if (agent === undefined && names.length === 0) return { settings: withBudget(settings, undefined, budgets), workerTools: [] };
  if (agent !== undefined) assertNamesFree(agent, settings.tools);
  const given: Agent = agent ?? {
    name: settings.model,
    provider: 'default',
    model: settings.model,
    tools: [],
    settings: {},
    limits: budgets.limits.turn.steps === undefined ? { steps: stepsOfRequest } : {},
    compaction: 'auto',
  };
  const sent = { ...settings, tools: settings.tools.filter((tool) => !own.includes(tool)) };
  const asked = settingsOfAgent({ ...given, tools: [...new Set([...given.tools, ...names])] }, sent);
  return { settings: withBudget(asked, given, budgets), workerTools: own };
}

/** Model calls of a turn that is of no agent, and has tools that a worker runs. */
const stepsOfRequest = 100;

function labelOf(tool: Tool): string | undefined {
  if ((tool.type as string) !== 'mcp') return undefined;
  const { server_label: label } = tool as { readonly server_label?: unknown };
  return typeof label === 'string' ? label : undefined;
}

/**
 * A provider of Chat Completions runs no MCP servers, so whoever has configured some means those.
 * @throws ApiError 400 naming a tool of the type `mcp` whose server the configuration does not have
 */
export function assertServersKnown({ mcpServers }: AgentDirectory, { tools }: ResponseSettings): void {
  if (mcpServers.size === 0) return;
  for (const [index, tool] of tools.entries()) {
    const label = labelOf(tool);
    if (label === undefined || mcpServers.has(label)) continue;
    assertNoUrl(tool, `tools[${index}]`);
    const known = [...mcpServers].join(', ');
    const message = `Invalid 'tools[${index}].server_label': no MCP server '${label}' is configured. There are: ${known}.`;
    throw new ApiError({ status: 400, param: `tools[${index}].server_label`, code: 'invalid_value', message });
  }
}

/**
 * A call says nothing but a name: of two tools of one it would be the client's, and the agent would silently lack its own. What the
 * tools of an MCP server are called, its list says, which a gateway does not have: those give way (`domain/agents/function-names.ts`).
 */
function assertNamesFree(agent: Agent, tools: readonly Tool[]): void {
  const taken = new Map(agent.tools.filter((tool) => !tool.startsWith('mcp:')).map((tool) => [tool.replace(/^agent:/, ''), tool]));
  for (const [index, tool] of tools.entries()) {
    if (tool.type !== 'function' && tool.type !== 'custom') continue;
    const own = taken.get(tool.name);
    if (own === undefined) continue;
    const kind = own === tool.name ? 'a tool of that name' : `'${own}', which the model knows by that name`;
    const message = `Invalid 'tools[${index}]': the name '${tool.name}' is taken. Agent '${agent.name}' has ${kind}, and turnkeep carries out its calls. Leave yours out, or give it another name.`;
    throw new ApiError({ status: 400, param: `tools[${index}]`, code: 'invalid_value', message });
  }
}

/** Where a server is, the configuration says alone: a request that names an address would have the worker call anything. */
function assertNoUrl(tool: Tool, param: string): void {
  const given = tool as unknown as JsonObject;
  for (const name of ['server_url', 'connector_id', 'headers', 'authorization']) {
    if (given[name] == null) continue;
    const message = `Invalid '${param}.${name}': where an MCP server is, the configuration says, and no request. Leave it out, and name a configured server by its 'server_label'.`;
    throw new ApiError({ status: 400, param: `${param}.${name}`, code: 'invalid_value', message });
  }
}

function assertForm(tool: Tool, path: string): void {
  const mistake = mistakeIn(tool);
  if (mistake === undefined) return;
  const param = `${path}.${mistake.path}`;
  throw new ApiError({ status: 400, param, code: 'invalid_value', message: `Invalid '${param}': ${mistake.message}.` });
}
