/** Tells what passes over the wire in one exchange, and how that ended, to whoever wants to keep it (`WireTap`). */
import type { ExchangeEnd, RecordedError } from '../../domain/turn/recording.ts';
import type { WireTap } from '../provider.ts';
import type { ResponseBody } from './body.ts';
import { type Connection, HttpStatusError, type IncomingResponse, type OutgoingRequest } from './connection.ts';
import type { HttpExchange } from './exchange.ts';
import { KeyMask, maskOfKey, shortestKey } from './key-mask.ts';

export interface TapOptions {
  readonly wire: WireTap | undefined;
  readonly exchange: HttpExchange;
  /** The caller's. */
  readonly signal: AbortSignal;
  readonly apiKey: string;
}

/** Of causes that are told. */
const mostCauses = 10;

export class ExchangeTap {
  readonly #options: TapOptions;
  readonly #mask: KeyMask | undefined;
  #isOpen = false;

  constructor(options: TapOptions) {
    this.#options = options;
    const { wire, apiKey } = options;
    this.#mask = wire && new KeyMask(apiKey, (chunk) => wire.read(chunk));
  }

  /** As `Connection.send`. */
  async send(connection: Connection, request: OutgoingRequest): Promise<IncomingResponse> {
    const { wire } = this.#options;
    if (wire === undefined) return connection.send(request);
    this.#isOpen = true;
    // Neither its credentials nor its query: exported turns are read by others.
    const { origin, pathname } = request.url;
    wire.requested({ method: request.method, url: this.#unkeyed(`${origin}${pathname}`) });
    try {
      const response = await connection.send(request);
      this.#headed(response);
      return response;
    } catch (error) {
      if (error instanceof HttpStatusError) this.#headed(error);
      else this.#end({ how: 'broken', cause: recordedError(error) });
      throw error;
    }
  }

  /** As `ResponseBody.hasMore`. */
  async hasMore(body: ResponseBody): Promise<boolean> {
    try {
      const hasMore = await body.hasMore();
      if (!hasMore) this.#end({ how: 'ended' });
      return hasMore;
    } catch (error) {
      this.#end({ how: 'broken', cause: recordedError(error) });
      throw error;
    }
  }

  /** Nothing more is read. To be called in any case. */
  leave(): void {
    this.#end({ how: 'left' });
  }

  #headed({ status, headers, body }: IncomingResponse): void {
    const kept = Array.from(headers, ([name, value]) => [name, this.#unkeyed(value)] as const);
    this.#options.wire?.headed(status, Object.fromEntries(kept));
    body.onTake = (chunk) => this.#mask?.push(chunk);
  }

  #unkeyed(text: string): string {
    const { apiKey } = this.#options;
    return apiKey.length < shortestKey ? text : text.replaceAll(apiKey, maskOfKey(apiKey.length));
  }

  /** What our side has closed seems to have ended, or to be broken. */
  #end(end: ExchangeEnd): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#mask?.end();
    const { wire, exchange, signal } = this.#options;
    const { expired } = exchange.deadlines;
    if (signal.aborted) wire?.ended({ how: 'aborted' });
    else wire?.ended(expired === undefined ? end : { how: 'deadline', deadline: expired });
  }
}

/** No words of a provider's: those of the socket and of TLS. */
function recordedError(error: unknown, depth = 0): RecordedError {
  if (!(error instanceof Error)) return { name: 'unknown', message: '' };
  const { name, message, cause } = error;
  const hasCause = cause instanceof Error && depth < mostCauses;
  return {
    name,
    message: message.slice(0, 1_000),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(hasCause ? { cause: recordedError(cause, depth + 1) } : {}),
    ...(error instanceof AggregateError ? { errors: error.errors.slice(0, mostCauses).map((each) => recordedError(each, depth + 1)) } : {}),
  };
}
