/** CPU of the whole process, all its threads, for each token that came to the viewer. */
import { Child } from '../support/child.ts';
import type { Order } from '../support/orders.ts';
import { type Row, say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, us } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

interface Job {
  readonly order: Order;
  readonly turns: number;
  readonly atOnce: number;
}

async function throughTurnkeep({ url, worker }: Deployment, { order, turns, atOnce }: Job): Promise<{ cpuUs: number; events: number }> {
  const before = await worker.call<number>('cpuUs');
  let left = turns;
  let events = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (; left > 0;) {
        left -= 1;
        const { deltaEvents } = await watchTurn(url, order).ended;
        events += deltaEvents;
      }
    }),
  );
  return { cpuUs: (await worker.call<number>('cpuUs')) - before, events };
}

async function compare(rig: Rig, deployment: Deployment, job: Job): Promise<{ ours: number; theirs: number; events: number }> {
  const { order, turns } = job;
  const { cpuUs, events } = await throughTurnkeep(deployment, job);
  await using client = new Child('direct.ts');
  // It too gets to know its code before it counts.
  await client.call('run', { baseUrl: rig.modelUrl, order: { tokens: 200 }, turns: 5, atOnce: 1 });
  const direct = await client.call<{ cpuUs: number; tokens: number }>('run', { baseUrl: rig.modelUrl, ...job });
  const tokens = turns * order.tokens;
  if (direct.tokens !== tokens) say(`  the direct client saw ${direct.tokens} tokens of ${tokens}`);
  return { ours: cpuUs / tokens, theirs: direct.cpuUs / tokens, events: events / turns };
}

export async function measureCpu(rig: Rig, deployment: Deployment): Promise<Row[]> {
  const bare = await compare(rig, deployment, { order: { tokens: 1 }, turns: 100, atOnce: 1 });
  say('  30 s, paced');
  const paced = await compare(rig, deployment, { order: { tokens: 1_000, waitMs: 29 }, turns: 20, atOnce: 20 });
  const rushed = await compare(rig, deployment, { order: { tokens: 1_000 }, turns: 20, atOnce: 1 });
  const rowOf = (figure: string, { ours, theirs, events }: typeof bare, aim: string): Row => ({
    figure: `${figure}, ${events.toFixed(0)} events a turn`,
    turnkeep: us(ours),
    direct: us(theirs),
    added: `${ours < theirs ? '−' : '+'}${us(Math.abs(ours - theirs))}`,
    aim,
  });
  return [
    rowOf('CPU a token: 20 turns at once, 1,000 tokens each, one every 30 ms', paced, '+40 us'),
    rowOf('CPU a token: 20 turns in a row, 1,000 tokens each, as fast as they come', rushed, '+40 us'),
    {
      figure: 'CPU of a whole turn with one token (of 100)',
      turnkeep: ms(bare.ours / 1_000),
      direct: ms(bare.theirs / 1_000),
      added: `+${ms((bare.ours - bare.theirs) / 1_000)}`,
      aim: '—',
    },
  ];
}
