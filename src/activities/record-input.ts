/** Puts the user's input into the transcript before any attempt, once, whatever is retried (T1). */
import { ApplicationFailure } from '@temporalio/common';
import { isSettled } from '../domain/response.ts';
import type { Store } from '../store/ports/store.ts';
import type { RecordedTurn } from '../contract/activities.ts';

export interface RecordInputDeps {
  readonly store: Store;
  readonly limits: { readonly heartbeatTimeoutMs: number; readonly turnTimeoutMs: number };
}

export async function recordInput({ store, limits }: RecordInputDeps, input: { readonly turn: string }): Promise<RecordedTurn> {
  if ((await store.readTurn(input.turn)) === undefined) {
    // The turn is in another database, or its database is gone: a retry would find no row either.
    throw ApplicationFailure.nonRetryable(`the database has no turn ${input.turn}`, 'internal_error');
  }
  const turn = await store.recordInput(input.turn);
  const { heartbeatTimeoutMs, turnTimeoutMs } = limits;
  return {
    heartbeatTimeoutMs,
    turnTimeoutMs,
    ...(isSettled(turn.status) ? { settled: { status: turn.status, code: turn.errorCode } } : {}),
  };
}
