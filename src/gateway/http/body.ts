/** Reads the body of a request as JSON, within bounds of size and time. */
import type { IncomingMessage } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { BodyHold } from './body-budget.ts';
import { ApiError } from './errors.ts';
import { type JsonLimits, JsonScanner } from './json-scanner.ts';
import { parseJson } from './parse-json.ts';

export interface BodyLimits {
  readonly bytes: number;
  /** For the whole body, however slowly it comes. */
  readonly timeoutMs: number;
}

const bodyLimits: BodyLimits = { bytes: 32 * 1024 * 1024, timeoutMs: 60_000 };

export interface BodyOptions {
  readonly limits?: BodyLimits;
  readonly json?: JsonLimits;
  /** What the body takes of the memory that there is for bodies; the caller releases it. */
  readonly hold?: BodyHold;
  /** Called when all of it is there, before it is parsed; what it returns is waited for. */
  readonly admit?: () => Promise<void> | undefined;
}

/**
 * @throws ApiError 413 past 32 MiB, 408 past a minute, 415 when it is compressed, 429 when the gateway holds too many bytes
 * of bodies, 400 when it is cut off, not UTF-8, not valid JSON, or has too much of something: see `JsonLimits`
 */
export async function readJson(incoming: IncomingMessage, options: BodyOptions = {}): Promise<unknown> {
  const encoding = incoming.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    const message = `A body of Content-Encoding '${encoding}' is not read. Send it as it is.`;
    throw new ApiError({ status: 415, param: 'Content-Encoding', code: 'unsupported_content_encoding', message });
  }
  const body = new GrowingBody(new JsonScanner(options.json), options);
  await readInto(body, incoming, options.limits ?? bodyLimits);
  const admitted = options.admit?.();
  if (admitted !== undefined) await admitted;
  return parseJson(body.bytes, body.scanner);
}

/** A message of a WebSocket, which comes whole: looked at in pieces nevertheless (T14). @throws ApiError 400, as `readJson` */
export async function parseMessage(bytes: Buffer, limits?: JsonLimits): Promise<unknown> {
  const scanner = new JsonScanner(limits);
  for (let end = scanBytes; end < bytes.length; end += scanBytes) {
    scanner.scan(bytes.subarray(0, end));
    await setImmediate();
  }
  scanner.scan(bytes);
  return parseJson(bytes, scanner);
}

/** Scanned within a few milliseconds, whatever they are. */
const scanBytes = 256 * 1024;

/** The bytes of a body in one piece, scanned as they come. */
class GrowingBody {
  readonly scanner: JsonScanner;
  readonly #hold: BodyHold | undefined;
  #buffer = Buffer.alloc(0);
  #length = 0;

  constructor(scanner: JsonScanner, { hold }: BodyOptions) {
    this.scanner = scanner;
    this.#hold = hold;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** There is to be room for so many bytes. @throws ApiError 429 */
  reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    this.#hold?.grow(bytes);
    const larger = Buffer.allocUnsafe(bytes);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** @throws ApiError 400 when it has too much of something, 429 when it cannot be held */
  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) this.reserve(Math.max(length, 2 * this.#buffer.length));
    chunk.copy(this.#buffer, this.#length);
    this.#length = length;
    this.scanner.scan(this.bytes);
  }
}

function readInto(body: GrowingBody, incoming: IncomingMessage, { bytes, timeoutMs }: BodyLimits): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('close', onCut);
    };
    const fail = (error: unknown): void => {
      settle();
      // Paused, not destroyed: the response goes out over the same connection, and `createHttpServer` throws the rest away.
      incoming.pause();
      reject(error);
    };
    const attempt = (work: () => void): void => {
      try {
        work();
      } catch (error) {
        fail(error);
      }
    };
    const onData = (chunk: Buffer): void => {
      if (body.length + chunk.length > bytes) fail(tooLarge());
      else attempt(() => body.add(chunk));
    };
    const onEnd = (): void => {
      settle();
      resolve();
    };
    const onCut = (): void => {
      fail(new ApiError({ status: 400, code: 'request_aborted', message: 'The body was cut off.' }));
    };
    const timer = setTimeout(() => {
      fail(tooSlow());
    }, timeoutMs);
    // Without a listener an aborted request would be an uncaught error; `close` follows it.
    incoming.on('error', () => undefined);
    const announced = Number(incoming.headers['content-length'] ?? 0);
    if (announced > bytes) fail(tooLarge());
    else if (incoming.destroyed && !incoming.complete) onCut();
    else {
      incoming.on('data', onData).once('end', onEnd).once('close', onCut);
      attempt(() => body.reserve(announced));
    }
  });
}

/** Its rest is not waited for either. */
function tooSlow(): ApiError {
  const message = 'The body took too long to arrive.';
  return new ApiError({ status: 408, code: 'request_timeout', message, headers: { connection: 'close' } });
}

function tooLarge(): ApiError {
  return new ApiError({ status: 413, code: 'request_too_large', message: 'The body is over 32 MiB.' });
}
