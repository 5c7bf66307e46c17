/**
 * The events of items that are passed on as they came: numbered and addressed anew, since the answer that its viewers see may
 * be made of other items, and nothing else of them touched. Pure.
 */
import { type Json, type JsonObject, longestItemId, type OpaqueItem, type OutputItem } from '../item.ts';
import { itemId } from './new-items.ts';
import type { UnnumberedEvent } from './response-event.ts';

/**
 * The item of an event that begins or ends one, under this id.
 * @param id as it came, if that is unique in the answer: its provider and its client refer to it
 */
function opaqueItem(item: JsonObject, id: string): OpaqueItem {
  const { type, id: _given, ...members } = item;
  return { id, type, ...members } as unknown as OpaqueItem;
}

/** The item that begins with this event, behind `items`; undefined where it has none: nothing can be said of an item that was never shown. */
export function begunOpaque(
  event: JsonObject,
  responseId: string,
  items: readonly { readonly item: OutputItem }[],
): OpaqueItem | undefined {
  const given = itemOf(event);
  return given === undefined ? undefined : opaqueItem(given, uniqueId(given['id'], items) ?? itemId('item', responseId, items.length));
}

/** @param item that it is about, as it was begun */
export function opaqueEvent(event: JsonObject, { id: item_id }: OpaqueItem, output_index: number): UnnumberedEvent {
  const whole = itemOf(event);
  if (whole !== undefined) return { type: 'response.output_item.done', output_index, item: opaqueItem(whole, item_id) };
  const { type, sequence_number: _ofProvider, obfuscation: _padding, item_id: _given, output_index: _place, ...members } = event;
  return { type, item_id, output_index, ...members } as unknown as UnnumberedEvent;
}

/** The item that an event begins or ends. */
export function itemOf(event: JsonObject): JsonObject | undefined {
  const { type, item } = event;
  const isWhole = type === 'response.output_item.added' || type === 'response.output_item.done';
  return isWhole && typeof item === 'object' && item !== null && !Array.isArray(item) ? (item as JsonObject) : undefined;
}

/** An id as it came; undefined where there is none, it is too long to be taken back, or another item has it: OpenAI's client refuses an answer in which two items share one. */
export function uniqueId(given: Json | undefined, items: readonly { readonly item: OutputItem }[]): string | undefined {
  const isUnique =
    typeof given === 'string' && given !== '' && given.length <= longestItemId && !items.some(({ item }) => item.id === given);
  return isUnique ? given : undefined;
}
