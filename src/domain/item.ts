/**
 * What a transcript is made of: messages, calls, their outputs, reasoning. OpenAI's shapes, as far as turnkeep
 * takes them in and writes them. Source: OpenAI Responses API and the Open Responses schema.
 */

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';
export type Role = 'user' | 'assistant' | 'system' | 'developer';

/** What a message to the model, or the output of a tool, may hold. Images and files travel as given: data URL, URL or id. */
export type InputPart =
  | { readonly type: 'input_text'; readonly text: string }
  | {
      readonly type: 'input_image';
      readonly detail: 'auto' | 'low' | 'high' | 'original';
      readonly image_url?: string;
      readonly file_id?: string;
    }
  | {
      readonly type: 'input_file';
      readonly filename?: string;
      /** A data URL. */
      readonly file_data?: string;
      readonly file_id?: string;
      readonly file_url?: string;
    };

/** What the model says. */
export type MessagePart =
  | { readonly type: 'output_text'; readonly text: string; readonly annotations: readonly Json[]; readonly logprobs: readonly Json[] }
  | { readonly type: 'refusal'; readonly refusal: string };

export interface InputMessage {
  readonly id: string;
  readonly type: 'message';
  readonly status: ItemStatus;
  readonly role: Role;
  readonly content: readonly (InputPart | MessagePart)[];
}

export interface OutputMessage extends InputMessage {
  readonly role: 'assistant';
  readonly content: readonly MessagePart[];
}

export interface ReasoningItem {
  readonly id: string;
  readonly type: 'reasoning';
  readonly status: ItemStatus;
  readonly summary: readonly { readonly type: 'summary_text'; readonly text: string }[];
  /** The provider's own, sealed; only a provider of the Responses API can read it again. */
  readonly encrypted_content?: string;
}

export interface FunctionCallItem {
  readonly id: string;
  readonly type: 'function_call';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
}

export interface FunctionCallOutputItem {
  readonly id: string;
  readonly type: 'function_call_output';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly output: string | readonly InputPart[];
}

/** What a model's answer is made of. */
export type OutputItem = OutputMessage | ReasoningItem | FunctionCallItem;

/** What a user may put in: messages of every role, and what an earlier answer and its tools came to. */
export type InputItem = InputMessage | ReasoningItem | FunctionCallItem | FunctionCallOutputItem;

export type Item = InputItem | OutputItem;

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An item before it is taken in: turnkeep gives it its id. */
export type NewItem = Without<InputItem, 'id'>;

/** The text of a message, parts joined; images and files have none. */
export function textOf(item: InputMessage): string {
  return item.content.map(partText).join('');
}

/** The output of a tool as text. */
export function toolOutputText({ output }: FunctionCallOutputItem): string {
  return typeof output === 'string' ? output : output.map(partText).join('');
}

function partText(part: InputPart | MessagePart): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_text' || part.type === 'output_text' ? part.text : '';
}
