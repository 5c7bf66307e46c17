/** The drain of a gateway that has its own worker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, done, end, hold, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { errorOf, post } from '../support/post.ts';
import { startCluster } from '../support/processes.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 120_000 };

test('T7 · a viewer of a gateway that has its own worker gets the end that the end of the drain wrote', options, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_DRAIN_MS: '0' } });
  cluster.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const { role, url } = await cluster.startServe();
  const viewer = await Viewer.say(url, 'hi');
  await viewer.untilText('Hel');
  role.signal('SIGTERM');
  await viewer.ended;
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code, viewer.isDone], ['response.failed', 'worker_lost', true]);
  assert.equal(await role.ended(), 0);
});

test(
  'a gateway that drains says so, takes in no new turns, and serves what runs to its end, also to those who come back',
  options,
  async () => {
    await using cluster = await startCluster({ env: { TURNKEEP_DRAIN_MS: '600000' } });
    cluster.model.enqueue([sseHead, chat.content('Hel'), hold('last'), chat.content('lo'), chat.finish(), done, end]);
    const { role, url } = await cluster.startServe();
    const viewer = await Viewer.say(url, 'hi');
    await viewer.untilText('Hel');
    role.signal('SIGTERM');
    await role.says(/drain|stopp/i);
    const statusOf = async (path: string): Promise<unknown[]> => {
      const response = await fetch(`${url}${path}`);
      return [response.status, await response.json()];
    };
    assert.deepEqual(await statusOf('/readyz'), [503, { status: 'draining' }]);
    assert.deepEqual(await statusOf('/healthz'), [200, { status: 'ok' }]);
    const refused = await post(url, { input: 'new' });
    assert.deepEqual([errorOf(refused), refused.headers.get('retry-after')], [[503, null, 'draining'], '1']);
    const back = await Viewer.open(`${url}/v1/responses/${viewer.id}?stream=true&starting_after=0`);
    await back.untilText('Hel');
    cluster.model.release('last');
    await Promise.all([viewer.ended, back.ended]);
    assert.deepEqual([viewer.text, back.text, back.isDone], ['Hello', 'Hello', true]);
    assert.equal(await role.ended(), 0);
    assert.equal(cluster.model.requests.length, 1);
  },
);
