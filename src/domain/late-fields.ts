/** Of the open items of a stream: what their provider said of them after their beginning, and wants to see again. */
import { isOpaque, isWorkers, type OutputItem, type ProviderFields } from './item.ts';

export class LateFields {
  /** By the index of an item. */
  readonly #fields = new Map<number, ProviderFields>();

  /** Those that the item was begun with are on it already. Messages, and what a provider did not make, have none. */
  add(index: number, item: OutputItem, fields: ProviderFields): void {
    if (item.type === 'message' || isOpaque(item) || isWorkers(item) || item.provider_fields === fields) return;
    this.#fields.set(index, { ...this.#fields.get(index), ...fields });
  }

  /** For the end of the item, which carries them. */
  take(index: number): ProviderFields | undefined {
    const fields = this.#fields.get(index);
    this.#fields.delete(index);
    return fields;
  }
}
