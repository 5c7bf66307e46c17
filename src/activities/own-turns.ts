/**
 * The activities of a turn that a workflow of somebody's own runs, besides `streamModel` and `settleTurn`: `beginTurn`,
 * `awaitTurn` and `readResult`. Unlike those of our own workflows they carry words: his history is his.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { OwnTurn } from '../contract/activities.ts';
import {
  type AwaitTurnInput,
  type BeginTurnInput,
  type BegunTurn,
  type ReadResultInput,
  resultTooLarge,
  turnRefused,
  type TurnResult,
} from '../contract/own-turns.ts';
import type { OutputItem } from '../domain/item.ts';
import { failureRules } from '../domain/failure.ts';
import { isSettled } from '../domain/response/response.ts';
import type { Store } from '../store/ports/store.ts';
import { ActivityLink } from './activity-link.ts';

/**
 * Takes a turn in, durably; the same input again is the same turn (T1). The worker's composition root has it, since it takes
 * what a gateway has: the rules of a request.
 * @throws `ApplicationFailure` of the type `turn_refused`, not retryable where waiting does not help
 */
export type AcceptTurn = (input: BeginTurnInput) => Promise<Omit<BegunTurn, 'database'>>;

export interface OwnTurnDeps {
  readonly store: Store;
  /** Absent: the worker runs turns that others have taken in, and no others. */
  readonly acceptTurn?: AcceptTurn;
}

/** Of a turn that waits for others of its session: how soon it is seen that they have ended. */
const lookMs = 250;

/** Temporal takes 2 MiB, and a codec may add to it. */
const maxResultBytes = 1_500_000;

export async function beginTurn({ store, acceptTurn }: OwnTurnDeps, input: BeginTurnInput): Promise<BegunTurn> {
  if (acceptTurn === undefined) {
    throw ApplicationFailure.nonRetryable(
      'this worker takes in no turns: give createActivities an `acceptTurn`, or use turnkeepPlugin',
      turnRefused,
    );
  }
  return { database: store.databaseId, ...(await acceptTurn(input)) };
}

/** Reads, and changes nothing: whoever ends the turn before makes this one ready in the same commit. */
export async function awaitTurn({ store }: OwnTurnDeps, { turn }: OwnTurn<AwaitTurnInput>): Promise<void> {
  using link = new ActivityLink();
  for (;;) {
    const row = await store.readTurn(turn);
    if (row === undefined || row.readyAtMs !== null || row.settledAtMs !== null) return;
    if (link.wish === 'cancel') throw new CancelledFailure('the turn is not waited for any more');
    if (link.wish !== undefined) throw ApplicationFailure.retryable('the worker is going: another one waits on', 'worker_lost');
    await delay(lookMs, undefined, { signal: link.signal }).catch(() => undefined);
  }
}

export async function readResult({ store }: OwnTurnDeps, { turn: id }: OwnTurn<ReadResultInput>): Promise<TurnResult> {
  const turn = await store.readTurn(id);
  if (turn === undefined || !isSettled(turn.status)) {
    throw ApplicationFailure.nonRetryable(`no turn ${id} that has ended`, turnRefused);
  }
  const response = await store.readResponse(id);
  const output = response?.output ?? [];
  const reason = response?.incomplete_details?.reason;
  const result: TurnResult = {
    id: turn.publicId,
    status: turn.status,
    ...(turn.status === 'incomplete' && reason !== undefined ? { incompleteReason: reason } : {}),
    outputText: output.map(textOf).join(''),
    output,
    usage: turn.status === 'failed' ? null : turn.usage,
    error:
      turn.errorCode === null ? null : { code: turn.errorCode, message: response?.error?.message ?? failureRules[turn.errorCode].message },
  };
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes <= maxResultBytes) return result;
  const message = `the answer of ${turn.publicId} is ${bytes} bytes long, too long for a history: read it at /v1/responses/${turn.publicId}`;
  throw ApplicationFailure.nonRetryable(message, resultTooLarge, turn.publicId);
}

function textOf(item: OutputItem): string {
  return item.type === 'message' ? item.content.map((part) => (part.type === 'output_text' ? part.text : '')).join('') : '';
}
