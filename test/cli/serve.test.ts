/** `turnkeep serve` as a replica, and how commands that run a role say that they cannot. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { chat, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { post } from '../support/post.ts';
import { Role, startCluster } from '../support/processes.ts';
import { sharedTemporalServer, testCache } from '../support/temporal-server.ts';
import { Viewer } from '../support/viewer.ts';
import { folderOf } from './folder.ts';

const options = { timeout: 120_000 };

test(
  'two replicas on one data dir are one service: a conversation goes on at either, a turn of one is followed at the other',
  options,
  async () => {
    await using cluster = await startCluster();
    const [first, second] = await Promise.all([cluster.startServe(), cluster.startServe()]);
    const response = await fetch(`${first.url}/v1/conversations`, { method: 'POST' });
    const { id: conversation } = (await response.json()) as { id: string };
    cluster.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
    const answer = post(first.url, { input: 'hi', conversation });
    assert.deepEqual(messagesOf(await cluster.model.nextRequest(1)), [{ role: 'user', content: 'hi' }]);
    const [turn] = await cluster.store.listUnsettledOf('default', conversation);
    const viewer = await Viewer.open(`${second.url}/v1/responses/${turn}?stream=true`);
    await viewer.untilText('Hel');
    cluster.model.release('go');
    await viewer.ended;
    assert.deepEqual([viewer.text, (await answer).json?.['status']], ['Hello', 'completed']);

    assert.equal((await post(second.url, { input: 'again', conversation })).json?.['status'], 'completed');
    assert.equal(messagesOf(cluster.model.requests[1]).length, 3, 'the second replica knows what was said at the first');
    for (const { role } of [first, second]) role.signal('SIGTERM');
    assert.deepEqual(await Promise.all([first.role.ended(), second.role.ended()]), [0, 0]);
  },
);

test('a role that cannot start says why in one line, without a stack', options, async (context) => {
  const folder = folderOf(context);
  const file = join(folder, 'file');
  writeFileSync(file, 'this is no database, and no folder either. '.repeat(100));
  const occupant = createServer();
  context.after(() => occupant.close());
  await once(occupant.listen(0, '127.0.0.1'), 'listening');
  const address = occupant.address();
  assert.ok(typeof address === 'object' && address !== null);
  const temporal = await sharedTemporalServer();
  for (const [command, env, line] of [
    ['serve', { TEMPORAL_NAMESPACE: 'missing' }, /^turnkeep: Namespace missing was not found/],
    ['worker', { DATABASE_URL: `sqlite:${file}` }, /^turnkeep: the database .*file cannot be opened: file is not a database$/],
    ['dev', { TURNKEEP_DATA_DIR: file }, /^turnkeep: the data dir .*file is a file, or lies below one/],
    ['gateway', { TURNKEEP_PORT: String(address.port) }, /^turnkeep: port \d+ of 127\.0\.0\.1 is taken: /],
    ['worker', { TURNKEEP_METRICS_PORT: String(address.port) }, /^turnkeep: port \d+ of 127\.0\.0\.1 is taken: .*TURNKEEP_METRICS_PORT/],
    [
      'serve',
      { TURNKEEP_HOST: 'nowhere.invalid', TURNKEEP_API_KEYS: 'me:secret' },
      /^turnkeep: getaddrinfo (ENOTFOUND|EAI_AGAIN) nowhere\.invalid$/,
    ],
  ] as const) {
    const role = new Role([command], {
      PATH: process.env['PATH'],
      HOME: folder,
      ...testCache,
      LOG_LEVEL: 'info',
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: temporal.namespace,
      TURNKEEP_DATA_DIR: join(folder, 'data'),
      TURNKEEP_PORT: '0',
      OPENAI_BASE_URL: 'http://127.0.0.1:1/v1',
      ...env,
    });
    context.after(() => role.kill());
    assert.equal(await role.ended(), 2);
    const plain = role.output.filter((each) => !each.startsWith('{'));
    assert.equal(plain.length, 1, plain.join('\n'));
    assert.match(plain[0] ?? '', line);
    assert.doesNotMatch(role.output.join('\n'), /^\s+at /m);
  }
});
