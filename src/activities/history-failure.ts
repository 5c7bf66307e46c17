/**
 * What Temporal's history gets of an error that an activity did not foresee. Its own text may hold a path, a key or what a
 * user said, and is stored in plain (T11): here it becomes a fixed sentence with the error's class and code. The text, the
 * stack and the cause are for the log.
 */
import { CompleteAsyncError, Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';

/** The words of a program: neither of them matches a key, a path or a sentence. */
const className = /^[A-Z][A-Za-z]{0,50}$/;
const codeName = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

/** Runs an activity; what it did not foresee goes to `onError` as it is, and on as a failure that may be retried, as it might have been. */
export async function withoutForeignWords<T>(onError: (error: unknown) => void, activity: () => Promise<T>): Promise<T> {
  try {
    return await activity();
  } catch (error) {
    if (isForTemporal(error)) throw error;
    onError(error);
    throw toHistoryFailure(error);
  }
}

function isForTemporal(error: unknown): boolean {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure || error instanceof CompleteAsyncError) return true;
  // Of an activity that was cancelled, Temporal's SDK makes a failure without words of it.
  return error instanceof Error && error.name === 'AbortError' && Context.current().cancellationSignal.aborted;
}

function toHistoryFailure(error: unknown): ApplicationFailure {
  const type = wordIn(error instanceof Error ? error.constructor.name : undefined, className) ?? 'Error';
  const code = wordIn(error instanceof Error && 'code' in error ? error.code : undefined, codeName);
  const failure = ApplicationFailure.retryable(
    `an error of our own${code === undefined ? '' : ` (${code})`}: the worker's log has it`,
    type,
  );
  failure.stack = '';
  return failure;
}

function wordIn(value: unknown, word: RegExp): string | undefined {
  return typeof value === 'string' && value.length <= 50 && word.test(value) ? value : undefined;
}
