/** What went wrong with a server, in words that may be shown: without a header, a variable or an address of the configuration (T11). */
import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import type { McpServer } from '../mcp-server.ts';

const requestTimeout: number = ErrorCode.RequestTimeout;

/** Shorter values are no secrets, but numbers and switches: to take them out would garble the words. */
const shortestSecret = 6;
const maxWordsChars = 2_000;

/** A server that could not be started, reached or listed, or that ended: the message is in words for the model and the log. */
export class McpServerError extends Error {
  override readonly name = 'McpServerError';
}

/** @returns takes what is secret of a server's configuration out of a text */
export function redactor(server: McpServer): (text: string) => string {
  const values = 'url' in server ? [...Object.values(server.headers), ...secretsOfUrl(server.url)] : Object.values(server.env);
  const secrets = values
    // `Bearer sk-…`: its last word may be told alone.
    .flatMap((value) => [value, ...value.split(/\s+/)])
    .filter((value) => value.length >= shortestSecret)
    // The longest first: one may be a part of another.
    .toSorted((a, b) => b.length - a.length);
  return (text) => secrets.reduce((text, secret) => text.replaceAll(secret, '[redacted]'), text);
}

export function boundedWords(text: string): string {
  return text.length <= maxWordsChars ? text : `${text.slice(0, maxWordsChars).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

function secretsOfUrl(text: string): readonly string[] {
  if (!URL.canParse(text)) return [text];
  const url = new URL(text);
  const values = [...url.searchParams.values()];
  return [url.href, text, url.search.slice(1), url.username, url.password, decodeURIComponent(url.password), ...values];
}

/** @param error what the SDK, a transport or the network threw; the server's answers to this call are among it */
export function failureWords(error: unknown): string {
  if (error instanceof StreamableHTTPError) {
    return error.code === undefined || error.code < 0 ? error.message : `it answered with HTTP status ${error.code}`;
  }
  if (error instanceof McpError) {
    if (error.code === requestTimeout) return 'it did not answer in time';
    return error.message.replace(/^(MCP error -?\d+: )+/, '');
  }
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  if (error.message === 'fetch failed') return `it could not be reached${code === undefined ? '' : ` (${code})`}`;
  return error.message;
}

/** Is it what the server itself answered to this call, by the protocol? */
export function isServersAnswer(error: unknown): boolean {
  return error instanceof McpError && error.code !== requestTimeout;
}

/** Does the server no longer know the session of this connection? The specification says 404; many servers say 400. */
export function isSessionLost(error: unknown): boolean {
  return error instanceof StreamableHTTPError && (error.code === 404 || (error.code === 400 && /session/i.test(error.message)));
}
