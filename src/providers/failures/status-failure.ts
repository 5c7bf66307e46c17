/** The failure of a response whose status is not 2xx: which are busy, which are final. Pure. */
import type { ModelFailure } from '../../domain/model.ts';
import { longestBusyWaitMs } from '../../domain/retry-policy.ts';
import { parseJson } from '../json.ts';
import { hasContextCode, hasContextSentence, isQuotaError, readErrorBody, rejectsInputKind } from './error-body.ts';
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
  const error = readErrorBody(parseJson(bodyText));
  const { code } = error;
  const fields = {
    detail: code === undefined || code === String(status) ? String(status) : `${status} ${safeDetail(code)}`,
    providerMessage: error.message ?? plainText(bodyText),
  };
  // The sentence of a rate limit may mention tokens and windows too: it only counts where the status blames the request.
  const blamesRequest = status === 400 || status === 413 || status === 422;
  if (hasContextCode(error) || (blamesRequest && hasContextSentence(error))) {
    return modelFailure('context_length_exceeded', fields);
  }
  const isBusy = status === 408 || status === 409 || status === 429 || status >= 500;
  if (!isBusy || rejectsInputKind(error)) return modelFailure('provider_rejected', fields);
  const afterMs = retryAfterMs(headers, nowMs);
  const retryAtMs = afterMs === undefined ? undefined : nowMs + afterMs;
  if (isQuotaError(error)) {
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
