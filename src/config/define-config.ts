/** `turnkeep.config.ts` as its author writes it: types that complete names, and no checks. `agent-config.ts` makes an `AgentConfig` of it. */
import type { Compaction, Limits, Price } from '../domain/agents/agent.ts';
import type { JsonObject } from '../domain/item.ts';
import type { AnyTool } from './define-tool.ts';

export interface ProviderDefinition {
  /** OpenAI's own by default. */
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Which of the two streaming APIs it speaks; `responses` by default for OpenAI's own host, else `chat`. */
  readonly api?: 'chat' | 'responses' | undefined;
  /**
   * Of `responses` alone. Answers are asked for in background mode, which the provider keeps for a while (`store: true` there), and
   * read on where the connection breaks or the worker dies, instead of ending the turn. Never those of turns with `store: false`.
   */
  readonly reattach?: boolean | undefined;
}

/** Members of a request to `/v1/responses`, by their names there: what holds where a request does not say it itself. */
export interface AgentSettings {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly top_logprobs?: number | undefined;
  readonly max_output_tokens?: number | undefined;
  readonly max_tool_calls?: number | undefined;
  readonly parallel_tool_calls?: boolean | undefined;
  readonly tool_choice?: 'none' | 'auto' | 'required' | JsonObject | undefined;
  readonly reasoning?: JsonObject | undefined;
  readonly text?: JsonObject | undefined;
  readonly truncation?: 'auto' | 'disabled' | undefined;
  readonly include?: readonly string[] | undefined;
  readonly service_tier?: string | undefined;
  readonly safety_identifier?: string | undefined;
  readonly prompt_cache_key?: string | undefined;
  readonly prompt_cache_retention?: string | undefined;
}

type Optional<T> = { readonly [Key in keyof T]: T[Key] | undefined };

export interface AgentDefinition<Tool extends string = string> {
  /** `provider/model` of one of `providers`, or a model of the environment's own. */
  readonly model: string;
  /** For the models of agents that may call it: what it does, and when to ask it. */
  readonly description?: string | undefined;
  readonly instructions?: string | undefined;
  /** `tool` of `tools`, `mcp:server` for all tools of one of `mcpServers`, `agent:name` for another agent. */
  readonly tools?: readonly Tool[] | undefined;
  readonly settings?: AgentSettings | undefined;
  /** With tools and without a limit of `steps`, here or in `limits.turn`, there are 100. */
  readonly limits?: Optional<Limits> | undefined;
  /** `auto` by default. */
  readonly compaction?: Compaction | undefined;
  /**
   * How many tokens the context of its model holds, prompt and answer together: then a prompt is summarised before it is too long, and
   * not only once the provider refuses it.
   */
  readonly contextTokens?: number | undefined;
}

export interface McpServerDefinition {
  /** A program, spoken to over its standard input and output. */
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  /** All that the program gets, beside what any program needs to start. */
  readonly env?: { readonly [name: string]: string | undefined } | undefined;
  /** Streamable HTTP, instead of a program. */
  readonly url?: string | undefined;
  readonly headers?: { readonly [name: string]: string | undefined } | undefined;
  /** Which of its tools wait for a person before they run; `always` by default, as OpenAI has it. */
  readonly needsApproval?: 'always' | 'never' | readonly string[] | undefined;
}

export interface ConfigDefinition<
  Provider extends string = string,
  Tool extends string = string,
  Server extends string = string,
  AgentName extends string = string,
> {
  /** Beside the environment's own, which is `default`. */
  readonly providers?: { readonly [Name in Provider]: ProviderDefinition } | undefined;
  readonly tools?: { readonly [Name in Tool]: AnyTool } | undefined;
  readonly mcpServers?: { readonly [Name in Server]: McpServerDefinition } | undefined;
  /** A request's `model` names one of them. */
  readonly agents?: { readonly [Name in AgentName]: AgentDefinition<NoInfer<Tool | `mcp:${Server}` | `agent:${AgentName}`>> } | undefined;
  /** US dollars for a million tokens, by `model`, or `provider/model` where providers differ. */
  readonly prices?: { readonly [model: string]: Optional<Price> } | undefined;
  /** Of each turn and of each session, whoever asks. */
  readonly limits?: { readonly turn?: Optional<Limits> | undefined; readonly session?: Optional<Limits> | undefined } | undefined;
}

/** Of `Symbol.for`: a configuration may have another copy of this package than the process that reads it. */
export const configMark: unique symbol = Symbol.for('turnkeep.config');

/** What `turnkeep.config.ts` exports. */
export interface DefinedConfig {
  readonly [configMark]: ConfigDefinition;
}

/**
 * The default export of `turnkeep.config.ts`. Nothing is checked here but the types: mistakes are told when it is loaded, all at
 * once.
 *
 * @example
 *     import { defineConfig, defineTool } from 'turnkeep/config';
 *     import { z } from 'zod';
 *
 *     export default defineConfig({
 *       tools: {
 *         now: defineTool({ description: 'The time, in UTC.', input: z.object({}), run: () => new Date().toISOString() }),
 *       },
 *       agents: {
 *         clerk: { model: 'gpt-5', instructions: 'Answer in one sentence.', tools: ['now'] },
 *       },
 *     });
 */
export function defineConfig<
  Provider extends string = never,
  Tool extends string = never,
  Server extends string = never,
  AgentName extends string = never,
>(config: ConfigDefinition<Provider, Tool, Server, AgentName>): DefinedConfig {
  return Object.freeze({ [configMark]: config });
}
