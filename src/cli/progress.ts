/** How far a command is that takes long: a line on stderr that is written over in a terminal, and one now and then elsewhere. */

/** Shorter ones need none. */
const quietMs = 1_000;
const everyMs = { terminal: 200, elsewhere: 10_000 };

export class Progress {
  readonly #what: string;
  #total: number;
  #done = 0;
  #lastMs = performance.now() + quietMs;
  #isShown = false;

  /** @param what has been done with each: `exported` */
  constructor(what: string, total: number) {
    this.#what = what;
    this.#total = total;
  }

  /** There are more than was known. */
  add(count: number): void {
    this.#total += count;
  }

  /** One more is done. */
  step(): void {
    this.#done += 1;
    const nowMs = performance.now();
    const { isTTY } = process.stderr;
    // What comes next on the screen says that all is done.
    if (this.#done >= this.#total || nowMs - this.#lastMs < (this.#isShown ? everyMs[isTTY ? 'terminal' : 'elsewhere'] : 0)) return;
    this.#lastMs = nowMs;
    this.#isShown = true;
    process.stderr.write(`${isTTY ? '\r\u001B[K' : ''}${this.#what} ${this.#done} of ${this.#total}${isTTY ? '' : '\n'}`);
  }

  /** Takes the line away again. */
  end(): void {
    if (this.#isShown && process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  }
}
