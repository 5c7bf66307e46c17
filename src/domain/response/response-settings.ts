/** The part of a request that decides how the model answers; stored with the turn, echoed in the response. */
import type { Agent } from '../agents/agent.ts';
import type { Budget } from '../turn/budget.ts';
import type { Json, JsonObject } from '../item.ts';

export type TextFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | {
      readonly type: 'json_schema';
      readonly name: string;
      readonly description: string | null;
      readonly schema: { readonly [key: string]: Json };
      readonly strict: boolean | null;
    };

/** A tool that the client carries out itself: the turn ends with the call, the next one brings its output. */
export interface FunctionTool {
  readonly type: 'function';
  readonly name: string;
  readonly description: string | null;
  /** JSON schema of the arguments. */
  readonly parameters: JsonObject | null;
  readonly strict: boolean | null;
}

/** As a function, called with text of any form, or of a grammar's. */
export interface CustomTool {
  readonly type: 'custom';
  readonly name: string;
  readonly description: string | null;
  readonly format?: JsonObject;
}

/** Tools under a common name, which their calls carry beside their own. */
export interface NamespaceTool {
  readonly type: 'namespace';
  readonly name: string;
  readonly description: string | null;
  readonly tools: readonly Tool[];
}

/** A tool of any other type, as it came: the provider runs it, or only the provider knows how the client is to be asked. */
export interface OtherTool {
  readonly type: OtherToolType;
}

/** In truth any string that is not the type of another tool. TypeScript tells a union apart by literals: this one stands for all. */
export type OtherToolType = 'web_search';

export type Tool = FunctionTool | CustomTool | NamespaceTool | OtherTool;

/** A tool as `tool_choice` names it: a function or custom tool by its name, an MCP server by its label, others by their type. */
export interface ToolReference {
  readonly type: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly server_label?: string;
}

export interface AllowedTools {
  readonly type: 'allowed_tools';
  readonly mode: 'auto' | 'required';
  readonly tools: readonly ToolReference[];
}

export type ToolChoice = 'none' | 'auto' | 'required' | ToolReference | AllowedTools;

export function isAllowedTools(choice: ToolChoice): choice is AllowedTools {
  return typeof choice === 'object' && choice.type === 'allowed_tools';
}

/** A tool that was asked for and that this provider cannot have. */
export interface OmittedTool {
  /** Where the request has it: `tools[2]`. */
  readonly param: string;
  readonly type: string;
  readonly name?: string;
}

/** An entry of a field that this provider cannot be asked for, and that the answer does not need: nothing was done for it. */
export interface OmittedField {
  /** `context_management[0]` */
  readonly param: string;
  readonly type: string;
}

/** null, everywhere: the request did not say, so nothing is said to the provider. */
export interface ResponseSettings {
  readonly model: string;
  readonly instructions: string | null;
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly presence_penalty: number | null;
  readonly frequency_penalty: number | null;
  /** Of Chat Completions alone: texts that end the answer. */
  readonly stop: readonly string[] | null;
  /** Of Chat Completions alone. */
  readonly seed: number | null;
  readonly max_output_tokens: number | null;
  readonly max_tool_calls: number | null;
  readonly text: { readonly format: TextFormat; readonly verbosity: 'low' | 'medium' | 'high' | null };
  /** Those in force: what the provider is offered. */
  readonly tools: readonly Tool[];
  /** Those that were left out. */
  readonly omitted_tools?: readonly OmittedTool[];
  /** What else was. */
  readonly omitted_fields?: readonly OmittedField[];
  readonly tool_choice: ToolChoice | null;
  readonly parallel_tool_calls: boolean | null;
  /** With whatever else the request says of it (`context`, `mode`). */
  readonly reasoning: { readonly effort: string | null; readonly summary: string | null };
  readonly truncation: 'auto' | 'disabled' | null;
  readonly include: readonly string[];
  readonly service_tier: string | null;
  readonly safety_identifier: string | null;
  readonly prompt_cache_key: string | null;
  readonly prompt_cache_retention: string | null;
  readonly user: string | null;
  readonly metadata: { readonly [key: string]: string };
  readonly store: boolean;
  readonly background: boolean;
  /** What the model is shown is to be compacted (`compaction_trigger`, `POST /v1/responses/compact`): the answer is that. */
  readonly compacts?: true | 'in_words';
  /** Whose turn it is, as configured when it was taken in; `model` is its name. Absent: the model is asked as it is. */
  readonly agent?: Agent;
  /** What it may use up, as configured when it was taken in. Absent: whatever it takes. */
  readonly budget?: Budget;
  /** The own id of another turn: no tool of a worker runs, each call is answered with what the same call came to in that turn. */
  readonly recorded_calls_of?: string;
  /** Fields of a Responses request that turnkeep does not look at, for a provider of that API: as they came. */
  readonly passed?: JsonObject;
}

/** The model that the provider is asked for: an agent's has a name of its own. */
export function askedModelOf({ agent, model }: ResponseSettings): string {
  return agent?.model ?? model;
}

/**
 * The settings of a request that says nothing but its model.
 *
 * @example
 *     import { defaultSettings, type Turnkeep } from 'turnkeep/client';
 *
 *     declare const turnkeep: Turnkeep;
 *     const content = [{ type: 'input_text', text: 'Hello' }] as const;
 *     const result = await turnkeep.submit({
 *       tenant: 'default',
 *       settings: { ...defaultSettings('gpt-5'), instructions: 'Answer in one sentence.' },
 *       input: [{ type: 'message', status: 'completed', role: 'user', content }],
 *       session: null,
 *       previous: null,
 *       idempotencyKey: null,
 *       isResend: false,
 *       receivedAtMs: Date.now(),
 *     });
 *     if (result.type === 'accepted') console.log(result.turn.publicId);
 */
export function defaultSettings(model: string): ResponseSettings {
  return {
    model,
    instructions: null,
    temperature: null,
    top_p: null,
    presence_penalty: null,
    frequency_penalty: null,
    stop: null,
    seed: null,
    max_output_tokens: null,
    max_tool_calls: null,
    text: { format: { type: 'text' }, verbosity: null },
    tools: [],
    tool_choice: null,
    parallel_tool_calls: null,
    reasoning: { effort: null, summary: null },
    truncation: null,
    include: [],
    service_tier: null,
    safety_identifier: null,
    prompt_cache_key: null,
    prompt_cache_retention: null,
    user: null,
    metadata: {},
    store: true,
    background: false,
  };
}
