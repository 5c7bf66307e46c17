/**
 * The activity `streamModel`: one request of a step. Where an attempt runs already, in this process or in another one whose
 * lease lives, the activity joins it; otherwise it claims the right to the request, and runs it.
 *
 * A claim that is refused sends nothing (T2). Whatever comes of the attempt leaves here as the step's result, or as a
 * failure whose type tells Temporal's retry policy whether to run the activity again (T3, T4).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { activityInfo } from '@temporalio/activity';
import type { OwnTurn, StreamModelInput } from '../contract/activities.ts';
import { failureOf } from '../domain/failure.ts';
import { requestsPerStep } from '../domain/retry-policy.ts';
import type { RequestedOutcome, StepResult } from '../domain/turn-state.ts';
import { settleTurn } from '../settle/settle-turn.ts';
import type { Claim } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { ActivityLink } from './activity-link.ts';
import { type FailedAttempt, toApplicationFailure } from './attempt/attempt-result.ts';
import type { RunningAttempt, RunningAttempts } from './attempt/running-attempts.ts';

export interface StreamModelDeps {
  readonly store: Store;
  readonly attempts: RunningAttempts;
  readonly onReady: (turn: string) => void;
}

/** How often another process' attempt is looked at. */
const heldLookMs = 250;
/** How often a turn that waits for room in this process looks for it. */
const roomLookMs = 250;
/** A wait that is shorter than this is waited out here: Temporal's clock and the database's differ by a little. */
const shortWaitMs = 50;

export async function streamModel(deps: StreamModelDeps, { turn, step }: OwnTurn<StreamModelInput>): Promise<StepResult> {
  const { store, attempts } = deps;
  using link = new ActivityLink();
  for (;;) {
    const running = attempts.get(turn);
    if (running !== undefined) return await join(running, link);
    const claim = await claimAndRun(deps, { turn, step }, link.signal);
    switch (claim.type) {
      case 'settled':
        return { type: 'final', turn: claim.settled };
      case 'started':
        // Whoever began this answer is gone, and it is never asked for again (T2).
        return settle(deps, turn, { status: 'failed', failure: failureOf('worker_lost') });
      case 'cancelled':
        return settle(deps, turn, { status: 'cancelled' });
      case 'exhausted':
        return settle(deps, turn, { status: 'failed', failure: failureOf('transport_failed') });
      case 'not_due':
        if (claim.waitLeftMs > shortWaitMs) throw toApplicationFailure(await bookedFailure(store, turn, claim.waitLeftMs));
        await pause(claim.waitLeftMs, link.signal);
        break;
      case 'held':
        await pause(Math.min(claim.leaseLeftMs, heldLookMs), link.signal);
        break;
      case 'running':
        return await join(claim.running, link);
    }
  }
}

/** Claims the request, and runs it where it is granted. */
async function claimAndRun(
  deps: StreamModelDeps,
  input: OwnTurn<StreamModelInput>,
  signal: AbortSignal,
): Promise<Exclude<Claim, { type: 'granted' }> | { readonly type: 'running'; readonly running: RunningAttempt }> {
  using _room = await untilRoom(deps, input.turn, signal);
  const claim = await claimStep(deps, input, signal);
  return claim.type === 'granted' ? { type: 'running', running: deps.attempts.run(claim, input.step) } : claim;
}

/** Waits while the turn's tenant has its share of this process: the turns of one tenant wait for each other, nobody else for them. */
async function untilRoom({ store, attempts }: StreamModelDeps, turn: string, signal: AbortSignal): Promise<Disposable | undefined> {
  const room = attempts.reserve();
  if (room !== undefined) return room;
  const row = await store.readTurn(turn);
  // Of a turn that is gone, or has its end, the claim says so.
  if (row === undefined || row.settledAtMs !== null) return undefined;
  for (;;) {
    const room = attempts.reserve(row.tenant);
    if (room !== undefined) return room;
    // Another worker has room.
    if (attempts.isDraining) throw lost();
    await pause(roomLookMs, signal);
  }
}

/** Waits for an attempt of this process, and hands it what Temporal wants. Whoever gives up leaves it running. */
async function join(running: RunningAttempt, { signal, wish }: ActivityLink): Promise<StepResult> {
  const { promise, reject } = Promise.withResolvers<never>();
  const heed = (): void => {
    if (signal.reason === 'give_up') reject(lost());
    else running.abort(signal.reason === 'cancel' ? 'cancelled' : 'shutdown');
  };
  if (wish === undefined) signal.addEventListener('abort', heed, { once: true });
  else heed();
  try {
    const result = await Promise.race([running.result, promise]);
    if (result.type === 'failed') throw toApplicationFailure(result);
    return result.step;
  } finally {
    signal.removeEventListener('abort', heed);
  }
}

async function claimStep({ store, attempts }: StreamModelDeps, input: OwnTurn<StreamModelInput>, signal: AbortSignal): Promise<Claim> {
  const { workflowExecution: run } = activityInfo();
  if (run === undefined) throw new Error('streamModel runs in a workflow');
  try {
    return await retryWhileBusy(() => store.claim({ ...input, lease: attempts.lease, run }), signal);
  } catch (error) {
    // Stopped while the database was busy: no request was booked, so the next attempt may claim.
    throw signal.aborted ? lost() : error;
  }
}

/** The failure that the writer of the last attempt has booked, for whom the wait behind it is a timer of Temporal's (T4). */
async function bookedFailure(store: Store, turn: string, waitLeftMs: number): Promise<FailedAttempt> {
  const last = (await store.readAttempts(turn)).at(-1);
  const requestsMade = last?.attempt ?? requestsPerStep;
  if (last?.code !== 'provider_busy') {
    return { type: 'failed', failure: failureOf('transport_failed'), requestsMade, mayRetry: true, retryDelayMs: waitLeftMs };
  }
  const failure = { ...failureOf('provider_busy'), busy: { retryAfterMs: waitLeftMs } };
  return { type: 'failed', failure, requestsMade, mayRetry: false };
}

async function settle({ store, onReady }: StreamModelDeps, turn: string, requested: RequestedOutcome): Promise<StepResult> {
  return { type: 'final', turn: await retryWhileBusy(() => settleTurn({ store, onReady }, turn, requested)) };
}

/** @throws when Temporal wants something meanwhile: the next run of the activity finds the database as it is */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw lost();
  }
}

function lost(): ReturnType<typeof toApplicationFailure> {
  return toApplicationFailure({ type: 'failed', failure: failureOf('worker_lost'), requestsMade: 0, mayRetry: true });
}
