/** What a turn leaves in Temporal, as Temporal counts it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Rig } from '../support/rig.ts';

async function historyOf(
  { temporal }: Rig,
  { client }: Deployment,
  conversation: string,
): Promise<{ events: number; bytes: number; messages: number }> {
  const turn = await client.responses.create({ model: 'scripted', input: promptOf({ tokens: 20 }), conversation });
  const handle = temporal.workflow.getHandle(workflowIdOf(turn.id));
  // The workflow is asked for a little after the request to the model: the answer may be there before it.
  while (
    await handle.describe().then(
      ({ status }) => status.name !== 'COMPLETED',
      () => true,
    )
  )
    await sleep(20);
  const { historyLength, historySize = Number.NaN } = await handle.describe();
  let messages = 0;
  for await (const _ of client.conversations.items.list(conversation, { limit: 100 })) messages += 1;
  // The answer itself was not yet there.
  return { events: historyLength, bytes: historySize, messages: messages - 1 };
}

/** @param conversation a long one, where there is one */
export async function measureHistory(rig: Rig, deployment: Deployment, conversation: string | undefined): Promise<Row[]> {
  const { id } = await deployment.client.conversations.create();
  const short = await historyOf(rig, deployment, id);
  const long = conversation === undefined ? [] : [await historyOf(rig, deployment, conversation)];
  return [short, ...long].map(({ events, bytes, messages }) => ({
    figure: `history of a turn, the session's message ${messages}`,
    turnkeep: `${events} events, ${bytes} bytes`,
    aim: '12 events, 2 KB',
  }));
}
