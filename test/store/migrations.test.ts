/** A database of an earlier version is brought to this one when it is opened, with all that is in it. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { migrations } from '../../src/store/sqlite/migrations.ts';
import { claimed, expiredLease, inserted, newTurn } from './contract.ts';
import { temporaryDatabase } from './temporary.ts';

test('what an earlier version wrote of a turn that was dispatched, and acknowledged, is read by this one', async () => {
  await using database = temporaryDatabase();
  const earlier = new DatabaseSync(database.path);
  for (const migration of migrations.slice(0, 3)) earlier.exec(migration);
  earlier.exec(`
    PRAGMA user_version = 3;
    INSERT INTO turns (id, tenant, status, settings, input, body_hash, created_at, stored, submitted, recorded, delivered, settled_at) VALUES
      ('resp_a', 'default', 'completed', '{}', '[]', 'hash', 1, 0, 1, 1, 1, 2),
      ('resp_b', 'default', 'queued', '{}', '[]', 'hash', 1, 1, 0, 0, 0, NULL)`);
  earlier.close();
  const store = database.open();
  assert.equal((await store.readTurn('resp_a'))?.isDispatched, true);
  assert.equal((await store.readTurn('resp_b'))?.isDispatched, false);
  assert.equal(await store.purgeUnstored({ acknowledgedBeforeMs: 9, settledBeforeMs: 0 }), 1, 'a client has the end of it');
});

test('journals of an earlier version are followed by this one, in order, and what was recorded then was ready', async () => {
  await using database = temporaryDatabase();
  const earlier = new DatabaseSync(database.path);
  for (const migration of migrations.slice(0, 4)) earlier.exec(migration);
  earlier.exec(`
    PRAGMA user_version = 4;
    INSERT INTO turns (id, tenant, status, settings, input, body_hash, created_at, stored, recorded, settled_at) VALUES
      ('resp_a', 'default', 'in_progress', '{}', '[]', 'hash', 7, 1, 1, NULL),
      ('resp_b', 'default', 'completed', '{}', '[]', 'hash', 8, 1, 1, 9);
    INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES ('resp_a', 3, 2, 0), ('resp_b', 1, 1, 1);
    INSERT INTO journal (turn, seq, type, data) VALUES ('resp_a', 0, 'x', 'one'), ('resp_a', 1, 'x', 'two'), ('resp_b', 0, 'x', 'three')`);
  earlier.close();
  const store = database.open();
  const seen = [];
  for await (const rows of store.follow('resp_b', -1, AbortSignal.timeout(5_000))) seen.push(...rows.map(({ data }) => data));
  assert.deepEqual(seen, ['three']);
  assert.deepEqual(
    (await store.readJournal('resp_a')).map(({ data }) => data),
    ['one', 'two'],
  );
  assert.equal((await store.readTurn('resp_a'))?.readyAtMs, 7);
  assert.deepEqual(await store.readHead('resp_a'), { epoch: 3, last: 1, isSealed: false, lease: 'none' });
  assert.deepEqual(await store.listUndispatched({ readyForMs: 0, limit: 9 }), ['resp_a']);
});

test('a turn of a version without tools goes on in this one: it has no calls, and its next request is granted', async () => {
  await using database = temporaryDatabase();
  const known = migrations.findIndex((migration) => migration.includes('CREATE TABLE tool_calls'));
  const before = database.open();
  await inserted(before, newTurn('resp_a'));
  await claimed(before, 'resp_a', { lease: expiredLease });
  await before.close();
  const earlier = new DatabaseSync(database.path);
  // All that this version has, and that one had not.
  earlier.exec(`
    DROP TABLE tool_calls; DROP TABLE approvals; DROP TABLE viewers; DROP TABLE hidden_reasoning; DROP TABLE recordings; DROP TABLE breakers; DROP TABLE api_keys;
    ALTER TABLE attempts DROP COLUMN run_id; ALTER TABLE attempts DROP COLUMN last_seq; ALTER TABLE attempts DROP COLUMN facts;
    ALTER TABLE attempts DROP COLUMN spent_tokens; ALTER TABLE attempts DROP COLUMN cost; ALTER TABLE sessions DROP COLUMN spent;
    ALTER TABLE turns DROP COLUMN owner_run;
    DROP INDEX turns_called_unsettled; ALTER TABLE turns DROP COLUMN called_spent;
    DROP INDEX attempts_kept; ALTER TABLE attempts DROP COLUMN response_id;
    ALTER TABLE attempts DROP COLUMN response_after; ALTER TABLE attempts DROP COLUMN reattached;
    DROP INDEX turns_by_parent; ALTER TABLE turns DROP COLUMN parent; ALTER TABLE turns DROP COLUMN parent_call;
    PRAGMA user_version = ${known}`);
  earlier.close();
  const store = database.open();
  assert.deepEqual(await store.readToolCalls('resp_a'), []);
  const { attempt, lostAttempts } = await claimed(store, 'resp_a');
  assert.deepEqual([attempt, lostAttempts], [2, 1]);
});
