/** An agent: a named model with instructions, tools and limits. Pure data: what tools do is in `tools/`. */
import type { JsonObject } from '../item.ts';

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
  /** For the models of agents that may call it. */
  readonly description?: string;
  readonly instructions?: string;
  /** As configured: `tool`, `mcp:server` or `agent:name`. */
  readonly tools: readonly string[];
  /** Members of a request that it does not say itself, such as `temperature`. */
  readonly settings: JsonObject;
  readonly limits: Limits;
  readonly compaction: Compaction;
  /** How many tokens the context of its model holds, prompt and answer together. Absent: the provider says when it is too small. */
  readonly contextTokens?: number;
}

/** US dollars for a million tokens of a model. */
export interface Price {
  readonly input: number;
  readonly cachedInput?: number;
  readonly output: number;
}

/** Model calls of an agent that has tools and no limit of steps, its own or that of all turns: a loop ends by itself. */
export const defaultSteps = 100;

/**
 * The provider and the model behind `provider/model` or `model`. What stands before the first slash is a provider only where
 * one has that name: models have slashes too (`google/gemma-3`), and all else is a model of the `default` provider.
 */
export function resolveModel(name: string, hasProvider: (name: string) => boolean): Pick<Agent, 'provider' | 'model'> {
  const slash = name.indexOf('/');
  const before = name.slice(0, Math.max(slash, 0));
  const isProvider = slash !== -1 && (before === 'default' || hasProvider(before));
  return isProvider ? { provider: before, model: name.slice(slash + 1) } : { provider: 'default', model: name };
}

/** @param prices by `provider/model`, or by `model`, which holds at every provider that has no price of its own for it */
export function priceOf({ provider, model }: Pick<Agent, 'provider' | 'model'>, prices: ReadonlyMap<string, Price>): Price | undefined {
  return prices.get(`${provider}/${model}`) ?? prices.get(model);
}

/** What an entry of an agent's `tools` names. */
export type ToolName = { readonly kind: 'tool' | 'mcp' | 'agent'; readonly name: string };

export function readToolName(entry: string): ToolName {
  const [, kind, name = entry] = /^(mcp|agent):(.*)$/s.exec(entry) ?? [];
  return { kind: kind === 'mcp' || kind === 'agent' ? kind : 'tool', name };
}
