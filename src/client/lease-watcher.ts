/**
 * Finds turns whose attempt has lost its lease: its process is dead, or stands still. What had started gets its end, so that
 * viewers have it within the lease and 2 s, whatever Temporal's pollers do; what had not is asked for again, here.
 */
import { failureOf } from '../domain/failure.ts';
import type { RequestedOutcome } from '../domain/turn-state.ts';
import { LeaseJudge, sightingIntervalMs } from '../settle/lease-judge.ts';
import { settleDead, type SettleDeps } from '../settle/settle-turn.ts';
import type { ExpiredLease } from '../store/ports/journal.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';
import type { HeadStart } from './dispatcher.ts';

const limit = 2_000;
const atOnce = 16;

export interface LeaseWatcherOptions {
  readonly store: Store;
  /** Absent where the process has no worker: what has not started is then left to those that have one. */
  readonly attempts?: HeadStart;
  readonly onReady: SettleDeps['onReady'];
  readonly onError: (error: unknown) => void;
}

export interface LeaseWatcher {
  stop(): void;
}

export function startLeaseWatcher(options: LeaseWatcherOptions): LeaseWatcher {
  const { store, onError } = options;
  const judge = new LeaseJudge(store);
  let isBusy = false;

  async function look(): Promise<void> {
    const expired = await store.listExpiredLeases({ limit, hasWorker: options.attempts !== undefined });
    const left = (await judge.deadOf(expired)).toSorted(() => Math.random() - 0.5);
    const rescueNext = async (): Promise<void> => {
      for (let lease = left.pop(); lease !== undefined; lease = left.pop()) {
        const { turn } = lease;
        await rescue(options, lease).catch((error: unknown) => {
          // What was seen while nobody could renew a lease counts no more.
          if (error instanceof StoreBusyError) judge.forget(turn);
          else onError(error);
        });
      }
    };
    // In any order, so that the watchers of several processes do not take the same ones first.
    await Promise.all(Array.from({ length: atOnce }, rescueNext));
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

async function rescue({ store, attempts, onReady }: LeaseWatcherOptions, lease: ExpiredLease): Promise<void> {
  // The list may be long, and old: who has renewed its lease meanwhile is left alone.
  const settle = async (requested: RequestedOutcome): Promise<void> => {
    await settleDead({ store, onReady }, lease, requested);
  };
  if (lease.hasStarted) return settle({ status: 'failed', failure: failureOf('worker_lost') });
  if (lease.isCancelRequested) return settle({ status: 'cancelled' });
  using room = attempts?.reserve();
  if (attempts === undefined || room === undefined) return;
  const claim = await store.claim({ turn: lease.turn, step: lease.step, lease: attempts.lease });
  if (claim.type === 'granted') attempts.run(claim, lease.step);
  else if (claim.type === 'exhausted') await settle({ status: 'failed', failure: failureOf('transport_failed') });
}
