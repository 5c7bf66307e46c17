/** What a process asks of the database when others have committed: nothing of turns that nobody has written to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '../../src/store/sqlite/database.ts';
import { lease, newTurn } from './contract.ts';
import { Journal } from '../support/journal.ts';
import { temporaryDatabase } from './temporary.ts';

const turns = Array.from({ length: 50 }, (_, at) => `resp_${at}`);

interface Change {
  readonly turn: string | undefined;
  readonly last: number | undefined;
}

/** The changes that are noticed until one is that the test waits for. */
async function changesUntil(db: Database, isLast: (change: Change) => boolean, write: () => Promise<unknown>): Promise<Change[]> {
  const changes: Change[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = db.watch({
    onChange: (turn, last) => {
      changes.push({ turn, last });
      if (isLast({ turn, last })) resolve();
    },
    onFailure: reject,
  });
  await write();
  await promise;
  stop();
  return changes;
}

test('of many turns those are named that another process has written to, with their last row', async () => {
  await using database = temporaryDatabase();
  const there = database.open();
  const journals = [];
  for (const turn of turns) journals.push(await Journal.open(there, newTurn(turn)));
  const [first, second] = journals;
  const db = new Database(database.path);
  const changes = await changesUntil(
    db,
    ({ turn, last }) => turn === 'resp_1' && last === 4,
    async () => {
      for (let at = 0; at < 20; at += 1) await first!.append(there, 1);
      // Commits that leave the journals alone.
      for (let at = 0; at < 20; at += 1) await there.beat({ lease, turns });
      await second!.append(there, 2);
    },
  );
  assert.deepEqual(new Set(changes.map(({ turn }) => turn)), new Set(['resp_0', 'resp_1']));
  assert.equal(changes.findLast(({ turn }) => turn === 'resp_0')?.last, 22);
  db.close();
});

test('what was there before is no change, and a commit that writes no row costs one question', async (t) => {
  await using database = temporaryDatabase();
  const there = database.open();
  const journal = await Journal.open(there, newTurn('resp_0'));
  const db = new Database(database.path);
  const questions = t.mock.method(db, 'one');
  const reads = t.mock.method(db, 'all');
  const changes = await changesUntil(
    db,
    ({ last }) => last === 3,
    async () => {
      await there.beat({ lease, turns });
      await journal.append(there, 1);
    },
  );
  assert.deepEqual(changes, [{ turn: 'resp_0', last: 3 }]);
  const asked = questions.mock.calls.map(({ arguments: [sql] }) => sql);
  assert.deepEqual([...new Set(asked)].toSorted(), ['PRAGMA data_version', 'SELECT max(ordinal) AS newest FROM journal']);
  assert.ok(reads.mock.callCount() <= 2);
  db.close();
});

test('after very many rows every turn is looked at, once', async () => {
  await using database = temporaryDatabase();
  const there = database.open();
  const journal = await Journal.open(there, newTurn('resp_0'));
  const db = new Database(database.path);
  const changes = await changesUntil(
    db,
    () => true,
    () => journal.append(there, 10_001),
  );
  assert.deepEqual(changes, [{ turn: undefined, last: undefined }]);
  db.close();
});
