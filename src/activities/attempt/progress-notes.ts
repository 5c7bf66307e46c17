/** What a tool says of how far it is: it may say so a thousand times a second, and each word would be a commit (T14). */

/** Between two writes, ms. */
const intervalMs = 250;

/** In UTF-16 code units. */
const maxChars = 500;

/** The newest counts: what comes while another is written, or too soon behind it, replaces what waits. */
export class ProgressNotes {
  readonly #write: (words: string) => Promise<void>;
  #newest: string | undefined;
  #writing: Promise<void> | undefined;
  #pause: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param write one at a time; a failed one is forgotten */
  constructor(write: (words: string) => Promise<void>) {
    this.#write = write;
  }

  note(words: unknown): void {
    if (this.#isClosed) return;
    this.#newest = cut(String(words));
    if (this.#pause === undefined) this.#writeNewest();
  }

  /** Writes what waits; nothing is taken behind it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    await this.#writing;
    this.#writeNewest();
    clearTimeout(this.#pause);
    await this.#writing;
  }

  #writeNewest(): void {
    const words = this.#newest;
    if (words === undefined || this.#writing !== undefined) return;
    this.#newest = undefined;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#writeNewest();
    }, intervalMs);
    this.#writing = this.#write(words)
      .catch(() => undefined)
      .finally(() => {
        this.#writing = undefined;
        // It took longer than the pause behind it.
        if (this.#pause === undefined) this.#writeNewest();
      });
  }
}

function cut(words: string): string {
  return words.length <= maxChars ? words : `${words.slice(0, maxChars - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
