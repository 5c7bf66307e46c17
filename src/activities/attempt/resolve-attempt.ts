/**
 * How an attempt ends. Every end that is final is sealed here, by the one who knows it, whether Temporal is there or not; a
 * failure leaves only where another request may follow (T3, T4).
 */
import { type AttemptEnd, type AttemptFacts, isLost } from '../../domain/turn/attempt.ts';
import { type Exceeded, outOfTime, overBudget } from '../../domain/turn/budget.ts';
import { settledStatusOf } from '../../domain/turn/claim.ts';
import { failureOf } from '../../domain/failure.ts';
import { fullMessageOf, type ModelFailure, type ModelFinish } from '../../domain/model.ts';
import { sumOfKnown } from '../../domain/response/response.ts';
import { decideRetry, delayBeforeMs } from '../../domain/turn/retry-policy.ts';
import type { TurnOutcome } from '../../domain/turn/turn-outcome.ts';
import type { TurnStatus } from '../../domain/turn/turn-state.ts';
import type { WorkerCall } from '../../domain/agents/worker-call.ts';
import { causesOf } from '../../providers/failures/cause-chain.ts';
import { ProviderError } from '../../providers/provider.ts';
import { settleTurn } from '../../settle/settle-turn.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted } from './abort-reason.ts';
import { afterRefusal, type AttemptState, bookEnd, overMs, withCost } from './attempt-state.ts';
import type { AttemptResult } from './attempt-result.ts';
import { FencedError } from './journal-writer.ts';
import { passOn } from './pass-on.ts';

/** The delay that hands a request to another worker: Temporal reads 0 as "the longest". */
const handOverDelayMs = 1;

/** @param error what ended the stream: a `ProviderError`, an `AttemptAborted`, a `FencedError`, or a fault of our own. */
export async function resolveAttempt(attempt: AttemptState, error: unknown): Promise<AttemptResult> {
  try {
    return await resultOf(attempt, error);
  } catch (thrown) {
    // The last writes of this attempt were refused: another one has the turn.
    if (thrown instanceof FencedError) return adoptEnd(attempt);
    throw thrown;
  }
}

/** The provider has stated its finish: the turn ends with it, whatever happened after (T8). */
export async function sealFinished(attempt: AttemptState, finish: ModelFinish): Promise<AttemptResult> {
  const { usage, serviceTier } = attempt;
  const shared = { usage, ...(serviceTier === undefined ? {} : { serviceTier }) };
  const outcome: TurnOutcome & { status: 'completed' | 'incomplete' } =
    finish.status === 'completed'
      ? { status: 'completed', ...shared }
      : { status: 'incomplete', reason: finish.reason ?? 'max_output_tokens', ...shared };
  const { detail } = finish;
  return seal(attempt, outcome, { endedAtMs: Date.now(), outcome: outcome.status, ...(detail === undefined ? {} : { detail }) });
}

/** What the provider has answered is whole, and nothing may follow it that would have to. */
export async function sealOverBudget(attempt: AttemptState, exceeded: Exceeded): Promise<AttemptResult> {
  await attempt.writer.flush();
  return sealFailed(attempt, overBudget(exceeded), { endedAtMs: Date.now(), outcome: 'completed' });
}

interface NextStep {
  /** To be carried out before its request. */
  readonly calls: readonly WorkerCall[];
  /** The turn ends with them. */
  readonly isLast: boolean;
}

const noCalls: NextStep = { calls: [], isLast: false };

/** The step ends, and the next one begins: with the tools that the model has called, or after a compaction. */
export async function endStep(
  attempt: AttemptState,
  next: NextStep = noCalls,
  how: AttemptEnd = { endedAtMs: Date.now(), outcome: 'completed' },
): Promise<AttemptResult> {
  const { writer, store, key, onReady } = attempt;
  const end = withCost(attempt, how);
  const result = await writer.endStep({ ...next, end });
  if (result === 'ended') return { type: 'ended', step: { type: 'tool_calls' } };
  if (result === 'refused') return adoptEnd(attempt);
  await bookEnd(attempt, { ...how, outcome: 'cancelled' });
  return ended(await retryWhileBusy(() => settleTurn({ store, onReady }, key.turn, { status: 'cancelled' })));
}

