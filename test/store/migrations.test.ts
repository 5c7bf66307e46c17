/** A database of an earlier version is brought to this one when it is opened, with all that is in it. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { migrations } from '../../src/store/sqlite/migrations.ts';
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
  const unfinished = await store.listUnfinished({ createdBeforeMs: 9, onlyUndispatched: true, afterOrdinal: 0, limit: 9 });
  assert.deepEqual(
    unfinished.map(({ turn }) => turn.id),
    ['resp_b'],
  );
  assert.equal(await store.purgeUnstored({ acknowledgedBeforeMs: 9, settledBeforeMs: 0 }), 1, 'a client has the end of it');
});
