/**
 * One turn, a thousand who watch it, one of them reading a byte a second: CPU of the process with gateway and worker for
 * each event that came to a viewer, over what the same turn costs with nobody watching; what memory that takes; and how
 * long after the first viewer the last one had a token.
 */
import { Child } from '../support/child.ts';
import { type Order, promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { p50p99, type Spread } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

const viewers = 1_000;

const paces: readonly (readonly [string, Order])[] = [
  ['a token every 50 ms', { tokens: 200, waitMs: 50 }],
  ['a token every 200 ms', { tokens: 50, waitMs: 200 }],
  ['tokens as fast as they come', { tokens: 5_000, waitMs: 1 }],
];

interface Crowd {
  readonly cpuUs: number;
  readonly events: number;
  readonly rssMb: readonly [number, number];
  readonly behind: Spread;
}

let gates = 0;

/** The crowd has come before the first token; what joining costs is not what an event costs. */
async function watched({ model }: Rig, { client, url, worker }: Deployment, order: Order): Promise<Crowd> {
  const gate = `crowd ${(gates += 1)}`;
  await using crowd = new Child('viewers.ts');
  const { id } = await client.responses.create({ model: 'scripted', input: promptOf({ ...order, gate }), background: true });
  await model.call('reached', gate);
  await crowd.call('watch', { url, turn: id, viewers, slowBytesPerSecond: 1 });
  const rssBefore = await worker.call<number>('rssMb');
  const eventsBefore = await crowd.call<number>('events');
  const cpuBefore = await worker.call<number>('cpuUs');
  await model.call('release', gate);
  await crowd.call('ended');
  const cpuUs = (await worker.call<number>('cpuUs')) - cpuBefore;
  const rssAfter = await worker.call<number>('rssMb');
  const events = (await crowd.call<number>('events')) - eventsBefore;
  return { cpuUs, events, rssMb: [rssBefore, rssAfter], behind: await crowd.call<Spread>('behindFirst') };
}

async function alone({ worker, url }: Deployment, order: Order): Promise<number> {
  const before = await worker.call<number>('cpuUs');
  await watchTurn(url, order).ended;
  return (await worker.call<number>('cpuUs')) - before;
}

export async function measureViewers(rig: Rig, deployment: Deployment): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, order] of paces) {
    const one = await alone(deployment, order);
    const { cpuUs, events, rssMb, behind } = await watched(rig, deployment, order);
    const before = `${rssMb[0].toFixed(0)} MB`;
    rows.push(
      {
        figure: `CPU an event and viewer: ${viewers} viewers and one at a byte a second, ${name} (${events} events came)`,
        turnkeep: ((cpuUs - one) / events).toFixed(1) + ' us',
        aim: '8 us',
      },
      {
        figure: `the same: memory before / after`,
        turnkeep: `${before} / ${rssMb[1].toFixed(0)} MB`,
        aim: 'flat',
      },
      { figure: `the same: a token at a viewer after it was at the first`, turnkeep: p50p99(behind) },
    );
  }
  return rows;
}
