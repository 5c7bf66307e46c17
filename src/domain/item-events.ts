/** The events that open, fill and close an item and its parts. Pure. */
import type { ItemStatus, OutputItem, ProviderFields } from './item.ts';
import type { UnnumberedEvent } from './response-event.ts';
import { filled, outputText, partCount, type Unfinished, withText } from './response-part.ts';

export type TextKind = 'text' | 'refusal' | 'reasoning';

export function partAdded(kind: TextKind, item: OutputItem, index: number): UnnumberedEvent {
  const { address, at } = addressOf(item, index);
  if (kind === 'reasoning') {
    const part = { type: 'summary_text', text: '' } as const;
    return { type: 'response.reasoning_summary_part.added', ...address, summary_index: at, part };
  }
  const part = kind === 'refusal' ? ({ type: 'refusal', refusal: '' } as const) : outputText('');
  return { type: 'response.content_part.added', ...address, content_index: at, part };
}

export function textAdded(kind: TextKind, item: OutputItem, index: number, delta: string): UnnumberedEvent {
  const { address, at } = addressOf(item, index);
  if (kind === 'reasoning') return { type: 'response.reasoning_summary_text.delta', ...address, summary_index: at, delta };
  if (kind === 'refusal') return { type: 'response.refusal.delta', ...address, content_index: at, delta };
  return { type: 'response.output_text.delta', ...address, content_index: at, delta, logprobs: [] };
}

/** Nothing, if no part is open. */
export function partDone({ item, part: open, text }: Unfinished, index: number): readonly UnnumberedEvent[] {
  if (open === undefined) return [];
  const { address, at } = addressOf(item, index);
  const part = filled(open, text);
  if (part.type === 'summary_text') {
    const place = { ...address, summary_index: at };
    return [
      { type: 'response.reasoning_summary_text.done', ...place, text },
      { type: 'response.reasoning_summary_part.done', ...place, part },
    ];
  }
  const place = { ...address, content_index: at };
  return [
    part.type === 'refusal'
      ? { type: 'response.refusal.done', ...place, refusal: text }
      : { type: 'response.output_text.done', ...place, text, logprobs: [] },
    { type: 'response.content_part.done', ...place, part },
  ];
}

/** What an item keeps for its provider. */
export interface Kept {
  /** Of reasoning. */
  readonly encrypted?: string | undefined;
  /** Over those that the item was begun with. */
  readonly fields?: ProviderFields | undefined;
}

export function itemDone(
  open: Unfinished,
  index: number,
  status: ItemStatus,
  { encrypted, fields }: Kept = {},
): readonly UnnumberedEvent[] {
  const { item, text } = open;
  const begunWith = item.type === 'message' ? undefined : item.provider_fields;
  const last: UnnumberedEvent = {
    type: 'response.output_item.done',
    output_index: index,
    item: {
      ...withText(open),
      status,
      ...(encrypted === undefined ? {} : { encrypted_content: encrypted }),
      ...(fields === undefined ? {} : { provider_fields: { ...begunWith, ...fields } }),
    } as OutputItem,
  };
  if (item.type !== 'function_call') return [...partDone(open, index), last];
  const { address } = addressOf(item, index);
  return [{ type: 'response.function_call_arguments.done', ...address, name: item.name, arguments: text }, last];
}

function addressOf(item: OutputItem, index: number): { address: { item_id: string; output_index: number }; at: number } {
  return { address: { item_id: item.id, output_index: index }, at: partCount(item) };
}
