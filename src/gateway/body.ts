/** The body of a request, bounded in size and time, as JSON. */
import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

export interface BodyLimits {
  readonly bytes: number;
  /** For the whole of it: one byte at a time is no way around. */
  readonly timeoutMs: number;
}

const bodyLimits: BodyLimits = { bytes: 32 * 1024 * 1024, timeoutMs: 60_000 };

/** What comes after a refused body is not read: the connection cannot be used again. */
const headers = { connection: 'close' };

/** @throws ApiError 413 past 32 MiB, 408 past a minute, 400 when it is cut off or not valid JSON. */
export async function readJson(incoming: IncomingMessage, limits: BodyLimits = bodyLimits): Promise<unknown> {
  const body = await readBody(incoming, limits);
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    throw new ApiError({ status: 400, code: 'invalid_json', message: 'The body is not valid JSON. Send a JSON object.' });
  }
}

function readBody(incoming: IncomingMessage, { bytes, timeoutMs }: BodyLimits): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > bytes) refuse(tooLarge());
      else chunks.push(chunk);
    };
    const settle = (): void => {
      clearTimeout(timer);
      incoming.off('data', onData).off('end', onEnd).off('close', onCut);
    };
    const refuse = (error: ApiError): void => {
      settle();
      // Not destroyed, which would take the answer along with it.
      incoming.pause();
      reject(error);
    };
    const onEnd = (): void => {
      settle();
      resolve(Buffer.concat(chunks));
    };
    const onCut = (): void => {
      refuse(new ApiError({ status: 400, code: 'request_aborted', message: 'The body was cut off.', headers }));
    };
    const timer = setTimeout(() => {
      refuse(new ApiError({ status: 408, code: 'request_timeout', message: 'The body took too long to arrive.', headers }));
    }, timeoutMs);
    // Without a listener an aborted request would be an uncaught error; `close` follows it.
    incoming.on('error', () => undefined);
    if (Number(incoming.headers['content-length'] ?? 0) > bytes) refuse(tooLarge());
    else if (incoming.destroyed && !incoming.complete) onCut();
    else incoming.on('data', onData).once('end', onEnd).once('close', onCut);
  });
}

function tooLarge(): ApiError {
  return new ApiError({ status: 413, code: 'request_too_large', message: 'The body is over 32 MiB.', headers });
}
