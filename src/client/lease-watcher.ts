/**
 * Finds turns whose attempt has lost its lease: its process is dead, or stands still. What had started gets its end, so that
 * viewers have it within the lease and 2 s, whatever Temporal's pollers do; what had not is asked for again, here.
 *
 * A lease is judged by its second sighting, half a second after the first, and only while this process itself ticks in
 * time: after a sleep of the machine everybody's leases have run out, and those who live renew theirs at once. So it is
 * while the database takes no writes (a full disk, a long lock): nobody can renew a lease, and no sighting counts.
 */
import { failureOf } from '../domain/failure.ts';
import type { RequestedOutcome } from '../domain/turn-state.ts';
import { type SettleDeps, settleTurn } from '../settle/settle-turn.ts';
import type { ExpiredLease } from '../store/ports/journal.ts';
import { type Store, StoreBusyError } from '../store/ports/store.ts';
import type { HeadStart } from './dispatcher.ts';

const tickMs = 500;
/** A tick that comes later than this says that this process stood still, and may have missed renewals. */
const lateTickMs = 1_500;
/** Clocks that have moved apart by this say that one was set, or that the machine slept. */
const clockStepMs = 1_000;
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
  let seen = new Map<string, number>();
  let lastTickAt = performance.now();
  let clockOffsetMs = Date.now() - lastTickAt;
  let isBusy = false;

  async function look(): Promise<void> {
    const expired = await store.listExpiredLeases({ limit, hasWorker: options.attempts !== undefined });
    if (expired.length > 0) await store.probe();
    const again = expired.filter(({ turn, epoch }) => seen.get(turn) === epoch);
    seen = new Map(expired.map(({ turn, epoch }) => [turn, epoch]));
    const left = again.toSorted(() => Math.random() - 0.5);
    const rescueNext = async (): Promise<void> => {
      for (let lease = left.pop(); lease !== undefined; lease = left.pop()) {
        const { turn } = lease;
        await rescue(options, lease).catch((error: unknown) => {
          // What was seen while nobody could renew a lease counts no more.
          if (error instanceof StoreBusyError) seen.delete(turn);
          else onError(error);
        });
      }
    };
    // In any order, so that the watchers of several processes do not take the same ones first.
    await Promise.all(Array.from({ length: atOnce }, rescueNext));
  }

  const timer = setInterval(() => {
    const lateMs = performance.now() - lastTickAt;
    lastTickAt = performance.now();
    const offsetMs = Date.now() - lastTickAt;
    if (lateMs > lateTickMs || Math.abs(offsetMs - clockOffsetMs) > clockStepMs) seen.clear();
    clockOffsetMs = offsetMs;
    if (isBusy) return;
    isBusy = true;
    look()
      // A database that is busy or away says nothing about leases, and what was seen before counts no more.
      .catch(() => {
        seen.clear();
      })
      .finally(() => {
        isBusy = false;
      });
  }, tickMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
    },
  };
}

async function rescue({ store, attempts, onReady }: LeaseWatcherOptions, lease: ExpiredLease): Promise<void> {
  const settle = async (requested: RequestedOutcome): Promise<void> => {
    await settleTurn({ store, onReady }, lease.turn, requested);
  };
  if (lease.hasStarted) return settle({ status: 'failed', failure: failureOf('worker_lost') });
  if (lease.isCancelRequested) return settle({ status: 'cancelled' });
  using room = attempts?.reserve();
  if (attempts === undefined || room === undefined) return;
  const claim = await store.claim({ turn: lease.turn, step: lease.step, lease: attempts.lease });
  if (claim.type === 'granted') attempts.run(claim, lease.step);
  else if (claim.type === 'exhausted') await settle({ status: 'failed', failure: failureOf('transport_failed') });
}
