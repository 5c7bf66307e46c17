/** Turns that arrive at random moments, in steps of more and more a second, until they do not come through: what each costs, and what gives first. */
import OpenAI from 'openai';
import { countOpen } from '../support/load.ts';
import { say } from '../support/report.ts';
import { clockMs } from '../support/clock.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuByRole, threadsOfRole, type Use, useOf } from './bill.ts';
import type { Arrived, Arrivals } from './clients.ts';
import { listed, mapped, one, type Table, times, whole } from './report.ts';
import type { ClusterRig } from './rig.ts';

const order = { tokens: 20 };
const taskQueue = 'turnkeep';
const talks = 200;
const warmUpSeconds = 10;

export interface Step {
  readonly perSecond: number;
  readonly seconds: number;
  readonly arrived: Arrived;
  /** From the last answer to the end of the last workflow, ms. */
  readonly drainMs: number;
  readonly use: Use<unknown>;
}

export async function measureTurns(
  rig: ClusterRig,
  { rates, seconds }: { readonly rates: readonly number[]; readonly seconds: number },
): Promise<Step[]> {
  const { target, clients } = rig;
  const client = new OpenAI({ baseURL: `${target.urls[0]}/v1`, apiKey: target.apiKey, maxRetries: 0 });
  const conversations = await Promise.all(Array.from({ length: talks }, async () => (await client.conversations.create()).id));
  const load = (perSecond: number, seconds: number, seed: number): Promise<Arrived> =>
    clients.call('arrive', { ...target, conversations, perSecond, seconds, seed, order } satisfies Arrivals);
  // V8 has compiled by then what it will compile.
  await load(rates[0] ?? 1, warmUpSeconds, 1);
  await untilClosed(rig);
  const steps: Step[] = [];
  for (const perSecond of rates) {
    let drainMs = Number.NaN;
    const use = await useOf(rig, async () => {
      const arrived = await load(perSecond, seconds, perSecond);
      drainMs = await untilClosed(rig);
      return arrived;
    });
    const step = { perSecond, seconds, arrived: use.result, drainMs, use };
    steps.push(step);
    say(`  ${rowOf(step).join('; ')}`);
    // Past the knee there is nothing to learn, and what is left behind would be on the next one's bill.
    if (!isCarried(step)) break;
  }
  return steps;
}

/** Nearly all have their end while the load lasts, and within a second. */
export function isCarried({ arrived }: Step): boolean {
  return arrived.failures.length === 0 && arrived.end.p99 < 1_000 && arrived.endedInTime > 0.95 * arrived.turns;
}

async function untilClosed({ temporal }: ClusterRig): Promise<number> {
  const startedAtMs = clockMs();
  while ((await countOpen(temporal, taskQueue)) > 0) await sleep(100);
  return clockMs() - startedAtMs;
}

function rowOf({ perSecond, seconds, arrived, drainMs, use }: Step): string[] {
  const perTurn = (ms: number): number => ms / arrived.turns;
  const coresMs = arrived.tookMs + drainMs;
  return [
    `${perSecond}`,
    one(arrived.endedInTime / seconds),
    times(arrived.firstToken),
    times(arrived.end),
    listed(mapped(cpuByRole(use.cpu), perTurn), one, 0.05),
    listed(
      mapped(cpuByRole(use.cpu), (ms) => (100 * ms) / coresMs),
      (share) => `${whole(share)} %`,
      3,
    ),
    listed(use.loopLagP99Ms, one),
    one(use.busyConnections),
    `${one(use.temporalAnswerMs.p50)} / ${one(use.temporalAnswerMs.max)}`,
    whole(drainMs),
    arrived.failures.join(' '),
  ];
}

export function turnsTable(steps: readonly Step[]): Table {
  return {
    title: 'Turns of 20 tokens that arrive at random moments',
    head: [
      'a second',
      'ended in time, a second',
      'first token, ms',
      'end, ms',
      'CPU a turn, ms',
      'CPU of a core',
      'event loops p99, ms',
      'busy connections',
      "Temporal's answer p50 / max, ms",
      'drained after, ms',
      'failures',
    ],
    rows: steps.map(rowOf),
  };
}

/** What one turn costs: of the step with the most turns that came through. */
export function turnCosts(steps: readonly Step[]) {
  const step = steps.findLast(isCarried) ?? steps[0];
  if (step === undefined) throw new Error('nothing was measured');
  const { arrived, use } = step;
  const each = (value: number): number => value / arrived.turns;
  return {
    tokens: order.tokens,
    atPerSecond: step.perSecond,
    cpuMs: mapped(cpuByRole(use.cpu), each),
    serveThreadsMs: mapped(threadsOfRole(use.cpu, 'serve'), each),
    walBytes: each(use.database?.walBytes ?? Number.NaN),
    walSyncs: each(use.database?.walSyncs ?? Number.NaN),
    commits: each(use.database?.commits ?? Number.NaN),
    tableBytes: mapped(use.database?.tableBytes ?? {}, each),
    temporalBytes: each(use.temporalBytes),
    bytesToClient: each(arrived.bytes),
    waits: use.waits,
  };
}
