/** What a turn leaves in Temporal, as Temporal counts it. */
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';
import { setTimeout as sleep } from 'node:timers/promises';

async function historyOf(
  { temporal }: Rig,
  { client }: Deployment,
  conversation: string,
): Promise<{ events: number; bytes: number; messages: number }> {
  await sleep(200);
  const stream = await client.responses.create({ model: 'scripted', input: promptOf({ tokens: 20 }), stream: true, conversation });
  for await (const _ of stream);
  const handle = temporal.workflow.getHandle(`session/${conversation}`);
  await handle.result();
  const { historyLength, historySize = Number.NaN } = await handle.describe();
  let messages = 0;
  for await (const _ of client.conversations.items.list(conversation, { limit: 100 })) messages += 1;
  // The answer itself was not yet there.
  return { events: historyLength, bytes: historySize, messages: messages - 1 };
}

/** @param conversation a long one */
export async function measureHistory(rig: Rig, deployment: Deployment, conversation: string): Promise<Row[]> {
  const { id } = await deployment.client.conversations.create();
  const short = await historyOf(rig, deployment, id);
  const long = await historyOf(rig, deployment, conversation);
  return [short, long].map(({ events, bytes, messages }) => ({
    figure: `history of a turn, the session's message ${messages}`,
    turnkeep: `${events} events, ${bytes} bytes`,
    direct: '—',
    added: '—',
    aim: '13 events, 4,096 bytes',
  }));
}
