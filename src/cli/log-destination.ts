/**
 * Where log lines go: a file descriptor that may be a full disk, or a pipe that nobody reads. Lines wait in a bounded buffer
 * and are written beside the process's own work; what does not fit is dropped and counted. No line throws or blocks.
 */
import { write, writeSync } from 'node:fs';

/** Some ten thousand lines. */
const defaultMaxWaitingBytes = 4_194_304;
/** How long after a full pipe the next try is made. */
const retryMs = 50;

export interface LogDestinationOptions {
  /** A pipe or a socket must not block: `process.stderr` sees to that as soon as it is touched. */
  readonly fd: number;
  readonly maxWaitingBytes?: number;
  /** What is written, without a newline, in the place of this many lines. */
  readonly droppedLine: (count: number) => string;
}

interface Entry {
  readonly bytes: Buffer;
  /** How many lines are lost with it: for a notice, those that it counts. */
  readonly lines: number;
}

export class LogDestination {
  readonly #options: Required<LogDestinationOptions>;
  /** The first one is being written. */
  #waiting: Entry[] = [];
  #waitingBytes = 0;
  /** Lines lost that no notice counts yet. */
  #dropped = 0;
  /** Of the first entry. */
  #writtenBytes = 0;
  #state: 'idle' | 'writing' | 'retrying' = 'idle';

  constructor(options: LogDestinationOptions) {
    this.#options = { maxWaitingBytes: defaultMaxWaitingBytes, ...options };
  }

  /** For pino. @param line ends with a newline */
  write(line: string): void {
    const isIdle = this.#state === 'idle';
    if (isIdle && this.#dropped > 0) this.#pushNotice();
    // Behind a dropped line all are dropped until the buffer is empty, so that they are missing in one place.
    else if (this.#dropped > 0 || this.#waitingBytes + line.length > this.#options.maxWaitingBytes) {
      this.#dropped += 1;
      return;
    }
    this.#push(line, 1);
    if (isIdle) this.#writeFirst();
  }

  /** At the end of the process: writes what can be written at once. */
  flushSync(): void {
    // An entry on its way is written before the process ends, unless the pipe is full.
    if (this.#state === 'writing') this.#shift();
    if (this.#dropped > 0) this.#pushNotice();
    try {
      for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
        this.#writtenBytes += writeSync(this.#options.fd, first.bytes, this.#writtenBytes);
        if (this.#writtenBytes === first.bytes.length) this.#shift();
      }
    } catch {
      // A full pipe or disk, or a reader that is gone.
    }
  }

  #writeFirst(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#state = 'writing';
    write(this.#options.fd, first.bytes, this.#writtenBytes, (error, written) => {
      if (error === null) this.#onWritten(first, written);
      else if (error.code === 'EAGAIN') this.#retryLater();
      else this.#dropWaiting();
    });
  }

  #onWritten(first: Entry, written: number): void {
    this.#writtenBytes += written;
    if (this.#writtenBytes === first.bytes.length) this.#shift();
    if (this.#waiting.length === 0 && this.#dropped > 0) this.#pushNotice();
    this.#state = 'idle';
    this.#writeFirst();
  }

  /** What is not written must not keep the process alive: at its end `flushSync` tries again. */
  #retryLater(): void {
    this.#state = 'retrying';
    setTimeout(() => this.#writeFirst(), retryMs).unref();
  }

  /** The next line tries again. */
  #dropWaiting(): void {
    this.#dropped += this.#waiting.reduce((lines, entry) => lines + entry.lines, 0);
    this.#waiting = [];
    this.#waitingBytes = 0;
    // The end of the line that was cut.
    if (this.#writtenBytes > 0) this.#push('\n', 0);
    this.#writtenBytes = 0;
    this.#state = 'idle';
  }

  #pushNotice(): void {
    const count = this.#dropped;
    this.#dropped = 0;
    this.#push(`${this.#options.droppedLine(count)}\n`, count);
  }

  #push(text: string, lines: number): void {
    const bytes = Buffer.from(text);
    this.#waiting.push({ bytes, lines });
    this.#waitingBytes += bytes.length;
  }

  #shift(): void {
    const first = this.#waiting.shift();
    this.#waitingBytes -= first?.bytes.length ?? 0;
    this.#writtenBytes = 0;
  }
}

/**
 * On a full disk, or with nobody who reads, an error without a listener would be the end of the process. Touching
 * `process.stderr` also makes a pipe or a socket of that number one that does not block.
 */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
