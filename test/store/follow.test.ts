/** Those who follow a journal in SQLite, when it goes away under them. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Database } from '../../src/store/sqlite/database.ts';
import { run } from '../../src/store/sql/work.ts';
import { journalSource } from '../../src/store/sql/journal-source.ts';
import { JournalCursor } from '../../src/store/live/cursor.ts';
import { JournalBroker } from '../../src/store/live/broker.ts';
import { Journal } from '../support/journal.ts';
import { newTurn } from './contract.ts';
import { collect, never, Puller, theirTurn } from './contract-follow.ts';
import { temporaryDatabase } from './temporary.ts';

/** As retention or a DELETE in another process would. */
function drop(path: string, ...what: readonly ('journal' | 'journal_head' | 'journal WHERE seq < 300')[]): void {
  const db = new DatabaseSync(path);
  for (const each of what) db.exec(`DELETE FROM ${each}`);
  db.close();
}

test('a journal that goes away fails those who wait for more, and those who wait for the end', async () => {
  await using database = temporaryDatabase();
  const [here, there] = [database.open(), database.open()];
  const journal = await Journal.open(here, newTurn('resp_a'));
  const waiting = [here, there].flatMap((store) => [
    collect(store.follow('resp_a', 2, never)),
    collect(store.follow('resp_a', Number.MAX_SAFE_INTEGER, never)),
    store.untilSealed('resp_a', never),
  ]);
  await theirTurn();
  drop(database.path, 'journal', 'journal_head');
  for (const each of waiting) await assert.rejects(each, { name: 'JournalGoneError', message: `the journal of ${journal.turn} is gone` });
});

for (const what of ['journal', 'journal WHERE seq < 300'] as const) {
  test(`rows that are missing are no end (${what}): who still needs them fails, who had them ends`, async () => {
    await using database = temporaryDatabase();
    const store = database.open();
    const journal = await Journal.open(store, newTurn('resp_a'));
    await journal.append(store, 600);
    const [slow, quick] = [-1, 602].map((after) => new Puller(store, 'resp_a', after));
    slow!.pull();
    quick!.pull();
    await theirTurn();
    await journal.seal(store);
    drop(database.path, what);
    await assert.rejects(slow!.readToEnd(), { name: 'JournalGoneError' });
    await quick!.readToEnd();
    assert.deepEqual(quick!.seen, journal.rows.slice(603));
    await assert.rejects(collect(store.follow('resp_a', 5, never)), { name: 'JournalGoneError' });
    assert.deepEqual(await collect(store.follow('resp_a', journal.rows.length - 1, never)), []);
  });
}

test('what this process itself drops, and tells nobody, is noticed too', async () => {
  await using database = temporaryDatabase();
  const there = database.open();
  const journal = await Journal.open(there, newTurn('resp_a'));
  const db = new Database(database.path);
  const broker = new JournalBroker(journalSource(db), db);
  const following = new JournalCursor(broker, 'resp_a', 2, never);
  // A row of another process has been found: what comes next must be found without any such sign.
  const next = following.next();
  await journal.append(there, 1);
  assert.deepEqual((await next).value, journal.rows.slice(3));
  const after = following.next();
  await db.commit('quick', () => run('DELETE FROM journal_head'));
  await assert.rejects(after, { name: 'JournalGoneError' });
  broker.close();
  db.close();
});