async function resultOf(attempt: AttemptState, error: unknown): Promise<AttemptResult> {
  if (error instanceof FencedError) return adoptEnd(attempt);
  if (error instanceof ProviderError) return failed(attempt, error.failure);
  if (error instanceof AttemptAborted) return aborted(attempt, error);
  const failure = failureOf('internal_error');
  const facts: AttemptFacts = { causes: causesOf(error), retry: 'not_retryable' };
  const result = await sealFailed(attempt, failure, { endedAtMs: Date.now(), outcome: 'failed', code: failure.code, facts });
  return { ...result, cause: error };
}

async function aborted(attempt: AttemptState, { reason, cause }: AttemptAborted): Promise<AttemptResult> {
  const { writer, usage, finish } = attempt;
  const endedAtMs = Date.now();
  if (reason === 'fenced') return adoptEnd(attempt);
  if (reason === 'cancelled') return seal(attempt, { status: 'cancelled', usage }, { endedAtMs, outcome: 'cancelled' });
  if (reason === 'store_failed') return failure(attempt, failureOf('internal_error'), { mayRetry: false, cause });
  // Something of the answer is missing, whatever finish was stated before it.
  if (reason === 'output_too_large') return failed(attempt, failureOf('output_too_large'));
  // All that is missing is the usage, which was being waited for. Where the turn was to go on, another process goes on with it;
  // what ends the turn now ends it before the calls that it was to make.
  if (finish !== undefined && (attempt.goesOn?.() !== true || reason === 'shutdown')) {
    return attempt.onFinish === undefined ? sealFinished(attempt, finish) : attempt.onFinish(finish);
  }
  if (reason === 'steered') return seal(attempt, { status: 'incomplete', reason, usage }, { endedAtMs, outcome: 'incomplete' });
  if (reason === 'over_budget') return failed(attempt, overBudget(cause as Exceeded));
  if (reason === 'deadline') return failed(attempt, outOfTime(attempt.budget, overMs(attempt)));
  // A shutdown is not the user's stop (T9): a request that has not started goes to another worker, a started one cannot.
  await writer.flush();
  if (attempt.keptAnswer?.isBooked === true) return passOn(attempt);
  const lost = failureOf('worker_lost');
  if (writer.hasStarted) return sealFailed(attempt, lost, { endedAtMs, outcome: 'lost', code: lost.code, facts: { retry: 'started' } });
  const facts: AttemptFacts = { retry: 'hand_over' };
  const end: AttemptEnd = { endedAtMs, outcome: 'lost', detail: 'worker shutdown', waitMs: handOverDelayMs, facts };
  return handOn(attempt, end, failureOf('transport_failed'), { mayRetry: true, retryDelayMs: handOverDelayMs });
}

async function failed(attempt: AttemptState, reported: ModelFailure): Promise<AttemptResult> {
  const { writer, key, deadlineAt } = attempt;
  await writer.flush();
  const requestsMade = key.attempt;
  const { hasStarted } = writer;
  const { waitMs, reason } = decideRetry(reported, { hasStarted, requestsMade, timeLeftMs: deadlineAt - performance.now() });
  const end: AttemptEnd = {
    endedAtMs: Date.now(),
    outcome: 'failed',
    code: reported.code,
    ...(reported.detail === undefined ? {} : { detail: reported.detail }),
    ...(reported.providerMessage === undefined ? {} : { message: reported.providerMessage }),
    ...(waitMs === undefined ? {} : { waitMs }),
    facts: { ...(reported.causes === undefined ? {} : { causes: reported.causes }), retry: reason },
  };
  const next = await afterRefusal(attempt, reported);
  if (next !== 'fail') {
    const refused: AttemptEnd = { ...end, facts: { ...end.facts, retry: next } };
    if (next === 'compaction') return endStep(attempt, noCalls, refused);
    return handOn(attempt, { ...refused, waitMs: handOverDelayMs }, reported, again);
  }
  if (waitMs === undefined) return sealFailed(attempt, reported, end);
  if (reported.busy !== undefined) return handOn(attempt, end, reported, { mayRetry: false });
  return handOn(attempt, end, reported, { mayRetry: true, retryDelayMs: delayBeforeMs(requestsMade + 1) });
}

