/**
 * The items of a transcript: messages, calls, their outputs, reasoning. OpenAI's shapes, as far as turnkeep accepts and
 * writes them. Source: OpenAI's Responses API and the Open Responses schema.
 */

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/**
 * The longest id and name of a call, in UTF-16 code units: what a provider may give, and what a client may give back. Some
 * servers put a signature of several thousand characters into the id.
 */
export const longestCallName = 65_536;

/** The longest id of an item that is given out, and taken back: it has room in an address, each character of it escaped. */
export const longestItemId = 1_536;

/**
 * What a chat provider said of a call or of its reasoning beside OpenAI's own fields, and wants to see again: the members of a
 * call (such as `extra_content`), or the field that the reasoning came in, with its `details`.
 */
export type ProviderFields = JsonObject;

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
  /** Of the assistant: whether it says this on the way or in the end (`commentary`, `final_answer`). */
  readonly phase?: string | null;
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
  /** Of the tool, where it was offered in one. */
  readonly namespace?: string;
  readonly provider_fields?: ProviderFields;
}

export interface FunctionCallOutputItem {
  readonly id: string;
  readonly type: 'function_call_output';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly output: string | readonly InputPart[];
}

/** A call of a tool that takes text of any form (a `custom` tool). */
export interface CustomCallItem {
  readonly id: string;
  readonly type: 'custom_tool_call';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly name: string;
  readonly input: string;
  readonly namespace?: string;
  readonly provider_fields?: ProviderFields;
}

export interface CustomCallOutputItem {
  readonly id: string;
  readonly type: 'custom_tool_call_output';
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly output: string | readonly InputPart[];
}

/**
 * An item that turnkeep shows, keeps and tells again as it came, with all its members and under the id that it came with:
 * providers and clients refer to it (`mcp_approval_response.approval_request_id`).
 */
export interface OpaqueItem {
  readonly id: string;
  readonly type: OpaqueItemType;
  /** Of those that have one. */
  readonly status?: ItemStatus;
}

/** In truth any string that is not the type of another item. TypeScript tells a union apart by literals: this one stands for all. */
export type OpaqueItemType = 'web_search_call';

/**
 * How the model made a call that a worker carries out: what OpenAI's item does not say, and the next request needs. An item
 * with it is turnkeep's own; the same types without it are a provider's, and passed on as they came.
 */
export interface CallOrigin {
  readonly call_id: string;
  /** Of the turn, 1-based: calls of one step were made side by side. */
  readonly step: number;
  /** The function that the model called, where it is called otherwise than the tool. */
  readonly function?: string;
  readonly provider_fields?: ProviderFields;
}

/** A call of a tool that a worker runs. */
export interface WorkerCallItem {
  readonly id: string;
  readonly type: 'mcp_call';
  readonly status: ItemStatus | 'failed';
  /** `turnkeep`: a tool of the configuration's own. */
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
  readonly output: string | null;
  readonly error: ToolCallError | null;
  /** Of a call that somebody had to approve. */
  readonly approval_request_id: string | null;
  readonly turnkeep: CallOrigin;
}

export interface ToolCallError {
  readonly type: 'mcp_tool_execution_error';
  readonly content: readonly { readonly type: 'text'; readonly text: string }[];
}

/** A call that is not made before somebody approves it, by an `mcp_approval_response` of the next request. */
export interface ApprovalRequestItem {
  readonly id: string;
  readonly type: 'mcp_approval_request';
  readonly status?: undefined;
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
  readonly turnkeep: CallOrigin;
}

/** A call that the client answers with an output. */
export type CallItem = FunctionCallItem | CustomCallItem;
export type CallOutputItem = FunctionCallOutputItem | CustomCallOutputItem;

/** An item of a model's answer. */
export type OutputItem = OutputMessage | ReasoningItem | CallItem | WorkerCallItem | ApprovalRequestItem | OpaqueItem;

