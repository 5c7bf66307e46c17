/**
 * One HTTP request, from its sending to its end: who may hang up on it, and how its bytes are read.
 * Hanging up closes the socket, whatever phase the request is in.
 */
import { Deadlines } from './deadlines.ts';
import type { ProviderLimits } from './provider.ts';

/** What is waited for after the proof (contract.md: "usage is waited for 2 s at most"). */
const usageTimeoutMs = 2_000;
const errorBodyTimeoutMs = 2_000;
const longestErrorBody = 64 * 1_024;
/** How long a stream may take to end after all that we want of it, so that its connection can be used again. */
const drainTimeoutMs = 500;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

export class Call implements Disposable {
  readonly deadlines: Deadlines;
  readonly #caller: AbortSignal;
  readonly #abort = new AbortController();
  #reader: Reader | undefined;

  constructor(limits: Omit<ProviderLimits, 'connectTimeoutMs'>, caller: AbortSignal) {
    caller.throwIfAborted();
    this.#caller = caller;
    caller.addEventListener('abort', this.#hangUp, { once: true });
    const limitsMs = { first_event: limits.firstEventTimeoutMs, next_event: limits.idleTimeoutMs, usage: usageTimeoutMs };
    this.deadlines = new Deadlines(limitsMs, this.#hangUp);
  }

  /** Aborts when the socket is to be closed, for whatever reason. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Has the caller cancelled, or a deadline passed? An end that follows is then our own doing. */
  get isHungUp(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Takes the body: from now on hanging up ends a pending `read` of it at once, as if the body had ended. */
  readerOf(body: ReadableStream<Uint8Array>): Reader {
    this.#reader = body.getReader();
    return this.#reader;
  }

  /** As much of the body of an error as came in time. Never throws: its status is known already. */
  async errorText({ body }: { readonly body: ReadableStream<Uint8Array> | null }): Promise<string> {
    return body === null ? '' : this.bodyText(body, longestErrorBody, errorBodyTimeoutMs);
  }

  /** As much of the body as came before the limits, or before it broke. */
  async bodyText(body: ReadableStream<Uint8Array>, longest: number, timeoutMs: number): Promise<string> {
    const reader = this.readerOf(body);
    const decoder = new TextDecoder();
    let text = '';
    const timer = setTimeout(() => void closed(reader), timeoutMs);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || text.length > longest) break;
        text += decoder.decode(value, { stream: true });
      }
    } catch {
      // What came, came.
    } finally {
      clearTimeout(timer);
      void closed(reader);
    }
    return text;
  }

  /** All that is wanted has been read. The rest, usually nothing, is read in the background. */
  leave(): void {
    if (this.#reader !== undefined && !this.isHungUp) void drained(this.#reader);
    this.#reader = undefined;
  }

  /** Hangs up, unless the call was left. */
  [Symbol.dispose](): void {
    this.#caller.removeEventListener('abort', this.#hangUp);
    this.deadlines[Symbol.dispose]();
    if (this.#reader !== undefined) void closed(this.#reader);
  }

  readonly #hangUp = (): void => {
    this.#abort.abort(this.#caller.aborted ? this.#caller.reason : undefined);
    if (this.#reader !== undefined) void closed(this.#reader);
  };
}

/** Cancelling a body destroys its socket; one that has ended, or broken, has none to destroy. */
async function closed(reader: Reader): Promise<void> {
  await reader.cancel().catch(() => {});
}

async function drained(reader: Reader): Promise<void> {
  const timer = setTimeout(() => void closed(reader), drainTimeoutMs).unref();
  try {
    for (let left = longestErrorBody; left > 0;) {
      const { done, value } = await reader.read();
      if (done) return;
      left -= value.length;
    }
    await closed(reader);
  } catch {
    // The answer was whole; what became of the wire is nobody's concern (T8).
  } finally {
    clearTimeout(timer);
  }
}
