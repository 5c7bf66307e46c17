/** What a worker has of providers and tools: which of them a turn is given, its settings say. */
import type { ResponseSettings, Tool } from '../../domain/response/response-settings.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { failureOf } from '../../domain/failure.ts';
import { mcpRequestOf } from '../../domain/agents/mcp-request.ts';
import { type Provider, ProviderError } from '../../providers/provider.ts';
import { withGoneTools } from '../../tools/gone-tools.ts';
import type { ToolBox } from '../../tools/tool.ts';
import { chosenTools, TurnTools } from '../../tools/turn-tools.ts';
import { recordedTools } from './recorded-tools.ts';

export interface Agents {
  /** By their names in the configuration; the environment's is `default`. undefined: there is none of this name. */
  readonly providerOf: (name: string) => Provider | undefined;
  readonly toolBox: ToolBox;
  /** A line of the worker's log. */
  readonly log: (message: string, ids: Readonly<Record<string, string | number>>) => void;
  /** The header `traceparent` of a request to the model, or of a run of a call (both 1-based). Absent: nothing is traced. */
  readonly traceparentOf?: (
    turn: Pick<TurnRow, 'tenant' | 'publicId'>,
    part: { readonly step: number; readonly attempt: number } | { readonly call: number; readonly run: number },
  ) => string;
}

/** Has this worker's configuration what a turn of these settings is asked through, and what it may call? */
export function canServe(agents: Agents | undefined, { agent }: Pick<ResponseSettings, 'agent'>): boolean {
  if (agent === undefined) return true;
  if (agents === undefined) return agent.provider === 'default' && agent.tools.length === 0;
  return agents.providerOf(agent.provider) !== undefined && agents.toolBox.unknownOf(agent.tools).length === 0;
}

/** Half a second apart: by then whoever else could serve the turn has had the time to come. */
const mostHandOns = 4;
/** Turns that others took over are forgotten, the oldest first. */
const mostCounted = 10_000;

/** How often this process has handed on each turn that its configuration cannot serve. */
export class HandOns {
  readonly #counts = new Map<string, number>();

  /** false: often enough. Nobody else is there, and whoever asked is to be told what is lacking. */
  count(turn: string): boolean {
    const count = (this.#counts.get(turn) ?? 0) + 1;
    this.#counts.delete(turn);
    // Also once it is not handed on any more: its later steps look for nobody again.
    this.#counts.set(turn, count);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > mostCounted && oldest !== undefined) this.#counts.delete(oldest);
    return count <= mostHandOns;
  }
}

/** @throws `ProviderError` where this worker's configuration has no such provider: it is another than the gateway's */
export function providerFor(agents: Agents | undefined, fallback: Provider, { agent }: ResponseSettings): Provider {
  if (agent === undefined || (agent.provider === 'default' && agents === undefined)) return fallback;
  const provider = agents?.providerOf(agent.provider);
  if (provider !== undefined) return provider;
  throw new ProviderError(otherConfiguration(`no provider '${agent.provider}', which agent '${agent.name}' is asked through`));
}

/**
 * @param step what is lacking in the first one is a mistake of whoever starts gateways and workers; in a later one a deploy has
 * taken it away, and ends no turn that may never call it
 * @throws `ProviderError` where this worker's configuration lacks one of them
 */
export async function toolsFor(
  agents: Agents | undefined,
  { agent, tools, recorded_calls_of: recordedIn }: ResponseSettings,
  { step, signal, store }: { readonly step: number; readonly signal: AbortSignal; readonly store: Parameters<typeof recordedTools>[0] },
): Promise<TurnTools> {
  if (agent === undefined || agent.tools.length === 0) return new TurnTools([]);
  if (agents === undefined) throw new ProviderError(otherConfiguration(`no agents at all, and this turn is of agent '${agent.name}'`));
  const { toolBox } = agents;
  const lacking = toolBox.unknownOf(agent.tools);
  if (lacking.length > 0 && step === 1) {
    throw new ProviderError(otherConfiguration(`no ${lacking.map((name) => `'${name}'`).join(', no ')}`));
  }
  const known = agent.tools.filter((name) => !lacking.includes(name));
  const lists = withGoneTools(await toolBox.listsOf(known, signal), lacking);
  const chosen = chosenTools(
    lists,
    tools.flatMap((tool) => mcpRequestOf(tool) ?? []),
  );
  return new TurnTools(recordedIn === undefined ? chosen : recordedTools(store, recordedIn, chosen), tools.flatMap(namesOf));
}

/** What the model may call of the client's. */
export function namesOf(tool: Tool): readonly string[] {
  return 'name' in tool && typeof tool.name === 'string' ? [tool.name] : [];
}

function otherConfiguration(lack: string): ReturnType<typeof failureOf> {
  const mend = 'Start gateway and workers with the same turnkeep.config.ts; a turn keeps the tools that it was taken in with.';
  return failureOf(
    'tool_failed',
    `The worker's configuration is another than the one that the turn was taken in with: it has ${lack}. ${mend}`,
  );
}
