/** Processes that die, stop or go in the midst of an agent's turn: each of its steps and tools keeps its own law. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { hold, type Script, sseHead, stall, chat } from '../../src/testing/model-server/index.ts';
import {
  agentModel,
  type AskedStep,
  askedStep,
  againOf,
  begunWith,
  type CheckedTurn,
  checkAgentTurn,
  onceOf,
  type Plan,
  ToolRuns,
} from '../support/agent-turns.ts';
import { post } from '../support/post.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';
import { wayOf } from '../support/temporal-way.ts';
import { until } from '../support/until.ts';

const options = { timeout: 180_000 };
const env = { TURNKEEP_HEARTBEAT_TIMEOUT_MS: '3000' };

interface Scene extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly runs: ToolRuns;
  check(name: string): Promise<CheckedTurn>;
}

const ids = new WeakMap<Scene, Map<string, string>>();

async function sceneOf(plan?: Plan, more: NodeJS.ProcessEnv = {}): Promise<Scene> {
  const runs = new ToolRuns();
  const cluster = await startCluster({ model: agentModel(plan)(), env: { ...env, ...runs.env, ...more } });
  const scene: Scene = {
    cluster,
    runs,
    check: async (name) => checkAgentTurn({ store: cluster.store, model: cluster.model, runs }, idOf(scene, name), name),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      runs[Symbol.dispose]();
    },
  };
  ids.set(scene, new Map());
  return scene;
}

function idOf(scene: Scene, name: string): string {
  return ids.get(scene)?.get(name) ?? '';
}

async function begin(scene: Scene, url: string, name: string): Promise<string> {
  const { json } = await post(url, { model: 'worker', input: name, background: true });
  const id = String(json?.['id']);
  ids.get(scene)?.set(name, id);
  return id;
}

async function settled({ cluster }: Scene, id: string): Promise<void> {
  await until(async () => (await cluster.store.readTurn(id))?.settledAtMs != null);
}

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

const completed = { status: 'completed', code: null } as const;
const lost = { status: 'failed', code: 'worker_lost' } as const;
const whole = '1 completed';

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
  const { url } = await cluster.startServe();
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

test('T2, T7 · workers that are killed again and again, at any moment, under many turns: every law holds of each', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  runs.releaseAll();
  const { url } = await cluster.startGateway();
  let worker = await cluster.startWorker();
  const names: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const fresh = Array.from({ length: 6 }, (_, index) => `turn${round}${index}`);
    names.push(...fresh);
    await Promise.all(fresh.map(async (name) => begin(scene, url, name)));
    // At some row of some turn: each round at another one.
    const victim = idOf(scene, fresh[round] ?? '');
    await until(async () => {
      const { last, isSealed } = (await cluster.store.readHead(victim)) ?? { last: 0, isSealed: false };
      return isSealed || last >= 4 + round * 5;
    });
    await worker.kill();
    worker = await cluster.startWorker();
  }
  const ends = new Map<string, number>();
  for (const name of names) {
    await settled(scene, idOf(scene, name));
    const { status, code } = await scene.check(name);
    ends.set(`${status} ${code ?? ''}`, (ends.get(`${status} ${code ?? ''}`) ?? 0) + 1);
    assert.ok(status === 'completed' || code === 'worker_lost', `${name}: ${status} ${code}`);
  }
});

test('T9 · SIGTERM of the worker in a tool: within the drain it ends, and the turn goes on elsewhere', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  const { url } = await cluster.startGateway();
  const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '60000' });
  const id = await begin(scene, url, 'patient');
  const asked = { turn: 'patient', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  leaving.signal('SIGTERM');
  await leaving.says(/drain|stopp/i);
  await cluster.startWorker();
  runs.releaseAll();
  await settled(scene, id);
  assert.equal(await leaving.ended(), 0);
  assert.deepEqual(await scene.check('patient'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
});

test(
  'T9 · SIGTERM of the worker in a tool: past the drain the round is handed on, and the outcome of what may run once is unknown',
  options,
  async () => {
    await using scene = await sceneOf();
    const { cluster, runs } = scene;
    const { url } = await cluster.startGateway();
    const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '0' });
    const id = await begin(scene, url, 'hasty');
    const asked = { turn: 'hasty', step: 1 };
    await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
    leaving.signal('SIGTERM');
    assert.equal(await leaving.ended(), 0);
    runs.releaseAll();
    await cluster.startWorker();
    await settled(scene, id);
    assert.deepEqual(await scene.check('hasty'), { ...completed, requests: [1, 1, 1], calls: ['1 unknown', '2 completed', whole, whole] });
  },
);

test('T7 · a worker that stands still in a tool is fenced: what it ends late is not written', options, async () => {
  await using scene = await sceneOf();
  const { cluster, runs } = scene;
  const { url } = await cluster.startGateway();
  const zombie = await cluster.startWorker();
  const id = await begin(scene, url, 'zombie');
  const asked = { turn: 'zombie', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  await cluster.stop(zombie);
  runs.releaseAll();
  await cluster.startWorker();
  await settled(scene, id);
  const ends = { ...completed, requests: [1, 1, 1], calls: ['1 unknown', '2 completed', whole, whole] };
  assert.deepEqual(await scene.check('zombie'), ends);
  const before = await cluster.store.readJournal(id);
  zombie.signal('SIGCONT');
  await until(() => runs.count('ended', onceOf(asked)) + runs.count('ended', againOf(asked)) >= 2);
  const next = await begin(scene, url, 'next');
  await settled(scene, next);
  assert.deepEqual(await scene.check('next'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
  assert.deepEqual(await cluster.store.readJournal(id), before);
  assert.deepEqual(await scene.check('zombie'), ends);
});

test('T2 · Temporal away between two steps: the turn goes on by itself, and its workflow finds it settled', options, async (context) => {
  const server = await sharedTemporalServer();
  const way = await wayOf(context);
  const there = { port: Number(server.address.split(':').at(-1)) };
  way.leadTo(there);
  await using scene = await sceneOf(undefined, { TEMPORAL_ADDRESS: way.address });
  const { cluster, runs } = scene;
  const { url } = await cluster.startServe();
  const id = await begin(scene, url, 'alone');
  const asked = { turn: 'alone', step: 1 };
  await Promise.all([runs.begun(onceOf(asked)), runs.begun(againOf(asked))]);
  await until(async () => (await cluster.store.readTurn(id))?.isDispatched === true);
  way.close();
  runs.releaseAll();
  await settled(scene, id);
  assert.deepEqual(await scene.check('alone'), { ...completed, requests: [1, 1, 1], calls: [whole, whole, whole, whole] });
  way.leadTo(there);
  const connection = await Connection.connect({ address: server.address });
  const { workflow } = new Client({ connection, namespace: server.namespace });
  assert.deepEqual(await workflow.getHandle(workflowIdOf(id)).result(), { status: 'completed', code: null });
  await connection.close();
  assert.equal(cluster.model.requests.length, 3);
});
