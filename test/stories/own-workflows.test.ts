/** Turns in workflows of somebody's own: `runTurn`, and `agentTurn` as a child. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import proto from '@temporalio/proto';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  hold,
  httpError,
  type LoggedRequest,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { asked } from '../support/cases.ts';
import { type OwnWorker, startOwnWorker } from '../support/own-worker.ts';
import type { TurnRequest } from '../../src/workflow.ts';
import { approve, ask, idsOf, parent, research, stoppable } from '../support/own-workflows.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';
import { soonLost, World } from '../support/world.ts';

const options = { timeout: 120_000 };

/** Answers with a text and the words that it was asked with. */
const echo = (request: LoggedRequest): Script => chatAnswer('on ', asked(request));

function held(name: string, text: string): Script {
  return [sseHead, chat.role(), chat.content(text), hold(name), chat.content('!'), chat.finish(), chat.usage(), done, end];
}

test(
  "runTurn · a workflow of one's own runs two turns at once, hears a signal, and runs a third with what they said",
  options,
  async () => {
    await using world = await World.open({ model: () => ({ fallback: echo }) });
    const own = await startOwnWorker(world);
    world.model.enqueue(held('one', 'moss'), held('two', 'moss'));
    const handle = await own.start(research, ['a', 'b']);
    const topics = await eventually(
      () => handle.query(idsOf),
      (ids) => ids.length === 2,
    );
    await Promise.all([world.model.reached('one'), world.model.reached('two')]);
    const viewers = await Promise.all(topics.map((id) => world.watch(id)));
    await Promise.all(viewers.map((viewer) => viewer.untilText('moss')));
    world.model.release('one');
    world.model.release('two');
    await Promise.all(viewers.map(({ ended }) => ended));
    assert.deepEqual(
      viewers.map(({ text, last }) => [text, last.response.status]),
      [
        ['moss!', 'completed'],
        ['moss!', 'completed'],
      ],
      'followed over HTTP like any other turn',
    );
    await handle.signal(approve, 'briefly');
    const { found, text } = await handle.result();
    assert.deepEqual(
      found.map(({ id, status, outputText, error }) => [id, status, outputText, error]),
      topics.map((id) => [id, 'completed', 'moss!', null]),
    );
    assert.equal(text, 'on moss!+moss! briefly');
    assert.equal(world.model.requests.length, 3);
    const { body } = await world.call('GET', '/turns');
    const listed = body['data'] as { readonly owner: string }[];
    assert.deepEqual(
      listed.map(({ owner }) => owner),
      [handle.workflowId, handle.workflowId, handle.workflowId],
    );
    const { body: turn } = await world.call('GET', `/turns/${topics[0]}`);
    assert.deepEqual([turn['owner'], turn['workflow_id']], [handle.workflowId, handle.workflowId]);
    for (const id of topics)
      await assert.rejects(world.temporal.workflow.getHandle(`turn/${id}`).describe(), { name: 'WorkflowNotFoundError' });
    await own.replays(handle.workflowId);
  },
);

async function eventually<T>(look: () => Promise<T>, isIt: (value: T) => boolean): Promise<T> {
  let value = await look();
  await until(async () => isIt((value = await look())));
  return value;
}

/** A turn that stands still in mid-answer, in a workflow that can be stopped. */
async function stalled(world: World, own: OwnWorker) {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const handle = await own.start(stoppable, request('hi'));
  await world.model.nextRequest(1);
  const [id = ''] = await handle.query(idsOf);
  const viewer = await world.watch(id);
  await viewer.untilText('Hel');
  return { handle, id, viewer };
}

test('T5 · the cancel of the scope that a turn runs in reaches the socket, and what was shown stays', options, async () => {
  await using world = await World.open();
  const own = await startOwnWorker(world);
  const { handle, viewer } = await stalled(world, own);
  await handle.signal(approve, '');
  await world.model.clientClosed(1);
  assert.equal(await handle.result(), 'stopped');
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text], ['cancelled', 'Hel']);
  await own.replays(handle.workflowId);
});

