/** The log of requests: what arrived, when, and which side ended the response. */
import type { HttpRequest } from './http-request.ts';

export interface LoggedRequest {
  /** 1 for the first request to this server. */
  readonly index: number;
  /** The number of its connection; 1 for the first. Equal numbers mean that a connection was reused. */
  readonly connection: number;
  /** When its last byte had been read. Milliseconds since 1970, with fractions, from a clock that never steps back. */
  readonly arrivedAtMs: number;
  readonly method: string;
  /** The request target as sent, query included. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyText: string;
  /** The body parsed as JSON; undefined if it is not JSON. */
  readonly body: unknown;
  /** Bytes of the response that the kernel has taken, head and framing included. */
  readonly bytesSent: number;
  /** When the script ended, or the client closed before that. In ms since 1970, as `arrivedAtMs`. */
  readonly endedAtMs?: number;
  readonly endedBy?: 'client' | 'server';
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
export type OpenRequest = Writable<LoggedRequest>;

interface Waiter {
  readonly check: () => LoggedRequest | Error | undefined;
  readonly resolve: (request: LoggedRequest) => void;
  readonly reject: (error: Error) => void;
}

export class RequestLog {
  readonly requests: OpenRequest[] = [];
  readonly #keepsRequests: boolean;
  #count = 0;
  #waiters: Waiter[] = [];

  /** @param keepsRequests false: requests are numbered only */
  constructor(keepsRequests: boolean) {
    this.#keepsRequests = keepsRequests;
  }

  add({ method, path, headers, bodyText }: HttpRequest, connection: number): OpenRequest {
    this.#count += 1;
    const request: OpenRequest = {
      index: this.#count,
      connection,
      arrivedAtMs: nowMs(),
      method,
      path,
      headers,
      bodyText,
      body: parsed(bodyText),
      bytesSent: 0,
    };
    if (this.#keepsRequests) this.requests.push(request);
    this.#notify();
    return request;
  }

  /** Only the first call counts. */
  end(request: OpenRequest, by: 'client' | 'server'): void {
    if (request.endedBy !== undefined) return;
    request.endedAtMs = nowMs();
    request.endedBy = by;
    this.#notify();
  }

  arrived(n: number): Promise<LoggedRequest> {
    return this.#waitFor(() => this.requests[n - 1]);
  }

  clientClosed(n: number): Promise<LoggedRequest> {
    return this.#waitFor(() => {
      const request = this.requests[n - 1];
      if (request?.endedBy === 'server') return new Error(`request ${n} was ended by its script, not by the client`);
      return request?.endedBy === 'client' ? request : undefined;
    });
  }

  close(): void {
    for (const { reject } of this.#waiters) reject(new Error('the model server was closed while this was waited for'));
    this.#waiters = [];
  }

  #waitFor(check: Waiter['check']): Promise<LoggedRequest> {
    const { promise, resolve, reject } = Promise.withResolvers<LoggedRequest>();
    // A test that failed before it awaited this must not end with an unhandled rejection.
    promise.catch(() => {});
    this.#waiters.push({ check, resolve, reject });
    this.#notify();
    return promise;
  }

  #notify(): void {
    this.#waiters = this.#waiters.filter(({ check, resolve, reject }) => {
      const found = check();
      if (found === undefined) return true;
      if (found instanceof Error) reject(found);
      else resolve(found);
      return false;
    });
  }
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function parsed(bodyText: string): unknown {
  try {
    return JSON.parse(bodyText);
  } catch {
    return undefined;
  }
}
