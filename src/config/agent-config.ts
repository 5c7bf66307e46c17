/** The agents of a process and what they need, one frozen object, made of what `defineConfig` was given; all mistakes at once. */
import { type Agent, defaultSteps, type Limits, type Price, resolveModel } from '../domain/agents/agent.ts';
import type { JsonObject } from '../domain/item.ts';
import type { McpServer } from '../tools/mcp-server.ts';
import type { WorkerTool } from '../tools/tool.ts';
import { fingerprintsOf } from './agent-fingerprint.ts';
import { referenceMistakes } from './agent-references.ts';
import { type ConfigShape, configShape, mistakesOf, pathOf } from './agent-shape.ts';
import { ConfigError } from './config.ts';
import { configMark, type DefinedConfig } from './define-config.ts';
import type { ToolDefinition, ToolInput } from './define-tool.ts';
import { apiOf } from './setting-values.ts';
import { toWorkerTool } from './worker-tool.ts';

/** A provider as `createProvider` takes it. */
export interface ProviderSettings {
  readonly api: 'chat' | 'responses';
  /** Absent: OpenAI's own. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
  /** Answers are kept by the provider, and read on where their connection broke. */
  readonly reattach?: true;
}

export interface AgentConfig {
  /** Those of the file: the environment's own is `default`, and not among them. */
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  readonly agents: ReadonlyMap<string, Agent>;
  /** By agent: equal in two processes whose definitions of it are the same (`agentFingerprint`). */
  readonly fingerprints: ReadonlyMap<string, string>;
  readonly tools: ReadonlyMap<string, WorkerTool>;
  readonly mcpServers: ReadonlyMap<string, McpServer>;
  /** For `priceOf`. */
  readonly prices: ReadonlyMap<string, Price>;
  /** Of every turn and every session, whoever asks; an agent has its own beside them. */
  readonly limits: { readonly turn: Limits; readonly session: Limits };
}

/** That of a process without a configuration. */
export const noAgents: AgentConfig = Object.freeze({
  providers: new Map(),
  agents: new Map(),
  fingerprints: new Map(),
  tools: new Map(),
  mcpServers: new Map(),
  prices: new Map(),
  limits: { turn: {}, session: {} },
});

/**
 * What `defineConfig` was given, checked and complete. The commands load theirs from `turnkeep.config.ts`.
 *
 * @throws {ConfigError} that lists everything that is wrong, each with its path
 * @example
 *     import { defineConfig, readAgentConfig } from 'turnkeep/config';
 *
 *     const { agents } = readAgentConfig(defineConfig({ agents: { clerk: { model: 'gpt-5' } } }));
 *     console.log(agents.get('clerk')?.provider);
 */
export function readAgentConfig(defined: DefinedConfig): AgentConfig {
  const given = defined[configMark];
  const parsed = configShape.safeParse(given);
  const problems = [...(parsed.error === undefined ? [] : mistakesOf(parsed.error)), ...referenceMistakes(given)];
  const tools = parsed.data === undefined ? new Map<string, WorkerTool>() : toolsOf(parsed.data, problems);
  // A mistake that several agents share is told once.
  if (parsed.data === undefined || problems.length > 0) throw new ConfigError([...new Set(problems)]);

  const config = parsed.data;
  const providers = mapOf(config.providers, (_, { baseUrl, apiKey, api, reattach }) => ({
    api: api ?? apiOf(baseUrl),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    // As in the environment, an empty one counts as unset.
    ...(apiKey ? { apiKey } : {}),
    ...(reattach === true ? { reattach } : {}),
  }));
  const agents = mapOf(config.agents, (name, agent) => toAgent(name, agent, config));
  const mcpServers = mapOf(config.mcpServers, toMcpServer);
  return Object.freeze({
    providers,
    agents,
    tools,
    mcpServers,
    fingerprints: fingerprintsOf({ agents, providers, tools, mcpServers, approvals: approvalsOf(config) }),
    prices: mapOf(config.prices, (_, { input, cachedInput, output }) => ({
      input,
      output,
      ...(cachedInput === undefined ? {} : { cachedInput }),
    })),
    limits: Object.freeze({ turn: limitsOf(config.limits?.turn), session: limitsOf(config.limits?.session) }),
  });
}

/** The tools of a configuration whose form is right; whose schema is none goes into `problems`. */
function toolsOf(config: ConfigShape, problems: string[]): ReadonlyMap<string, WorkerTool> {
  const tools = new Map<string, WorkerTool>();
  for (const [name, definition] of Object.entries(config.tools ?? {})) {
    try {
      tools.set(name, toWorkerTool(name, definition as ToolDefinition<ToolInput>));
    } catch (error) {
      problems.push(`${pathOf(['tools', name, 'input'])}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return tools;
}

/** When a tool of the configuration waits for a person: a function is one that may say so. */
function approvalsOf({ tools = {} }: ConfigShape): ReadonlyMap<string, string> {
  return mapOf(tools, (_, { needsApproval = false }) => (typeof needsApproval === 'boolean' ? String(needsApproval) : 'by arguments'));
}

function toAgent(name: string, agent: NonNullable<ConfigShape['agents']>[string], { providers = {}, limits: all }: ConfigShape): Agent {
  const { model, description, instructions, tools = [], settings = {}, limits, compaction = 'auto', contextTokens } = agent;
  const needsSteps = tools.length > 0 && limits?.steps === undefined && all?.turn?.steps === undefined;
  return {
    name,
    ...resolveModel(model, (candidate) => Object.hasOwn(providers, candidate)),
    ...(description === undefined ? {} : { description }),
    ...(instructions === undefined ? {} : { instructions }),
    tools: Object.freeze(tools),
    settings: Object.freeze(withoutUndefined(settings) as JsonObject),
    limits: Object.freeze({ ...(needsSteps ? { steps: defaultSteps } : {}), ...limitsOf(limits) }),
    compaction,
    ...(contextTokens === undefined ? {} : { contextTokens }),
  };
}

function toMcpServer(name: string, server: NonNullable<ConfigShape['mcpServers']>[string]): McpServer {
  const { command, args = [], env = {}, url, headers = {}, needsApproval = 'always' } = server;
  const common = { name, needsApproval: typeof needsApproval === 'string' ? needsApproval : Object.freeze(needsApproval) };
  if (url !== undefined) return { ...common, url, headers: Object.freeze(withoutUndefined(headers) as Record<string, string>) };
  return {
    ...common,
    command: command ?? '',
    args: Object.freeze(args),
    env: Object.freeze(withoutUndefined(env) as Record<string, string>),
  };
}

function limitsOf(limits: { readonly [name in keyof Limits]?: Limits[name] | undefined } = {}): Limits {
  return Object.freeze(withoutUndefined(limits) as Limits);
}

function mapOf<Value, Made>(
  values: { readonly [name: string]: Value } | undefined,
  make: (name: string, value: Value) => Made,
): ReadonlyMap<string, Made> {
  return new Map(Object.entries(values ?? {}).map(([name, value]) => [name, Object.freeze(make(name, value))]));
}

function withoutUndefined(members: object): { readonly [name: string]: unknown } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
