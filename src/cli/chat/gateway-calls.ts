/**
 * The calls to the gateway, over HTTP as any client's. undici's own fetch, since a stream's comments are wanted, which
 * OpenAI's client hides.
 *
 * Contract: every call throws `CallError` and nothing else, and none is repeated here.
 */
import { createParser } from 'eventsource-parser';
import { Agent, fetch, type RequestInit, type Response } from 'undici';
import { CallError, refused, unreachable } from './call-failure.ts';
import { readEvent, type StreamEvent } from './stream-event.ts';

/** The gateway's comments come every 15 s: a stream that is silent for longer than three of them is cut. */
const silentStreamMs = 50_000;
const connectTimeoutMs = 5_000;

export interface GatewayTarget {
  /** Asked for before every call: a gateway may come back at another address. With `/v1`, without a slash at the end. */
  readonly baseUrl: () => string;
  readonly apiKey: string | undefined;
}

export type StreamItem =
  | { readonly type: 'id'; readonly id: string }
  | { readonly type: 'event'; readonly event: StreamEvent }
  | { readonly type: 'comment'; readonly text: string };

export class GatewayCalls {
  readonly #target: GatewayTarget;
  readonly #dispatcher = new Agent({ connect: { timeout: connectTimeoutMs }, bodyTimeout: silentStreamMs });

  constructor(target: GatewayTarget) {
    this.#target = target;
  }

  get url(): string {
    return this.#target.baseUrl();
  }

  async json(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const response = await this.#call(method, path, body === undefined ? {} : { body });
    try {
      return await response.json();
    } catch (error) {
      if (error instanceof SyntaxError) throw this.#stranger(response, 'no JSON');
      throw new CallError(unreachable(error));
    }
  }

  /** A new turn, or under a known key the same again, from its first event. */
  post(body: object, idempotencyKey: string): AsyncGenerator<StreamItem> {
    return this.#stream('POST', '/responses', { body, headers: { 'idempotency-key': idempotencyKey } });
  }

  resume(id: string, after: number | undefined): AsyncGenerator<StreamItem> {
    const query = after === undefined ? '' : `&starting_after=${after}`;
    return this.#stream('GET', `/responses/${encodeURIComponent(id)}?stream=true${query}`, {});
  }

  /** Returns when the stream has ended, cleanly or not proven so. */
  async *#stream(method: string, path: string, options: CallOptions): AsyncGenerator<StreamItem> {
    const response = await this.#call(method, path, options);
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
      await response.body?.cancel();
      throw this.#stranger(response, 'no event stream');
    }
    const id = response.headers.get('x-turnkeep-response-id');
    if (id !== null) yield { type: 'id', id };
    let items: StreamItem[] = [];
    const parser = createParser({
      onComment: (text) => items.push({ type: 'comment', text }),
      onEvent: ({ data }) => {
        const event = readEvent(data);
        if (event !== undefined) items.push({ type: 'event', event });
      },
    });
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        parser.feed(decoder.decode(chunk, { stream: true }));
        yield* items;
        items = [];
      }
    } catch (error) {
      throw new CallError(unreachable(error));
    }
  }

  async #call(method: string, path: string, { body, headers }: CallOptions): Promise<Response> {
    const { apiKey } = this.#target;
    const init: RequestInit = {
      method,
      dispatcher: this.#dispatcher,
      headers: {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      const response = await fetch(`${this.#target.baseUrl()}${path}`, init);
      if (response.ok) return response;
      throw new CallError(refused(response.status, response.headers, await response.text()));
    } catch (error) {
      throw error instanceof CallError ? error : new CallError(unreachable(error));
    }
  }

  #stranger({ status }: Response, what: string): CallError {
    const message = `the answer is ${what}: is ${this.url} the address of a turnkeep gateway, with its /v1?`;
    return new CallError({ type: 'refused', status, code: undefined, message });
  }
}

interface CallOptions {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}
