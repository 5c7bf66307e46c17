/** What is not the workflow of a turn alone: workflows of somebody's own, titles and webhooks. */
import { webhookEvents } from '../../src/domain/turn/webhook.ts';
import { chatAnswer, httpError } from '../../src/testing/model-server/index.ts';
import { startOwnWorker } from '../support/own-worker.ts';
import { approve, ask, parent, research } from '../support/own-workflows.ts';
import { post } from '../support/post.ts';
import { startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { inWorld, type Kind, read } from './kind.ts';

const request = { model: 'scripted', input: 'hi' };
const titles = { config: { titles: { isOn: true } } };

/** Once the workflow of this id has ended, whichever way. */
async function ended(world: World, workflowId: string): Promise<void> {
  const handle = world.temporal.workflow.getHandle(workflowId);
  const isThere = async (): Promise<boolean> =>
    handle.describe().then(
      () => true,
      () => false,
    );
  await until(isThere);
  await handle.result().catch(() => undefined);
}

export const kindsOfWorkflows: readonly Kind[] = [
  inWorld('own-run-turn', async (world) => {
    const own = await startOwnWorker(world);
    const handle = await own.start(research, ['moss', 'ferns']);
    await handle.signal(approve, 'briefly');
    await handle.result();
    return [own.taskQueue];
  }),
  inWorld('own-run-turn-failed', async (world) => {
    const own = await startOwnWorker(world);
    world.model.enqueue(httpError(401, { error: { message: 'no such key' } }));
    await (await own.start(ask, request)).result();
    return [own.taskQueue];
  }),
  inWorld('own-agent-turn', async (world) => {
    const own = await startOwnWorker(world);
    await (await own.start(parent, request)).result();
    return [own.taskQueue];
  }),
  inWorld(
    'title',
    async (world) => {
      const conversation = await world.session();
      await world.hear('hi', { conversation });
      await ended(world, `title/${conversation}`);
    },
    titles,
  ),
  inWorld(
    'title-refused',
    async (world) => {
      const conversation = await world.session();
      world.model.enqueue(chatAnswer('Hello'), httpError(401));
      await world.hear('hi', { conversation });
      await ended(world, `title/${conversation}`);
    },
    titles,
  ),
  ...(
    [
      ['webhook', []],
      ['webhook-retried', [500]],
      ['webhook-refused', [410]],
    ] as const
  ).map(([name, answers]) => ({
    name,
    play: async () => {
      await using receiver = await startReceiver();
      receiver.answer(...answers);
      const endpoint = { tenant: null, url: receiver.url, secrets: [receiver.secretBytes], events: webhookEvents };
      await using world = await World.open({ config: { webhooks: [endpoint] } });
      const { json } = await post(world.url, { input: 'hi', background: true });
      await ended(world, `webhook/${String(json?.['id']).replace('resp_', 'evt_')}`);
      return await read({ url: world.url, address: world.config.temporal.address ?? '', taskQueues: [world.config.taskQueue] });
    },
  })),
];
