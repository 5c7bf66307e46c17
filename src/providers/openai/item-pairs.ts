/** Which item of the whole response is which one of the stream: by id, by place, or by order. Pure. */
import { asText, type JsonRecord } from '../json.ts';
import type { SaidItem } from './said-texts.ts';

export interface ItemPair {
  /** undefined: the stream has said nothing of it. */
  readonly said: SaidItem | undefined;
  /** As the whole response has it. */
  readonly item: JsonRecord;
}

/**
 * The items of one type in the order of the response, each with what the stream knew of it.
 *
 * @param type of the items that are paired
 * @param items all those of the response
 * @param fits whether the one may be the other
 * @returns undefined if there is something that was said and that no item of the response is
 */
export function pairsOf(
  type: string,
  items: readonly JsonRecord[],
  said: readonly SaidItem[],
  fits: (said: SaidItem, item: JsonRecord) => boolean = () => true,
): readonly ItemPair[] | undefined {
  const whole = [...items.entries()].flatMap(([place, item]) => (item['type'] === type ? [{ place, item }] : []));
  // Some servers give all items one index.
  const byIndex = uniqueBy(said, ({ index }) => index);
  const byId = uniqueBy(said, ({ id }) => id);
  const found = new Map<JsonRecord, SaidItem>();
  const taken = new Set<SaidItem>();
  const take = (item: JsonRecord, known: SaidItem | undefined): void => {
    if (known === undefined || found.has(item) || taken.has(known) || !fits(known, item)) return;
    found.set(item, known);
    taken.add(known);
  };
  for (const { item } of whole) take(item, byId.get(asText(item['id'])));
  for (const { item, place } of whole) take(item, byIndex.get(place));
  const left = said.filter((each) => !taken.has(each) && hasText(each));
  const open = whole.filter(({ item }) => !found.has(item));
  if (left.length === open.length) for (const [at, { item }] of open.entries()) take(item, left[at]);
  if (said.some((each) => !taken.has(each) && hasText(each))) return undefined;
  return whole.map(({ item }) => ({ said: found.get(item), item }));
}

function hasText({ parts }: SaidItem): boolean {
  return [...parts.values()].some(({ said }) => said !== '');
}

function uniqueBy<T>(said: readonly SaidItem[], keyOf: (item: SaidItem) => T): ReadonlyMap<T | undefined, SaidItem> {
  const unique = new Map<T | undefined, SaidItem>();
  const seen = new Set<T>();
  for (const item of said) {
    const key = keyOf(item);
    if (key === undefined) continue;
    if (seen.has(key)) unique.delete(key);
    else unique.set(key, item);
    seen.add(key);
  }
  return unique;
}
