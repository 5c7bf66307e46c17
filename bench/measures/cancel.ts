/** From the cancel to the moment the model server sees the connection closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, type Spread, spreadOf } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

const turns = 30;
const order = { tokens: 3, stalls: true };

async function throughTurnkeep({ model }: Rig, { url }: Deployment): Promise<{ closed: Spread; answered: Spread }> {
  const closed: number[] = [];
  const answered: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const { shown, ended } = watchTurn(url, order);
    const id = await shown;
    await sleep(100 + Math.random() * 100);
    const n = await model.call<number>('count');
    const sentAtMs = clockMs();
    await (await fetch(`${url}/v1/responses/${id}/cancel`, { method: 'POST' })).arrayBuffer();
    answered.push(clockMs() - sentAtMs);
    closed.push((await model.call<number>('clientClosed', n)) - sentAtMs);
    await ended;
  }
  return { closed: spreadOf(closed), answered: spreadOf(answered) };
}

async function directly({ model, direct }: Rig): Promise<Spread> {
  const closed: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const stream = await direct.chat.completions.create({
      model: 'scripted',
      stream: true,
      messages: [{ role: 'user', content: promptOf(order) }],
    });
    const read = (async () => {
      // To the abort, which ends it normally.
      for await (const _ of stream);
    })();
    await sleep(100 + Math.random() * 100);
    const n = await model.call<number>('count');
    const sentAtMs = clockMs();
    stream.controller.abort();
    closed.push((await model.call<number>('clientClosed', n)) - sentAtMs);
    await read;
  }
  return spreadOf(closed);
}

export async function measureCancel(rig: Rig, deployment: Deployment): Promise<Row[]> {
  const p50max = ({ p50, max }: Spread): string => `${ms(p50)} / ${ms(max)}`;
  const { closed, answered } = await throughTurnkeep(rig, deployment);
  const direct = await directly(rig);
  return [
    {
      figure: `cancel sent to closed socket (p50 / max of ${turns})`,
      turnkeep: p50max(closed),
      direct: p50max(direct),
      added: `+${ms(closed.p50 - direct.p50)} / +${ms(closed.max - direct.max)}`,
      aim: '50 ms',
    },
    { figure: 'cancel sent to cancel answered', turnkeep: p50max(answered) },
  ];
}
