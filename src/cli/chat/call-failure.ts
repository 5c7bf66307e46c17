/** Why a call to the gateway was of no use, as data. */

export type CallFailure =
  /** No answer, or one that broke off. */
  | { readonly type: 'unreachable'; readonly detail: string }
  /** An answer, but not the one wanted. */
  | {
      readonly type: 'refused';
      readonly status: number;
      readonly code: string | undefined;
      readonly message: string;
      /** As the server says; undefined where it says nothing. */
      readonly retryAfterMs?: number | undefined;
      /** The server's own word (`x-should-retry`); undefined where it says nothing. */
      readonly shouldRetry?: boolean | undefined;
    };

export class CallError extends Error {
  override readonly name = 'CallError';
  readonly failure: CallFailure;
  constructor(failure: CallFailure) {
    super(messageOf(failure));
    this.failure = failure;
  }
}

export function messageOf(failure: CallFailure): string {
  if (failure.type === 'unreachable') return failure.detail;
  return `${failure.code ?? failure.status}: ${failure.message}`;
}

/** What lies deepest in the chain of causes, which is where fetch keeps what happened: its code, or its words. */
export function unreachable(error: unknown): CallFailure {
  let detail = String(error);
  for (let at = error; at instanceof Error; at = at.cause) {
    detail = 'code' in at && typeof at.code === 'string' ? at.code : at.message;
  }
  return { type: 'unreachable', detail };
}

/** What `{"error": {"message", "code"}}` says, or, of somebody who does not speak so, the status. */
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
