/** T2, T3: a head start fails, its workflow lands on another worker, its process dies. The laws are those of any attempt. */
import assert from 'node:assert/strict';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { chat, chatAnswer, done, end, hold, reset, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { activityRuns, holdStarts, type SilentProcess, startSilentProcess } from '../support/head-starts.ts';
import { until } from '../support/until.ts';
import type { Viewer } from '../support/viewer.ts';
import { soonLost, story, type World } from '../support/world.ts';

const config = { hasHeadStart: true };

async function outcomes(world: World, { id }: Viewer): Promise<unknown[]> {
  return (await world.attempts(id)).map(({ attempt, outcome, code, waitMs }) => [attempt, outcome, code, waitMs]);
}

async function dispatched(world: World, { id }: Viewer): Promise<void> {
  await until(async () => (await world.store.readTurn(id))?.isDispatched === true);
}

for (const hasWorkflow of [true, false]) {
  const which = hasWorkflow ? '' : ', however late that begins';
  story(
    `T3 · a reset before the first token of a head start is asked again after 1 s, by Temporal's retry${which}`,
    async (world) => {
      const starts = hasWorkflow ? undefined : holdStarts(world);
      world.model.enqueue([reset], chatAnswer('Hello'));
      const viewer = await world.say('hi');
      await until(async () => (await world.attempts(viewer.id))[0]?.outcome === 'failed');
      starts?.release();
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello']);
      assert.deepEqual(await outcomes(world, viewer), [
        [1, 'failed', 'transport_failed', 1_000],
        [2, 'completed', undefined, undefined],
      ]);
      const [first, second] = world.model.requests;
      const waitedMs = (second?.arrivedAtMs ?? Number.NaN) - (first?.endedAtMs ?? Number.NaN);
      assert.ok(waitedMs >= 995, `waited ${waitedMs} ms`);
      const { events = [] } = await world.history(viewer.id);
      assert.equal(events?.length, 11, 'a retry is no event of its own');
    },
    { config },
  );
}

const answer: Script = [
  sseHead,
  chat.role(),
  hold('asked'),
  chat.content('Hel'),
  hold('shown'),
  chat.content('lo'),
  chat.finish(),
  done,
  end,
];
const elsewhere = { hasGateway: false, config, limits: soonLost };

/** The head start is in a process whose worker polls nothing: the workflow and its activity run in another one. */
async function apart(world: World, options: Parameters<typeof startSilentProcess>[1] = {}): Promise<SilentProcess> {
  const silent = startSilentProcess(world, options);
  await world.startGateway(silent.attempts);
  return silent;
}

story(
  'T2 · an activity that lands on another worker waits for the head start, and returns its end',
  async (world) => {
    await apart(world);
    world.model.enqueue(answer);
    const viewer = await world.say('hi');
    await activityRuns(world, viewer.id);
    world.model.release('asked');
    await viewer.untilText('Hel');
    world.model.release('shown');
    await viewer.ended;
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello']);
    const result: unknown = await world.temporal.workflow.getHandle(workflowIdOf(viewer.id)).result();
    assert.deepEqual(result, { status: 'completed', code: null });
    assert.deepEqual(await outcomes(world, viewer), [[1, 'completed', undefined, undefined]]);
    assert.equal(world.model.requests.length, 1);
    assert.equal((await world.history(viewer.id)).events?.length, 11);
  },
  elsewhere,
);

story(
  'T3 · what the head start of another process could not start is asked again here, after the wait that it has booked',
  async (world) => {
    const { errors } = await apart(world);
    world.model.enqueue([sseHead, chat.role(), hold('asked'), reset], chatAnswer('Hello'));
    const viewer = await world.say('hi');
    await activityRuns(world, viewer.id);
    world.model.release('asked');
    await viewer.ended;
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Hello']);
    assert.deepEqual(await outcomes(world, viewer), [
      [1, 'failed', 'transport_failed', 1_000],
      [2, 'completed', undefined, undefined],
    ]);
    assert.deepEqual([world.model.requests.length, errors], [2, []]);
  },
  elsewhere,
);

for (const hasWorkflow of [true, false]) {
  const which = hasWorkflow ? 'its workflow runs' : 'Temporal has not started its workflow';

  /** A turn whose head start is in a process that will die. */
  const begin = async (world: World, script: Script, options: Parameters<typeof startSilentProcess>[1] = {}) => {
    const starts = hasWorkflow ? undefined : holdStarts(world);
    const silent = await apart(world, options);
    world.model.enqueue(script, chatAnswer('heir'));
    const viewer = await world.say('hi');
    if (hasWorkflow) await dispatched(world, viewer);
    return { silent, viewer, release: () => starts?.release() };
  };

  story(
    `T2 · a process that dies between its commit and its send, while ${which}: another one asks, and the dead one never does`,
    async (world) => {
      const { silent, viewer, release } = await begin(world, chatAnswer('heir'), { holdsRequests: true });
      silent.stopBeats();
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'heir']);
      assert.deepEqual(await outcomes(world, viewer), [
        [1, 'lost', undefined, undefined],
        [2, 'completed', undefined, undefined],
      ]);
      const zombie = silent.attempts.get(viewer.id);
      assert.ok(zombie, 'it stood still before its send');
      silent.release();
      const end = { type: 'final', turn: { status: 'completed', code: null } };
      assert.deepEqual(await zombie.result, { type: 'ended', step: end, isAdopted: true }, 'the end that the other one wrote');
      assert.equal(world.model.requests.length, 1);
      release();
    },
    elsewhere,
  );

  story(
    `T7 · a process that dies before the first token, while ${which}: another one asks again, and nothing of the dead one is shown`,
    async (world) => {
      const { silent, viewer, release } = await begin(world, [sseHead, chat.role(), hold('asked'), ...chatAnswer('zombie').slice(1)]);
      await world.model.reached('asked');
      const zombie = silent.attempts.get(viewer.id);
      silent.stopBeats();
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'heir']);
      world.model.release('asked');
      await zombie?.result;
      const whole = await world.watch(viewer.id);
      await whole.ended;
      assert.deepEqual(whole.data, viewer.data);
      assert.equal(world.model.requests.length, 2);
      assert.deepEqual(await outcomes(world, viewer), [
        [1, 'lost', undefined, undefined],
        [2, 'completed', undefined, undefined],
      ]);
      release();
    },
    elsewhere,
  );

  story(
    `T2 · a process that dies in mid-stream, while ${which}: the turn ends worker_lost with what was shown, and is never asked again`,
    async (world) => {
      const { silent, viewer, release } = await begin(world, answer);
      world.model.release('asked');
      await viewer.untilText('Hel');
      const zombie = silent.attempts.get(viewer.id);
      silent.stopBeats();
      await viewer.ended;
      assert.deepEqual([viewer.last.type, viewer.last.response.error?.code, viewer.text], ['response.failed', 'worker_lost', 'Hel']);
      assert.deepEqual(
        viewer.last.response.output.map((item) => [item.status, item.content?.[0]?.text]),
        [['incomplete', 'Hel']],
      );
      world.model.release('shown');
      await zombie?.result;
      release();
      const whole = await world.watch(viewer.id);
      await whole.ended;
      assert.deepEqual(whole.data, viewer.data, 'T7 · what it says now is refused');
      assert.equal(world.model.requests.length, 1);
      assert.deepEqual(await outcomes(world, viewer), [[1, 'lost', undefined, undefined]]);
    },
    elsewhere,
  );
}
