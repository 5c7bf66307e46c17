/** A tool that a worker runs: one of the configuration's own, or one of an MCP server. */
import type { JsonObject } from '../domain/item.ts';
import type { PricedUsage } from '../domain/turn/spent.ts';

/** The `server_label` of the tools that the configuration defines itself. */
export const localServerLabel = 'turnkeep';

/**
 * What a tool may use while it runs.
 *
 * **Contract:** a tool that goes on after `signal` aborted is no longer listened to; its outcome is told as unknown.
 */
export interface ToolContext {
  /** Aborts when the turn is cancelled, its time is up, or the worker goes. */
  readonly signal: AbortSignal;
  /** The same for every run of this call, also after a lost worker: what makes a second run harmless. */
  readonly idempotencyKey: string;
  readonly turn: { readonly id: string; readonly session?: string; readonly tenant: string; readonly step: number; readonly call: string };
  /**
   * Where traces are on: the span of this run, as the header `traceparent` names it (W3C Trace Context). What the tool asks with it
   * joins the turn's trace.
   */
  readonly traceparent?: string;
  /** A line of the worker's log, with the ids of turn and call. */
  readonly log: (message: string) => void;
  /** Shown in `/turns`; the newest one counts. */
  readonly progress: (message: string) => void;
}

/** `error`: the model is told, and goes on. A thrown error means the same, with the error's message. */
export type ToolResult = ({ readonly type: 'output'; readonly text: string } | { readonly type: 'error'; readonly message: string }) & {
  /** Tokens of models that it asked, where it is known. */
  readonly usage?: PricedUsage;
};

export interface WorkerTool {
  readonly name: string;
  /** `turnkeep`, `agent`, or the name of an MCP server. */
  readonly serverLabel: string;
  readonly description: string;
  /** JSON Schema of the arguments: an object. */
  readonly inputSchema: JsonObject;
  /** What an MCP server says of it, for those who look at its list. */
  readonly annotations?: JsonObject;
  /** Runs of one call: 1 means that it is not run again after a lost worker, whose outcome is unknown. */
  readonly attempts: number;
  readonly timeoutMs: number;
  /** @param args have passed `check` */
  readonly needsApproval: (args: JsonObject) => boolean;
  /** @returns what is wrong with the arguments, in words for the model; undefined: nothing */
  readonly check: (args: JsonObject) => string | undefined;
  /**
   * Resolves when there is room for a run, which is not begun before, so that its time does not pass in the wait. Absent: always.
   * @returns gives it back
   * @throws the signal's reason
   */
  readonly room?: (context: Pick<ToolContext, 'signal' | 'turn'>) => Promise<() => void>;
  /** @param args have passed `check` */
  readonly run: (args: JsonObject, context: ToolContext) => Promise<ToolResult>;
}

/** The tools of one server, or why they could not be had. */
export interface ToolList {
  readonly serverLabel: string;
  readonly tools: readonly WorkerTool[];
  readonly error?: string;
}

/** What a worker has of tools. */
export interface ToolBox extends AsyncDisposable {
  /** Those of these names, as in an agent's `tools`, that the configuration of this worker does not have. */
  readonly unknownOf: (names: readonly string[]) => readonly string[];
  /**
   * The lists of tools behind these names, in their order.
   * @param names as in an agent's `tools`: `tool`, `mcp:server`, `agent:name`
   * @throws a name that the configuration of this worker does not have
   */
  readonly listsOf: (names: readonly string[], signal: AbortSignal) => Promise<readonly ToolList[]>;
}