test('T5 · a cancel over HTTP ends the turn, and its workflow is told of that as of any other end', options, async () => {
  await using world = await World.open();
  const own = await startOwnWorker(world);
  const { handle, id } = await stalled(world, own);
  assert.equal((await world.call('POST', `/v1/responses/${id}/cancel`)).status, 200);
  assert.equal(await handle.result(), 'cancelled');
  await own.replays(handle.workflowId);
});

/** A turn that waits for its session, in which another one is held in mid-answer. */
async function behindAnother<Result>(world: World, own: OwnWorker, workflow: (request: TurnRequest) => Promise<Result>) {
  const session = await world.session();
  world.model.enqueue(held('first', 'first'));
  const first = await world.say('1', { conversation: session });
  await first.untilText('first');
  const handle = await own.start(workflow, { ...request('2'), session });
  await until(async () => (await world.store.listUnsettledOf('default', session)).length === 2);
  return { session, first, handle };
}

test('runTurn · in a session the turn waits for the one before it, and the one behind it for its end', options, async () => {
  await using world = await World.open({ model: () => ({ fallback: echo }) });
  const own = await startOwnWorker(world);
  const { session, handle } = await behindAnother(world, own, ask);
  const third = await world.say('3', { conversation: session });
  assert.equal(world.model.requests.length, 1);
  world.model.release('first');
  const { outputText } = await handle.result();
  await third.ended;
  assert.deepEqual([outputText, third.text], ['on 2', 'on 3']);
  assert.deepEqual(await world.userTexts(session), ['1', '2', '3']);
  await own.replays(handle.workflowId);
});

test('T5 · a turn that is cancelled while it waits for its session asks nothing, and holds up nobody', options, async () => {
  await using world = await World.open({ model: () => ({ fallback: echo }) });
  const own = await startOwnWorker(world);
  const { first, handle } = await behindAnother(world, own, stoppable);
  await handle.signal(approve, '');
  assert.equal(await handle.result(), 'stopped');
  world.model.release('first');
  await first.ended;
  assert.equal(world.model.requests.length, 1);
  await own.replays(handle.workflowId);
});

test(
  'runTurn · an agent that calls others needs a worker for their turns: where none has come it is refused by name',
  options,
  async () => {
    const agents = readAgentConfig(
      defineConfig({
        agents: { lead: { model: 'scripted', tools: ['agent:scout'] }, scout: { model: 'scripted' } },
      }),
    );
    await using world = await World.open({ hasWorker: false, agents });
    const own = await startOwnWorker(world, agents);
    const refused = await own.start(ask, { agent: 'lead', input: 'hi' });
    const error: unknown = await refused.result().catch((reason: unknown) => reason);
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure, String(error));
    assert.equal(error.cause.type, 'turn_refused');
    assert.match(error.cause.message, new RegExp(`'lead' calls other agents.*task queue '${world.config.taskQueue}'.*agentTurn`));
    assert.equal(world.model.requests.length, 0);

    await world.startWorker();
    world.model.enqueue(
      chatToolCalls({ id: 'c1', name: 'scout', arguments: { input: 'look' } }),
      chatAnswer('a moss'),
      chatAnswer('Moss.'),
    );
    await until(async () => {
      const handle = await own.start(ask, { agent: 'lead', input: 'hi' });
      return handle.result().then(
        ({ outputText }) => outputText === 'Moss.',
        () => false,
      );
    });
    assert.equal(world.model.requests.length, 3);
  },
);

test('runTurn · what cannot be taken in fails the call, and says why', options, async () => {
  await using world = await World.open();
  const own = await startOwnWorker(world);
  for (const [request, message] of [
    [{ agent: 'nobody', input: 'hi' }, /nobody/],
    [{ model: 'scripted', input: 'hi', session: 'conv_none' }, /conv_none/],
    [{ model: 'scripted', input: 'hi', tools: ['nothing'] }, /nothing/],
    [{ model: 'scripted', input: [{ role: 'nobody', content: 'hi' }] }, /input\[0\]/],
    [{ model: 'scripted', input: 'hi', settings: { temperatur: 1 } }, /temperatur/],
  ] as const) {
    const handle = await own.start(ask, request);
    const error: unknown = await handle.result().catch((reason: unknown) => reason);
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ApplicationFailure, String(error));
    assert.equal(error.cause.type, 'turn_refused');
    assert.match(error.cause.message, message);
  }
  assert.equal(world.model.requests.length, 0);
});

