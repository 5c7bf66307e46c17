/**
 * Sends webhooks: one request at a time for each event, on a connection of its own, and never more of one endpoint than its
 * share, so that one that hangs leaves room for the others (T14). Follows no redirect and repeats nothing: that is the
 * workflow's to do.
 */
import { Agent, request } from 'undici';
import { endpointFor, type WebhookAnswer, type WebhookEndpoint, webhookTimeoutMs } from '../../domain/turn/webhook.ts';
import { retryAfterMs } from '../../providers/failures/retry-after.ts';

export interface WebhookRequest {
  readonly endpoint: WebhookEndpoint;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Closes the socket. */
  readonly signal: AbortSignal;
}

export interface WebhookSenderOptions {
  readonly endpoints: readonly WebhookEndpoint[];
  /** Requests to one endpoint at once. */
  readonly maxAtOnce?: number;
  readonly timeoutMs?: number;
}

/** A quarter of the slots of a worker: see `roles/worker.ts`. */
const defaultMaxAtOnce = 16;

/** An answer says all by its status; what it says beside that is read so that the receiver can end it, and dropped. */
const readBytes = 16_384;

export class WebhookSender {
  readonly #endpoints: readonly WebhookEndpoint[];
  readonly #maxAtOnce: number;
  readonly #timeoutMs: number;
  readonly #running = new Map<string, number>();
  /** A connection that is kept may be closed by the receiver while the next request is on its way, which would then fail. */
  readonly #agent = new Agent({ pipelining: 0, allowH2: false });

  constructor({ endpoints, maxAtOnce = defaultMaxAtOnce, timeoutMs = webhookTimeoutMs }: WebhookSenderOptions) {
    this.#endpoints = endpoints;
    this.#maxAtOnce = maxAtOnce;
    this.#timeoutMs = timeoutMs;
  }

  endpointOf(tenant: string): WebhookEndpoint | undefined {
    return endpointFor(this.#endpoints, tenant);
  }

  /** Until it is disposed of; undefined where the endpoint's server has its share: one that hangs does so at all of its paths. */
  takeSlot({ url }: WebhookEndpoint): Disposable | undefined {
    const { origin } = new URL(url);
    const running = this.#running.get(origin) ?? 0;
    if (running >= this.#maxAtOnce) return undefined;
    this.#running.set(origin, running + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#running.get(origin) ?? 1) - 1;
        if (left === 0) this.#running.delete(origin);
        else this.#running.set(origin, left);
      },
    };
  }

  /** Rejects with the reason of the signal alone. */
  async send({ endpoint, headers, body, signal }: WebhookRequest): Promise<WebhookAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const either = AbortSignal.any([signal, timeout]);
    try {
      const answer = await request(endpoint.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'user-agent': 'turnkeep', ...headers },
        body,
        dispatcher: this.#agent,
        signal: either,
      });
      await answer.body.dump({ limit: readBytes, signal: either }).catch(() => undefined);
      const status = answer.statusCode;
      const afterMs = retryAfterMs({ get: (name) => [answer.headers[name]].flat()[0] ?? null }, Date.now());
      return { status, ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { error: timeout.aborted ? 'timeout' : wordOf(error) };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** The first code along the causes, such as `ECONNREFUSED`: a code has nothing of the address in it, a message may. */
function wordOf(error: unknown): string {
  for (let link: unknown = error; link instanceof Error; link = link.cause) {
    const code = 'code' in link ? link.code : undefined;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,50}$/.test(code)) return code;
    if (link instanceof AggregateError && link.errors.length > 0) return wordOf(link.errors[0]);
  }
  return 'connection_failed';
}
