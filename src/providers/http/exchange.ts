/**
 * One HTTP request and its response: joins the caller's signal and our deadlines into one signal that closes the
 * socket in whatever phase the request is, and reads bodies within limits.
 */
import type { ProviderLimits } from '../provider.ts';
import type { ResponseBody } from './body.ts';
import { afterReading, Deadlines } from './deadlines.ts';

/** How long usage is waited for after the finish of a stream. */
const usageTimeoutMs = 2_000;
const errorTextTimeoutMs = 2_000;
const longestErrorText = 64 * 1_024;
/** How long the rest of a body is read, after all that is wanted of it, so that its connection can be reused. */
const discardTimeoutMs = 500;

/** See `Deadlines`. */
export type RunningDeadlines = Pick<Deadlines, 'expired' | 'pause' | 'restart'> & Disposable;
export type MakeDeadlines = (...deadlines: ConstructorParameters<typeof Deadlines>) => RunningDeadlines;

const byTheClock: MakeDeadlines = (...deadlines) => new Deadlines(...deadlines);

export class HttpExchange implements Disposable {
  readonly deadlines: RunningDeadlines;
  readonly #callerSignal: AbortSignal;
  readonly #abort = new AbortController();
  #body: ResponseBody | undefined;

  /** Throws the reason of the signal if it has aborted already. */
  constructor(limits: Omit<ProviderLimits, 'connectTimeoutMs'>, callerSignal: AbortSignal, makeDeadlines: MakeDeadlines = byTheClock) {
    callerSignal.throwIfAborted();
    this.#callerSignal = callerSignal;
    callerSignal.addEventListener('abort', this.#closeSocket, { once: true });
    const limitsMs = { first_event: limits.firstEventTimeoutMs, next_event: limits.idleTimeoutMs, usage: usageTimeoutMs };
    this.deadlines = makeDeadlines(limitsMs, this.#closeSocket);
  }

  /** Aborts when the socket is to be closed: the caller cancelled, or a deadline expired. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** From now on this body is closed with the exchange; a pending read of it then sees its end. */
  attachBody(body: ResponseBody): void {
    this.#body = body;
    if (this.signal.aborted) body.close();
  }

  /** As much of the body of an error as arrives in time. Never throws: the status is known already. */
  async readErrorText(body: ResponseBody): Promise<string> {
    return this.readText(body, longestErrorText, errorTextTimeoutMs);
  }

  /** As much of the body as arrives within the limits and before the connection breaks. `longest` is in UTF-16 units. */
  async readText(body: ResponseBody, longest: number, timeoutMs: number): Promise<string> {
    this.attachBody(body);
    const decoder = new TextDecoder();
    using _timer = afterReading(timeoutMs, () => body.close());
    let text = '';
    try {
      while (text.length < longest && (await body.hasMore())) text += decoder.decode(body.take(), { stream: true });
    } catch {
      // The connection broke: the part that arrived is the result.
    } finally {
      if (text.length < longest) body.discard(discardTimeoutMs);
      else body.close();
    }
    return text.slice(0, longest);
  }

  /** All that is wanted has been read: lets the connection be reused where the body ends soon. */
  releaseBody(): void {
    this.#body?.discard(discardTimeoutMs);
    this.#body = undefined;
  }

  /** Closes the socket, unless the body has ended or was released. */
  [Symbol.dispose](): void {
    this.#callerSignal.removeEventListener('abort', this.#closeSocket);
    this.deadlines[Symbol.dispose]();
    this.#body?.close();
  }

  readonly #closeSocket = (): void => {
    this.#abort.abort();
    this.#body?.close();
  };
}
