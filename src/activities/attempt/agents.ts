/** What a worker has of providers and tools: which of them a turn is given, its settings say. */
import type { ResponseSettings, Tool } from '../../domain/response-settings.ts';
import { failureOf } from '../../domain/failure.ts';
import { mcpRequestOf } from '../../domain/mcp-request.ts';
import { type Provider, ProviderError } from '../../providers/provider.ts';
import type { ToolBox } from '../../tools/tool.ts';
import { chosenTools, TurnTools } from '../../tools/turn-tools.ts';

export interface Agents {
  /** By their names in the configuration; the environment's is `default`. undefined: there is none of this name. */
  readonly providerOf: (name: string) => Provider | undefined;
  readonly toolBox: ToolBox;
  /** A line of the worker's log. */
  readonly log: (message: string, ids: Readonly<Record<string, string | number>>) => void;
}

/** @throws `ProviderError` where this worker's configuration has no such provider: it is another than the gateway's */
export function providerFor(agents: Agents | undefined, fallback: Provider, { agent }: ResponseSettings): Provider {
  if (agent === undefined || (agent.provider === 'default' && agents === undefined)) return fallback;
  const provider = agents?.providerOf(agent.provider);
  if (provider !== undefined) return provider;
  throw new ProviderError(otherConfiguration(`no provider '${agent.provider}', which agent '${agent.name}' is asked through`));
}

/** @throws `ProviderError` where this worker's configuration lacks one of them */
export async function toolsFor(agents: Agents | undefined, { agent, tools }: ResponseSettings, signal: AbortSignal): Promise<TurnTools> {
  if (agent === undefined || agent.tools.length === 0) return new TurnTools([]);
  if (agents === undefined) throw new ProviderError(otherConfiguration(`no agents at all, and this turn is of agent '${agent.name}'`));
  try {
    const requests = tools.flatMap((tool) => mcpRequestOf(tool) ?? []);
    return new TurnTools(chosenTools(await agents.toolBox.listsOf(agent.tools, signal), requests), tools.flatMap(namesOf));
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'UnknownToolsError') throw error;
    throw new ProviderError(otherConfiguration(error.message));
  }
}

/** What the model may call of the client's. */
export function namesOf(tool: Tool): readonly string[] {
  return 'name' in tool && typeof tool.name === 'string' ? [tool.name] : [];
}

function otherConfiguration(lack: string): ReturnType<typeof failureOf> {
  const mend = 'Start gateway and workers with the same turnkeep.config.ts.';
  return failureOf('tool_failed', `the worker's configuration is another than the gateway's: it has ${lack}. ${mend}`);
}
