/** CPU of the process with gateway and worker, all its threads, for each token that came to the viewer. */
import { Child } from '../support/child.ts';
import { billOf, byThread, type CpuBill } from '../support/cpu.ts';
import { closedLoad } from '../support/load.ts';
import type { Order } from '../support/orders.ts';
import { type Row, say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { us } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

interface Job {
  readonly order: Order;
  readonly turns: number;
  readonly atOnce: number;
}

interface Cost {
  readonly oursUs: number;
  readonly theirsUs: number;
  readonly bill: CpuBill;
  /** Of a turn. */
  readonly events: number;
}

async function compare(rig: Rig, { url, worker }: Deployment, job: Job): Promise<Cost> {
  const { order, turns, atOnce } = job;
  const tokens = turns * order.tokens;
  let events = 0;
  const before = await worker.call<number>('cpuUs');
  const { bill } = await billOf({ turnkeep: worker.pid }, async () => {
    await closedLoad({ atOnce, turns }, async () => {
      const { deltaEvents, endedAtMs } = await watchTurn(url, order).ended;
      events += deltaEvents;
      return endedAtMs;
    });
    return { turns: tokens };
  });
  const oursUs = ((await worker.call<number>('cpuUs')) - before) / tokens;
  await using client = new Child('direct.ts');
  // It too gets to know its code before it counts.
  await client.call('run', { baseUrl: rig.modelUrl, order: { tokens: 200 }, turns: 5, atOnce: 1 });
  const direct = await client.call<{ cpuUs: number; tokens: number }>('run', { baseUrl: rig.modelUrl, ...job });
  if (direct.tokens !== tokens) say(`  the direct client saw ${direct.tokens} tokens of ${tokens}`);
  return { oursUs, theirsUs: direct.cpuUs / tokens, bill, events: events / turns };
}

export interface Cpu {
  /** Of a paced turn, which takes 30 ms for each. */
  readonly pacedTokens: number;
}

export async function measureCpu(rig: Rig, deployment: Deployment, { pacedTokens }: Cpu): Promise<Row[]> {
  const rowOf = (figure: string, { oursUs, theirsUs, bill, events }: Cost): Row => ({
    figure: `${figure}, ${events.toFixed(0)} events a turn`,
    turnkeep: byThread(bill, 'turnkeep', (time) => us(time * 1_000)),
    direct: us(theirsUs),
    added: `${oursUs < theirsUs ? '−' : '+'}${us(Math.abs(oursUs - theirsUs))}`,
    aim: '+60 us, better +40 us',
  });
  const paced = await compare(rig, deployment, { order: { tokens: pacedTokens, waitMs: 29 }, turns: 20, atOnce: 20 });
  const rushed = await compare(rig, deployment, { order: { tokens: 1_000 }, turns: 20, atOnce: 1 });
  return [
    rowOf(`CPU a token: 20 turns at once, ${pacedTokens} tokens each, one every 30 ms`, paced),
    rowOf('CPU a token: 20 turns in a row, 1,000 tokens each, as fast as they come', rushed),
  ];
}
