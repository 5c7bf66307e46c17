/**
 * Finds turns whose process is dead, or stands still, so that they go on within the lease and 2 s, whatever Temporal's pollers
 * do. An attempt that has lost its lease: what had started gets its end, what had not is asked for again, here. A request that
 * is due and that nobody claims: Temporal gave it to a process that stands still, and it is sent from here.
 */
import { failureOf } from '../domain/failure.ts';
import { LeaseJudge, sightingIntervalMs } from '../settle/lease-judge.ts';
import { settleDead, type SettleDeps } from '../settle/settle-turn.ts';
import type { ExpiredLease, OverdueTurn } from '../store/ports/journal.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';
import type { HeadStart } from './dispatcher.ts';

const limit = 2_000;
const atOnce = 16;
/** As a rule, a request that is due is claimed by Temporal's activity within milliseconds. */
const overdueMs = 1_000;
/** More than the watchers of a few processes claim in half a second; the rest is seen with the next look. */
const overdueAtOnce = 64;

export interface TurnWatcherOptions {
  readonly store: Store;
  /** Absent where the process has no worker: what has not started is then left to those that have one. */
  readonly attempts?: HeadStart;
  readonly onReady: SettleDeps['onReady'];
  readonly onError: (error: unknown) => void;
}

export interface TurnWatcher {
  stop(): void;
}

export function startTurnWatcher(options: TurnWatcherOptions): TurnWatcher {
  const { store, onError } = options;
  const judge = new LeaseJudge(store);
  let isBusy = false;

  async function look(): Promise<void> {
    const expired = await store.listExpiredLeases({ limit, hasWorker: options.attempts !== undefined });
    await eachOf(await judge.deadOf(expired), async (lease) => {
      await rescue(options, lease).catch((error: unknown) => {
        // What was seen while nobody could renew a lease counts no more.
        if (error instanceof StoreBusyError) judge.forget(lease.turn);
        else onError(error);
      });
    });
    if (options.attempts === undefined) return;
    await eachOf(await store.listOverdue({ dueForMs: overdueMs, limit: overdueAtOnce }), async (overdue) => {
      await ask(options, overdue).catch((error: unknown) => {
        if (!(error instanceof StoreBusyError)) onError(error);
      });
    });
  }

  const timer = setInterval(() => {
    judge.tick();
    if (isBusy) return;
    isBusy = true;
    look()
      // A database that is busy or away says nothing about leases, and what was seen before counts no more.
      .catch(() => {
        judge.forget();
      })
      .finally(() => {
        isBusy = false;
      });
  }, sightingIntervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
    },
  };
}

/** The list may be long, and old: who has renewed its lease meanwhile is left alone. */
async function rescue(options: TurnWatcherOptions, lease: ExpiredLease): Promise<void> {
  if (lease.hasStarted) await settleDead(options, lease, { status: 'failed', failure: failureOf('worker_lost') });
  else if (lease.isCancelRequested) await settleDead(options, lease, { status: 'cancelled' });
  else await ask(options, lease);
}

/** Sends the next request of a turn, if this process can, or gives the turn the end that stands in its way. */
async function ask(options: TurnWatcherOptions, due: OverdueTurn): Promise<void> {
  const { store, attempts } = options;
  using room = attempts?.reserve();
  if (attempts === undefined || room === undefined) return;
  const claim = await store.claim({ turn: due.turn, step: due.step, lease: attempts.lease });
  if (claim.type === 'granted') attempts.run(claim, due.step);
  else if (claim.type === 'cancelled') await settleDead(options, due, { status: 'cancelled' });
  else if (claim.type === 'exhausted') await settleDead(options, due, { status: 'failed', failure: failureOf('transport_failed') });
}

/** In any order, so that the watchers of several processes do not take the same ones first, and a few at once. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.toSorted(() => Math.random() - 0.5);
  const workOn = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, workOn));
}
