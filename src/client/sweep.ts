/**
 * Picks up what a killed process left behind, and drops what is past retention: accepted turns that no workflow runs (their
 * gateway was killed before Temporal's answer, Temporal was away, a workflow was terminated or its history lost), cancels
 * that are booked and not carried out, titles and webhooks that nobody has started. Doing any of it twice is harmless; of all
 * processes on one database one does it: when Temporal is back, each turn is handed over once, not once by every gateway.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { WebhookReport } from '../domain/turn/webhook.ts';
import type { RetentionCursor, Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';
import { Leader, type Task } from './leader.ts';
import { startTitles } from './titles.ts';
import { startWebhooks } from './webhooks.ts';

/** A turn that has been ready this long has lost whoever was to dispatch it. */
const undispatchedMs = 1_000;
const undispatchedEveryMs = 1_000;
const titlesEveryMs = 2_000;
/** Turns that Temporal has are checked less often: Temporal itself retries them. */
const orphanAfterMs = 30_000;
const orphanEveryMs = 30_000;
/** A cancel is answered within 2 s; one that still stands open has lost its gateway. */
const stuckCancelMs = 5_000;
const purgeEveryMs = 10_000;
/** Time for viewers that lag to read an unstored turn to its end, once somebody has. */
const purgeAcknowledgedAfterMs = 30_000;
/** As long as a client's own retry may join it. */
const purgeAfterMs = 10 * 60_000;
/** A workflow of somebody's own reads its answer once there is a worker again. */
const purgeOwnedAfterMs = 24 * 60 * 60_000;
const expireEveryMs = 60 * 60_000;
const upkeepEveryMs = 60_000;
const dayMs = 86_400_000;
const betweenSlicesMs = 10;
const batch = 200;

/** Somebody waits for these: what a leader had to do that was killed is done by another one soon. */
const dispatching: Task = { name: 'dispatch', leaseMs: 3_000 };
const cancelling: Task = { name: 'cancels', leaseMs: 3_000 };
const webhooking: Task = { name: 'webhooks', leaseMs: 3_000 };
const titling: Task = { name: 'titles', leaseMs: 10_000 };
/** Each of these asks Temporal of every turn that has run for a while. */
const restarting: Task = { name: 'orphans', leaseMs: 60_000 };
const dropping: Task = { name: 'retention', leaseMs: 30_000 };
/** Longer than between two looks, so that one process goes on with it. */
const watching: Task = { name: 'upkeep', leaseMs: 90_000 };

export interface Sweep {
  stop(): void;
}

export interface SweepOptions {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly retentionDays: number;
  /** Carries out a cancel that was accepted, or that is to be. */
  readonly cancel: (turn: string) => Promise<void>;
  readonly onWebhook?: (report: WebhookReport) => void;
  readonly onError: (error: unknown) => void;
}

