/** What an HTTP status that is not 2xx means (contract.md: `provider_busy`, `provider_rejected`). Pure. */
import type { ModelFailure } from '../../domain/model.ts';
import { parsedOrUndefined } from '../json.ts';
import { modelFailure, safeWord } from './model-failure.ts';
import { retryAfterMs } from './retry-after.ts';
import { describesContextOverflow, isQuota, namesContextOverflow, refusesInput, statedError } from './error-body.ts';

export interface RefusedRequest {
  readonly status: number;
  readonly headers: Pick<Headers, 'get'>;
  /** As much of the body as was read. */
  readonly bodyText: string;
  readonly nowMs: number;
}

export function failureOfStatus({ status, headers, bodyText, nowMs }: RefusedRequest): ModelFailure {
  if (status < 400) return redirected(status, headers.get('location'));
  const body = parsedOrUndefined(bodyText);
  const stated = statedError(body);
  const { code } = stated;
  const notes = {
    detail: code === undefined || code === String(status) ? String(status) : `${status} ${safeWord(code)}`,
    providerMessage: stated.message ?? plainText(bodyText),
  };
  // A rate limit may talk of tokens and windows too: only where the request itself is at fault does a sentence count.
  const blamesRequest = status === 400 || status === 413 || status === 422;
  if (namesContextOverflow(stated) || (blamesRequest && describesContextOverflow(stated))) {
    return modelFailure('context_length_exceeded', notes);
  }
  const isBusy = status === 408 || status === 409 || status === 429 || status >= 500;
  if (!isBusy || refusesInput(stated)) return modelFailure('provider_rejected', notes);
  const afterMs = retryAfterMs(headers, nowMs);
  const isFinal = isQuota(stated) || headers.get('x-should-retry') === 'false';
  return modelFailure('provider_busy', {
    ...notes,
    retryAtMs: afterMs === undefined ? undefined : nowMs + afterMs,
    busy: { ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }), ...(isFinal ? { final: true } : {}) },
  });
}

/** Followed, it would carry the prompt and the key to an address nobody configured. */
function redirected(status: number, location: string | null): ModelFailure {
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
