/** Classifies the error that a provider states, by its code and its words. Pure; closed tables. */
import type { ModelFailure } from '../../domain/model.ts';
import { longestBusyWaitMs } from '../../domain/turn/retry-policy.ts';
import { modelFailure, quotaFailure, safeDetail } from './model-failure.ts';
import type { ErrorBody } from './read-error-body.ts';
import { longestWaitMs } from './retry-after.ts';

export { type ErrorBody, readErrorBody, readPlace, statesError } from './read-error-body.ts';

const contextCodes = new Set([
  'context_length_exceeded',
  'exceed_context_size_error',
  'context_window_exceeded',
  'contextwindowexceedederror',
  'model_context_window_exceeded',
  'tokens_limit_reached',
]);
const contextSentences = [
  /maximum (?:allowed )?(?:context|input|prompt|sequence) length/i,
  /context window/i,
  /exceed\w* (?:the )?(?:available |maximum |max |model'?s? )*context/i,
  /context (?:length|size|limit)\b.{0,40}\bexceed/i,
  /exceed\w*\b.{0,40}\bcontext (?:length|size|limit)\b/i,
  /(?:prompt|input) (?:is |was )?too (?:long|large)/i,
  /(?:prompt|input)\b.{0,60}\b(?:exceeds?|longer than|larger than)\b.{0,40}\b(?:context|maximum|limit of \d+ tokens)/i,
  /input token count .{0,40}exceeds the maximum/i,
  /reduce the length of the (?:messages|prompt|input)/i,
  /tokens? to keep from the initial prompt is greater than the context/i,
  /\bmax(?:imum)?[ _]tokens?\b.{0,30}\bexceed\w*\b.{0,30}\bcontext\b/i,
];

const quotaCodes = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'quota_exceeded',
  'exceeded_current_quota_error',
  'insufficient_balance',
  'insufficient_credits',
  'insufficient_funds',
  'payment_required',
  '402',
]);
const quotaSentences = [
  /exceeded your current (?:quota|plan)/i,
  /insufficient (?:account )?(?:quota|balance|credits?|funds)\b/i,
  /(?:balance|credits?) (?:is|are|has been) (?:insufficient|exhausted|too low|used up|not enough)/i,
  /(?:balance|credit)s? (?:\w+ ){0,4}too low\b/i,
  /not enough (?:balance|credits?|quota)\b/i,
  /requires more credits/i,
  /billing hard limit/i,
  /(?:run|ran) out of (?:credits|funds|quota)/i,
  /\b(?:daily|weekly|monthly) (?:\w+ ){0,2}(?:limit|quota) (?:\w+ ){0,3}(?:exceeded|reached|exhausted|hit)\b/i,
  /(?:monthly|daily|weekly|spending|usage) (?:quota|spend(?:ing)? limit) (?:\w+ ){0,3}(?:exceeded|reached|exhausted)/i,
];

/** A limit by the day: no wait within a turn helps, unless the sentence states a short one. */
const dayLimitSentence = /\blimit\b.{0,120}\b(?:per day|RPD|TPD)\b|\b(?:per day|RPD|TPD)\b.{0,120}\blimit\b/i;

/** llama.cpp answers so, with status 500, when its model takes no images or audio. A retry would get the same. */
const inputKindSentences = [/\b(?:image|audio|video) input is not supported/i];

const busyCodes = new Set([
  'rate_limit_exceeded',
  'rate_limit_error',
  'rate_limit_reached_error',
  'rate_limit',
  'rate_limited',
  'ratelimiterror',
  'too_many_requests',
  'toomanyrequests',
  'resource_exhausted',
  'overloaded',
  'overloaded_error',
  'engine_overloaded',
  'engine_overloaded_error',
  'server_overloaded',
  'server_is_overloaded',
  'slow_down',
  'unavailable',
  'unavailable_error',
  'service_unavailable',
  'service_unavailable_error',
  'serviceunavailable',
  'serviceunavailableerror',
  'server_error',
  'internal_error',
  'internal_server_error',
  'internalservererror',
  'api_error',
  'no_capacity',
  'bad_gateway',
  'gateway_timeout',
  'request_timeout',
]);
const rateLimitCodes = /^(?:429$|rate_?limit|too_?many_?requests|resource_exhausted)/i;
/** What servers say that have no code for it. */
const busySentences = [
  /\boverloaded\b/i,
  /\btoo many (?:concurrent |parallel )?requests\b/i,
  /\brate[ -]?limit(?:s|ed)?\b.{0,40}\b(?:reached|exceeded|hit|error)|\brate[ -]?limited\b|\bexceed\w*\b.{0,40}\brate limit/i,
  /\b(?:at|over|out of|exceeds?|exceeded|insufficient|no) (?:\w+ )?capacity\b/i,
  /\b(?:server|service|model|engine|system)\b.{0,20}\b(?:too |is |currently )+busy\b/i,
  /\b(?:temporarily|currently) unavailable\b|\bservice unavailable\b|\bserver is (?:not ready|starting|loading)/i,
  /\binternal server error\b|\bbad gateway\b|\bgateway time-?out\b/i,
];

