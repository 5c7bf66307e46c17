/** T5: a cancel reaches the socket, from wherever it comes, and what was shown stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, httpError, reset, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { type Case, caseModel, requestsOf } from '../support/cases.ts';
import { workflowStarted } from '../support/head-starts.ts';
import type { Viewer } from '../support/viewer.ts';
import { story, World } from '../support/world.ts';

async function cancel(world: World, id: string): Promise<Record<string, unknown>> {
  const { status, body } = await world.call('POST', `/v1/responses/${id}/cancel`);
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body['status'], 'cancelled');
  return body;
}

function assertCancelled(viewer: Viewer, text: string): void {
  assert.equal(viewer.isDone, true);
  assert.equal(viewer.last.type, 'response.incomplete');
  assert.deepEqual([viewer.last.response.status, viewer.last.response.incomplete_details], ['cancelled', { reason: 'cancelled' }]);
  assert.equal(viewer.text, text);
  if (text !== '') {
    assert.deepEqual(
      viewer.last.response.output.map((item) => [item.status, item.content?.[0]?.text]),
      [['incomplete', text]],
    );
  }
}

interface Moment extends Case {
  readonly text: string;
  /** Resolves at the moment to cancel at. */
  readonly at: (world: World, viewer: Viewer) => Promise<unknown>;
  /** Unsaid: as many as there are attempts. */
  readonly requests?: number;
}

const second: Script = [sseHead, chat.content('never'), chat.finish(), done, end];
async function untilAttempt(
  world: World,
  viewer: Viewer,
  test: (outcome: string | undefined, waitMs: number | undefined) => boolean,
): Promise<void> {
  for (;;) {
    const attempts = await world.attempts(viewer.id);
    if (attempts.some(({ outcome, waitMs }) => test(outcome, waitMs))) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const moments: Moment[] = [
  { name: 'before the headers', scripts: [[stall]], text: '', requests: 1, at: async (world) => world.model.nextRequest(1) },
  {
    name: 'after the headers',
    scripts: [[sseHead, chat.role(), hold('headers'), stall]],
    text: '',
    requests: 1,
    at: async (world) => world.model.reached('headers'),
  },
  {
    name: 'mid-stream',
    scripts: [[sseHead, chat.content('Hel'), stall]],
    text: 'Hel',
    requests: 1,
    at: async (_, viewer) => viewer.untilText('Hel'),
  },
  {
    name: 'in a wait of 1 s',
    // The wait may be over before the cancel comes: then it finds the next request.
    scripts: [[reset], [stall]],
    text: '',
    at: async (world, viewer) => untilAttempt(world, viewer, (outcome) => outcome === 'failed'),
  },
  {
    name: 'in a wait of 30 s',
    scripts: [httpError(429, undefined, { 'retry-after': '30' }), second],
    text: '',
    requests: 1,
    at: async (world, viewer) => untilAttempt(world, viewer, (_, waitMs) => waitMs === 30_000),
  },
];

for (const moment of moments) {
  story(
    `T5 · a cancel ${moment.name} closes the socket and keeps what was shown`,
    async (world) => {
      const viewer = await world.say(moment.name);
      await moment.at(world, viewer);
      const answer = await cancel(world, viewer.id);
      await viewer.ended;
      assertCancelled(viewer, moment.text);
      assert.deepEqual(answer, viewer.last.response, 'the answer to the cancel is the response as it was sealed');
      assert.deepEqual(await cancel(world, viewer.id), answer, 'again: the same answer');
      const requests = requestsOf(world, moment.name);
      assert.equal(requests.length, moment.requests ?? (await world.attempts(viewer.id)).length);
      if (moment.scripts[0]?.at(-1)?.type === 'stall') await world.model.clientClosed(requests[0]!.index);
    },
    { model: caseModel([moment]) },
  );
}

story(
  "T5 · Temporal's own cancel stops the turn as the API's does",
  async (world) => {
    const viewer = await world.say('hi');
    await viewer.untilText('Hel');
    const workflow = await workflowStarted(world, viewer.id);
    await workflow.cancel();
    await viewer.ended;
    assertCancelled(viewer, 'Hel');
    await world.model.clientClosed(1);
  },
  { model: () => ({ fallback: [sseHead, chat.content('Hel'), stall] }) },
);

story(
  'T5 · a turn cancelled while it waits makes no request, and its input is in the conversation',
  async (world) => {
    const conversation = await world.session();
    const first = await world.say('one', { conversation });
    await first.untilText('Hel');
    const second = await world.say('two', { conversation });
    await cancel(world, second.id);
    await second.ended;
    assertCancelled(second, '');
    world.model.release('go');
    await first.ended;
    assert.equal(first.last.response.status, 'completed');
    const third = await world.hear('three', { conversation });
    assert.equal(third.last.response.status, 'completed');
    assert.deepEqual(await world.userTexts(conversation), ['one', 'two', 'three']);
    assert.deepEqual([requestsOf(world, 'one').length, requestsOf(world, 'two').length, requestsOf(world, 'three').length], [1, 0, 1]);
  },
  { model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end] }) },
);

story(
  'T6 · a cancel at the finish: the turn has one end, and the answer tells which',
  async (world) => {
    const viewer = await world.say('hi');
    await viewer.untilText('Hello');
    const [{ status, body }] = await Promise.all([
      world.call('POST', `/v1/responses/${viewer.id}/cancel`),
      (async () => world.model.release('finish'))(),
    ]);
    await viewer.ended;
    const ends = viewer.types.filter((type) => /^response\.(completed|incomplete|failed)$/.test(type));
    assert.equal(ends.length, 1);
    if (status === 200) assert.equal(viewer.last.response.status, 'cancelled');
    else
      assert.deepEqual(
        [status, (body['error'] as { code: string }).code, viewer.last.response.status],
        [400, 'response_already_settled', 'completed'],
      );
  },
  { model: () => ({ fallback: [sseHead, chat.content('Hello'), hold('finish'), chat.finish(), done, end] }) },
);

test('T5 · what was stopped is told to the model in the next turn', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('fine'));
  const conversation = await world.session();
  const first = await world.say('one', { conversation });
  await first.untilText('Hel');
  await cancel(world, first.id);
  await world.hear('two', { conversation });
  const { messages } = world.model.requests[1]!.body as { messages: { role: string; content: string }[] };
  assert.deepEqual(
    messages.map(({ role, content }) => [role, content]),
    [
      ['user', 'one'],
      ['assistant', 'Hel\n\n[The user stopped this answer before it was complete.]'],
      ['user', 'two'],
    ],
  );
});

test('T5 · with no worker at all a cancel is answered all the same', async () => {
  await using world = await World.open({ hasWorker: false });
  const viewer = await world.say('hi');
  await cancel(world, viewer.id);
  await viewer.ended;
  assertCancelled(viewer, '');
  await world.startWorker();
  const after = await world.hear('again');
  assert.equal(after.last.response.status, 'completed');
  assert.equal(requestsOf(world, 'hi').length, 0);
});

test('a turn that has its end cannot be cancelled, an unknown one is 404', async () => {
  await using world = await World.open();
  const viewer = await world.hear('hi');
  assert.equal((await world.call('POST', `/v1/responses/${viewer.id}/cancel`)).status, 400);
  assert.equal((await world.call('POST', '/v1/responses/resp_nobody/cancel')).status, 404);
});
