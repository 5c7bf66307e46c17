/** What a provider says went wrong, whatever form it says it in, and what that means. Pure; closed tables. */
import type { ModelFailure } from '../../domain/model.ts';
import { asArray, asRecord, asWord } from '../json.ts';
import { modelFailure, safeWord } from './model-failure.ts';

export interface StatedError {
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

/** llama.cpp's answer, with status 500, to what its model has no eyes or ears for. Asked again, it says the same. */
const inputSentences = [/\b(?:image|audio|video) input is not supported/i];

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
export function statedError(body: unknown): StatedError {
  const outer = asRecord(body) ?? asRecord(asArray(body)[0]) ?? {};
  const inner = asRecord(outer['error']);
  const { message, code, type, status } = inner ?? outer;
  return {
    message: asWord(message) ?? asWord(outer['error']) ?? asWord(outer['detail']),
    // Google's `status` is a word beside a number, and says more.
    code: wordOf(code) ?? asWord(status),
    // A flat `error` event has the event's name where others have the kind of error.
    type: type === 'error' ? undefined : (asWord(type) ?? asWord(status)),
  };
}

function wordOf(value: unknown): string | undefined {
  return typeof value === 'number' ? String(value) : asWord(value);
}

export function namesContextOverflow(stated: StatedError): boolean {
  return isIn(contextCodes, stated);
}

export function describesContextOverflow({ message }: StatedError): boolean {
  return message !== undefined && contextSentences.some((sentence) => sentence.test(message));
}

/** The request itself is refused, whatever the status or code beside the sentence. */
export function refusesInput({ message }: StatedError): boolean {
  return message !== undefined && inputSentences.some((sentence) => sentence.test(message));
}

export function isQuota(stated: StatedError): boolean {
  const { message } = stated;
  return isIn(quotaCodes, stated) || (message !== undefined && quotaSentences.some((sentence) => sentence.test(message)));
}

/** An error told amid a stream, after a 200. What no table knows is fatal (T3). */
export function inBandFailure(stated: StatedError): ModelFailure {
  const word = stated.code ?? stated.type;
  const notes = { detail: word === undefined ? undefined : safeWord(word), providerMessage: stated.message };
  if (isQuota(stated)) return modelFailure('provider_busy', { ...notes, busy: { final: true } });
  const isBusy = isIn(busyCodes, stated) || [stated.code, stated.type].some((word) => /^(?:408|409|429|5\d\d)$/.test(word ?? ''));
  if (namesContextOverflow(stated) || describesContextOverflow(stated)) return modelFailure('context_length_exceeded', notes);
  return modelFailure(isBusy && !refusesInput(stated) ? 'provider_busy' : 'provider_rejected', notes);
}

function isIn(codes: ReadonlySet<string>, { code, type }: StatedError): boolean {
  return codes.has(code?.toLowerCase() ?? '') || codes.has(type?.toLowerCase() ?? '');
}
