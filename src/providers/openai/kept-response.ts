/**
 * A response that its provider keeps and goes on with by itself (background mode), read over as many connections as it takes:
 * where one breaks, the next goes on behind the last whole event. Whoever reads gets one body, without a gap and without a
 * repeat, and its break only where the provider cannot go on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { modelFailure } from '../failures/model-failure.ts';
import { failureOfTransport, findCause } from '../failures/transport-failure.ts';
import { ResponseBody } from '../http/body.ts';
import { type Connection, HttpStatusError, type IncomingResponse, type OutgoingRequest } from '../http/connection.ts';
import { type WholeEvent, WholeEvents } from '../http/whole-events.ts';
import { asRecord, asText, parseJson } from '../json.ts';
import { type BackgroundCallbacks, ProviderError } from '../provider.ts';

type Request = Omit<OutgoingRequest, 'signal' | 'maySend'>;

export interface KeptResponseOptions {
  readonly connection: Connection;
  /** The request that reads the response on behind this event. */
  readonly requestBehind: (id: string, after: number) => Promise<Request>;
  readonly callbacks: BackgroundCallbacks;
  /** Of the response that is read from its first event on; absent: the request begins one. */
  readonly id?: string;
  /** An event that is longer is handed on in pieces, and its response read on no more: whoever reads it has a limit of its own (T14). */
  readonly maxEventBytes: number;
  /** Before each try to go on, in ms; after as many tries in a row that bring no event it is given up. */
  readonly waitsMs?: readonly number[];
}

const defaultWaitsMs = [0, 1_000, 2_000, 4_000];

/** Where the rest of a body is of no interest: so long it may take to end, so that its connection is reused. */
const discardMs = 500;

const lastEvents: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled']);

/** A connection for one request: the body of its response outlives the sockets that it comes over. */
export function keptResponse(options: KeptResponseOptions): Connection {
  const response = new KeptResponse(options);
  const { connection } = options;
  return { send: (request) => response.open(request), deadlines: connection.deadlines, close: () => connection.close() };
}

class KeptResponse {
  readonly #options: KeptResponseOptions;
  readonly #waitsMs: readonly number[];
  readonly #closing = new AbortController();
  readonly #out = new ResponseBody();
  #id: string | undefined;
  /** The number of the last event that was handed out. */
  #last = -1;
  /** Are its events numbered from 0 without a gap? Without that nobody can tell what is missing. */
  #isNumbered = true;
  #isOver = false;
  #isTooLong = false;
  /** Tries in a row that brought nothing. */
  #tries = 0;
  #paused: PromiseWithResolvers<void> | undefined;

  constructor(options: KeptResponseOptions) {
    this.#options = options;
    this.#waitsMs = options.waitsMs ?? defaultWaitsMs;
    this.#id = options.id;
  }

