/** Whether a call was made is one look at an index, whoever else has numbered theirs the same (T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InputItem } from '../../src/domain/item.ts';
import { run } from '../../src/store/sql/work.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { claimed, ended, inserted, newTurn, sealOf } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

function call(id: string, callId: string): Extract<InputItem, { type: 'function_call' }> {
  return { id, type: 'function_call', status: 'completed', call_id: callId, name: 'f', arguments: '{}' };
}

test('50,000 calls of one name cost those of another chain nothing', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const db = new Database(database.path);
  await db.commit('quick', () =>
    run(`WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 50000)
      INSERT INTO items (turn, position, id, call_id, branch, depth, item) SELECT 'resp_x', n, 'fc_' || n, 'call_1', 'resp_x', n, '{}' FROM n`),
  );
  await inserted(store, newTurn('resp_a'));
  const { epoch } = await claimed(store, 'resp_a');
  await store.seal(sealOf('resp_a', epoch, { output: [call('fc_a', 'call_1')] }));
  const looks = t.mock.method(Database.prototype, 'one');
  assert.equal(await store.findUnknownCall('default', 'resp_a', ['call_1', 'call_2']), 'call_2');
  assert.equal(looks.mock.callCount(), 3, 'the place of the turn, and one for each call');
  db.close();
});

test('a call of an input is found behind it, on whatever branch it stands, and not before it nor beside it', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await ended(store, 'resp_a');
  await ended(store, 'resp_b', { previous: 'resp_a', input: [call('fc_b', 'call_b')] });
  await ended(store, 'resp_c', { previous: 'resp_b' });
  await ended(store, 'resp_d', { previous: 'resp_a' });
  const known = async (leaf: string) => (await store.findUnknownCall('default', leaf, ['call_b'])) === undefined;
  assert.deepEqual(
    [await known('resp_a'), await known('resp_b'), await known('resp_c'), await known('resp_d')],
    [false, true, true, false],
  );
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await ended(store, 'resp_e', { session: 'conv_a', input: [call('fc_e', 'call_e')] });
  await ended(store, 'resp_f', { session: 'conv_a' });
  assert.equal(await store.findUnknownCall('default', 'resp_f', ['call_e']), undefined);
  const session = await store.readSession('default', 'conv_a');
  assert.ok(session);
  assert.equal(await store.deleteSessionItem(session, 'fc_e'), true);
  assert.equal(await store.findUnknownCall('default', 'resp_f', ['call_e']), 'call_e', 'it was deleted');
});
