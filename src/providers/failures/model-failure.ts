/**
 * Failures as this room makes them. T11: `message` and `detail` go wherever Temporal keeps errors, so they are our
 * own words plus one harmless word; what the provider said goes into `providerMessage`, keys removed.
 */
import { type FailureCode, failureOf, failureRules } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import type { BusyHint } from '../../domain/retry-policy.ts';

export interface FailureNotes {
  readonly detail?: string | undefined;
  readonly providerMessage?: string | undefined;
  readonly retryAtMs?: number | undefined;
  readonly busy?: BusyHint | undefined;
}

const longestProviderMessage = 500;
/** What is searched for keys. Far more than is kept, so that none is cut in two. */
const longestSearched = 4_000;
const keyLike = /\b(?:[spr]k-[\w*.-]*[\w*]{4}|Bearer \S{8,})/gi;

export function modelFailure(code: FailureCode, { detail, providerMessage, retryAtMs, busy }: FailureNotes = {}): ModelFailure {
  const sentence = detail === undefined ? failureRules[code].message : `${failureRules[code].message.slice(0, -1)} (${detail}).`;
  const when = retryAtMs === undefined ? '' : ` It may be asked again at ${new Date(retryAtMs).toISOString()}.`;
  return {
    ...failureOf(code, sentence + when),
    ...(detail === undefined ? {} : { detail }),
    ...(providerMessage === undefined ? {} : { providerMessage }),
    ...(retryAtMs === undefined ? {} : { retryAtMs }),
    ...(code === 'provider_busy' ? { busy: busy ?? {} } : {}),
  };
}

/** A server's word for something, fit for `detail`: one short word that is no key, or `other`. */
export function safeWord(word: string): string {
  return /^[\w.:-]{1,48}$/.test(word) && !/\bsk-/i.test(word) ? word : 'other';
}

/** What leaves this room: the provider's sentence without keys and not too long. `apiKey` as it was sent. */
export function withoutKeys(failure: ModelFailure, apiKey: string): ModelFailure {
  const { providerMessage, ...rest } = failure;
  if (providerMessage === undefined) return rest;
  // A placeholder such as `none` is no secret, and a word of the language.
  const searched = providerMessage.slice(0, longestSearched);
  const unkeyed = apiKey.length < 8 ? searched : searched.replaceAll(apiKey, '[key]');
  const sentence = unkeyed.replace(keyLike, '[key]').replace(/\s+/g, ' ').trim();
  return sentence === '' ? rest : { ...rest, providerMessage: sentence.slice(0, longestProviderMessage) };
}