  async open(request: OutgoingRequest): Promise<IncomingResponse> {
    const { connection } = this.#options;
    const first = this.#id === undefined ? await connection.send(request) : await this.#reachFirst(request);
    // A page, or a document: nothing of this kind is kept, and its first bytes say what it is.
    if (!isEventStream(first)) return first;
    this.#out.attach({
      abort: () => {
        this.#closing.abort();
        this.#resume();
      },
      pause: () => {
        this.#paused ??= Promise.withResolvers();
      },
      resume: () => {
        this.#resume();
      },
    });
    void this.#pump(first.body, request);
    return { status: first.status, headers: first.headers, body: this.#out };
  }

  async #pump(first: ResponseBody, request: OutgoingRequest): Promise<void> {
    let before: { readonly error: unknown } | undefined;
    for (let body = first; ;) {
      const events = new WholeEvents();
      let broken = await this.#readAll(body, events);
      if (this.#closing.signal.aborted) return;
      const hasGap = broken?.error instanceof ProviderError;
      // What ended the answer is then the break before the gap.
      if (hasGap) broken = before ?? broken;
      const next = this.#isOver || hasGap ? undefined : await this.#readOn(request, broken);
      before = broken;
      if (next !== undefined) {
        body = next.body;
        continue;
      }
      // As if there had been one connection: what came of the last event may be all of it.
      this.#out.push(events.takeRest());
      this.#out.finish(broken?.error);
      return;
    }
  }

  /** Hands out what a body brings. @returns what broke it; undefined: it has ended properly, or nothing more is wanted of it */
  async #readAll(body: ResponseBody, events: WholeEvents): Promise<{ readonly error: unknown } | undefined> {
    const close = (): void => body.close();
    this.#closing.signal.addEventListener('abort', close, { once: true });
    try {
      if (this.#closing.signal.aborted) close();
      while (await body.hasMore()) {
        const bytes = body.take() ?? Buffer.alloc(0);
        if (this.#isTooLong) this.#out.push(bytes);
        else for (const event of events.push(bytes)) await this.#handOut(event);
        if (events.heldBytes > this.#options.maxEventBytes) {
          this.#isTooLong = true;
          this.#out.push(events.takeRest());
        }
        if (this.#isOver) {
          body.discard(discardMs);
          return undefined;
        }
        await this.#paused?.promise;
      }
      return undefined;
    } catch (error) {
      body.close();
      return { error };
    } finally {
      this.#closing.signal.removeEventListener('abort', close);
    }
  }

  async #handOut({ bytes, data }: WholeEvent): Promise<void> {
    const event = data === '' ? undefined : asRecord(parseJson(data));
    if (event !== undefined && this.#isNumbered) {
      const number = event['sequence_number'];
      if (typeof number === 'number' && number <= this.#last) return;
      if (number === this.#last + 1) {
        this.#last += 1;
        this.#tries = 0;
      } else if (this.#last >= 0 || this.#options.id !== undefined) {
        // What it says from here on is not the answer that was begun.
        throw cannotReadOn('event_missing');
      } else {
        this.#isNumbered = false;
      }
    }
    const id = asText(asRecord(event?.['response'])?.['id']);
    if (this.#id === undefined && this.#isNumbered && id !== undefined && id !== '') {
      this.#id = id;
      await this.#options.callbacks.onResponseId?.(id);
    }
    this.#isOver ||= lastEvents.has(asText(event?.['type']) ?? '');
    this.#out.push(bytes);
  }

  /** The response from behind the last event on; undefined: the provider cannot go on with it. */
  async #readOn(request: OutgoingRequest, broken: { readonly error: unknown } | undefined): Promise<IncomingResponse | undefined> {
    const id = this.#id;
    const hasBegun = this.#last >= 0;
    // Of an answer that is read from its first event on, nothing has to have come.
    if (id === undefined || !this.#isNumbered || this.#isTooLong || !(hasBegun || this.#options.id === id)) return undefined;
    try {
      const next = await this.#reach(request, () => (hasBegun ? this.#options.requestBehind(id, this.#last) : request));
      const reason = broken === undefined ? 'end_of_stream' : (failureOfTransport(broken.error, false).detail ?? 'unknown_error');
      if (hasBegun) this.#options.callbacks.onReattached?.({ after: this.#last, reason });
      return next;
    } catch {
      // What the provider says of that is of no use to anybody: the break is what ended the answer.
      return undefined;
    }
  }

  /** Of a response that another process has begun. Where it cannot be had, it is lost, whatever the provider says of that. */
  async #reachFirst(request: OutgoingRequest): Promise<IncomingResponse> {
    try {
      return await this.#reach(request, () => request);
    } catch (error) {
      request.signal.throwIfAborted();
      const refused = findCause(error, (cause) => cause instanceof HttpStatusError);
      throw cannotReadOn(refused === undefined ? failureOfTransport(error, false).detail : String(refused.status));
    }
  }

  /** Tries until it is answered. @throws what the last try came to */
  async #reach({ signal, maySend }: OutgoingRequest, requestOf: () => Request | Promise<Request>): Promise<IncomingResponse> {
    const isClosed = AbortSignal.any([signal, this.#closing.signal]);
    for (let failure: unknown = new Error('no event has come since the tries before'); ;) {
      const waitMs = this.#waitsMs[this.#tries];
      if (waitMs === undefined) throw failure;
      this.#tries += 1;
      if (waitMs > 0) await delay(waitMs, undefined, { signal: isClosed });
      try {
        const response = await this.#options.connection.send({ ...(await requestOf()), signal: isClosed, maySend });
        if (isEventStream(response)) return response;
        response.body.discard(discardMs);
        throw new Error('the provider answered with no event stream');
      } catch (error) {
        if (error instanceof HttpStatusError) error.body.discard(discardMs);
        if (isClosed.aborted || !mayPass(error)) throw error;
        failure = error;
      }
    }
  }

  #resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
  }
}

function cannotReadOn(detail: string | undefined): ProviderError {
  return new ProviderError(modelFailure('transport_failed', detail === undefined ? {} : { detail }));
}

function isEventStream({ headers }: IncomingResponse): boolean {
  return (headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream');
}

/** Is it worth another try? */
function mayPass(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.status === 408 || error.status === 429 || error.status >= 500;
  return failureOfTransport(error, false).code === 'transport_failed';
}
