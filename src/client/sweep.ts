/**
 * Finds turns that were accepted and that nobody runs, and hands them over again: the gateway was killed between
 * the turn's row and Temporal's answer, Temporal was away, its workflow was terminated, its history was lost.
 * Handing over twice is harmless: see `delivery.ts`.
 */
import { persist } from '../store/persist.ts';
import type { Store, TurnRow } from '../store/store.ts';
import type { Delivery } from './delivery.ts';

/** Turns whose own gateway is surely not handing them over any more. */
const unsubmittedAfterMs = 3_000;
const unsubmittedEveryMs = 2_000;
/** Turns that Temporal has taken are looked after less often: it looks after them itself. */
const orphanAfterMs = 30_000;
const orphanEveryMs = 30_000;
const batch = 200;

export interface Sweep {
  stop(): void;
}

export interface SweepOptions {
  readonly store: Store;
  readonly delivery: Delivery;
  readonly onError: (error: unknown) => void;
}

export function startSweep({ store, delivery, onError }: SweepOptions): Sweep {
  let isStopped = false;

  async function redeliver(turn: TurnRow): Promise<void> {
    await delivery.deliver(turn);
    await persist(() => store.markSubmitted(turn.id));
  }

  /** One turn that cannot be handed over does not keep the others waiting. */
  async function tried(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isStopped) onError(error);
    }
  }

  async function sweepUnsubmitted(): Promise<void> {
    const createdBeforeMs = Date.now() - unsubmittedAfterMs;
    for (const turn of await store.listUnsettled({ createdBeforeMs, onlyUnsubmitted: true, limit: batch })) {
      if (isStopped) return;
      await tried(() => redeliver(turn));
    }
  }

  async function sweepOrphans(): Promise<void> {
    const createdBeforeMs = Date.now() - orphanAfterMs;
    for (const turn of await store.listUnsettled({ createdBeforeMs, onlyUnsubmitted: false, limit: batch })) {
      if (isStopped) return;
      await tried(async () => {
        // A session's workflow may run while this turn of it is in nobody's hands: telling it twice is harmless.
        const runId = await delivery.runningRun(turn);
        const isInHand = runId !== undefined && (turn.session === null || turn.runId === runId);
        if (!isInHand) await redeliver(turn);
      });
    }
  }

  function every(periodMs: number, sweep: () => Promise<void>): NodeJS.Timeout {
    let isBusy = false;
    const run = (): void => {
      if (isBusy || isStopped) return;
      isBusy = true;
      sweep()
        .catch((error: unknown) => {
          if (!isStopped) onError(error);
        })
        .finally(() => {
          isBusy = false;
        });
    };
    run();
    return setInterval(run, periodMs).unref();
  }

  const timers = [every(unsubmittedEveryMs, sweepUnsubmitted), every(orphanEveryMs, sweepOrphans)];
  return {
    stop() {
      isStopped = true;
      for (const timer of timers) clearInterval(timer);
    },
  };
}
