/** The failure of a response whose status is not 2xx: which are busy, which are final. Pure. */
import type { ModelFailure } from '../../domain/model.ts';
import { longestBusyWaitMs } from '../../domain/turn/retry-policy.ts';
import { parseJson } from '../json.ts';
import {
  blamesRequest,
  hasContextCode,
  hasContextSentence,
  isBusyError,
  isQuotaError,
  readErrorBody,
  readPlace,
  statedWaitMs,
} from './error-body.ts';
import { modelFailure, quotaFailure, safeDetail } from './model-failure.ts';
import { retryAfterMs } from './retry-after.ts';

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  /** Possibly only the beginning of it. */
  readonly bodyText: string;
  readonly nowMs: number;
}

export function failureOfStatus({ status, headers, bodyText, nowMs }: ErrorResponse): ModelFailure {
  if (status < 400) return failureOfRedirect(status, headers.get('location'));
  const body = parseJson(bodyText);
  const stated = readErrorBody(body);
  const error = { ...stated, message: stated.message ?? plainText(bodyText) };
  const { code } = error;
  const place = readPlace(body);
  const what = code === undefined || code === String(status) ? String(status) : `${status} ${safeDetail(code)}`;
  const fields = {
    detail: place === undefined ? what : `${what} at ${place}`,
    providerMessage: error.message,
  };
  // The sentence of a rate limit may mention tokens and windows too.
  if (hasContextCode(error) || (status !== 429 && hasContextSentence(error))) return modelFailure('context_length_exceeded', fields);
  const isQuota = isQuotaError(error);
  // What the error says goes before its status: gateways wrap the errors of others in their own.
  const isBusy = status >= 500 ? !blamesRequest(error) : status === 408 || status === 409 || status === 429 || isBusyError(error);
  if (!isBusy && !isQuota) return modelFailure('provider_rejected', fields);
  const afterMs = retryAfterMs(headers, nowMs) ?? statedWaitMs(error);
  const retryAtMs = afterMs === undefined ? undefined : nowMs + afterMs;
  if (isQuota) {
    // A proxy's rate limiter puts the same short wait on every 429; only a long one is about the quota.
    return quotaFailure({ ...fields, retryAtMs: afterMs !== undefined && afterMs > longestBusyWaitMs ? retryAtMs : undefined });
  }
  const isFinal = headers.get('x-should-retry') === 'false';
  return modelFailure('provider_busy', {
    ...fields,
    retryAtMs,
    busy: { ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }), ...(isFinal ? { final: true } : {}) },
  });
}

/** Redirects are not followed: the prompt and the key would go to an address that nobody configured. */
function failureOfRedirect(status: number, location: string | null): ModelFailure {
  const target = location !== null && URL.canParse(location) ? new URL(location) : undefined;
  return modelFailure('provider_rejected', {
    detail: `redirect ${status}`,
    // Without its query, which may carry a secret.
    providerMessage: target === undefined ? undefined : `The server redirects to ${target.origin}${target.pathname}`,
  });
}

function plainText(bodyText: string): string | undefined {
  const text = bodyText.trimStart();
  return text === '' || text.startsWith('<') || text.startsWith('{') ? undefined : text;
}
