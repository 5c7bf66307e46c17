/**
 * What a provider says of an item at another time than that of the item itself: of a message before its first text; fields of its own
 * on a call or on reasoning (`ProviderFields`), and members such as a `phase` or a `namespace`, after the item was begun, which the end
 * of the item carries; and what only the whole response tells of an item that is done, which the end of the stream carries.
 * Of one step, and not in the journal: whoever ends a stream in the middle has the items as they were shown.
 */
import { isOpaque, isWorkers, type JsonObject, type OutputItem, type ProviderFields } from '../item.ts';
import type { HiddenTexts } from './hidden-reasoning.ts';
import type { OpenItem } from './stream-state.ts';

export interface Late {
  /** Over those that the item was begun with. */
  readonly fields?: ProviderFields | undefined;
  readonly members?: JsonObject | undefined;
}

/** What an item keeps for its provider. */
export interface Kept extends Late {
  /** Of reasoning. */
  readonly encrypted?: string | undefined;
}

type NamedKept = Kept & { readonly key: string };

export class LateMembers {
  readonly #hidden: Pick<HiddenTexts, 'shownOf'>;
  /** By the index of an open item. */
  readonly #late = new Map<number, Late>();
  /** Of messages and reasoning, by the provider's name of the item or its part. */
  readonly #places = new Map<string, number>();
  /** By the index of an item that is done. */
  readonly #amended = new Map<number, JsonObject>();
  /** What reasoning keeps, and that has no item yet, as it came. */
  readonly #unplaced: NamedKept[] = [];
  /** Of messages of which nothing is shown yet, by the provider's name. */
  readonly #announced = new Map<string, JsonObject>();

  constructor(hidden: Pick<HiddenTexts, 'shownOf'>) {
    this.#hidden = hidden;
  }

  addFields(index: number, item: OutputItem, fields: ProviderFields | undefined): void {
    // Those that the item was begun with are on it.
    if (fields === undefined || item.type === 'message' || isOpaque(item) || isWorkers(item) || item.provider_fields === fields) return;
    this.#add(index, { fields: { ...this.#late.get(index)?.fields, ...fields } });
  }

  addMembers(index: number, members: JsonObject | undefined): void {
    if (members !== undefined) this.#add(index, { members: { ...this.#late.get(index)?.members, ...members } });
  }

  /** To be called once, at the end of the item. */
  take(index: number): Late {
    const late = this.#late.get(index) ?? {};
    this.#late.delete(index);
    return late;
  }

  /** The members of the message that this part is of, if it was announced and has not begun. */
  announced(part: string): JsonObject | undefined {
    return this.#announced.get(part) ?? this.#announced.get(itemOf(part));
  }

  /** A part of an item is shown: what is said of either from here on is about the item at this place. */
  place(kind: string, part: string, index: number): void {
    this.#places.set(`${kind} ${part}`, index);
    if (kind !== 'message') return;
    this.#places.set(`${kind} ${itemOf(part)}`, index);
    this.#announced.delete(part);
    this.#announced.delete(itemOf(part));
  }

  /** Members of the message of this name: of the one that is shown or was, or of the one that comes next. */
  tell(key: string, members: JsonObject, items: readonly OpenItem[]): void {
    const index = this.#places.get(`message ${key}`);
    if (index === undefined) this.#announced.set(key, members);
    else if (items[index]?.isDone === true) this.#amend(index, members);
    else this.addMembers(index, members);
  }

  /** What reasoning is to keep for its provider: on the item of this name, if that is done and has none; else it waits for an item. */
  keep(key: string, kept: Kept, items: readonly OpenItem[]): void {
    const index = this.#places.get(`reasoning ${key}`) ?? -1;
    const { item, isDone = false } = items[index] ?? {};
    const isFree = isDone && item?.type === 'reasoning' && item.encrypted_content === undefined && !this.#amended.has(index);
    if (kept.encrypted === undefined || !isFree) this.#unplaced.push({ ...kept, key });
    else {
      const shown = this.#hidden.shownOf(item, kept.encrypted);
      if (shown !== undefined) this.#amend(index, { encrypted_content: shown });
    }
  }

  takeKept(): readonly NamedKept[] {
    return this.#unplaced.splice(0);
  }

  /** The items with what was told of them when they were done. */
  amended(items: readonly OutputItem[]): readonly OutputItem[] {
    if (this.#amended.size === 0) return items;
    return items.map((item, index): OutputItem => ({ ...item, ...this.#amended.get(index) }));
  }

  /**
   * The provider's names begin anew. @returns the encrypted reasoning of items that were done: other steps follow, maybe in another
   * process, which has what the journal has
   */
  endStep(): readonly string[] {
    this.#places.clear();
    this.#announced.clear();
    this.#unplaced.length = 0;
    const sealed: string[] = [];
    for (const [index, { encrypted_content: encrypted, ...members }] of this.#amended) {
      if (typeof encrypted === 'string') sealed.push(encrypted);
      this.#amended.set(index, members);
    }
    return sealed;
  }

  #amend(index: number, members: JsonObject): void {
    this.#amended.set(index, { ...this.#amended.get(index), ...members });
  }

  #add(index: number, late: Late): void {
    this.#late.set(index, { ...this.#late.get(index), ...late });
  }
}

/** Whether a part is of another item than the open one, by their names: `<kind> <item> <place>`. */
export function isOfOther(openPart: string, part: string): boolean {
  const [open, other] = [openPart, part].map((each) => itemOf(each.slice(each.indexOf(' ') + 1)));
  return open !== other;
}

/** The provider's name of an item from that of its part. */
function itemOf(part: string): string {
  return part.slice(0, Math.max(0, part.lastIndexOf(' ')));
}
