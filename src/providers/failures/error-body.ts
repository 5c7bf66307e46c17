/** Reads the error that a provider describes as JSON, in any of the usual forms, and classifies it. Pure; closed tables. */
import type { ModelFailure } from '../../domain/model.ts';
import { asArray, asRecord, asText } from '../json.ts';
import { modelFailure, quotaFailure, safeDetail } from './model-failure.ts';

export interface ErrorBody {
  readonly message: string | undefined;
  readonly code: string | undefined;
  readonly type: string | undefined;
}

const contextCodes = new Set(['context_length_exceeded', 'exceed_context_size_error', 'context_window_exceeded']);
const contextSentences = [
  /maximum context length/i,
  /context window/i,
  /exceeds? the (?:available |maximum |model's )*context/i,
  /context (?:length|size|limit)\b.{0,40}\bexceed/i,
  /(?:prompt|input) is too long/i,
  /input token count .{0,40}exceeds the maximum/i,
  /reduce the length of the (?:messages|prompt|input)/i,
];

const quotaCodes = new Set([
  'insufficient_quota',
  'billing_hard_limit_reached',
  'billing_not_active',
  'quota_exceeded',
  'insufficient_balance',
]);
const quotaSentences = [
  /exceeded your current quota/i,
  /insufficient (?:quota|balance|credits?)\b/i,
  /billing hard limit/i,
  /run out of credits/i,
];

/** llama.cpp answers so, with status 500, when its model takes no images or audio. A retry would get the same. */
const inputKindSentences = [/\b(?:image|audio|video) input is not supported/i];

const busyCodes = new Set([
  'rate_limit_exceeded',
  'rate_limit_error',
  'rate_limit',
  'rate_limited',
  'too_many_requests',
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
  'server_error',
  'internal_error',
  'internal_server_error',
  'internalservererror',
  'api_error',
]);

/** Reads `{error: {…}}`, `{error: '…'}`, the flat form, FastAPI's `detail`, and Google's list of one. */
export function readErrorBody(body: unknown): ErrorBody {
  const outer = asRecord(body) ?? asRecord(asArray(body)[0]) ?? {};
  const inner = asRecord(outer['error']);
  const { message, code, type, status } = inner ?? outer;
  return {
    message: asText(message) ?? asText(outer['error']) ?? asText(outer['detail']),
    // Google puts a number into `code` and a word into `status`.
    code: codeOf(code) ?? asText(status),
    // In OpenAI's flat `error` event `type` is the name of the event, not the kind of error.
    type: type === 'error' ? undefined : (asText(type) ?? asText(status)),
  };
}

function codeOf(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : asText(value);
}

export function hasContextCode(error: ErrorBody): boolean {
  return isIn(contextCodes, error);
}

export function hasContextSentence({ message }: ErrorBody): boolean {
  return message !== undefined && contextSentences.some((sentence) => sentence.test(message));
}

/** Whether the request itself is at fault, although the status or code says that the server is. */
export function rejectsInputKind({ message }: ErrorBody): boolean {
  return message !== undefined && inputKindSentences.some((sentence) => sentence.test(message));
}

export function isQuotaError(error: ErrorBody): boolean {
  const { message } = error;
  return isIn(quotaCodes, error) || (message !== undefined && quotaSentences.some((sentence) => sentence.test(message)));
}

/** The failure of an error that arrived in the stream, after a 200. What no table knows is fatal (T3). */
export function failureOfStreamError(error: ErrorBody): ModelFailure {
  const word = error.code ?? error.type;
  const fields = { detail: word === undefined ? undefined : safeDetail(word), providerMessage: error.message };
  if (isQuotaError(error)) return quotaFailure(fields);
  const isBusy = isIn(busyCodes, error) || [error.code, error.type].some((word) => /^(?:408|409|429|5\d\d)$/.test(word ?? ''));
  if (hasContextCode(error) || hasContextSentence(error)) return modelFailure('context_length_exceeded', fields);
  return modelFailure(isBusy && !rejectsInputKind(error) ? 'provider_busy' : 'provider_rejected', fields);
}

function isIn(codes: ReadonlySet<string>, { code, type }: ErrorBody): boolean {
  return codes.has(code?.toLowerCase() ?? '') || codes.has(type?.toLowerCase() ?? '');
}
