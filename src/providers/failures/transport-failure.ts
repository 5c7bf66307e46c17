/**
 * The closed table of transport errors (T3): which of them may be retried. Pure.
 *
 * An error's class does not tell (a bad certificate and a reset may have the same one), so codes
 * decide, along the whole `cause` chain and inside `AggregateError`s. One permanent code outweighs all transient ones.
 * Cancels and our own deadlines are not looked for here: the caller checks its signals first.
 */
import type { FailureCode } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import { modelFailure, safeDetail } from './model-failure.ts';

/** What `http/connection.ts` renames `ECONNRESET` to on a socket, so that undici does not mistake a reset for the end of a body. */
export const maskedResetCode = 'SOCKET_RESET';

const transientCodes = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
  // A name that was looked up in vain.
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  // This machine has no port, descriptor or memory left for a connection: load brings it about, and takes it away.
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EAI_MEMORY',
  'UND_ERR_CONNECT_TIMEOUT',
  // The server closed early: FIN before the headers, or within a body that has a length or chunks.
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'HPE_INVALID_EOF_STATE',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

const permanentCodes: readonly (readonly [RegExp, FailureCode])[] = [
  [
    /^ERR_(?:SSL|TLS)_|CERT|^UNABLE_TO_|^CRL_|^HOSTNAME_MISMATCH$|^INVALID_(?:CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$|^EPROTO$/,
    'provider_rejected',
  ],
  [/^ERR_INVALID_URL$|^ERR_SOCKET_BAD_PORT$/, 'provider_rejected'],
  [/^HPE_|^UND_ERR_HEADERS_OVERFLOW$|^Z_/, 'provider_protocol'],
];

/** Errors that carry no code, by name and message: undici 8's HTTPParserError. */
const codelessErrors: readonly (readonly [RegExp, Verdict])[] = [
  [/^HTTPParserError: .*Invalid EOF state/, { code: 'transport_failed', detail: 'HPE_INVALID_EOF_STATE' }],
  [/^HTTPParserError: /, { code: 'provider_protocol', detail: 'not_http' }],
];

/** A reset whose code was lost on the way: only used where no error of the chain has a code. */
export const resetMessage = /connection reset by peer|socket hang up/i;

interface Verdict {
  readonly code: FailureCode;
  /** The failure's `detail`. */
  readonly detail: string;
}

interface Link {
  readonly code: string | undefined;
  /** `name: message` */
  readonly text: string;
}

/** @param error what the request or the body threw; no cancel, no deadline and no `HttpStatusError`. */
export function failureOfTransport(error: unknown, hasStarted: boolean): ModelFailure {
  const { code, detail } = verdictOn(linksOf(error));
  // A step that has started is never requested again (T2), so the cause no longer matters.
  return modelFailure(hasStarted ? 'stream_interrupted' : code, { detail });
}

function verdictOn(links: readonly Link[]): Verdict {
  const verdicts = links.flatMap((link) => verdictOnLink(link) ?? []);
  const permanent = verdicts.find(({ code }) => code !== 'transport_failed');
  const known = permanent ?? verdicts[0];
  if (known !== undefined) return known;
  const code = links.find((link) => link.code !== undefined)?.code;
  // A code that no table knows is fatal (T3).
  if (code !== undefined) return { code: 'provider_rejected', detail: safeDetail(code) };
  if (links.some(({ text }) => resetMessage.test(text))) return { code: 'transport_failed', detail: 'ECONNRESET' };
  return { code: 'provider_rejected', detail: 'unknown_error' };
}

function verdictOnLink({ code, text }: Link): Verdict | undefined {
  if (code === undefined) return codelessErrors.find(([pattern]) => pattern.test(text))?.[1];
  // undici uses `UND_ERR_SOCKET` also for a response that switches protocols.
  if (code === 'UND_ERR_SOCKET' && /bad upgrade|bad response/.test(text)) return { code: 'provider_protocol', detail: 'bad_upgrade' };
  if (code === maskedResetCode) return { code: 'transport_failed', detail: 'ECONNRESET' };
  if (transientCodes.has(code)) return { code: 'transport_failed', detail: code };
  const permanent = permanentCodes.find(([pattern]) => pattern.test(code));
  return permanent === undefined ? undefined : { code: permanent[1], detail: safeDetail(code) };
}

/** The first error of the `cause` chain that is of this kind: libraries wrap the errors of others. */
export function findCause<T extends Error>(error: unknown, isKind: (cause: Error) => cause is T): T | undefined {
  return chainOf(error).find(isKind);
}

function linksOf(error: unknown): readonly Link[] {
  return chainOf(error).map((link) => ({
    code: codeOf(link),
    text: `${link.name}: ${link.message}`,
  }));
}

export function codeOf(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The error, its causes and the members of aggregates, breadth first. */
export function chainOf(error: unknown): readonly Error[] {
  const chain = new Set<Error>();
  const next: unknown[] = [error];
  for (const each of next) {
    if (!(each instanceof Error) || chain.has(each) || chain.size >= 50) continue;
    chain.add(each);
    next.push(each.cause, ...(each instanceof AggregateError ? each.errors : []));
  }
  return [...chain];
}
