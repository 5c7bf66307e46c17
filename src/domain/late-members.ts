/**
 * What a provider says of an item after it was begun: fields of its own on a call or on reasoning (`ProviderFields`), and members such
 * as a `phase` or a `namespace` that came with the end of the item alone. The end of the item carries it. Of one step, and not in
 * the journal: whoever ends a stream in the middle has the item as it was begun.
 */
import { isOpaque, isWorkers, type JsonObject, type OutputItem, type ProviderFields } from './item.ts';

export interface Late {
  /** Over those that the item was begun with. */
  readonly fields?: ProviderFields | undefined;
  readonly members?: JsonObject | undefined;
}

export class LateMembers {
  /** By the index of an open item. */
  readonly #late = new Map<number, Late>();

  addFields(index: number, item: OutputItem, fields: ProviderFields | undefined): void {
    // Those that the item was begun with are on it.
    if (fields === undefined || item.type === 'message' || isOpaque(item) || isWorkers(item) || item.provider_fields === fields) return;
    this.#add(index, { fields: { ...this.#late.get(index)?.fields, ...fields } });
  }

  addMembers(index: number, members: JsonObject | undefined): void {
    if (members !== undefined) this.#add(index, { members });
  }

  /** To be called once, at the end of the item. */
  take(index: number): Late {
    const late = this.#late.get(index) ?? {};
    this.#late.delete(index);
    return late;
  }

  #add(index: number, late: Late): void {
    this.#late.set(index, { ...this.#late.get(index), ...late });
  }
}
