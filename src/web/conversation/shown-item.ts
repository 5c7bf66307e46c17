/** An item of a conversation as it is shown: of what is stored, and of the events of an answer that is under way. Pure. */
import type { StreamEvent, StreamItemFields } from '../../http-client/events.ts';
import type { ContentPart, Item } from '../api/types.ts';

export interface ShownItem {
  readonly id: string;
  readonly type: string;
  /** Of which turn it is; null: put in by hand. */
  readonly turn: string | null;
  readonly role?: string | undefined;
  readonly status?: string | undefined;
  /** Of a message or of reasoning. */
  readonly text: string;
  readonly name?: string | undefined;
  readonly server?: string | undefined;
  readonly arguments?: string | undefined;
  readonly output?: string | undefined;
  readonly error?: string | undefined;
  readonly callId?: string | undefined;
  /** Of an answer to a request for an approval. */
  readonly answers?: { readonly request: string; readonly approve: boolean; readonly reason: string } | undefined;
  /** Of a type that the page does not know. */
  readonly json?: string | undefined;
}

/** Of these types the page shows more than their JSON. */
const known: ReadonlySet<string> = new Set(
  ['message', 'reasoning', 'function_call', 'function_call_output', 'mcp_call', 'mcp_approval_request', 'mcp_approval_response'].concat(
    'mcp_list_tools',
  ),
);

export function shownItem(item: Item): ShownItem {
  const { id, type, turn = null, role, status, name, server_label: server, call_id: callId } = item;
  const approval = item.approval_request_id;
  return {
    id,
    type,
    turn,
    role,
    status,
    text: type === 'reasoning' ? reasoningOf(item) : textOf(item.content),
    name,
    server,
    arguments: item.arguments,
    output: item.output == null ? undefined : worded(item.output),
    error: item.error == null ? undefined : worded(item.error),
    callId,
    answers:
      type === 'mcp_approval_response' && approval != null
        ? { request: approval, approve: item.approve === true, reason: item.reason ?? '' }
        : undefined,
    json: known.has(type) ? undefined : JSON.stringify(item, undefined, 2),
  };
}

function textOf(content: Item['content']): string {
  if (content == null || typeof content === 'string') return content ?? '';
  return content.map(partText).join('');
}

function partText({ type, text, refusal, filename }: ContentPart): string {
  if (text !== undefined) return text;
  if (refusal !== undefined) return refusal;
  return type === 'input_image' ? '[an image]' : `[${filename ?? type}]`;
}

function reasoningOf({ summary = [], content }: Item): string {
  const parts = [...summary, ...(Array.isArray(content) ? (content as readonly ContentPart[]) : [])];
  return parts.map((part) => part.text ?? '').join('\n\n');
}

/** A text, the texts of a list of parts, or the message of an error. */
function worded(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((part: unknown) => typeof part === 'object' && part !== null && 'text' in part))
    return value.map((part: { readonly text: unknown }) => String(part.text)).join('\n');
  if (typeof value === 'object' && value !== null) {
    if ('content' in value && Array.isArray(value.content)) return worded(value.content);
    if ('message' in value && typeof value.message === 'string') return value.message;
  }
  return JSON.stringify(value, undefined, 2);
}

/** The items of an answer, event by event. */
export class LiveItems {
  readonly #turn: string;
  readonly #items = new Map<string, ShownItem>();
  /** The parts of each text, by content or summary. */
  readonly #parts = new Map<string, string[]>();

  constructor(turn: string) {
    this.#turn = turn;
  }

  get all(): readonly ShownItem[] {
    return [...this.#items.values()];
  }

  /** @returns whether something is shown otherwise now */
  add(event: StreamEvent): boolean {
    const { type, item, item_id: id = '' } = event;
    if (item?.id !== undefined && (type === 'response.output_item.added' || type === 'response.output_item.done')) {
      this.#put(item.id, item);
      return true;
    }
    const before = this.#items.get(id);
    if (before === undefined) return false;
    if (type === 'response.mcp_call_arguments.done' || type === 'response.function_call_arguments.done') {
      this.#items.set(id, { ...before, arguments: event.arguments });
      return true;
    }
    if (event.delta === undefined) return false;
    if (type === 'response.function_call_arguments.delta' || type === 'response.mcp_call_arguments.delta') {
      this.#items.set(id, { ...before, arguments: (before.arguments ?? '') + event.delta });
      return true;
    }
    const place = textPlaces[type]?.(event);
    if (place === undefined) return false;
    const parts = this.#parts.get(id) ?? [];
    this.#parts.set(id, parts);
    parts[place] = (parts[place] ?? '') + event.delta;
    this.#items.set(id, { ...before, text: parts.join(before.type === 'reasoning' ? '\n\n' : '') });
    return true;
  }

  #put(id: string, item: StreamItemFields): void {
    const before = this.#items.get(id);
    const { type = 'message', status, name, server_label: server, output, error } = item;
    this.#items.set(id, {
      id,
      type,
      turn: this.#turn,
      role: type === 'message' ? 'assistant' : undefined,
      status,
      text: before?.text ?? '',
      name: name ?? before?.name,
      server: server ?? before?.server,
      arguments: item.arguments === undefined || item.arguments === '' ? before?.arguments : item.arguments,
      output,
      error,
      json: known.has(type) ? undefined : JSON.stringify(item, undefined, 2),
    });
  }
}

const textPlaces: { readonly [type: string]: (event: StreamEvent) => number } = {
  'response.output_text.delta': ({ content_index: index = 0 }) => index,
  'response.refusal.delta': ({ content_index: index = 0 }) => index,
  'response.reasoning_summary_text.delta': ({ summary_index: index = 0 }) => index,
  'response.reasoning_text.delta': ({ content_index: index = 0 }) => index,
};
