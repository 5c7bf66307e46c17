/** Closed load: the next turn begins when one has its answer. Open load: turns arrive by the clock, answered or not. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { clockMs } from './clock.ts';

/** So many turns, or as many as begin in this time. */
export interface Load {
  readonly atOnce: number;
  readonly turns?: number;
  readonly forMs?: number;
}

export interface Carried {
  readonly turns: number;
  readonly tookMs: number;
  /** What each turn resolved with. */
  readonly valuesMs: readonly number[];
}

/** Answers come before Temporal has closed their workflows: with more open ones than this, no turn begins. */
const mostOpen = 32;
const lookEveryMs = 100;

/**
 * @param turn of the nth of those that are at work at the same time; resolves with a time of its own choice, ms
 * @param countOpen where it is given, load is held back until Temporal keeps up
 */
export async function closedLoad(
  { atOnce, turns = Number.POSITIVE_INFINITY, forMs = Number.POSITIVE_INFINITY }: Load,
  turn: (n: number) => Promise<number>,
  countOpen?: () => Promise<number>,
): Promise<Carried> {
  const startedAtMs = clockMs();
  const valuesMs: number[] = [];
  let begun = 0;
  let open = 0;
  const ended = new AbortController();
  const watching = countOpen === undefined ? undefined : watch(countOpen, ended.signal, (count) => (open = count));
  await Promise.all(
    Array.from({ length: atOnce }, async (_, n) => {
      while (begun < turns && clockMs() - startedAtMs < forMs) {
        if (open > mostOpen) {
          await sleep(lookEveryMs / 10);
          continue;
        }
        begun += 1;
        valuesMs.push(await turn(n));
      }
    }),
  );
  const tookMs = clockMs() - startedAtMs;
  ended.abort();
  await watching;
  return { turns: valuesMs.length, tookMs, valuesMs };
}

async function watch(count: () => Promise<number>, signal: AbortSignal, onCount: (open: number) => void): Promise<void> {
  while (!signal.aborted) {
    onCount(await count());
    await sleep(lookEveryMs);
  }
}

/** Of a task queue. */
export async function countOpen({ workflow }: Client, taskQueue: string): Promise<number> {
  const { count } = await workflow.count(`TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'`);
  return count;
}

export interface OpenLoad {
  readonly sessions: number;
  /** Each session's turns: one a second. */
  readonly seconds: number;
}

export interface Asked {
  /** From the moment a turn was due to its first token: a client that is late itself does not hide a wait. */
  readonly firstTokenMs: readonly number[];
  /** How many had their end when the last second was over. */
  readonly endedInTime: number;
  readonly failures: readonly string[];
}

/**
 * The sessions are spread over the second.
 * @param ask `ended` resolves with the moment of the first token, on `clockMs`
 * @param onTimeUp called when the last second is over, while the turns that are late still run
 */
export async function openLoad(
  { sessions, seconds }: OpenLoad,
  ask: (session: number) => Promise<number>,
  onTimeUp: () => Promise<unknown>,
): Promise<Asked> {
  const firstTokenMs: number[] = [];
  const failures: string[] = [];
  let endedInTime = 0;
  const startedAtMs = clockMs() + 100;
  const untilMs = startedAtMs + seconds * 1_000;
  const asking = Array.from({ length: sessions * seconds }, async (_, n) => {
    const dueAtMs = startedAtMs + (n * 1_000) / sessions;
    await sleep(Math.max(0, dueAtMs - clockMs()));
    try {
      firstTokenMs.push((await ask(n % sessions)) - dueAtMs);
      if (clockMs() <= untilMs) endedInTime += 1;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  });
  await sleep(untilMs - clockMs());
  await onTimeUp();
  await Promise.all(asking);
  return { firstTokenMs, endedInTime, failures };
}
