/** The events that open, fill and close an item and its parts. Pure. */
import { isCall, isOpaque, isWorkers, type ItemStatus, type Json, type OpaqueItemType, type OutputItem } from '../item.ts';
import type { Kept } from './late-members.ts';
import type { UnnumberedEvent } from './response-event.ts';
import { sealOf } from '../prompt/sealed-fields.ts';
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

export function textAdded(kind: TextKind, item: OutputItem, index: number, delta: string, logprobs: readonly Json[] = []): UnnumberedEvent {
  const { address, at } = addressOf(item, index);
  if (kind === 'reasoning') return { type: 'response.reasoning_summary_text.delta', ...address, summary_index: at, delta };
  if (kind === 'refusal') return { type: 'response.refusal.delta', ...address, content_index: at, delta };
  return { type: 'response.output_text.delta', ...address, content_index: at, delta, logprobs };
}

/** A piece of the arguments, or of the input, of a call. */
export function callAdded(item: OutputItem, index: number, delta: string): UnnumberedEvent {
  const type = item.type === 'custom_tool_call' ? 'response.custom_tool_call_input.delta' : 'response.function_call_arguments.delta';
  return { type, item_id: item.id, output_index: index, delta };
}

/** A source of the open part's text. */
export function annotationAdded({ item, annotations = [] }: Unfinished, index: number, annotation: Json): UnnumberedEvent {
  const { address, at } = addressOf(item, index);
  const place = { ...address, content_index: at, annotation_index: annotations.length };
  return { type: 'response.output_text.annotation.added', ...place, annotation };
}

/** Nothing, if no part is open. */
export function partDone(open: Unfinished, index: number): readonly UnnumberedEvent[] {
  const { item, text } = open;
  if (open.part === undefined) return [];
  const { address, at } = addressOf(item, index);
  const part = filled(open.part, open);
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
      : { type: 'response.output_text.done', ...place, text, logprobs: [...(open.logprobs ?? [])] },
    { type: 'response.content_part.done', ...place, part },
  ];
}

/** @param isSealed reasoning carries what it keeps as encrypted content, too */
export function itemDone(
  open: Unfinished,
  index: number,
  status: ItemStatus,
  { encrypted, fields, members }: Kept = {},
  isSealed = false,
): readonly UnnumberedEvent[] {
  const { item, text } = open;
  if (isOpaque(item)) return [{ type: 'response.output_item.done', output_index: index, item: ended(item, status) }];
  const begunWith = item.type === 'message' || isWorkers(item) ? undefined : item.provider_fields;
  const kept = {
    ...withText(open),
    ...members,
    status,
    ...(encrypted === undefined ? {} : { encrypted_content: encrypted }),
    ...(fields === undefined ? {} : { provider_fields: { ...begunWith, ...fields } }),
  } as OutputItem;
  const seal = isSealed && kept.type === 'reasoning' && status === 'completed' ? (encrypted ?? sealOf(kept)) : undefined;
  const whole = seal === undefined ? kept : ({ ...kept, encrypted_content: seal } as OutputItem);
  const last: UnnumberedEvent = { type: 'response.output_item.done', output_index: index, item: whole };
  if (!isCall(item)) return [...partDone(open, index), last];
  const { address } = addressOf(item, index);
  if (item.type === 'custom_tool_call') return [{ type: 'response.custom_tool_call_input.done', ...address, input: text }, last];
  return [{ type: 'response.function_call_arguments.done', ...address, name: item.name, arguments: text }, last];
}

/** An item whose end its provider has not told. One that was cut off is marked so, also where its type has no status. */
function ended(item: OutputItem & { readonly type: OpaqueItemType }, status: ItemStatus): OutputItem {
  return item.status === undefined && status === 'completed' ? item : { ...item, status };
}

function addressOf(item: OutputItem, index: number): { address: { item_id: string; output_index: number }; at: number } {
  return { address: { item_id: item.id, output_index: index }, at: partCount(item) };
}
