/** A kill and a cancel at every point of an agent's turn: each of its steps and tools keeps its own law. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, hold, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { againOf, type AskedStep, askedStep, begunWith, type CheckedTurn, onceOf, type Plan } from '../support/agent-turns.ts';
import { until } from '../support/until.ts';
import { begin, completed, idOf, options, type Scene, sceneOf, settled, whole } from './agent-scene.ts';

const first: Script = [sseHead, chat.role(), stall];

interface Moment {
  readonly name: string;
  /** Resolves when the turn is where it is to be killed. */
  readonly at: (scene: Scene) => Promise<unknown>;
  /** Instead of what the model does as a rule. */
  readonly plan?: Plan;
  readonly ends: CheckedTurn;
}

const booked = async ({ cluster }: Scene, id: string, test: (runs: number, ended: number) => boolean): Promise<void> =>
  until(async () => {
    const calls = await cluster.store.readToolCalls(id);
    return test(
      calls.reduce((sum, { runs }) => sum + runs, 0),
      calls.filter(({ endedAtMs }) => endedAtMs !== undefined).length,
    );
  });

const startedStep = async (scene: Scene, name: string, step: number): Promise<void> =>
  until(async () =>
    (await scene.cluster.store.readAttempts(idOf(scene, name))).some((each) => each.step === step && each.firstEventAtMs !== undefined),
  );

const untilAsked = async ({ cluster }: Scene, wanted: AskedStep): Promise<void> =>
  until(() =>
    cluster.model.requests.some((request) => {
      const { turn, step } = askedStep(request);
      return turn === wanted.turn && step === wanted.step;
    }),
  );

const stallsAt =
  (turn: string, step: number, script: Script): Plan =>
  (request, nth) =>
    request.turn === turn && request.step === step && nth === 1 ? script : undefined;

const lost = { status: 'failed', code: 'worker_lost' } as const;

/** `held` at this step: the tools of all steps before go on at once. */
function inTools(name: string, step: number, isOneDone: boolean): Moment {
  const asked: AskedStep = { turn: name, step };
  const before = Array.from({ length: (step - 1) * 2 }, () => whole);
  const after = Array.from({ length: (2 - step) * 2 }, () => whole);
  return {
    name,
    at: async (scene) => {
      for (let earlier = 1; earlier < step; earlier += 1)
        scene.runs.release(onceOf({ turn: name, step: earlier }), againOf({ turn: name, step: earlier }));
      await Promise.all([scene.runs.begun(onceOf(asked)), scene.runs.begun(againOf(asked))]);
      if (!isOneDone) return;
      scene.runs.release(onceOf(asked));
      await booked(scene, idOf(scene, name), (_, ended) => ended === step * 2 - 1);
    },
    ends: { ...completed, requests: [1, 1, 1], calls: [...before, isOneDone ? whole : '1 unknown', '2 completed', ...after] },
  };
}

function inStream(name: string, step: number, hasStarted: boolean): Moment {
  return {
    name,
    plan: stallsAt(name, step, hasStarted ? begunWith(hold(name), stall) : first),
    at: async (scene) => {
      for (let earlier = 1; earlier < step; earlier += 1)
        scene.runs.release(onceOf({ turn: name, step: earlier }), againOf({ turn: name, step: earlier }));
      if (hasStarted) await startedStep(scene, name, step);
      // A request is booked before it is sent: one that is killed in between is the model's first when it is made again.
      else await untilAsked(scene, { turn: name, step });
    },
    ends: hasStarted
      ? { ...lost, requests: Array.from({ length: step }, () => 1), calls: Array.from({ length: (step - 1) * 2 }, () => whole) }
      : { ...completed, requests: [1, 2, 3].map((each) => (each === step ? 2 : 1)), calls: Array.from({ length: 4 }, () => whole) },
  };
}

/** A call of which some is told, and nothing shown, when the worker dies. */
const inCall: Moment = {
  name: 'call',
  plan: stallsAt('call', 2, [sseHead, chat.toolCall(0, { id: 'x', name: 'once', arguments: '{"na' }), stall]),
  at: async (scene) => {
    scene.runs.release(onceOf({ turn: 'call', step: 1 }), againOf({ turn: 'call', step: 1 }));
    await startedStep(scene, 'call', 2);
  },
  ends: { ...lost, requests: [1, 1], calls: [whole, whole] },
};

const moments: readonly Moment[] = [
  inStream('unstarted1', 1, false),
  inStream('started1', 1, true),
  inTools('tools1', 1, false),
  inTools('half1', 1, true),
  inStream('unstarted2', 2, false),
  inStream('started2', 2, true),
  inCall,
  inTools('tools2', 2, false),
  inTools('half2', 2, true),
  inStream('unstarted3', 3, false),
  inStream('started3', 3, true),
];

const planOf =
  (of: readonly Moment[]): Plan =>
  (request, nth) =>
    of.map(({ plan }) => plan?.(request, nth)).find((script) => script !== undefined);

test(
  'T2, T3 · kill -9 of the worker at every point of a turn of three steps: each is asked, and each tool run, as often as it may',
  options,
  async () => {
    await using scene = await sceneOf(planOf(moments));
    const { cluster, runs } = scene;
    const { url } = await cluster.startGateway();
    const doomed = await cluster.startWorker();
    await Promise.all(moments.map(async ({ name }) => begin(scene, url, name)));
    await Promise.all(moments.map(async ({ at }) => at(scene)));
    await doomed.kill();
    runs.releaseAll();
    await cluster.startWorker();
    for (const { name, ends } of moments) {
      await settled(scene, idOf(scene, name));
      assert.deepEqual(await scene.check(name), ends, name);
      assert.ok(runs.count('begun', onceOf({ turn: name, step: 1 })) <= 1);
    }
  },
);

test('T5 · a cancel at every point of a turn ends it within the grace, and nothing is asked or run after', options, async () => {
  await using scene = await sceneOf(planOf(moments));
  const { cluster } = scene;
  // Nobody is to be taken for lost, however much else the machine has to do.
  const { url } = await cluster.startServe({ TURNKEEP_HEARTBEAT_TIMEOUT_MS: '20000' });
  await Promise.all(moments.map(async ({ name }) => begin(scene, url, name)));
  await Promise.all(moments.map(async ({ at }) => at(scene)));
  const before = { requests: cluster.model.requests.length, runs: scene.runs.notes.filter(({ word }) => word === 'begun').length };
  await Promise.all(
    moments.map(async ({ name }) => {
      const answer = await fetch(`${url}/v1/responses/${idOf(scene, name)}/cancel`, { method: 'POST' });
      assert.deepEqual([answer.status, ((await answer.json()) as { status: string }).status], [200, 'cancelled'], name);
    }),
  );
  scene.runs.releaseAll();
  for (const { name } of moments) {
    const { status } = await scene.check(name);
    assert.equal(status, 'cancelled', name);
  }
  assert.deepEqual(
    { requests: cluster.model.requests.length, runs: scene.runs.notes.filter(({ word }) => word === 'begun').length },
    before,
  );
});
