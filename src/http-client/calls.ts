/**
 * One call to a gateway at a time, over the platform's `fetch`. `resume.ts` makes lasting streams of them.
 *
 * **Contract.** Nothing is repeated here. A call throws `CallError`, or the reason of its signal once that is aborted.
 */
import { createParser } from 'eventsource-parser';
import { CallError, refused, unreachable } from './call-error.ts';
import { readEvent, type StreamEvent } from './events.ts';

/** A gateway sends a comment at least every 15 s: a body that is silent for longer than three of them is cut. */
const silenceLimitMs = 50_000;

/** What is needed of `fetch`. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string;
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<Pick<Response, 'body' | 'headers' | 'json' | 'ok' | 'status' | 'text'>>;

type Answer = Awaited<ReturnType<Fetch>>;

export interface GatewayClientOptions {
  /** With `/v1`, without a slash at the end. A function is called before every call: a gateway may come back elsewhere. */
  readonly baseUrl: string | (() => string);
  readonly apiKey?: string | undefined;
  /** Default: the platform's own. */
  readonly fetch?: Fetch;
}

/** What a response's stream is made of. */
export type StreamItem =
  /** The id of the response, from a header: it comes before the first event. */
  | { readonly type: 'id'; readonly id: string }
  | { readonly type: 'event'; readonly event: StreamEvent }
  /** Such as `retry 2 of 3 in 1000 ms: provider_busy`. */
  | { readonly type: 'comment'; readonly text: string };

interface CallOptions {
  readonly body?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The calls of a gateway, one method each.
 *
 * @example
 *     import { GatewayClient } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1', apiKey: 'secret' });
 *     const conversation = await client.json('POST', '/conversations', { body: {} });
 */
export class GatewayClient {
  readonly #options: GatewayClientOptions;
  readonly #fetch: Fetch;

  constructor(options: GatewayClientOptions) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
  }

  get url(): string {
    const { baseUrl } = this.#options;
    return typeof baseUrl === 'string' ? baseUrl : baseUrl();
  }

  /** @param path below `/v1` */
  async json(method: 'DELETE' | 'GET' | 'POST', path: string, options: Pick<CallOptions, 'body' | 'signal'> = {}): Promise<unknown> {
    const call = await this.#call(method, path, options);
    const text = await call.read(call.answer.text());
    try {
      return JSON.parse(text);
    } catch {
      throw this.#unexpected(call.answer, 'no JSON');
    }
  }

  /**
   * The body of an answer, as it comes, however long it is.
   * @param path below `/v1`
   */
  async *bytes(path: string, options: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<Uint8Array> {
    const { answer, read } = await this.#call('GET', path, options);
    const reader = answer.body?.getReader();
    try {
      for (;;) {
        const chunk = await read(reader?.read());
        if (chunk === undefined || chunk.done) return;
        yield chunk.value;
      }
    } finally {
      reader?.cancel().catch(() => undefined);
    }
  }

  /**
   * Makes a response, or, under a key that is known, streams the one that was made under it, from its first event.
   *
   * @param more headers, such as `x-turnkeep-when-busy`
   */
  createResponse(
    body: object,
    idempotencyKey: string,
    signal?: AbortSignal,
    more: CallOptions['headers'] = {},
  ): AsyncGenerator<StreamItem> {
    const headers = { ...more, 'idempotency-key': idempotencyKey };
    return this.#stream('POST', '/responses', { body: { ...body, stream: true }, headers, signal });
  }

  /** @param after the `sequence_number` of the last event that is known; undefined: from the first event */
  streamResponse(id: string, after: number | undefined, signal?: AbortSignal): AsyncGenerator<StreamItem> {
    const query = after === undefined ? '' : `&starting_after=${after}`;
    return this.#stream('GET', `/responses/${encodeURIComponent(id)}?stream=true${query}`, { signal });
  }

  /** Returns when the body has ended, which proves nothing: a response has ended when its last event was seen. */
  async *#stream(method: string, path: string, options: CallOptions): AsyncGenerator<StreamItem> {
    const { answer, read } = await this.#call(method, path, options);
    if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      await answer.body?.cancel();
      throw this.#unexpected(answer, 'no event stream');
    }
    const id = answer.headers.get('x-turnkeep-response-id');
    let items: StreamItem[] = id === null ? [] : [{ type: 'id', id }];
    const parser = createParser({
      onComment: (text) => items.push({ type: 'comment', text }),
      onEvent: ({ data }) => {
        const event = readEvent(data);
        if (event !== undefined) items.push({ type: 'event', event });
      },
    });
    const decoder = new TextDecoder();
    // Not `for await`: not every browser can iterate over a body.
    const reader = answer.body?.getReader();
    try {
      for (;;) {
        yield* items;
        items = [];
        const chunk = await read(reader?.read());
        if (chunk === undefined || chunk.done) return;
        parser.feed(decoder.decode(chunk.value, { stream: true }));
      }
    } finally {
      reader?.cancel().catch(() => undefined);
    }
  }

  async #call(method: string, path: string, { body, headers, signal }: CallOptions): Promise<Call> {
    const { apiKey } = this.#options;
    const silence = new AbortController();
    const init = {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const answer = await orCallError(this.#fetch(`${this.url}${path}`, init), signal);
    const read: Call['read'] = async (part) => {
      const timer = setTimeout(() => silence.abort(new Error(`nothing came for ${silenceLimitMs / 1_000} s`)), silenceLimitMs);
      try {
        return await orCallError(part, signal);
      } finally {
        clearTimeout(timer);
      }
    };
    if (!answer.ok) throw new CallError(refused(answer.status, answer.headers, await read(answer.text())));
    return { answer, read };
  }

  #unexpected({ status }: Answer, what: string): CallError {
    const message = `the answer is ${what}: is ${this.url} the address of a turnkeep gateway, with its /v1?`;
    return new CallError({ type: 'refused', status, code: undefined, message });
  }
}

/** An answer whose headers are there. */
interface Call {
  readonly answer: Answer;
  /** Waits for a part of the body: not longer than the silence limit, and not past the signal. */
  readonly read: <T>(part: T | PromiseLike<T>) => Promise<T>;
}

async function orCallError<T>(promise: T | PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    signal?.throwIfAborted();
    throw new CallError(unreachable(error));
  }
}