const again = { mayRetry: true, retryDelayMs: handOverDelayMs };

async function sealFailed(attempt: AttemptState, reported: ModelFailure, end: AttemptEnd): Promise<AttemptResult> {
  const { code, retryAtMs } = reported;
  const known = { code, message: fullMessageOf(reported), ...(retryAtMs === undefined ? {} : { retryAtMs }) };
  // What a request cost that failed is lost, as in `usageOf`.
  return seal(attempt, { status: 'failed', failure: known, usage: isLost(end) ? null : attempt.usage }, end);
}

/** The turn's end with the attempt's, in one commit. An accepted cancel refuses a failure, and wins (T5). */
async function seal(attempt: AttemptState, outcome: TurnOutcome, end: AttemptEnd): Promise<AttemptResult> {
  const { writer, store, key, earlierUsage, onReady } = attempt;
  const withUsage = withCost(attempt, end);
  const result = await writer.seal({ ...outcome, usage: sumOfKnown(earlierUsage, outcome.usage) }, withUsage);
  if (result.type === 'refused') return adoptEnd(attempt);
  if (result.type === 'cancel_requested') {
    await bookEnd(attempt, { ...end, outcome: 'cancelled' });
    return ended(await retryWhileBusy(() => settleTurn({ store, onReady }, key.turn, { status: 'cancelled' })));
  }
  if (result.next !== undefined) onReady(result.next);
  return ended({ status: outcome.status, code: outcome.status === 'failed' ? outcome.failure.code : null });
}

/** Another one has the turn. If it has written the end, that is the end of this attempt too (T6). */
async function adoptEnd({ store, key }: AttemptState): Promise<AttemptResult> {
  const turn = await retryWhileBusy(() => store.readTurn(key.turn));
  const settled = turn === undefined ? undefined : settledStatusOf(turn);
  if (settled !== undefined) return { ...ended(settled), isAdopted: true };
  // Whether a request is left, and whether anything has started, the next claim finds in the database.
  const takenOver = failureOf('worker_lost', `step ${key.step} was taken over by another attempt`);
  return { type: 'failed', failure: takenOver, mayRetry: true };
}

function ended(turn: TurnStatus): Extract<AttemptResult, { type: 'ended' }> {
  return { type: 'ended', step: { type: 'final', turn } };
}

function failure(
  { key }: AttemptState,
  of: ModelFailure,
  rest: { mayRetry: boolean; retryDelayMs?: number; cause?: unknown },
): AttemptResult {
  return { type: 'failed', failure: of, requestsMade: key.attempt, ...rest };
}

/** Another request may follow, unless a cancel was accepted meanwhile: then nobody would end the turn before its grace is over (T5). */
async function handOn(
  attempt: AttemptState,
  end: AttemptEnd,
  of: ModelFailure,
  rest: { mayRetry: boolean; retryDelayMs?: number },
): Promise<AttemptResult> {
  const { store, key, onReady } = attempt;
  await bookEnd(attempt, end);
  // Looked at behind the end of the lease: who books a cancel after this finds nobody to wait for.
  const turn = await retryWhileBusy(() => store.readTurn(key.turn));
  if (turn?.cancelRequestedAtMs == null) return failure(attempt, of, rest);
  return ended(await retryWhileBusy(() => settleTurn({ store, onReady }, key.turn, { status: 'cancelled' })));
}
