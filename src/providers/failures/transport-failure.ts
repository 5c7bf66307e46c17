/**
 * The closed table (T3): which error of the transport may be tried again. Pure.
 *
 * The class of an error says nothing (the `openai` client wraps a bad certificate and a reset alike), so the whole
 * `cause` chain is walked, and `AggregateError`s with it, by codes. One permanent code anywhere outweighs the rest.
 * Whether we cancelled, or a deadline of ours passed, is never read from an error: ask the signal first.
 */
import type { FailureCode } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import { resetCode } from '../http/connection.ts';
import { modelFailure, safeWord } from './model-failure.ts';

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
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  // The other side closing early: FIN before the headers or amid a body that has a length or chunks.
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

/** For links that carry no code. undici 8's HTTPParserError is one, its `fetch`'s own refusals are others. */
const codelessLinks: readonly (readonly [RegExp, Verdict])[] = [
  [/^HTTPParserError: .*Invalid EOF state/, { code: 'transport_failed', word: 'HPE_INVALID_EOF_STATE' }],
  [/^HTTPParserError: /, { code: 'provider_protocol', word: 'not_http' }],
  [/: bad port$/, { code: 'provider_rejected', word: 'bad_port' }],
  [/: unknown scheme$/, { code: 'provider_rejected', word: 'unknown_scheme' }],
  [/ URL that includes credentials/, { code: 'provider_rejected', word: 'url_with_credentials' }],
];

/** Where no link of the chain kept a code. */
const codelessChains = /connection reset by peer|socket hang up/i;

interface Verdict {
  readonly code: FailureCode;
  readonly word: string;
}

interface Link {
  readonly code: string | undefined;
  /** `name: message` */
  readonly text: string;
}

/** @param error what the request or the body threw; neither a cancel, nor a deadline, nor an answer with a status. */
export function failureOfTransport(error: unknown, hasStarted: boolean): ModelFailure {
  const { code, word } = verdictOn(linksOf(error));
  // What is cut off is cut off, however it was done; nothing that has started is asked for again (T2).
  return modelFailure(hasStarted ? 'stream_interrupted' : code, { detail: word });
}

function verdictOn(links: readonly Link[]): Verdict {
  const verdicts = links.flatMap((link) => verdictOnLink(link) ?? []);
  const permanent = verdicts.find(({ code }) => code !== 'transport_failed');
  const known = permanent ?? verdicts[0];
  if (known !== undefined) return known;
  const code = links.find((link) => link.code !== undefined)?.code;
  // Unknown is fatal (T3), and the provider's side is where it came from.
  if (code !== undefined) return { code: 'provider_rejected', word: safeWord(code) };
  if (links.some(({ text }) => codelessChains.test(text))) return { code: 'transport_failed', word: 'ECONNRESET' };
  return { code: 'provider_rejected', word: 'unknown_error' };
}

function verdictOnLink({ code, text }: Link): Verdict | undefined {
  if (code === undefined) return codelessLinks.find(([pattern]) => pattern.test(text))?.[1];
  // `UND_ERR_SOCKET` also stands for an answer that switches protocols.
  if (code === 'UND_ERR_SOCKET' && /bad upgrade|bad response/.test(text)) return { code: 'provider_protocol', word: 'bad_upgrade' };
  if (code === resetCode) return { code: 'transport_failed', word: 'ECONNRESET' };
  if (transientCodes.has(code)) return { code: 'transport_failed', word: code };
  const permanent = permanentCodes.find(([pattern]) => pattern.test(code));
  return permanent === undefined ? undefined : { code: permanent[1], word: safeWord(code) };
}

/** The first link of the chain that is of this kind: errors travel wrapped in others. */
export function linkOf<T extends Error>(error: unknown, isKind: (link: Error) => link is T): T | undefined {
  return chainOf(error).find(isKind);
}

function linksOf(error: unknown): readonly Link[] {
  return chainOf(error).map((link) => ({
    code: 'code' in link && typeof link.code === 'string' ? link.code : undefined,
    text: `${link.name}: ${link.message}`,
  }));
}

/** The error, its causes and the members of aggregates, breadth first. */
function chainOf(error: unknown): readonly Error[] {
  const chain = new Set<Error>();
  const next: unknown[] = [error];
  for (const each of next) {
    if (!(each instanceof Error) || chain.has(each) || chain.size >= 50) continue;
    chain.add(each);
    next.push(each.cause, ...(each instanceof AggregateError ? each.errors : []));
  }
  return [...chain];
}
