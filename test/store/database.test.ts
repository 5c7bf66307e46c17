/** Group commit: works that are asked for in one tick of the event loop share a transaction, and nothing else. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import { Database } from '../../src/store/sqlite/database.ts';
import { watchCommits } from './commits.ts';

interface Setup {
  readonly db: Database;
  readonly path: string;
  /** What another process sees. */
  readonly words: () => string[];
}

function setUp(t: TestContext): Setup {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-database-'));
  const path = join(folder, 'turnkeep.db');
  const db = new Database(path);
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE words (word TEXT PRIMARY KEY)');
  t.after(() => {
    db.close();
    other.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const all = other.prepare('SELECT word FROM words ORDER BY rowid');
  return { db, path, words: () => all.all().map(({ word }) => String(word)) };
}

function say(db: Database, word: string): Promise<number> {
  return db.commit('quick', () => db.run('INSERT INTO words (word) VALUES (?)', word));
}

test('works of one tick are one transaction; they run in the order they were asked for, and each sees those before it', async (t) => {
  const { db, words } = setUp(t);
  const commits = t.mock.method(StatementSync.prototype, 'run', undefined);
  const counts = ['one', 'two', 'three'].map((word) =>
    db.commit('quick', () => {
      db.run('INSERT INTO words (word) VALUES (?)', word);
      return db.all('SELECT word FROM words').length;
    }),
  );
  assert.deepEqual(words(), [], 'nothing is written in the tick itself');
  assert.deepEqual(await Promise.all(counts), [1, 2, 3]);
  assert.deepEqual(words(), ['one', 'two', 'three']);
  const sources = commits.mock.calls.map((call) => (call.this as StatementSync).sourceSQL);
  assert.equal(sources.filter((sql) => sql === 'COMMIT').length, 1);
});

test('T14 · of very many works at once a commit takes as many as change 300 rows, in their order, and the rest follows', async (t) => {
  const { db, words } = setUp(t);
  const sizes = watchCommits(t);
  const named = Array.from({ length: 700 }, (_, at) => `word ${at}`);
  await Promise.all(named.map((word) => say(db, word)));
  assert.deepEqual(sizes, [300, 300, 100]);
  assert.deepEqual(words(), named);
});

test('what was asked for is written before whoever asked is answered', async (t) => {
  const { db, words } = setUp(t);
  const seen = await Promise.all(['one', 'two'].map(async (word) => (await say(db, word), words())));
  assert.deepEqual(seen, [
    ['one', 'two'],
    ['one', 'two'],
  ]);
});

test('a work that throws takes back what it has written, and nothing of the works beside it', async (t) => {
  const { db, words } = setUp(t);
  await say(db, 'first');
  const fault = new Error('a fault of its own');
  const results = await Promise.allSettled([
    say(db, 'one'),
    db.commit('quick', () => {
      db.run(`INSERT INTO words (word) VALUES ('half'), ('done')`);
      throw fault;
    }),
    say(db, 'first'),
    say(db, 'two'),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
  assert.equal(results[1]?.status === 'rejected' && results[1].reason, fault);
  assert.deepEqual(words(), ['first', 'one', 'two']);
  await assert.rejects(
    db.commit('quick', () => {
      db.run(`INSERT INTO words (word) VALUES ('alone')`);
      throw fault;
    }),
    fault,
  );
  assert.deepEqual(words(), ['first', 'one', 'two']);
});

test('a commit is synced to the disk where any of its works is durable, and only there', async (t) => {
  const { db } = setUp(t);
  const synchronous = (): number => Number(db.one('PRAGMA synchronous')?.['synchronous']);
  const [normal, full] = [1, 2];
  assert.deepEqual(await Promise.all([db.commit('quick', synchronous), db.commit('quick', synchronous)]), [normal, normal]);
  assert.deepEqual(await Promise.all([db.commit('quick', synchronous), db.commit('durable', synchronous)]), [full, full]);
  assert.equal(await db.commit('quick', synchronous), normal);
});

test('a database that another process has locked refuses all works of a commit, as busy, and is none the worse for it', async (t) => {
  const { db, path, words } = setUp(t);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const refused = await Promise.allSettled([say(db, 'one'), say(db, 'two')]);
  for (const each of refused) assert.equal(each.status === 'rejected' && each.reason.name, 'StoreBusyError');
  other.exec('ROLLBACK');
  other.close();
  await Promise.all([say(db, 'two'), say(db, 'three')]);
  assert.deepEqual(words(), ['two', 'three']);
});

test('closing commits what was asked for; what comes after it is refused', async (t) => {
  const { db, words } = setUp(t);
  const before = [say(db, 'one'), say(db, 'two')];
  db.close();
  const after = say(db, 'three');
  await Promise.all(before);
  assert.deepEqual(words(), ['one', 'two']);
  await assert.rejects(after, ({ name }: Error) => name !== 'StoreBusyError');
});
