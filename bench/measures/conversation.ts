/** What a turn costs at 10, 1,000 and 10,000 items, and whether any step of it, or of a list, holds the process up. */
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import { type Row, say } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { ms, p50p99, spreadOf } from '../support/statistics.ts';

const sizes = [10, 1_000, 10_000] as const;
const pageOfItems = 500;
const turns = 10;
const rounds = 50;
const sentence = 'The quick brown fox jumps over the lazy dog, and then it does so again. '.repeat(3).slice(0, 200);

/** A conversation of so many items of 200 characters, the user's and the model's in turns. */
async function fill({ client }: Deployment, size: number): Promise<string> {
  const items = Array.from({ length: size }, (_, at) => ({
    role: at % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content: sentence,
  }));
  const { id } = await client.conversations.create();
  for (let from = 0; from < size; from += pageOfItems)
    await client.conversations.items.create(id, { items: items.slice(from, from + pageOfItems) });
  return id;
}

/** The id of an item in the middle. */
async function middleOf({ client }: Deployment, conversation: string, size: number): Promise<string> {
  let id = '';
  let count = 0;
  for await (const item of client.conversations.items.list(conversation, { limit: 100, order: 'asc' })) {
    ({ id = '' } = item);
    count += 1;
    if (count === Math.ceil(size / 2)) break;
  }
  return id;
}

interface Cost {
  readonly timesMs: readonly number[];
  readonly cpuMs: number;
  /** The longest time the process did nothing else. */
  readonly stallMs: number;
}

async function cost({ worker }: Deployment, times: number, work: () => Promise<unknown>): Promise<Cost> {
  // The first time code and caches are cold.
  await work();
  await worker.call('watchLoop', true);
  const before = await worker.call<number>('cpuUs');
  const timesMs: number[] = [];
  for (let n = 0; n < times; n += 1) {
    const startedAtMs = clockMs();
    await work();
    timesMs.push(clockMs() - startedAtMs);
  }
  const cpuMs = ((await worker.call<number>('cpuUs')) - before) / 1_000 / times;
  return { timesMs, cpuMs, stallMs: await worker.call<number>('watchLoop', false) };
}

async function firstToken({ client }: Deployment, conversation: string): Promise<void> {
  const stream = await client.responses.create({ model: 'scripted', input: promptOf({ tokens: 1 }), stream: true, conversation });
  for await (const _ of stream);
}

function rowOf(figure: string, { timesMs, cpuMs, stallMs }: Cost): Row {
  return {
    figure,
    turnkeep: `${p50p99(spreadOf(timesMs))}; CPU ${ms(cpuMs)}; longest stall ${ms(stallMs)}`,
    aim: 'no slow step',
  };
}

export async function measureConversation(_: Rig, deployment: Deployment): Promise<Row[]> {
  const { client } = deployment;
  const rows: Row[] = [];
  for (const size of sizes) {
    say(`  ${size} items`);
    const id = await fill(deployment, size);
    const turn = await cost(deployment, turns, () => firstToken(deployment, id));
    const newest = await cost(deployment, rounds, () => client.conversations.items.list(id, { limit: 20 }));
    const oldest = await cost(deployment, rounds, () => client.conversations.items.list(id, { limit: 20, order: 'asc' }));
    const after = await middleOf(deployment, id, size);
    const middle = await cost(deployment, rounds, () => client.conversations.items.list(id, { limit: 20, order: 'asc', after }));
    const put = await cost(deployment, rounds, () =>
      client.conversations.items.create(id, { items: [{ role: 'user', content: sentence }] }),
    );
    rows.push(
      rowOf(`a turn with one token, in a conversation of ${size} items: p50 / p99`, turn),
      rowOf(`the newest 20 of ${size} items`, newest),
      rowOf(`the oldest 20 of ${size} items`, oldest),
      rowOf(`20 of ${size} items behind a cursor`, middle),
      rowOf(`one item put behind ${size}`, put),
    );
  }
  return rows;
}
