/**
 * The items of a transcript: messages, calls, their outputs, reasoning. OpenAI's shapes, as far as turnkeep accepts and
 * writes them. Source: OpenAI's Responses API and the Open Responses schema.
 */

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * The longest id and name of a call, in UTF-16 code units: what a provider may give, and what a client may give back. Some
 * servers put a signature of several thousand characters into the id.
 */
export const longestCallName = 65_536;

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';
export type Role = 'user' | 'assistant' | 'system' | 'developer';

/** A part of a message to the model, or of the output of a tool. Images and files stay as given: data URL, URL or id. */
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

/** A part of the model's message. */
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

/** What a provider said beside OpenAI's own fields, and wants to see again: a call's signature, … */
export type ProviderFields = { readonly [key: string]: Json };

export interface ReasoningItem {
  readonly id: string;
  readonly type: 'reasoning';
  readonly status: ItemStatus;
  readonly summary: readonly { readonly type: 'summary_text'; readonly text: string }[];
  /** Reasoning that only the provider can read, and only a provider of the Responses API takes back. */
  readonly encrypted_content?: string;
  /** Of a provider of Chat Completions: `field`, where the reasoning came in, and its `details`, as they came. */
  readonly provider_fields?: ProviderFields;
}

export interface FunctionCallItem {
  readonly id: string;
  readonly type: 'function_call';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
  readonly provider_fields?: ProviderFields;
}

export interface FunctionCallOutputItem {
  readonly id: string;
  readonly type: 'function_call_output';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly output: string | readonly InputPart[];
}

/** An item of a model's answer. */
export type OutputItem = OutputMessage | ReasoningItem | FunctionCallItem;

/** An item of a request: messages of every role, and the items and tool outputs of earlier answers. */
export type InputItem = InputMessage | ReasoningItem | FunctionCallItem | FunctionCallOutputItem;

export type Item = InputItem | OutputItem;

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An item of a request before turnkeep has given it an id. */
export type NewItem = Without<InputItem, 'id'>;

/** The text of a message, parts joined; images and files have none. */
export function textOf(item: InputMessage): string {
  return item.content.map(partText).join('');
}

/** The output of a tool as text. */
export function toolOutputText({ output }: FunctionCallOutputItem): string {
  return typeof output === 'string' ? output : output.map(partText).join('');
}

/** A message of a prompt that nobody has written: a note, or what a provider can only be told as text. It has no id. */
export function unwrittenMessage(role: 'user' | 'assistant', content: string | InputMessage['content']): InputMessage {
  const parts =
    typeof content !== 'string'
      ? content
      : [
          role === 'user'
            ? ({ type: 'input_text', text: content } as const)
            : ({ type: 'output_text', text: content, annotations: [], logprobs: [] } as const),
        ];
  return { id: '', type: 'message', status: 'completed', role, content: parts };
}

function partText(part: InputPart | MessagePart): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_text' || part.type === 'output_text' ? part.text : '';
}
