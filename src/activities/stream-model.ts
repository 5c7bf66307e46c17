/**
 * The activity `streamModel`: one request of a step. Where an attempt runs already, in this process or in another one whose
 * lease lives, the activity joins it; otherwise it claims the right to the request, and runs it. While it waits it only reads.
 *
 * A claim that is refused sends nothing (T2). Whatever comes of the attempt leaves here as the step's result, or as a
 * failure whose type tells Temporal's retry policy whether to run the activity again (T3, T4).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { activityInfo } from '@temporalio/activity';
import type { OwnTurn, StreamModelInput } from '../contract/activities.ts';
import type { Away } from '../domain/turn/breaker.ts';
import { endOfRefusal, settledStatusOf } from '../domain/turn/claim.ts';
import type { ModelFailure } from '../domain/model.ts';
import { failureOf } from '../domain/failure.ts';
import { requestsPerStep } from '../domain/turn/retry-policy.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { RequestedOutcome, StepResult } from '../domain/turn/turn-state.ts';
import { awaitHolder } from '../settle/await-holder.ts';
import { claimUnlessAway } from '../settle/claim-unless-away.ts';
import { LeaseJudge, sightingIntervalMs } from '../settle/lease-judge.ts';
import { settleDead, settleTurn } from '../settle/settle-turn.ts';
import { modelFailure } from '../providers/failures/model-failure.ts';
import type { Claim, ClaimRequest } from '../store/ports/journal.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { ActivityLink } from './activity-link.ts';
import { type FailedAttempt, toApplicationFailure } from './attempt/attempt-result.ts';
import type { RunningAttempt, RunningAttempts } from './attempt/running-attempts.ts';

export interface StreamModelDeps {
  readonly store: Store;
  readonly attempts: RunningAttempts;
  readonly onReady: (turn: string) => void;
}

/** How often a turn is looked at that waits for the attempt of another process, or for room in this one. */
const lookMs = 250;
/** Before a turn that this process cannot serve is looked for by the next one. */
const handOnMs = 500;
/** A wait that is shorter than this is waited out here: Temporal's clock and the database's differ by a little. */
const shortWaitMs = 50;

export async function streamModel(deps: StreamModelDeps, { turn, step }: OwnTurn<StreamModelInput>): Promise<StepResult> {
  const { store, attempts } = deps;
  using link = new ActivityLink();
  const judge = new LeaseJudge(store);
  for (;;) {
    const running = attempts.get(turn);
    // That of another step says nothing of this one: an earlier one is over, and a later one says that this one is.
    if (running?.step === step) {
      const result = await join(deps, turn, running, link);
      if (result !== undefined) return result;
      continue;
    }
    if (link.wish === 'cancel') return stop(deps, turn);
    // The next run of the activity finds the database as it is.
    if (link.wish !== undefined) throw lost();
    const claim = await look(deps, { turn, step }, judge, link.signal);
    switch (claim.type) {
      case 'settled':
        return { type: 'final', turn: claim.settled };
      case 'over':
        return { type: 'tool_calls' };
      case 'started':
      case 'exhausted':
        await settleLost(deps, turn, claim.type);
        break;
      case 'cancelled':
        return settle(deps, turn, endOfRefusal(claim.type));
      case 'not_due':
        if (claim.waitLeftMs > shortWaitMs) throw toApplicationFailure(await bookedFailure(store, turn, claim.waitLeftMs));
        await pause(claim.waitLeftMs, link.signal);
        break;
      case 'held':
        await pause(Math.min(claim.leaseLeftMs, lookMs), link.signal);
        break;
      // Whoever carries out the step in front of it, or finds that nobody does, brings the turn there, or to its end.
      case 'ahead':
        await pause(lookMs, link.signal);
        break;
      case 'waits':
        await pause(claim.nextLookMs, link.signal);
        break;
      case 'away': {
        const failure = failureOfAway(claim);
        if (claim.isLasting) return settle(deps, turn, { status: 'failed', failure });
        throw toApplicationFailure({ type: 'failed', failure, requestsMade: claim.requestsMade, mayRetry: false });
      }
      case 'running': {
        const result = await join(deps, turn, claim.running, link);
        if (result !== undefined) return result;
        break;
      }
    }
  }
}

type Look =
  | Exclude<Claim, { type: 'granted' | 'tools' }>
  | { readonly type: 'running'; readonly running: RunningAttempt }
  | { readonly type: 'waits'; readonly nextLookMs: number };

/** Claims the request where nobody else has it and there is room for it, and runs it where it is granted. */
async function look(deps: StreamModelDeps, input: OwnTurn<StreamModelInput>, judge: LeaseJudge, signal: AbortSignal): Promise<Look> {
  const { store, attempts } = deps;
  try {
    const nextLookMs = await heldForMs(store, input.turn, judge);
    if (nextLookMs !== undefined) return { type: 'waits', nextLookMs };
    const row = await store.readTurn(input.turn);
    const settled = row && settledStatusOf(row);
    // Most turns have their end by now, by a head start: an end stands for good, and needs neither room nor a claim.
    if (settled !== undefined) return { type: 'settled', settled };
    if (isOthers(attempts, row) && attempts.handOns.count(input.turn)) throw lost(handOnMs);
    const room = findRoom(attempts, row);
    if (room === 'none') return { type: 'waits', nextLookMs: lookMs };
    using _room = room;
    const asking = row && { ...input, tenant: row.tenant, settings: row.settings };
    const claim = await claimUnlessAway(attempts.breakers, asking, (away) => claimStep(deps, { ...input, away }, signal));
    return claim.type === 'granted' || claim.type === 'tools' ? { type: 'running', running: attempts.run(claim, input.step) } : claim;
  } catch (error) {
    if (!(error instanceof StoreBusyError)) throw error;
    // What was seen while nobody could renew a lease counts no more.
    judge.forget();
    return { type: 'waits', nextLookMs: lookMs };
  }
}

