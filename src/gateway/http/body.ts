/** Reads the body of a request as JSON, within bounds of size and time. */
import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

export interface BodyLimits {
  readonly bytes: number;
  /** For the whole body, however slowly it comes. */
  readonly timeoutMs: number;
}

const bodyLimits: BodyLimits = { bytes: 32 * 1024 * 1024, timeoutMs: 60_000 };

/** Far more than any schema or message needs, and few enough for code that walks the value by recursion. */
const maxDepth = 256;

/** The rest of a rejected body is not read, so the connection cannot be used again. */
const headers = { connection: 'close' };

/**
 * @throws ApiError 413 past 32 MiB, 408 past a minute, 415 when it is compressed,
 * 400 when it is cut off, not UTF-8, not valid JSON, nested deeper than 256 levels, or with half a surrogate pair.
 */
export async function readJson(incoming: IncomingMessage, limits: BodyLimits = bodyLimits): Promise<unknown> {
  const encoding = incoming.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    const message = `A body of Content-Encoding '${encoding}' is not read. Send it as it is.`;
    throw new ApiError({ status: 415, param: 'Content-Encoding', code: 'unsupported_content_encoding', message, headers });
  }
  const value = parse(await readBody(incoming, limits));
  const problem = problemIn(value);
  if (problem !== undefined) throw new ApiError({ status: 400, code: 'invalid_value', message: `The body is not valid: ${problem}.` });
  return value;
}

function parse(body: Buffer): unknown {
  let text: string;
  try {
    // Fatal: text of another encoding would otherwise come in with characters replaced.
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new ApiError({ status: 400, code: 'invalid_json', message: 'The body is not valid UTF-8. Send JSON in UTF-8.' });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError({ status: 400, code: 'invalid_json', message: 'The body is not valid JSON. Send a JSON object.' });
  }
}

/**
 * What no schema finds. JSON.parse takes any depth, and JSON.stringify then runs out of stack; zod's records drop
 * `__proto__` silently; most languages cannot read half a surrogate pair. Level by level: recursion would need the stack.
 */
export function problemIn(value: unknown): string | undefined {
  let level = [value].filter(isStringOrObject);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return `it is nested deeper than ${maxDepth} levels`;
    const next: (string | object)[] = [];
    for (const each of level) {
      if (typeof each === 'string' ? !each.isWellFormed() : Object.keys(each).some((key) => !key.isWellFormed())) {
        return 'it holds half a surrogate pair, which is no character: "\\ud83d\\ude00" is one, "\\ud83d" alone is none';
      }
      if (typeof each === 'string') continue;
      if (Object.hasOwn(each, '__proto__')) return "'__proto__' cannot be the name of a field";
      for (const inner of Object.values(each)) if (isStringOrObject(inner)) next.push(inner);
    }
    level = next;
  }
  return undefined;
}

function isStringOrObject(value: unknown): value is string | object {
  return typeof value === 'string' || (typeof value === 'object' && value !== null);
}

function readBody(incoming: IncomingMessage, { bytes, timeoutMs }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > bytes) fail(tooLarge());
      else chunks.push(chunk);
    };
    const settle = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('close', onCut);
    };
    const fail = (error: ApiError): void => {
      settle();
      // Paused, not destroyed: the response goes out over the same connection.
      incoming.pause();
      reject(error);
    };
    const onEnd = (): void => {
      settle();
      resolve(Buffer.concat(chunks));
    };
    const onCut = (): void => {
      fail(new ApiError({ status: 400, code: 'request_aborted', message: 'The body was cut off.', headers }));
    };
    const timer = setTimeout(() => {
      fail(new ApiError({ status: 408, code: 'request_timeout', message: 'The body took too long to arrive.', headers }));
    }, timeoutMs);
    // Without a listener an aborted request would be an uncaught error; `close` follows it.
    incoming.on('error', () => undefined);
    if (Number(incoming.headers['content-length'] ?? 0) > bytes) fail(tooLarge());
    else if (incoming.destroyed && !incoming.complete) onCut();
    else incoming.on('data', onData).once('end', onEnd).once('close', onCut);
  });
}

function tooLarge(): ApiError {
  return new ApiError({ status: 413, code: 'request_too_large', message: 'The body is over 32 MiB.', headers });
}
