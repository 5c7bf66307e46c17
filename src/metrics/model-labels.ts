/**
 * The names of models as values of a label. A client may name any model, and `/metrics` needs no key: so a name becomes a
 * value only once the provider has answered under it, and there are few of them. All others are `other`.
 */

const maxNames = 30;

const other = 'other';

/** As providers write their models' names; longer and other ones are no names that an operator looks for. */
const name = /^[\w.:/@+-]{1,80}$/;

export class ModelLabels {
  readonly #names: Set<string>;

  /** @param configured known from the beginning: its failures count under its name before it has ever answered */
  constructor(configured: readonly string[] = []) {
    this.#names = new Set(configured);
  }

  /** A provider has answered under this name. */
  add(model: string): void {
    if (this.#names.size < maxNames && name.test(model)) this.#names.add(model);
  }

  labelOf(model: string | undefined): string {
    return model !== undefined && this.#names.has(model) ? model : other;
  }
}