test(
  'runTurn · a turn without tools costs the history of its workflow seven events beside those of its tasks, and no more',
  options,
  async () => {
    await using world = await World.open({ model: () => ({ fallback: echo }) });
    const own = await startOwnWorker(world);
    const handle = await own.start(ask, { model: 'scripted', input: 'hi' });
    await handle.result();
    const { events } = await handle.fetchHistory();
    const types = events?.map(({ eventType }) => String(proto.temporal.api.enums.v1.EventType[eventType ?? 0]).replace('EVENT_TYPE_', ''));
    const others = types?.filter((type) => !type.startsWith('WORKFLOW_'));
    const activity = ['ACTIVITY_TASK_SCHEDULED', 'ACTIVITY_TASK_STARTED', 'ACTIVITY_TASK_COMPLETED'];
    assert.deepEqual(others, [...activity, ...activity, 'MARKER_RECORDED']);
  },
);

test('runTurn · a turn that fails is a result: its workflow goes on', options, async () => {
  await using world = await World.open();
  const own = await startOwnWorker(world);
  world.model.enqueue(httpError(401, { error: { message: 'no such key' } }));
  const handle = await own.start(ask, { model: 'scripted', input: 'hi' });
  const { status, outputText, output, usage, error } = await handle.result();
  assert.deepEqual([status, outputText, output, usage, error?.code], ['failed', '', [], null, 'provider_rejected']);
  await own.replays(handle.workflowId);
});

test("agentTurn · as a child of a workflow of one's own it is a turn with a history of its own", options, async () => {
  await using world = await World.open({ model: () => ({ fallback: echo }) });
  const own = await startOwnWorker(world);
  const handle = await own.start(parent, { model: 'scripted', input: 'hi' });
  const { id, outputText } = await handle.result();
  assert.equal(outputText, 'on hi');
  const { body } = await world.call('GET', `/turns/${id}`);
  assert.notEqual(body['owner'], handle.workflowId);
  await own.replays(handle.workflowId);
  await own.replays(String(body['owner']));
  assert.ok(await Viewer.open(`${world.url}/v1/responses/${id}?stream=true`));
});

test(
  'runTurn · what an owner leaves that is gone is cancelled by the sweep of any gateway; what a living one waits for is not',
  options,
  async () => {
    await using world = await World.open({ limits: soonLost });
    const own = await startOwnWorker(world);
    const busy = httpError(429, { error: { message: 'later' } }, { 'retry-after': '30' });
    world.model.enqueue(busy, busy, [sseHead, stall]);
    const [left, kept] = [await own.start(stoppable, request('left')), await own.start(stoppable, request('kept'))];
    const idOf = async (handle: typeof left): Promise<string> =>
      (
        await eventually(
          () => handle.query(idsOf),
          (ids) => ids.length === 1,
        )
      )[0] ?? '';
    const [gone, living] = [await idOf(left), await idOf(kept)];
    // Between two requests: nobody has a lease.
    for (const id of [gone, living]) await until(async () => (await world.attempts(id)).some(({ outcome }) => outcome === 'failed'));
    await left.terminate('by hand');
    // Another workflow of the same id is not the owner.
    await world.temporal.workflow.start(ask, { workflowId: left.workflowId, taskQueue: own.taskQueue, args: [request('again')] });
    await makeReadyEarlier(world, 60_000);
    await world.startGateway(null);
    await until(async () => (await world.store.readTurn(gone))?.status === 'cancelled');
    assert.equal((await world.store.readTurn(living))?.settledAtMs, null);
    await kept.signal(approve, '');
    assert.equal(await kept.result(), 'stopped');
    await world.temporal.workflow.getHandle(left.workflowId).cancel();
  },
);

function request(input: string): TurnRequest {
  return { model: 'scripted', input };
}

/** The sweep looks at turns that have been ready for half a minute. */
async function makeReadyEarlier({ database }: World, byMs: number): Promise<void> {
  await database.ask('UPDATE turns SET ready_at = ready_at - ?', byMs);
}
