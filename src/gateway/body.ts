/** The body of a request, bounded, as JSON. */
import type { IncomingMessage } from 'node:http';
import { ApiError } from './errors.ts';

const bodyLimitBytes = 32 * 1024 * 1024;

/** @throws ApiError 413 past 32 MiB, 400 when it is no JSON object. */
export async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const tooLarge = new ApiError({
    status: 413,
    code: 'request_too_large',
    message: 'The body is over 32 MiB.',
    headers: { connection: 'close' },
  });
  if (Number(incoming.headers['content-length'] ?? 0) > bodyLimitBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimitBytes) throw tooLarge;
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ApiError({ status: 400, code: 'invalid_json', message: 'The body is not valid JSON. Send a JSON object.' });
  }
}
