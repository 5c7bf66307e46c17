/** Why a call to the gateway failed, as data. */

export type CallFailure =
  /** No answer, or one that broke off. */
  | { readonly type: 'unreachable'; readonly detail: string }
  /** An answer, but not the one that was asked for. */
  | {
      readonly type: 'refused';
      readonly status: number;
      readonly code: string | undefined;
      readonly message: string;
      /** From `Retry-After`; undefined without one, or where it is a date. */
      readonly retryAfterMs?: number | undefined;
      /** From `x-should-retry`; undefined without one. */
      readonly shouldRetry?: boolean | undefined;
    };

/**
 * What every call of this room throws, beside the reason of a signal that was aborted.
 *
 * @example
 *     import { CallError, GatewayClient } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     await client.json('GET', '/conversations').catch((error: unknown) => {
 *       if (error instanceof CallError && error.failure.type === 'refused') console.log(error.failure.status);
 *     });
 */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly failure: CallFailure;
  constructor(failure: CallFailure) {
    super(describeFailure(failure));
    this.failure = failure;
  }
}

/**
 * One line for a person.
 *
 * @example
 *     import { describeFailure } from 'turnkeep/http-client';
 *
 *     console.log(describeFailure({ type: 'unreachable', detail: 'ECONNREFUSED' }));
 */
export function describeFailure(failure: CallFailure): string {
  if (failure.type === 'unreachable') return failure.detail;
  return `${failure.code ?? failure.status}: ${failure.message}`;
}

/** fetch says only "fetch failed" and keeps the reason as the innermost cause: its code, or else its message. */
export function unreachable(error: unknown): CallFailure {
  let detail = String(error);
  for (let at = error; at instanceof Error; at = at.cause) {
    detail = 'code' in at && typeof at.code === 'string' ? at.code : at.message;
  }
  return { type: 'unreachable', detail };
}

/** Reads `{"error": {"message", "code"}}`; a body of any other form leaves the status alone. */
export function refused(status: number, headers: Pick<Headers, 'get'>, body: string): CallFailure {
  const { message, code } = statedError(body);
  const seconds = Number(headers.get('retry-after') ?? NaN);
  const shouldRetry = headers.get('x-should-retry');
  return {
    type: 'refused',
    status,
    code,
    message: message ?? `the answer was HTTP ${status}`,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined,
    shouldRetry: shouldRetry === null ? undefined : shouldRetry === 'true',
  };
}

function statedError(body: string): { readonly message?: string; readonly code?: string } {
  try {
    const { error }: { error?: { message?: unknown; code?: unknown } } = JSON.parse(body);
    return {
      ...(typeof error?.message === 'string' ? { message: error.message } : {}),
      ...(typeof error?.code === 'string' ? { code: error.code } : {}),
    };
  } catch {
    return {};
  }
}
