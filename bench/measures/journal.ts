/**
 * What the journal adds on the way of a first token. The model holds it back until the stream is open, and notes when it
 * lets go; turnkeep notes when undici has the bytes; the viewer when they are here. All on one clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type OpenAI from 'openai';
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, p50p99, type Spread, spreadOf } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

const turns = 100;
let gates = 0;

interface Passage {
  /** From the bytes in the worker to the bytes at the viewer. */
  readonly journal: Spread;
  /** From the model to the viewer. */
  readonly whole: Spread;
}

async function passage({ model }: Rig, { url, worker }: Deployment): Promise<Passage> {
  const journal: number[] = [];
  const whole: number[] = [];
  await worker.call('watchChunks', true);
  for (let turn = 0; turn < turns; turn += 1) {
    const gate = `gate ${(gates += 1)}`;
    const watching = watchTurn(url, { tokens: 1, gate, stalls: true });
    await model.call('reached', gate);
    // Not in step with any clock of ours, such as the 5 ms at which another process is looked for.
    await sleep(20 + Math.random() * 10);
    const releasedAtMs = await model.call<number>('release', gate);
    const id = await watching.shown;
    // Nothing comes after this token, so the last bytes are its own.
    const receivedAtMs = await worker.call<number>('lastReceivedAtMs');
    await fetch(`${url}/v1/responses/${id}/cancel`, { method: 'POST' });
    const { firstDeltaAtMs } = await watching.ended;
    journal.push(firstDeltaAtMs - receivedAtMs);
    whole.push(firstDeltaAtMs - releasedAtMs);
  }
  await worker.call('watchChunks', false);
  return { journal: spreadOf(journal), whole: spreadOf(whole) };
}

async function directPassage({ model, direct }: Rig): Promise<Spread> {
  const whole: number[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const gate = `gate ${(gates += 1)}`;
    const shownAtMs = firstPiece(direct, promptOf({ tokens: 1, gate }));
    await model.call('reached', gate);
    await sleep(20 + Math.random() * 10);
    const releasedAtMs = await model.call<number>('release', gate);
    whole.push((await shownAtMs) - releasedAtMs);
  }
  return spreadOf(whole);
}

async function firstPiece(client: OpenAI, content: string): Promise<number> {
  let atMs = Number.NaN;
  for await (const chunk of await client.chat.completions.create({
    model: 'scripted',
    stream: true,
    messages: [{ role: 'user', content }],
  })) {
    if (chunk.choices[0]?.delta.content && Number.isNaN(atMs)) atMs = clockMs();
  }
  return atMs;
}

export async function measureJournal(rig: Rig, inOne: Deployment, inTwo: Deployment): Promise<Row[]> {
  const direct = await directPassage(rig);
  const rowsOf = (name: string, { journal, whole }: Passage, aim: string): Row[] => [
    {
      figure: `bytes received to bytes at the viewer, ${name} (p50 / p99 of ${turns})`,
      turnkeep: p50p99(journal),
      aim,
    },
    {
      figure: `token let go by the model to the viewer, ${name}`,
      turnkeep: p50p99(whole),
      direct: p50p99(direct),
      added: `+${ms(whole.p50 - direct.p50)} / +${ms(whole.p99 - direct.p99)}`,
    },
  ];
  return [...rowsOf('one process', await passage(rig, inOne), '1 ms'), ...rowsOf('two processes', await passage(rig, inTwo), '12 ms')];
}
