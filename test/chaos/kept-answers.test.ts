/** Replicas whose provider keeps its answers: the one that reads is killed, stands still, or goes, and the other one reads on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hold, KeptAnswers, ResponsesWriter, stall } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const words = Array.from({ length: 40 }, (_, index) => `word${index} `);

for (const [deed, signal] of [
  ['killed', 'SIGKILL'],
  ['stopped', 'SIGSTOP'],
  ['told to go', 'SIGTERM'],
] as const) {
  test(
    `T2, T7 · the replica that reads a kept answer is ${deed} in mid-answer: the other one reads on, and viewers see one answer, no token twice or lost`,
    { timeout: 120_000 },
    async () => {
      const writer = new ResponsesWriter({ id: 'resp_p' });
      const steps = [
        ...writer.begin(),
        ...writer.text(...words.slice(0, 20)),
        hold('more'),
        ...writer.text(...words.slice(20)),
        ...writer.completed(),
      ];
      const answers = new KeptAnswers({ steps });
      await using cluster = await startCluster({
        model: { fallback: (request) => answers.reply(request) },
        env: { TURNKEEP_MODEL_API: 'responses', TURNKEEP_REATTACH: 'on', TURNKEEP_HEARTBEAT_TIMEOUT_MS: '1500', TURNKEEP_DRAIN_MS: '0' },
      });
      const replicas = await Promise.all([cluster.startServe(), cluster.startServe()]);
      const id = String((await post(replicas[0].url, { input: 'hi', background: true })).json?.['id']);
      await cluster.model.nextRequest(1);
      const [attempt] = await cluster.store.readAttempts(id);
      const [victim, survivor] = replicas.toSorted(({ role }) => (attempt?.holder?.startsWith(`${role.child.pid}-`) === true ? -1 : 1));
      assert.ok(victim && survivor);
      const viewer = await Viewer.open(`${survivor.url}/v1/responses/${id}?stream=true`);
      await viewer.untilText(words.slice(0, 20).join(''));
      if (signal === 'SIGKILL') await victim.role.kill();
      else if (signal === 'SIGSTOP') await cluster.stop(victim.role);
      else victim.role.signal('SIGTERM');
      await until(() => cluster.model.requests.length === 2);
      // The one that stands still is told more as well, and wakes only now.
      if (signal === 'SIGSTOP') victim.role.signal('SIGCONT');
      cluster.model.release('more');
      await viewer.ended;
      assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', words.join('')]);
      assert.deepEqual(
        viewer.events.map(({ sequence_number: seq }) => seq),
        viewer.events.map((_, index) => index),
      );
      assert.deepEqual(
        cluster.model.requests.map(({ method, path }) => `${method} ${path}`),
        ['POST /v1/responses', 'GET /v1/responses/resp_p?stream=true'],
      );
      const attempts = await cluster.store.readAttempts(id);
      assert.deepEqual(
        attempts.map(({ outcome, reattachments }) => [outcome, reattachments?.map(({ reason }) => reason)]),
        [['completed', [signal === 'SIGTERM' ? 'worker_shutdown' : 'worker_lost']]],
      );
      assert.deepEqual(answers.cancelled, []);
    },
  );
}

test(
  'T5 · the only replica is killed in mid-answer, and the turn cancelled at the next one: the provider is told to stop',
  { timeout: 120_000 },
  async () => {
    const writer = new ResponsesWriter({ id: 'resp_p' });
    const steps = [...writer.begin(), ...writer.text(...words), ...writer.completed()];
    const answers = new KeptAnswers({ steps, breaks: [{ before: 10, by: [stall] }] });
    const env = { TURNKEEP_MODEL_API: 'responses', TURNKEEP_REATTACH: 'on', TURNKEEP_HEARTBEAT_TIMEOUT_MS: '60000' };
    await using cluster = await startCluster({ model: { fallback: (request) => answers.reply(request) }, env });
    const first = await cluster.startServe();
    const id = String((await post(first.url, { input: 'hi', background: true })).json?.['id']);
    await until(async () => (await cluster.store.readJournal(id)).length > 5);
    await first.role.kill();
    const { url } = await cluster.startServe();
    const response = await fetch(`${url}/v1/responses/${id}/cancel`, { method: 'POST' });
    assert.equal(((await response.json()) as { status?: string }).status, 'cancelled');
    await until(() => answers.cancelled.length === 1);
    assert.deepEqual(answers.cancelled, ['resp_p']);
  },
);
