/**
 * What becomes of an attempt that broke off: the turn's end where it is ours to write, the end that somebody else wrote,
 * or a failure that says whether the request may be sent again (T3, T4).
 */
import type { AttemptEnd, AttemptKey } from '../../domain/attempt.ts';
import { failureOf, failureRules } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import type { Usage } from '../../domain/response.ts';
import { busyWaitMs, delayBeforeMs, requestsPerStep } from '../../domain/retry-policy.ts';
import type { TurnOutcome } from '../../domain/turn-outcome.ts';
import { ProviderError } from '../../providers/provider.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted } from './abort-reason.ts';
import type { AttemptResult, FailedAttempt } from './attempt-result.ts';
import { FencedError, type JournalWriter } from './journal-writer.ts';

/** The delay that hands a request to another worker: Temporal reads 0 as "the longest". */
const handOverDelayMs = 1;

/** An attempt while it runs: where it writes, and what it has cost so far. */
export interface RunningAttempt {
  readonly store: Store;
  readonly writer: JournalWriter;
  readonly key: AttemptKey;
  /** As the provider last counted it; null before it has said anything. */
  usage: Usage | null;
}

/** @param error what ended the stream: a `ProviderError`, an `AttemptAborted`, a `FencedError`, or a fault of our own. */
export async function resolveAttempt(attempt: RunningAttempt, error: unknown): Promise<AttemptResult> {
  try {
    return await resultOf(attempt, error);
  } catch (thrown) {
    // The last writes of this attempt were refused: another one has the turn.
    if (thrown instanceof FencedError) return adoptEnd(attempt);
    throw thrown;
  }
}

/** Seals the turn, with the end of the attempt in the same commit. Throws `FencedError` when another one has the turn. */
export async function sealAttempt({ writer, usage }: RunningAttempt, outcome: TurnOutcome, end: AttemptEnd): Promise<AttemptResult> {
  await writer.seal(outcome, { ...end, ...(usage === null ? {} : { usage }) });
  const code = outcome.status === 'failed' ? outcome.failure.code : null;
  return { type: 'ended', step: { type: 'final', turn: { status: outcome.status, code } } };
}

async function resultOf(attempt: RunningAttempt, error: unknown): Promise<AttemptResult> {
  if (error instanceof FencedError) return adoptEnd(attempt);
  if (error instanceof ProviderError) return failed(attempt, error.failure);
  if (error instanceof AttemptAborted) return aborted(attempt, error);
  await endAttempt(attempt, { endedAtMs: Date.now(), outcome: 'failed', code: 'internal_error' });
  return failure(attempt, failureOf('internal_error'), { mayRetry: false, cause: error });
}

async function aborted(attempt: RunningAttempt, { reason, cause }: AttemptAborted): Promise<AttemptResult> {
  const { writer, usage } = attempt;
  const endedAtMs = Date.now();
  switch (reason) {
    case 'fenced':
      return adoptEnd(attempt);
    case 'cancelled':
      return sealAttempt(attempt, { status: 'cancelled', usage }, { endedAtMs, outcome: 'cancelled' });
    case 'deadline':
      return failed(attempt, failureOf('turn_timeout'));
    case 'shutdown': {
      // Not the user's stop (T9): a request that has not started goes to another worker, a started one cannot.
      await writer.flush();
      if (writer.hasStarted) {
        const lost = failureOf('worker_lost');
        return sealAttempt(attempt, { status: 'failed', failure: lost, usage }, { endedAtMs, outcome: 'lost', code: lost.code });
      }
      await endAttempt(attempt, { endedAtMs, outcome: 'lost', detail: 'worker shutdown', waitMs: handOverDelayMs });
      return failure(attempt, failureOf('transport_failed'), { mayRetry: true, retryDelayMs: handOverDelayMs });
    }
    case 'abandoned':
      // What was shown stays. Temporal no longer listens to this attempt, so the next claim decides.
      await writer.flush();
      await endAttempt(attempt, { endedAtMs, outcome: 'lost' });
      return failure(attempt, failureOf('worker_lost'), { mayRetry: true });
    case 'store_failed':
      return failure(attempt, failureOf('internal_error'), { mayRetry: false, cause });
  }
}

async function failed(attempt: RunningAttempt, reported: ModelFailure): Promise<AttemptResult> {
  await attempt.writer.flush();
  const hasStarted = attempt.writer.hasStarted;
  const requestsMade = attempt.key.attempt;
  // Nothing that has started is asked for again (T2), a busy provider neither.
  const known = hasStarted && reported.busy !== undefined ? { ...reported, busy: { ...reported.busy, final: true } } : reported;
  const mayRetry = failureRules[known.code].retryable && !hasStarted && requestsMade < requestsPerStep;
  const retryDelayMs = mayRetry ? delayBeforeMs(requestsMade + 1) : undefined;
  const waitMs = known.busy === undefined ? retryDelayMs : busyWaitMs(known.busy, requestsMade);
  await endAttempt(attempt, {
    endedAtMs: Date.now(),
    outcome: 'failed',
    code: known.code,
    ...(known.detail === undefined ? {} : { detail: known.detail }),
    ...(known.providerMessage === undefined ? {} : { message: known.providerMessage }),
    ...(waitMs === undefined ? {} : { waitMs }),
  });
  return failure(attempt, known, { mayRetry, ...(retryDelayMs === undefined ? {} : { retryDelayMs }) });
}

/** Another one has the turn. If it has written the end, that is the end of this attempt too (T6). */
async function adoptEnd({ store, key }: RunningAttempt): Promise<AttemptResult> {
  const turn = await store.readTurn(key.turn);
  if (turn?.settledAtMs != null) {
    const { settled } = await store.fence(key.turn);
    if (settled !== undefined) return { type: 'ended', step: { type: 'final', turn: settled } };
  }
  // Whether a request is left, and whether anything has started, the next claim finds in the database.
  const takenOver = failureOf('worker_lost', `step ${key.step} was taken over by another attempt`);
  return { type: 'failed', failure: takenOver, mayRetry: true };
}

function failure({ key }: RunningAttempt, of: ModelFailure, rest: Omit<FailedAttempt, 'type' | 'failure' | 'requestsMade'>): FailedAttempt {
  return { type: 'failed', failure: of, requestsMade: key.attempt, ...rest };
}

async function endAttempt({ store, key, usage }: RunningAttempt, end: AttemptEnd): Promise<void> {
  await retryWhileBusy(() => store.endAttempt(key, { ...end, ...(usage === null ? {} : { usage }) }));
}