/** When to look again at an attempt of another process that lives, or may live; undefined: there is none, or it is dead. */
async function heldForMs(store: Store, turn: string, judge: LeaseJudge): Promise<number | undefined> {
  const look = judge.tick();
  const head = await store.readHead(turn);
  if (head?.lease === 'expired') {
    const dead = await judge.deadOf(look, [{ turn, epoch: head.epoch }]);
    return dead.length > 0 ? undefined : sightingIntervalMs;
  }
  judge.forget();
  return head?.lease === 'live' ? lookMs : undefined;
}

/** Does the turn need what the configuration of this process lacks? Of one that is to end the claim says so, and needs nothing. */
function isOthers(attempts: RunningAttempts, row: TurnRow | undefined): boolean {
  return row !== undefined && row.cancelRequestedAtMs === null && !attempts.canServe(row.settings);
}

/** Room in the turn's tenant's share of this process: the turns of one tenant wait for each other, nobody else for them. */
function findRoom(attempts: RunningAttempts, row: TurnRow | undefined): Disposable | undefined | 'none' {
  const room = attempts.reserve();
  if (room !== undefined) return room;
  // Of a turn that is gone, or is to be cancelled, the claim says so: it sends no request, and needs no room.
  if (row === undefined || row.cancelRequestedAtMs !== null) return undefined;
  // Another worker has room.
  if (attempts.isDraining) throw lost();
  return attempts.reserve(row.tenant) ?? 'none';
}

/**
 * Waits for an attempt of this process, and hands it what Temporal wants. Whoever gives up leaves it running.
 * @returns undefined: the calls before the request are done, which is to be claimed now
 */
async function join(deps: StreamModelDeps, turn: string, running: RunningAttempt, link: ActivityLink): Promise<StepResult | undefined> {
  const { signal, wish } = link;
  const { promise, reject } = Promise.withResolvers<never>();
  const heed = (): void => {
    if (signal.reason === 'give_up') reject(lost());
    else running.abort(signal.reason === 'cancel' ? 'cancelled' : 'shutdown');
  };
  if (wish === undefined) signal.addEventListener('abort', heed, { once: true });
  else heed();
  try {
    const result = await Promise.race([running.result, promise]);
    if (result.type === 'ended') return result.step;
    if (result.type === 'tools_ended') return undefined;
    // It failed at the moment of the cancel: nothing is sent again.
    if (link.wish === 'cancel') return await stop(deps, turn);
    throw toApplicationFailure(result);
  } finally {
    signal.removeEventListener('abort', heed);
  }
}

async function claimStep(
  { store, attempts }: StreamModelDeps,
  input: OwnTurn<StreamModelInput> & Pick<ClaimRequest, 'away'>,
  signal: AbortSignal,
): Promise<Claim> {
  const { workflowExecution: run } = activityInfo();
  if (run === undefined) throw new Error('streamModel runs in a workflow');
  try {
    return await retryWhileBusy(() => store.claim({ ...input, lease: attempts.lease, run }), signal);
  } catch (error) {
    // Stopped while the database was busy: no request was booked, so the next attempt may claim.
    throw signal.aborted ? lost() : error;
  }
}

/** Nothing was sent, and the requests that are left stay so: a timer of Temporal's waits, as for a provider that asks for it (T4). */
function failureOfAway({ waitMs, isLasting }: Away): ModelFailure {
  const sentence = 'The model provider fails turn after turn: nothing was sent to it.';
  const when = isLasting ? { retryAtMs: Date.now() + waitMs } : {};
  return modelFailure('provider_busy', { sentence, busy: { retryAfterMs: Math.ceil(waitMs) }, ...when });
}

/** The failure that the writer of the last attempt has booked, for whom the wait behind it is a timer of Temporal's (T4). */
async function bookedFailure(store: Store, turn: string, waitLeftMs: number): Promise<FailedAttempt> {
  const last = (await retryWhileBusy(() => store.readAttempts(turn))).at(-1);
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

/** The next look finds the end; or that whoever was taken for dead has renewed its lease, and is to be waited for. */
async function settleLost({ store, onReady }: StreamModelDeps, turn: string, claim: 'started' | 'exhausted'): Promise<void> {
  const head = await retryWhileBusy(() => store.readHead(turn));
  if (head === undefined) return;
  const { epoch } = head;
  await retryWhileBusy(() => settleDead({ store, onReady }, { turn, epoch }, endOfRefusal(claim)));
}

/** Temporal's own cancel: it is booked, for whoever writes the turn to end it, and carried out from here if nobody does (T5). */
async function stop(deps: StreamModelDeps, turn: string): Promise<StepResult> {
  await retryWhileBusy(() => awaitHolder(deps.store, turn));
  return settle(deps, turn, { status: 'cancelled' });
}

/** Resolves earlier when Temporal wants something. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

function lost(retryDelayMs?: number): ReturnType<typeof toApplicationFailure> {
  const delayed = retryDelayMs === undefined ? {} : { retryDelayMs };
  return toApplicationFailure({ type: 'failed', failure: failureOf('worker_lost'), requestsMade: 0, mayRetry: true, ...delayed });
}
