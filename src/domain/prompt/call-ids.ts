/**
 * The ids of calls as the provider is told them: as given, but for one that stands for another call already, as with
 * providers that number the calls of each message from 0. Many servers pair calls and outputs by id alone, and some refuse
 * a request that has an id twice. The same calls get the same ids in every request, so that its beginning stays cached.
 */
export class CallIds {
  readonly #used = new Set<string>();
  /** By the id without its number, the number that was given last. */
  readonly #numbers = new Map<string, number>();

  /** The id of the next call. */
  next(given: string): string {
    let id = given;
    if (this.#used.has(id)) {
      // Counted on in the id's own manner: a model that was trained on `functions.look:3` reads its calls in that.
      const [, stem = `${given}_`, number = '1'] = /^(.*:)(\d{1,9})$/s.exec(given) ?? [];
      for (let n = (this.#numbers.get(stem) ?? Number(number)) + 1; this.#used.has(id); n += 1) {
        id = `${stem}${n}`;
        this.#numbers.set(stem, n);
      }
    }
    this.#used.add(id);
    return id;
  }
}