/** An item of a request: messages of every role, and the items and tool outputs of earlier answers. */
export type InputItem = InputMessage | ReasoningItem | CallItem | CallOutputItem | WorkerCallItem | ApprovalRequestItem | OpaqueItem;

export type Item = InputItem | OutputItem;

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** An item of a request before turnkeep has given it an id. */
export type NewItem = Without<InputItem, 'id'>;

export function isCall(item: Item): item is CallItem;
export function isCall(item: NewItem): item is NewCallItem;
export function isCall({ type }: Pick<Item, 'type'>): boolean {
  return type === 'function_call' || type === 'custom_tool_call';
}
type NewCallItem = Without<CallItem, 'id'>;

export function isCallOutput(item: Item): item is CallOutputItem;
export function isCallOutput(item: NewItem): item is NewCallOutputItem;
export function isCallOutput({ type }: Pick<Item, 'type'>): boolean {
  return type === 'function_call_output' || type === 'custom_tool_call_output';
}
type NewCallOutputItem = Without<CallOutputItem, 'id'>;

/** Is it one that turnkeep passes on as it is? */
export function isOpaque(item: Item): item is OpaqueItem;
export function isOpaque(item: NewItem): item is Without<OpaqueItem, 'id'>;
export function isOpaque(item: Pick<Item, 'type'>): boolean {
  return !knownTypes.has(item.type) && !isWorkers(item);
}

/** Is it a call of a worker's tool, or what asks for the approval of one? */
export function isWorkers(item: Pick<Item, 'type'>): item is WorkerCallItem | ApprovalRequestItem {
  if (item.type !== 'mcp_call' && item.type !== 'mcp_approval_request') return false;
  const { turnkeep } = item as { readonly turnkeep?: unknown };
  return typeof turnkeep === 'object' && turnkeep !== null && 'call_id' in turnkeep && typeof turnkeep.call_id === 'string';
}

/**
 * The id of an item that is passed on as it came, where it came with one: neither its provider nor its client knows one of ours.
 * That of a worker's call stays as well: its approval refers to it.
 */
export function givenIdOf(item: { readonly type: Item['type']; readonly id?: string | null }): string | undefined {
  const { id } = item;
  const isKept = isOpaque(item as Item) || isWorkers(item);
  return isKept && id != null && id !== '' && !ownOpaqueId.test(id) ? id : undefined;
}

/** As turnkeep calls an item of a type that it does not know: one of a request, and one of an answer. */
const ownOpaqueId = /^item_[0-9a-f]{48}(?:\d{4})?$/;

/** Of the items that turnkeep reads; all others are passed on as they came. */
export const readTypes = [
  'message',
  'reasoning',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
] as const satisfies readonly Exclude<Item['type'], OpaqueItemType>[];

const knownTypes: ReadonlySet<string> = new Set(readTypes);

/** Is it text of the model's own: what anything else of its answer ends? */
export function isProse({ type }: Item): boolean {
  return type === 'message' || type === 'reasoning';
}

/** The text of a message, parts joined; images and files have none. */
export function textOf(item: InputMessage): string {
  return item.content.map(partText).join('');
}

/** The output of a tool as text. */
export function toolOutputText({ output }: CallOutputItem): string {
  return typeof output === 'string' ? output : output.map(partText).join('');
}

/** A message of a prompt that nobody has written: a note, or what a provider can only be told as text. It has no id. */
export function unwrittenMessage(role: 'user' | 'assistant' | 'system', content: string | InputMessage['content']): InputMessage {
  const parts =
    typeof content !== 'string'
      ? content
      : [
          role === 'assistant'
            ? ({ type: 'output_text', text: content, annotations: [], logprobs: [] } as const)
            : ({ type: 'input_text', text: content } as const),
        ];
  return { id: '', type: 'message', status: 'completed', role, content: parts };
}

function partText(part: InputPart | MessagePart): string {
  if (part.type === 'refusal') return part.refusal;
  return part.type === 'input_text' || part.type === 'output_text' ? part.text : '';
}
