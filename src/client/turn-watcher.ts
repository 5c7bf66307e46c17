/**
 * Finds turns whose process is dead, or stands still, whatever Temporal's pollers do. An attempt that has lost its lease: what
 * had started gets its end, what had not is asked for again, here, within the lease and 2 s. A request that is due and that
 * nobody claims, because Temporal gave it to a process that stands still: it is sent from here within two seconds.
 */
import { endOfRefusal } from '../domain/turn/claim.ts';
import { reattachPatienceMs } from '../domain/turn/kept-response.ts';
import { LeaseJudge, type Look, sightingIntervalMs } from '../settle/lease-judge.ts';
import { settleDead, type SettleDeps } from '../settle/settle-turn.ts';
import type { ExpiredLease, OverdueTurn } from '../store/ports/leases.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';
import { claimAndRun, type LocalAttempts } from './local-attempts.ts';

const limit = 2_000;
const atOnce = 16;
/** As a rule, a request that is due is claimed by Temporal's activity within milliseconds. */
const defaultOverdueMs = 1_000;

export interface TurnWatcherOptions {
  readonly store: Store;
  /** Answers that providers keep are left so long to others who may read them on, in ms; `reattachPatienceMs` where nothing is said. */
  readonly keptForMs?: number;
  /** Absent where the process has no worker: what has not started is then left to those that have one. */
  readonly attempts?: LocalAttempts;
  /** How long Temporal's activity may leave a request unclaimed that is due, ms; 1,000 where nothing is said. */
  readonly overdueMs?: number | undefined;
  readonly onReady: SettleDeps['onReady'];
  readonly onError: (error: unknown) => void;
}

export interface TurnWatcher {
  stop(): void;
}

export function startTurnWatcher(options: TurnWatcherOptions): TurnWatcher {
  const { store, onError } = options;
  const hasWorker = options.attempts !== undefined;
  const keptForMs = options.keptForMs ?? reattachPatienceMs({ hasWorker });
  const dueForMs = options.overdueMs ?? defaultOverdueMs;
  const judge = new LeaseJudge(store);
  let isBusy = false;

  /** What a busy database refuses is found again with the next look. */
  const report = (error: unknown): void => {
    if (!(error instanceof StoreBusyError)) onError(error);
  };

  async function rescueLost(look: Look): Promise<void> {
    const expired = await store.listExpiredLeases({ limit, hasWorker, keptForMs });
    await eachOf(await judge.deadOf(look, expired), async (lease) => {
      await rescue(options, lease).catch((error: unknown) => {
        // What was seen while nobody could renew a lease counts no more.
        if (error instanceof StoreBusyError) judge.forget(lease.turn);
        report(error);
      });
    });
  }

  async function askOverdue(): Promise<void> {
    if (options.attempts === undefined) return;
    await eachOf(await store.listOverdue({ dueForMs, limit }), async (overdue) => ask(options, overdue).catch(report));
  }

  const timer = setInterval(() => {
    const look = judge.tick();
    if (isBusy) return;
    isBusy = true;
    rescueLost(look)
      // A database that is busy or away says nothing about leases, and what was seen before counts no more.
      .catch((error: unknown) => {
        judge.forget();
        report(error);
      })
      .then(askOverdue)
      .catch(report)
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
  // An answer that its provider keeps is read on by whoever claims it.
  if (lease.hasStarted && !lease.isKept) await settleDead(options, lease, endOfRefusal('started'));
  else await ask(options, lease);
}

/** Sends the next request of a turn, if this process can, or gives the turn the end that stands in its way. */
async function ask(options: TurnWatcherOptions, turn: OverdueTurn): Promise<void> {
  const { store, attempts } = options;
  // Of a turn that is to be cancelled no request is sent, for which there would have to be room.
  const claim = turn.isCancelRequested ? ({ type: 'cancelled' } as const) : attempts && (await claimAndRun(store, attempts, turn));
  if (claim?.type === 'cancelled' || claim?.type === 'started' || claim?.type === 'exhausted') {
    await settleDead(options, turn, endOfRefusal(claim.type));
  }
}

/** In any order, so that the watchers of several processes do not take the same ones first, and a few at once. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.toSorted(() => Math.random() - 0.5);
  const workOn = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, workOn));
}
