/**
 * Makes `ModelFailure`s. T11: `message` and `detail` end up in Temporal's history, so they hold constant sentences and
 * one word that is no secret; the provider's own sentence goes into `providerMessage`, which only the database stores.
 */
import { type FailureCode, failureOf, failureRules } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import { type BusyHint, longestBusyWaitMs } from '../../domain/turn/retry-policy.ts';
import { ProviderError } from '../provider.ts';

export interface FailureFields {
  readonly detail?: string | undefined;
  readonly providerMessage?: string | undefined;
  readonly retryAtMs?: number | undefined;
  readonly busy?: BusyHint | undefined;
  /** In place of the code's own sentence: constant words, too. */
  readonly sentence?: string | undefined;
}

const quotaSentence = 'The quota or the credit of the account at the model provider is used up.';

const longestProviderMessage = 500;
/** How much is searched for keys: far more than is kept, so that a key at the cut is not missed. */
const longestSearched = 4_000;
const keyPattern = /\b(?:[spr]k-[\w*.-]*[\w*]{4}|Bearer \S{8,})/gi;

export function modelFailure(code: FailureCode, fields: FailureFields = {}): ModelFailure {
  const { detail, providerMessage, retryAtMs, busy, sentence: plain = failureRules[code].message } = fields;
  const sentence = detail === undefined ? plain : `${plain.slice(0, -1)} (${detail}).`;
  return {
    ...failureOf(code, sentence + whenOf(retryAtMs)),
    ...(detail === undefined ? {} : { detail }),
    ...(providerMessage === undefined ? {} : { providerMessage }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
    ...(code === 'provider_busy' ? { busy: busy ?? {} } : {}),
  };
}

function whenOf(retryAtMs: number | undefined): string {
  return retryAtMs === undefined ? '' : ` It may be asked again at ${new Date(retryAtMs).toISOString()}.`;
}

interface QuotaFields extends Omit<FailureFields, 'busy' | 'sentence'> {
  /** As in `BusyHint`. */
  readonly retryAfterMs?: number | undefined;
}

/** A busy provider that no wait helps against: somebody has to pay, or to raise a limit. */
export function quotaFailure({ retryAfterMs, ...fields }: QuotaFields): ModelFailure {
  const hint = retryAfterMs === undefined ? {} : { retryAfterMs };
  return modelFailure('provider_busy', { ...fields, sentence: quotaSentence, busy: { ...hint, final: true } });
}

/** The failure with the time at which its provider may be asked again, if it said after how long. */
export function datedFailure(failure: ModelFailure, nowMs: number): ModelFailure {
  const { busy: { retryAfterMs: afterMs, final = false } = {}, retryAtMs: known, message } = failure;
  // A rate limiter puts the same short wait on everything; only a long one is about the quota.
  if (afterMs === undefined || known !== undefined || (final && afterMs <= longestBusyWaitMs)) return failure;
  const retryAtMs = nowMs + afterMs;
  return { ...failure, message: message + whenOf(retryAtMs), retryAtMs };
}

/** The failure of a response that is not of the API that was asked for. Retrying cannot help. */
export function protocolError(detail: string, providerMessage?: string): ProviderError {
  return new ProviderError(modelFailure('provider_protocol', { detail, providerMessage }));
}

/** A word that a server sent, made fit for `detail`: one short word that is no key, else `other`. */
export function safeDetail(word: string): string {
  return /^[\w.:-]{1,48}$/.test(word) && !/\bsk-/i.test(word) ? word : 'other';
}

/** Removes `apiKey`, and whatever looks like a key, from the provider's sentence, which is shortened to whole characters, from our advice, and from the words of the errors behind it. To be called on every failure that leaves this room. */
export function redactKeys(failure: ModelFailure, apiKey: string): ModelFailure {
  const { providerMessage, advice, causes = [], ...rest } = failure;
  const said = providerMessage === undefined ? '' : unkeyed(providerMessage, apiKey).replace(/\s+/g, ' ').trim();
  return {
    ...rest,
    ...(advice === undefined ? {} : { advice: unkeyed(advice, apiKey) }),
    ...(causes.length === 0 ? {} : { causes: causes.map((cause) => ({ ...cause, message: unkeyed(cause.message, apiKey) })) }),
    ...(said === '' ? {} : { providerMessage: said.slice(0, longestProviderMessage).toWellFormed() }),
  };
}

function unkeyed(text: string, apiKey: string): string {
  const searched = text.slice(0, longestSearched);
  // A short one is a placeholder such as `none`: no secret, and a word that sentences use.
  return (apiKey.length < 8 ? searched : searched.replaceAll(apiKey, '[key]')).replace(keyPattern, '[key]');
}
