/**
 * One HTTP request, from its sending to its end: who may hang up on it, and how its bytes are read.
 * Hanging up closes the socket, whatever phase the request is in.
 */
import { Deadlines } from './deadlines.ts';
import type { ProviderLimits } from '../provider.ts';
import type { WireBody } from './body.ts';

/** What is waited for after the proof (contract.md: "usage is waited for 2 s at most"). */
const usageTimeoutMs = 2_000;
const errorBodyTimeoutMs = 2_000;
const longestErrorBody = 64 * 1_024;
/** How long a stream may take to end after all that we want of it, so that its connection can be used again. */
const discardTimeoutMs = 500;

export class Call implements Disposable {
  readonly deadlines: Deadlines;
  readonly #caller: AbortSignal;
  readonly #abort = new AbortController();
  #body: WireBody | undefined;

  /** Throws the reason of the signal if it has aborted already. */
  constructor(limits: Omit<ProviderLimits, 'connectTimeoutMs'>, caller: AbortSignal) {
    caller.throwIfAborted();
    this.#caller = caller;
    caller.addEventListener('abort', this.#hangUp, { once: true });
    const limitsMs = { first_event: limits.firstEventTimeoutMs, next_event: limits.idleTimeoutMs, usage: usageTimeoutMs };
    this.deadlines = new Deadlines(limitsMs, this.#hangUp);
  }

  /** Aborts when the socket is to be closed: the caller cancelled, or a deadline passed. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From now on hanging up closes this body: whoever waits for more of it sees its end. */
  answered(body: WireBody): WireBody {
    this.#body = body;
    if (this.signal.aborted) body.close();
    return body;
  }

  /** As much of the body of an error as came in time. Never throws: its status is known already. */
  async errorText(body: WireBody): Promise<string> {
    return this.bodyText(body, longestErrorBody, errorBodyTimeoutMs);
  }

  /** As much of the body as came before the limits, or before it broke. */
  async bodyText(body: WireBody, longest: number, timeoutMs: number): Promise<string> {
    this.answered(body);
    const decoder = new TextDecoder();
    const timer = setTimeout(() => body.close(), timeoutMs);
    let text = '';
    try {
      while (text.length < longest && (await body.hasMore())) text += decoder.decode(body.take(), { stream: true });
    } catch {
      // What came, came.
    } finally {
      clearTimeout(timer);
      if (text.length < longest) body.discard(discardTimeoutMs);
      else body.close();
    }
    return text.slice(0, longest);
  }

  /** All that is wanted has been read. */
  leave(): void {
    this.#body?.discard(discardTimeoutMs);
    this.#body = undefined;
  }

  /** Hangs up, unless the body has ended or was left. */
  [Symbol.dispose](): void {
    this.#caller.removeEventListener('abort', this.#hangUp);
    this.deadlines[Symbol.dispose]();
    this.#body?.close();
  }

  readonly #hangUp = (): void => {
    this.#abort.abort();
    this.#body?.close();
  };
}
