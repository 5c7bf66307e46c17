/**
 * Picks up what a killed process left behind, and drops what is past retention: accepted turns that no workflow runs (their
 * gateway was killed before Temporal's answer, Temporal was away, a workflow was terminated or its history lost), cancels
 * that are booked and not carried out, titles that nobody has started. Doing any of it twice is harmless.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { TurnRow } from '../domain/turn.ts';
import type { Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';
import { dispatchTurn, dispatchPatienceMs } from './dispatch-turn.ts';
import { startTitles } from './titles.ts';

const unsubmittedEveryMs = 2_000;
/** Turns that Temporal has are checked less often: Temporal itself retries them. */
const orphanAfterMs = 30_000;
const orphanEveryMs = 30_000;
/** A cancel is answered within 2 s; one that still stands open has lost its gateway. */
const stuckCancelMs = 5_000;
const purgeEveryMs = 10_000;
/** Time for viewers that lag to read an unstored turn to its end, once somebody has. */
const purgeDeliveredAfterMs = 30_000;
/** As long as a client's own retry may join it. */
const purgeAfterMs = 10 * 60_000;
const expireEveryMs = 60 * 60_000;
const dayMs = 86_400_000;
const batch = 200;

export interface Sweep {
  stop(): void;
}

export interface SweepOptions {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly retentionDays: number;
  /** Carries out a cancel that was accepted. */
  readonly cancel: (turn: TurnRow) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export function startSweep({ store, dispatcher, retentionDays, cancel, onError }: SweepOptions): Sweep {
  let isStopped = false;

  /** An error with one turn does not stop the others. */
  async function tried(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isStopped) onError(error);
    }
  }

  /** All of them, a page at a time, so that turns that keep failing do not hide the ones behind them. */
  async function* unfinished(onlyUnsubmitted: boolean, ageMs: number): AsyncGenerator<TurnRow> {
    const createdBeforeMs = Date.now() - ageMs;
    for (let afterOrdinal = 0; ;) {
      const page = await store.listUnfinished({ createdBeforeMs, onlyUndispatched: onlyUnsubmitted, afterOrdinal, limit: batch });
      for (const { ordinal, turn } of page) {
        if (isStopped) return;
        yield turn;
        afterOrdinal = ordinal;
      }
      if (page.length < batch) return;
    }
  }

  async function sweepUnsubmitted(): Promise<void> {
    for await (const turn of unfinished(true, dispatchPatienceMs)) await tried(() => dispatchTurn(store, dispatcher, turn));
    for (const turn of await store.listStuckCancels(Date.now() - stuckCancelMs, batch)) await tried(() => cancel(turn));
  }

  async function sweepTitles(): Promise<void> {
    await startTitles(store, dispatcher);
  }

  async function sweepOrphans(): Promise<void> {
    const sessions = new Set<string>();
    for await (const turn of unfinished(false, orphanAfterMs)) {
      if (turn.session !== null) {
        // The turns behind the first of a session wait in its run; a lost one is found once it is the first.
        if (sessions.has(turn.session)) continue;
        sessions.add(turn.session);
      }
      await tried(async () => {
        // A session's workflow may run without knowing this turn; a second signal for a known one is harmless.
        const runId = await dispatcher.runningRun(turn);
        const isInHand = runId !== undefined && (turn.session === null || turn.runId === runId);
        if (!isInHand) await dispatchTurn(store, dispatcher, turn);
      });
    }
  }

  /** In rounds, with the event loop free in between: a round itself never yields, and heartbeats and streams must go on. */
  async function untilNone(round: () => Promise<number>): Promise<void> {
    for (let taken = 1; taken > 0; await nextTurnOfTheLoop()) taken = isStopped ? 0 : await round();
  }

  async function purge(): Promise<void> {
    const now = Date.now();
    const cut = { acknowledgedBeforeMs: now - purgeDeliveredAfterMs, settledBeforeMs: now - purgeAfterMs };
    await untilNone(() => store.purgeUnstored(cut));
  }

  async function expire(): Promise<void> {
    const atMs = Date.now();
    await untilNone(() => store.expire({ beforeMs: atMs - retentionDays * dayMs, atMs, limit: batch }));
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
    every(unsubmittedEveryMs, sweepUnsubmitted),
    every(orphanEveryMs, sweepOrphans),
    every(unsubmittedEveryMs, sweepTitles),
    every(purgeEveryMs, purge),
    every(expireEveryMs, expire),
  ];
  return {
    stop() {
      isStopped = true;
      for (const timer of timers) clearInterval(timer);
    },
  };
}
