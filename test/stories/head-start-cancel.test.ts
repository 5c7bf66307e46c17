/** T5: a cancel of a turn with a head start, wherever its request is, with Temporal having the turn or not yet. */
import assert from 'node:assert/strict';
import { chat, hold, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { activityRuns, holdStarts, holdStore, startSilentProcess, workflowStarted } from '../support/head-starts.ts';
import { retold } from '../support/in-time.ts';
import { until } from '../support/until.ts';
import type { Viewer } from '../support/viewer.ts';
import { story, type World } from '../support/world.ts';

const options = { hasWorker: false, hasGateway: false, config: { hasHeadStart: true } };

interface Moment {
  readonly script: Script;
  /** Resolves once the request is there. */
  readonly reached: (world: World, viewer: Viewer) => Promise<unknown>;
  readonly shown: string;
}

const moments: Readonly<Record<string, Moment>> = {
  'between the commit and the send': {
    script: [sseHead, chat.content('never'), stall],
    reached: async () => undefined,
    shown: '',
  },
  'between the send and the first token': {
    script: [sseHead, chat.role(), hold('asked'), stall],
    reached: (world) => world.model.reached('asked'),
    shown: '',
  },
  'in mid-stream': {
    script: [sseHead, chat.content('Hel'), stall],
    reached: (_, viewer) => viewer.untilText('Hel'),
    shown: 'Hel',
  },
};

for (const [when, { script, reached, shown }] of Object.entries(moments)) {
  for (const hasWorkflow of [true, false]) {
    const which = hasWorkflow ? 'its workflow runs' : 'Temporal has not started its workflow';
    story(
      `T5 · a cancel ${when}, while ${which}: what was shown stays, the model hears no more, and the next turn is told`,
      async (world) => {
        const isSent = when !== 'between the commit and the send';
        const held = holdStore(world.openStore(), !isSent);
        await world.startWorker(held.store);
        await world.startGateway();
        const starts = hasWorkflow ? undefined : holdStarts(world);
        if (isSent) world.model.enqueue(script);
        const conversation = await world.session();
        const viewer = await world.say('hi', { conversation });
        await reached(world, viewer);
        if (hasWorkflow) await until(async () => (await world.store.readTurn(viewer.id))?.isDispatched === true);
        const cancelling = world.call('POST', `/v1/responses/${viewer.id}/cancel`);
        await until(async () => (await world.store.readTurn(viewer.id))?.cancelRequestedAtMs != null);
        held.release();
        const { status, body } = await cancelling;
        assert.deepEqual([status, body['status']], [200, 'cancelled']);
        await viewer.ended;
        assert.deepEqual([viewer.last.type, viewer.last.response.status, viewer.text], ['response.incomplete', 'cancelled', shown]);
        assert.deepEqual(viewer.last.response, body, 'the caller has the end that viewers have');
        assert.deepEqual(
          (await world.attempts(viewer.id)).map(({ attempt, outcome }) => [attempt, outcome]),
          [[1, 'cancelled']],
        );
        if (isSent) await world.model.clientClosed(1);
        assert.equal(world.model.requests.length, isSent ? 1 : 0);
        starts?.release();
        const next = await world.hear('next', { conversation });
        assert.equal(next.last.response.status, 'completed');
        const note = '[The user stopped this answer before it was complete.]';
        assert.deepEqual(
          messagesOf(world.model.requests.at(-1)).map(({ content }) => content),
          ['hi', shown === '' ? note : `${shown}\n\n${note}`, 'next'],
        );
      },
      options,
    );
  }
}

story(
  'T5 · a cancel through another gateway reaches the process of the head start by its next beat, before Temporal has the turn',
  async (world) => {
    await world.startWorker();
    const { url } = await world.startGateway();
    const other = holdStarts(world);
    const second = await world.startGateway(null);
    assert.notEqual(second.url, url);
    await retold(async () => {
      world.model.enqueue([sseHead, chat.content('Hel'), stall]);
      const viewer = await world.say('hi');
      await viewer.untilText('Hel');
      const response = await fetch(`${second.url}/v1/responses/${viewer.id}/cancel`, { method: 'POST' });
      assert.deepEqual([response.status, ((await response.json()) as { status: string }).status], [200, 'cancelled']);
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text], ['cancelled', 'Hel']);
      await world.model.clientClosed(world.model.requests.length);
      const [attempt, ...others] = await world.attempts(viewer.id);
      assert.deepEqual(others, []);
      // It handed in what it had, unless it stood still for as long as it is waited for.
      return attempt?.outcome === 'cancelled';
    });
    other.release();
  },
  options,
);

for (const [whose, cancel] of [
  ['Temporal’s own', async (world: World, id: string): Promise<unknown> => (await workflowStarted(world, id)).cancel()],
  [
    'an API',
    async (world: World, id: string): Promise<unknown> => {
      const { url } = await world.startGateway(null);
      return fetch(`${url}/v1/responses/${id}/cancel`, { method: 'POST' });
    },
  ],
] as const) {
  story(
    `T5 · ${whose} cancel, while the activity waits in another process than the attempt: the attempt hands in what it has, and is not lost`,
    async (world) => {
      const silent = startSilentProcess(world);
      await world.startGateway(silent.attempts);
      await retold(async () => {
        world.model.enqueue([sseHead, chat.usage(7, 3), chat.content('Hel'), stall]);
        const viewer = await world.say('hi');
        await viewer.untilText('Hel');
        await activityRuns(world, viewer.id);
        await cancel(world, viewer.id);
        await viewer.ended;
        assert.deepEqual([viewer.last.response.status, viewer.text], ['cancelled', 'Hel']);
        await world.model.clientClosed(world.model.requests.length);
        const [attempt, ...others] = await world.attempts(viewer.id);
        assert.deepEqual(others, []);
        // One that stood still for as long as it is waited for has handed in nothing.
        if (attempt?.outcome !== 'cancelled') return false;
        assert.deepEqual([attempt.usage?.total_tokens, viewer.last.response.usage?.output_tokens], [10, 3]);
        return true;
      });
    },
    { ...options, hasWorker: true },
  );
}