/** The request itself is at fault, whatever the status. */
const requestCodes = new Set([
  'invalid_request_error',
  'invalidrequesterror',
  'invalid_request',
  'badrequesterror',
  'bad_request',
  'invalid_argument',
  'authentication_error',
  'permission_error',
  'permission_denied',
  'unauthenticated',
  'not_found_error',
]);

export function hasContextCode(error: ErrorBody): boolean {
  return isIn(contextCodes, error);
}

export function hasContextSentence({ message }: ErrorBody): boolean {
  return message !== undefined && contextSentences.some((sentence) => sentence.test(message));
}

/** Whether the request itself is at fault, although the status says that the server is. */
export function blamesRequest(error: ErrorBody): boolean {
  const { message } = error;
  if (message !== undefined && inputKindSentences.some((sentence) => sentence.test(message))) return true;
  return isIn(requestCodes, error) || wordsOf(error).some((word) => /^4\d\d$/.test(word) && !isBusyStatus(word));
}

export function isQuotaError(error: ErrorBody): boolean {
  const { message } = error;
  if (isIn(quotaCodes, error)) return true;
  if (message === undefined) return false;
  if (quotaSentences.some((sentence) => sentence.test(message))) return true;
  return dayLimitSentence.test(message) && (statedWaitMs(error) ?? Infinity) > longestBusyWaitMs;
}

/** The wait that an error asks for, where no header does: in a field, or in its words (`try again in 2m30s`, `in 7.66s`, `in 20 minutes`). */
export function statedWaitMs({ message, retryAfterMs }: ErrorBody): number | undefined {
  if (retryAfterMs !== undefined) return retryAfterMs;
  const said =
    /\b(?:try again|retry) (?:in|after) ((?:\d{1,7}(?:\.\d{1,6})? ?(?:ms|[dhms]|sec|min|hours?|minutes?|seconds?|days?)\b,? ?)+)/i.exec(
      (message ?? '').replaceAll(/(\d[dhm])(?=\d)/g, '$1 '),
    )?.[1];
  if (said === undefined) return undefined;
  let ms = 0;
  for (const [, count, unit = ''] of said.matchAll(/(\d+(?:\.\d+)?) ?([a-z]+)/gi)) ms += Number(count) * unitMs(unit.toLowerCase());
  return Math.min(Math.ceil(ms), longestWaitMs);
}

function unitMs(unit: string): number {
  if (unit === 'ms') return 1;
  return { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit.charAt(0)] ?? 0;
}

/** The server is at fault, or wants to be asked less often: by its code, and without one that says otherwise by its words. */
export function isBusyError(error: ErrorBody): boolean {
  if (isIn(rateLimit, error)) return true;
  if (blamesRequest(error)) return false;
  const { message } = error;
  return (
    isIn(busyCodes, error) ||
    wordsOf(error).some(isBusyStatus) ||
    (message !== undefined && busySentences.some((sentence) => sentence.test(message)))
  );
}

/**
 * The failure of an error that arrived in the stream, after a 200. What no table knows is fatal (T3). When it may be asked again
 * is in `busy`, from then on: `datedFailure` makes a time of it.
 */
export function failureOfStreamError(error: ErrorBody): ModelFailure {
  const word = error.code ?? error.type;
  const fields = { detail: word === undefined ? undefined : safeDetail(word), providerMessage: error.message };
  const retryAfterMs = statedWaitMs(error);
  if (isQuotaError(error)) return quotaFailure({ ...fields, retryAfterMs });
  // The sentence of a rate limit may mention tokens and windows too.
  if (hasContextCode(error) || (hasContextSentence(error) && !isIn(rateLimit, error))) {
    return modelFailure('context_length_exceeded', fields);
  }
  if (!isBusyError(error)) return modelFailure('provider_rejected', fields);
  return modelFailure('provider_busy', { ...fields, busy: retryAfterMs === undefined ? {} : { retryAfterMs } });
}

/** The failure of an error in plain words; undefined where no table knows them. */
export function failureOfWords(words: string): ModelFailure | undefined {
  const error: ErrorBody = { message: words, code: undefined, type: undefined };
  const isKnown = isQuotaError(error) || hasContextSentence(error) || isBusyError(error);
  return isKnown ? failureOfStreamError(error) : undefined;
}

const rateLimit = { has: (word: string): boolean => rateLimitCodes.test(word) };

function isBusyStatus(word: string): boolean {
  return /^(?:408|409|429|5\d\d)$/.test(word);
}

function isIn(codes: { has(word: string): boolean }, error: ErrorBody): boolean {
  return wordsOf(error).some((word) => codes.has(word.toLowerCase()));
}

function wordsOf({ code, type }: ErrorBody): readonly string[] {
  return [code, type].filter((word) => word !== undefined);
}
