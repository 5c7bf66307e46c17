/**
 * Conversations whose turns arrive by the clock, one a second each, whether or not the last one has its answer: what a
 * first token then costs over a direct call at the same rate, what comes through, and what is left behind.
 */
import { type Backlog, backlogOf, untilClosed } from '../support/backlog.ts';
import { billOf } from '../support/cpu.ts';
import { type Asked, openLoad, type OpenLoad } from '../support/load.ts';
import { promptOf } from '../support/orders.ts';
import { type Row, say, spreadRow } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, spreadOf } from '../support/statistics.ts';
import { type Message, watchModel, watchTurn } from '../support/viewer.ts';
import { billRows } from './turn-cost.ts';

const order = { tokens: 20 };
const input = promptOf(order);
const answer = Array.from({ length: order.tokens }, (_, at) => ` tok${at % 10}`).join('');
const directShare = 1 / 3;

/** @param name of the deployment, where it is not the usual one */
export async function measureOpenLoad(rig: Rig, deployment: Deployment, load: OpenLoad, name = ''): Promise<Row[]> {
  const { sessions, seconds } = load;
  const theirs = await directly(rig, { sessions, seconds: Math.ceil(seconds * directShare) });
  const { asked, atEnd, closedAfterMs, bill } = await throughTurnkeep(rig, deployment, load);
  for (const failure of new Set([...asked.failures, ...theirs.failures])) say(`  failed: ${failure}`);
  const figure = `open load${name}: ${sessions} conversations, one turn a second each, ${seconds} s`;
  const failed = asked.failures.length === 0 ? '' : `, ${asked.failures.length} failed`;
  return [
    spreadRow(`${figure}: first token`, spreadOf(asked.firstTokenMs), spreadOf(theirs.firstTokenMs), '+15 ms / +80 ms'),
    {
      figure: 'the same: turns that had their end in time',
      turnkeep: `${(asked.endedInTime / seconds).toFixed(1)} a second of ${sessions}${failed}`,
    },
    {
      figure: 'the same: left when the last second is over',
      turnkeep: `${atEnd.open} open in Temporal, ${atEnd.unsettled} unsettled; none after ${ms(closedAfterMs)}`,
    },
    ...billRows('the same: CPU a turn', { ours: bill }),
  ];
}

async function throughTurnkeep(rig: Rig, deployment: Deployment, load: OpenLoad) {
  const { client, url, taskQueue, worker } = deployment;
  const talks = await Promise.all(Array.from({ length: load.sessions }, async () => (await client.conversations.create()).id));
  await untilClosed(rig, taskQueue);
  let atEnd: Backlog = { open: Number.NaN, unsettled: Number.NaN };
  return billOf(rig.processes({ turnkeep: worker.pid }), async () => {
    const ask = async (session: number): Promise<number> => (await watchTurn(url, order, talks[session]).ended).firstDeltaAtMs;
    const asked = await openLoad(load, ask, async () => {
      atEnd = await backlogOf(rig, deployment);
    });
    const closedAfterMs = await untilClosed(rig, taskQueue);
    return { turns: load.sessions * load.seconds, asked, atEnd, closedAfterMs };
  });
}

/** The same growing talks, kept by the caller. */
async function directly({ modelUrl }: Rig, load: OpenLoad): Promise<Asked> {
  const talks = Array.from({ length: load.sessions }, (): Message[] => []);
  const ask = async (session: number): Promise<number> => {
    const talk = talks[session] ?? [];
    talk.push({ role: 'user', content: input });
    const { firstDeltaAtMs } = await watchModel(modelUrl, talk).ended;
    talk.push({ role: 'assistant', content: answer });
    return firstDeltaAtMs;
  };
  return openLoad(load, ask, async () => undefined);
}
