/** Reads the HTTP/1.1 requests of a connection. Lenient and without limits: the clients under test are no attackers. */
import type { ByteReader } from './byte-reader.ts';

export interface HttpRequest {
  readonly method: string;
  /** The request target as sent, query included. */
  readonly path: string;
  /** Names in lower case; a repeated header's values joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyText: string;
  /** Whether the client lets the connection be used again. */
  readonly keepsAlive: boolean;
}

const tlsHandshake = 0x16;

/** The next request, or undefined once the client has closed. Throws a `SyntaxError` for what is not HTTP. */
export async function readRequest(bytes: ByteReader, onExpectContinue: () => void): Promise<HttpRequest | undefined> {
  // A TLS client would wait for its handshake, and never send the end of a head.
  if ((await bytes.peek()) === tlsHandshake) throw new SyntaxError('not an HTTP/1 request: a TLS handshake on a plain port');
  const head = await bytes.takeUntil('\r\n\r\n');
  if (head === undefined) return undefined;
  const [requestLine = '', ...headerLines] = head.replace(/^(\r\n)+/, '').split('\r\n');
  const [, method, path, version] = /^([A-Z]+) (\S+) (HTTP\/1\.[01])$/.exec(requestLine) ?? [];
  if (method === undefined || path === undefined) throw new SyntaxError(`not an HTTP/1 request: ${requestLine.slice(0, 80)}`);
  const headers = headersOf(headerLines);
  if (headers['expect']?.toLowerCase() === '100-continue') onExpectContinue();
  const body = headers['transfer-encoding']?.toLowerCase().includes('chunked')
    ? await readChunks(bytes)
    : await bytes.take(Number(headers['content-length'] ?? 0));
  if (body === undefined) return undefined;
  const connection = headers['connection']?.toLowerCase();
  const keepsAlive = version === 'HTTP/1.1' ? connection !== 'close' : connection === 'keep-alive';
  return { method, path, headers, bodyText: body.toString('utf8'), keepsAlive };
}

function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

async function readChunks(bytes: ByteReader): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  for (;;) {
    const sizeLine = await bytes.takeUntil('\r\n');
    if (sizeLine === undefined) return undefined;
    const size = Number.parseInt(sizeLine, 16);
    if (Number.isNaN(size)) throw new SyntaxError(`not a chunk size: ${sizeLine.slice(0, 80)}`);
    if (size === 0) break;
    const chunk = await bytes.take(size);
    if (chunk === undefined) return undefined;
    chunks.push(chunk);
    await bytes.take(2);
  }
  // Trailers, if any, up to the empty line.
  for (let line = await bytes.takeUntil('\r\n'); line !== ''; line = await bytes.takeUntil('\r\n')) {
    if (line === undefined) return undefined;
  }
  return Buffer.concat(chunks);
}
