/** What arrived, when, and who ended it: the half of a story that the client cannot tell. */
import type { HttpRequest } from './http-request.ts';

export interface LoggedRequest {
  /** 1 for the first request to this server. */
  readonly index: number;
  /** Which connection it came on; 1 for the first. Equal numbers mean that a connection was used again. */
  readonly connection: number;
  /** When its last byte had been read. Milliseconds since 1970, with fractions, from a clock that never steps back. */
  readonly arrivedAtMs: number;
  readonly method: string;
  /** The request target as sent, query included. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyText: string;
  /** The body as JSON; undefined if it is none. */
  readonly body: unknown;
  /** Bytes of the answer that the kernel has taken, head and framing included. */
  readonly bytesSent: number;
  /** When the script ended, or the client hung up before that. */
  readonly endedAtMs?: number;
  readonly endedBy?: 'client' | 'server';
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
export type OpenRequest = Writable<LoggedRequest>;

interface Watcher {
  readonly look: () => LoggedRequest | Error | undefined;
  readonly resolve: (request: LoggedRequest) => void;
  readonly reject: (error: Error) => void;
}

export class RequestLog {
  readonly requests: OpenRequest[] = [];
  readonly #keeps: boolean;
  #count = 0;
  #watchers: Watcher[] = [];

  /** A server that runs for days (`keeps: false`) numbers its requests and forgets them. */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
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
    if (this.#keeps) this.requests.push(request);
    this.#notify();
    return request;
  }

  /** The first end counts. */
  end(request: OpenRequest, by: 'client' | 'server'): void {
    if (request.endedBy !== undefined) return;
    request.endedAtMs = nowMs();
    request.endedBy = by;
    this.#notify();
  }

  arrived(n: number): Promise<LoggedRequest> {
    return this.#watch(() => this.requests[n - 1]);
  }

  clientClosed(n: number): Promise<LoggedRequest> {
    return this.#watch(() => {
      const request = this.requests[n - 1];
      if (request?.endedBy === 'server') return new Error(`request ${n} was ended by its script, not by the client`);
      return request?.endedBy === 'client' ? request : undefined;
    });
  }

  close(): void {
    for (const { reject } of this.#watchers) reject(new Error('the model server was closed while this was waited for'));
    this.#watchers = [];
  }

  #watch(look: Watcher['look']): Promise<LoggedRequest> {
    const { promise, resolve, reject } = Promise.withResolvers<LoggedRequest>();
    // Whoever awaits it gets the error; a test that failed earlier shall not end as an unhandled rejection.
    promise.catch(() => {});
    this.#watchers.push({ look, resolve, reject });
    this.#notify();
    return promise;
  }

  #notify(): void {
    this.#watchers = this.#watchers.filter(({ look, resolve, reject }) => {
      const seen = look();
      if (seen === undefined) return true;
      if (seen instanceof Error) reject(seen);
      else resolve(seen);
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
