/** An agent: a named model with instructions, tools and limits. Pure data: what tools do is in `tools/`. */
import type { JsonObject } from './item.ts';

/** What an agent, a turn or a session may use up. Past one of them a turn ends `failed`, `budget_exceeded`. Absent: no limit. */
export interface Limits {
  /** Model calls. */
  readonly steps?: number;
  /** Calls of tools that a worker runs. */
  readonly toolCalls?: number;
  readonly outputTokens?: number;
  readonly costUsd?: number;
  /** Without the waits for people, ms. */
  readonly wallTimeMs?: number;
}

/** What happens to a prompt that the model's context does not hold: summarised, refused, or sent as it is. */
export type Compaction = 'auto' | 'error' | 'off';

export interface Agent {
  readonly name: string;
  /** A name in `providers`; `default` is the environment's. */
  readonly provider: string;
  readonly model: string;
  readonly instructions?: string;
  /** As configured: `tool`, `mcp:server` or `agent:name`. */
  readonly tools: readonly string[];
  /** Members of a request that it does not say itself, such as `temperature`. */
  readonly settings: JsonObject;
  readonly limits: Limits;
  readonly compaction: Compaction;
}

/** US dollars for a million tokens of a model. */
export interface Price {
  readonly input: number;
  readonly cachedInput?: number;
  readonly output: number;
}
