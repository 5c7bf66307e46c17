/**
 * A server behind a URL: the SDK's streamable HTTP, on a `fetch` of our own. That one waits for an answer as long as the call
 * may take (Node's gives up after five minutes), bounds what it takes in, ends the request of a call that nobody waits for, and
 * tells a call whose stream broke off: the SDK's would wait for its time to be up.
 */
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici';
import { maxMessageBytes } from './message-lines.ts';
import { SseScan } from './sse-scan.ts';

const connectTimeoutMs = 10_000;
/** A server need not answer that its session is over. */
const goodbyeMs = 1_000;
/** Of a stream that broke off and can be taken up: 0.5, 1, 2 and 4 s. */
const reconnectionOptions = { initialReconnectionDelay: 500, maxReconnectionDelay: 4_000, reconnectionDelayGrowFactor: 2, maxRetries: 4 };

const tooLong = `the answer is longer than ${maxMessageBytes} bytes`;
const brokenOff = 'the connection ended before the answer came';

interface Pending {
  readonly method: string;
  readonly stop: AbortController;
  /** The last id of its stream, while the SDK takes that up again. */
  resumesFrom?: string;
}

export class HttpTransport extends StreamableHTTPClientTransport {
  readonly #agent: Agent;
  readonly #pending: Map<number | string, Pending>;
  /** How it ended, in words. */
  end = 'is no longer connected';
  #closing: Promise<void> | undefined;

  constructor(server: { readonly url: string; readonly headers: Readonly<Record<string, string>> }) {
    const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: connectTimeoutMs } });
    const pending = new Map<number | string, Pending>();
    super(new URL(server.url), {
      requestInit: { headers: { ...server.headers } },
      reconnectionOptions,
      fetch: async (url, init) =>
        watchedFetch(agent, pending, url, init, () => {
          this.end = `sent more than ${maxMessageBytes} bytes in one message`;
          void this.close();
        }),
    });
    this.#agent = agent;
    this.#pending = pending;
  }

  override async start(): Promise<void> {
    await super.start();
    const { onmessage, onerror } = this;
    this.onmessage = (message: JSONRPCMessage) => {
      if ('id' in message && !('method' in message) && message.id !== undefined) this.#pending.delete(message.id);
      onmessage?.(message);
    };
    this.onerror = (error) => {
      // The only sign that it has given up a stream; it does not say which.
      if (/maximum reconnection attempts/i.test(error.message)) this.#failResumed();
      onerror?.(error);
    };
  }

  override async send(message: JSONRPCMessage, options?: Parameters<StreamableHTTPClientTransport['send']>[1]): Promise<void> {
    if ('method' in message && 'id' in message) {
      this.#pending.set(message.id, { method: message.method, stop: new AbortController() });
      try {
        await super.send(message, options);
      } catch (error) {
        this.#pending.delete(message.id);
        throw error;
      }
      return;
    }
    const sent = super.send(message, options);
    const cancelled = 'method' in message && message.method === 'notifications/cancelled' ? message.params?.['requestId'] : undefined;
    if (typeof cancelled === 'number' || typeof cancelled === 'string') {
      this.#pending.get(cancelled)?.stop.abort();
      this.#pending.delete(cancelled);
    }
    await sent;
  }

  override async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, goodbyeMs);
    });
    await Promise.race([this.terminateSession().catch(() => {}), limit]);
    clearTimeout(timer);
    await super.close();
    await this.#agent.destroy();
  }

  #failResumed(): void {
    for (const [id, { resumesFrom }] of this.#pending) {
      if (resumesFrom !== undefined) this.onmessage?.({ jsonrpc: '2.0', id, error: { code: -32_000, message: brokenOff } });
    }
  }
}

async function watchedFetch(
  agent: Agent,
  pending: Map<number | string, Pending>,
  url: string | URL,
  init: RequestInit | undefined,
  closeAll: () => void,
): Promise<Response> {
  const [id, call] = callOf(pending, init) ?? [];
  const signals = [init?.signal, call?.stop.signal].filter((signal) => signal != null);
  const response = (await undiciFetch(url, {
    ...(init as object as UndiciRequestInit),
    signal: AbortSignal.any(signals),
    dispatcher: agent,
  })) as unknown as Response;
  if (response.body === null) return response;
  const isStream = /^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '');
  const body = isStream && response.ok ? watchedStream(response.body, id, call, closeAll) : boundedBody(response.body);
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** The call that a request is made for: the one whose message it carries, or whose stream it takes up again. */
function callOf(pending: Map<number | string, Pending>, init: RequestInit | undefined): [number | string, Pending] | undefined {
  if (typeof init?.body === 'string') {
    const { id } = JSON.parse(init.body) as { readonly id?: number | string };
    const call = id === undefined ? undefined : pending.get(id);
    return id === undefined || call === undefined ? undefined : [id, call];
  }
  const eventId = new Headers(init?.headers).get('last-event-id');
  return eventId === null ? undefined : [...pending].find(([, { resumesFrom }]) => resumesFrom === eventId);
}

function boundedBody(source: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let bytes = 0;
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        if (bytes > maxMessageBytes) throw new Error(tooLong);
        controller.enqueue(chunk);
      },
    }),
  );
}

/**
 * What a stream has to say for itself at its end is added to it as its last event, so that it is read behind all others. Who
 * has its answer already hears it not. A `result` keeps the SDK from taking the stream up again, an `error` does not.
 */
function watchedStream(
  source: ReadableStream<Uint8Array>,
  id: number | string | undefined,
  call: Pending | undefined,
  closeAll: () => void,
): ReadableStream<Uint8Array> {
  const reader = source.getReader();
  const scan = new SseScan();
  const lastEvent = (message: object): Uint8Array => Buffer.from(`\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, ...message })}\n\n`);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let failure: unknown;
        try {
          const { value, done } = await reader.read();
          if (!done) {
            scan.push(value);
            if (scan.eventBytes <= maxMessageBytes) {
              controller.enqueue(value);
              return;
            }
            void reader.cancel().catch(() => {});
            if (call?.method !== 'tools/call') closeAll();
            else controller.enqueue(lastEvent({ result: { isError: true, content: [{ type: 'text', text: tooLong }] } }));
            controller.close();
            return;
          }
        } catch (error) {
          failure = error;
        }
        const resumesFrom = scan.lastEventId ?? call?.resumesFrom;
        if (call?.stop.signal.aborted === true) controller.enqueue(lastEvent({ result: {} }));
        else if (call !== undefined && resumesFrom === undefined) {
          controller.enqueue(lastEvent({ error: { code: -32_000, message: brokenOff } }));
        } else {
          if (call !== undefined && resumesFrom !== undefined) call.resumesFrom = resumesFrom;
          if (failure !== undefined) {
            controller.error(failure);
            return;
          }
        }
        controller.close();
      },
      async cancel(reason) {
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
