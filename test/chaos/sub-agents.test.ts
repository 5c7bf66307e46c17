/** Workers that die while an agent waits for another one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  hold,
  type LoggedRequest,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };

const config = `import { defineConfig } from 'turnkeep/config';
export default defineConfig({
  agents: { lead: { model: 'lead-model', tools: ['agent:helper'] }, helper: { model: 'helper-model' } },
});`;

/** Of each model, its answers in their order. */
async function start(t: TestContext, answers: { readonly [model: string]: readonly Script[] }): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-config-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'turnkeep.config.ts');
  writeFileSync(path, config);
  const counts = new Map<string, number>();
  const fallback = ({ body }: LoggedRequest): Script => {
    const { model } = body as { readonly model: string };
    const count = counts.get(model) ?? 0;
    counts.set(model, count + 1);
    return answers[model]?.[count] ?? chatAnswer('never');
  };
  return startCluster({ model: { fallback }, env: { TURNKEEP_CONFIG: path } });
}

async function ask(url: string): Promise<Viewer> {
  const viewer = await Viewer.open(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'go', model: 'lead', stream: true }),
  });
  await viewer.until((seen) => seen.events.length > 0);
  return viewer;
}

const call = chatToolCalls({ id: 'c1', name: 'helper', arguments: { input: 'go' } });
const modelsOf = ({ model }: Cluster): string[] => model.requests.map(({ body }) => (body as { readonly model: string }).model);

function callOf(viewer: Viewer): {
  readonly output: string | null;
  readonly error: { readonly content: readonly { readonly text: string }[] } | null;
} {
  return viewer.last.response.output.find(({ type }) => type === 'mcp_call') as never;
}

test(
  'T2 · kill -9 of the worker while an agent works for another one: the call joins the turn that was begun, and nothing is paid twice',
  options,
  async (t) => {
    const answer: Script = [sseHead, chat.role(), hold('answer'), chat.content('Snow.'), chat.finish(), { type: 'done' }, { type: 'end' }];
    await using cluster = await start(t, { 'lead-model': [call, chatAnswer('It snows.')], 'helper-model': [answer, chatAnswer('Snow.')] });
    const { url } = await cluster.startGateway();
    const doomed = await cluster.startWorker();
    const viewer = await ask(url);
    await cluster.model.reached('answer');
    // Nothing of its answer has been shown: it may be asked for again.
    await doomed.kill();
    await cluster.startWorker();
    await viewer.ended;
    assert.deepEqual([viewer.last.response.status, viewer.text, callOf(viewer).output], ['completed', 'It snows.', 'Snow.']);
    assert.deepEqual(modelsOf(cluster), ['lead-model', 'helper-model', 'helper-model', 'lead-model']);
    assert.equal((await cluster.store.readChildren(viewer.id)).length, 1);
    assert.deepEqual(
      (await cluster.store.readToolCalls(viewer.id)).map(({ runs, outcome }) => [runs, outcome]),
      [[2, 'completed']],
    );
  },
);

test(
  'T2 · kill -9 of the worker when the called agent has begun its answer: the call is told that it failed, and nobody asks again',
  options,
  async (t) => {
    await using cluster = await start(t, {
      'lead-model': [call, chatAnswer('Too bad.')],
      'helper-model': [[sseHead, chat.content('Sn'), hold('begun'), stall]],
    });
    const { url } = await cluster.startGateway();
    const doomed = await cluster.startWorker();
    const viewer = await ask(url);
    let child = '';
    await until(async () => (child = (await cluster.store.readChildren(viewer.id))[0]?.publicId ?? '') !== '');
    await until(async () => (await cluster.store.readAttempts(child))[0]?.firstEventAtMs !== undefined);
    await doomed.kill();
    await cluster.startWorker();
    await viewer.ended;
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Too bad.']);
    assert.match(callOf(viewer).error?.content[0]?.text ?? '', /failed \(worker_lost\)/);
    assert.deepEqual(modelsOf(cluster), ['lead-model', 'helper-model', 'lead-model']);
  },
);

test('T9 · SIGTERM of the worker while an agent waits: another worker goes on waiting for the same turn', options, async (t) => {
  const answer: Script = [sseHead, chat.role(), hold('answer'), chat.content('Snow.'), chat.finish(), { type: 'done' }, { type: 'end' }];
  await using cluster = await start(t, { 'lead-model': [call, chatAnswer('It snows.')], 'helper-model': [answer, chatAnswer('Snow.')] });
  const { url } = await cluster.startGateway();
  const leaving = await cluster.startWorker({ TURNKEEP_DRAIN_MS: '0' });
  const viewer = await ask(url);
  await cluster.model.reached('answer');
  leaving.signal('SIGTERM');
  assert.equal(await leaving.ended(), 0);
  await cluster.startWorker();
  await viewer.ended;
  assert.deepEqual([viewer.last.response.status, viewer.text, callOf(viewer).output], ['completed', 'It snows.', 'Snow.']);
  assert.deepEqual(modelsOf(cluster), ['lead-model', 'helper-model', 'helper-model', 'lead-model']);
});

test('T5 · a cancel of a turn whose worker is dead stops the agents that it called', options, async (t) => {
  await using cluster = await start(t, { 'lead-model': [call], 'helper-model': [[sseHead, chat.role(), hold('answer'), stall]] });
  const { url } = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const viewer = await ask(url);
  await cluster.model.reached('answer');
  await doomed.kill();
  const answer = await fetch(`${url}/v1/responses/${viewer.id}/cancel`, { method: 'POST' });
  assert.equal(answer.status, 200);
  await viewer.ended;
  assert.equal(viewer.last.response.status, 'cancelled');
  const [child] = await cluster.store.readChildren(viewer.id);
  await until(async () => (await cluster.store.readTurn(child?.publicId ?? ''))?.status === 'cancelled');
  assert.equal(cluster.model.requests.length, 2);
});