export function startSweep({ store, dispatcher, retentionDays, cancel, onWebhook = () => undefined, onError }: SweepOptions): Sweep {
  let isStopped = false;
  const leader = new Leader(store);

  /** An error with one turn does not stop the others. Is it done? */
  async function tried(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!isStopped) onError(error);
      return false;
    }
  }

  /** Where there is nothing to do, nobody has to lead. */
  async function workOff(task: Task, turns: readonly string[], work: (turn: string) => Promise<void>): Promise<void> {
    if (turns.length === 0) return;
    await leader.round(task, async () => (await Promise.all(turns.map((turn) => tried(() => work(turn))))).every(Boolean));
  }

  async function dispatchLeftBehind(): Promise<void> {
    const turns = await store.listUndispatched({ readyForMs: undispatchedMs, limit: batch });
    await workOff(dispatching, turns, (turn) => dispatcher.start(turn));
  }

  async function carryOutCancels(): Promise<void> {
    const cancels = await store.listStuckCancels({ acceptedForMs: stuckCancelMs, limit: batch });
    await workOff(cancelling, cancels, cancel);
  }

  async function sweepTitles(): Promise<void> {
    if ((await store.listUntitled(1)).length === 0) return;
    await leader.round(titling, async () => {
      await startTitles(store, dispatcher);
      return true;
    });
  }

  async function sweepWebhooks(): Promise<void> {
    if ((await store.listUnstartedWebhooks(1)).length === 0) return;
    await leader.round(webhooking, async () => {
      let isDone = true;
      const report = (error: unknown): void => {
        isDone = false;
        if (!isStopped) onError(error);
      };
      await startWebhooks({ store, dispatcher, onReport: onWebhook, onError: report });
      return isDone;
    });
  }

  /** Turns whose workflow was terminated, or whose history is lost: nobody else would ever end them. */
  async function restartOrphans(): Promise<void> {
    await store.makeStrandedReady();
    const [first] = await store.listUnattended({ readyForMs: orphanAfterMs, afterOrdinal: 0, limit: 1 });
    if (first !== undefined) await leader.round(restarting, restartAll);
  }

  async function restartAll(): Promise<boolean> {
    let isDone = true;
    for (let afterOrdinal = 0; ;) {
      const page = await store.listUnattended({ readyForMs: orphanAfterMs, afterOrdinal, limit: batch });
      for (const { ordinal, turn, owner, readyAtMs } of page) {
        if (isStopped) return true;
        const isRestarted = await tried(async () => {
          if (owner !== undefined) {
            // Nobody else may go on with it: whoever wanted its answer is gone.
            if (!(await dispatcher.isOwned({ turn, owner, readyAtMs }))) await cancel(turn);
          } else if (!(await dispatcher.isRunning(turn))) await dispatcher.start(turn);
        });
        isDone = isDone && isRestarted;
        afterOrdinal = ordinal;
      }
      if (page.length < batch) return isDone;
    }
  }

  /** Of all processes on one database one drops what is past: slice after slice, with time for others in between, while it leads. */
  async function dropSlices(dropSlice: () => Promise<boolean>): Promise<boolean> {
    while (await leader.leads(dropping)) {
      if (isStopped) return false;
      if (await dropSlice()) return true;
      await delay(betweenSlicesMs, undefined, { ref: false });
    }
    return false;
  }

  let expireAtMs = performance.now();

  async function dropWhatIsPast(): Promise<void> {
    const atMs = Date.now();
    const unstored = {
      acknowledgedBeforeMs: atMs - purgeAcknowledgedAfterMs,
      settledBeforeMs: atMs - purgeAfterMs,
      ownedBeforeMs: atMs - purgeOwnedAfterMs,
    };
    const isPurged = await dropSlices(async () => (await store.purgeUnstored(unstored)) === 0);
    if (!isPurged || performance.now() < expireAtMs) return;
    const cut = { atMs, beforeMs: atMs - retentionDays * dayMs };
    let from: RetentionCursor | undefined;
    const isDone = await dropSlices(async () => {
      from = await store.expire(cut, from);
      const failed = from?.failed;
      if (failed !== undefined) onError(new Error(`turn ${failed.turn} is past retention, and cannot be dropped`, { cause: failed.error }));
      return from === undefined;
    });
    if (isDone) expireAtMs = performance.now() + expireEveryMs;
  }

  /** For the metrics, which hear of what is read. */
  async function lookAtUpkeep(): Promise<void> {
    const { readUpkeep } = store;
    if (readUpkeep !== undefined) await leader.round(watching, async () => readUpkeep().then(() => true));
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

  const timers = [
    every(undispatchedEveryMs, dispatchLeftBehind),
    every(undispatchedEveryMs, carryOutCancels),
    every(orphanEveryMs, restartOrphans),
    every(titlesEveryMs, sweepTitles),
    every(undispatchedEveryMs, sweepWebhooks),
    every(purgeEveryMs, dropWhatIsPast),
    every(upkeepEveryMs, lookAtUpkeep),
  ];
  return {
    stop() {
      isStopped = true;
      for (const timer of timers) clearInterval(timer);
    },
  };
}
