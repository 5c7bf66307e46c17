/**
 * Whole turns a second, and the least workflow's in the same run: closed load, held back where Temporal does not keep up, and
 * the time until it has closed the last workflow counts too, so that a backlog is no throughput.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { untilClosed } from '../support/backlog.ts';
import { billOf, byThread, type CpuBill, sumOf } from '../support/cpu.ts';
import { type Carried, closedLoad } from '../support/load.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Floor, Rig } from '../support/rig.ts';
import { ms, spreadOf } from '../support/statistics.ts';
import { watchModel, watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const atOnce = 16;

export interface Throughput {
  /** Of each of the two, ms. */
  readonly roundMs: number;
  /** The two take turns, so that both meet the same machine. */
  readonly rounds: number;
}

interface Rate {
  readonly perSecond: number;
  readonly p50Ms: number;
  /** From the last answer to the last workflow's end. */
  readonly drainMs: number;
  readonly bill: CpuBill;
}

export async function measureThroughput(rig: Rig, deployment: Deployment, floor: Floor, { roundMs, rounds }: Throughput): Promise<Row[]> {
  const { client, url, taskQueue, worker } = deployment;
  const load = { atOnce, forMs: roundMs };
  const sessions = await Promise.all(Array.from({ length: atOnce }, async () => (await client.conversations.create()).id));
  const ours: Rate[] = [];
  const least: Rate[] = [];
  const turnOf =
    (conversations: readonly string[]) =>
    async (n: number): Promise<number> => {
      const startedAtMs = performance.now();
      await watchTurn(url, order, conversations[n]).ended;
      return performance.now() - startedAtMs;
    };
  const rate = (name: string, pid: number, queue: string, run: () => Promise<Carried>): Promise<Rate> =>
    rateOf(rig, { [name]: pid }, queue, run);
  for (let round = 0; round < rounds; round += 1) {
    least.push(await rate('floor', floor.child.pid, floor.taskQueue, () => floor.child.call<Carried>('run', load)));
    ours.push(await rate('turnkeep', worker.pid, taskQueue, () => closedLoad(load, turnOf(sessions), () => rig.openWorkflows(taskQueue))));
  }
  const direct = await closedLoad({ atOnce, forMs: Math.min(roundMs, 3_000) }, async () => {
    const startedAtMs = performance.now();
    await watchModel(rig.modelUrl, [{ role: 'user', content: promptOf(order) }]).ended;
    return performance.now() - startedAtMs;
  });
  const mean = (rates: readonly Rate[]): number => rates.reduce((sum, { perSecond }) => sum + perSecond, 0) / rates.length;
  const last = ours.at(-1);
  const lastLeast = least.at(-1);
  if (last === undefined || lastLeast === undefined) return [];
  const text = ({ p50Ms, drainMs }: Rate, rates: readonly Rate[]): string =>
    `${mean(rates).toFixed(1)} a second, ${ms(p50Ms)} each, ${ms(drainMs)} to drain`;
  return [
    {
      figure: `whole turns, ${atOnce} conversations at once, to the last workflow's end (${rounds} x ${roundMs / 1_000} s)`,
      turnkeep: text(last, ours),
      direct: `${((direct.turns * 1_000) / direct.tookMs).toFixed(0)} a second, ${ms(spreadOf(direct.valuesMs).p50)} each`,
      floor: text(lastLeast, least),
    },
    { figure: "the same, as a share of the least workflow's", turnkeep: (mean(ours) / mean(least)).toFixed(2), aim: '0.75' },
    {
      figure: 'the same: CPU a turn of our process',
      turnkeep: byThread(last.bill, 'turnkeep'),
      floor: byThread(lastLeast.bill, 'floor'),
    },
    {
      figure: "the same: CPU a turn of Temporal's server",
      turnkeep: ms(sumOf(last.bill, 'temporal')),
      floor: ms(sumOf(lastLeast.bill, 'temporal')),
    },
    {
      figure: 'the same: CPU a turn of the model server and of the client',
      turnkeep: `${ms(sumOf(last.bill, 'model'))}, ${ms(sumOf(last.bill, 'client'))}`,
    },
  ];
}

/** Timers that Temporal set for the workflows of the round before: the least workflow's are of 10 s, and would be on the next one's bill. */
const timersMs = 11_000;

async function rateOf(rig: Rig, more: Readonly<Record<string, number>>, queue: string, run: () => Promise<Carried>): Promise<Rate> {
  await sleep(timersMs);
  await untilClosed(rig, queue);
  const { bill, turns, tookMs, valuesMs, drainMs } = await billOf(rig.processes(more), async () => {
    const carried = await run();
    return { ...carried, drainMs: await untilClosed(rig, queue) };
  });
  return { perSecond: (turns * 1_000) / (tookMs + drainMs), p50Ms: spreadOf(valuesMs).p50, drainMs, bill };
}
