/** Group commit: works that are asked for in one tick of the event loop share a transaction, and nothing else. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, StatementSync } from 'node:sqlite';
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test, type TestContext } from 'node:test';
import { Database } from '../../src/store/sqlite/database.ts';
import { all, one, run, type Work } from '../../src/store/sql/work.ts';
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
  return db.commit('quick', () => run('INSERT INTO words (word) VALUES (?)', word));
}

test('works of one tick are one transaction; they run in the order they were asked for, and each sees those before it', async (t) => {
  const { db, words } = setUp(t);
  const commits = t.mock.method(StatementSync.prototype, 'run', undefined);
  const counts = ['one', 'two', 'three'].map((word) =>
    db.commit('quick', function* () {
      yield* run('INSERT INTO words (word) VALUES (?)', word);
      return (yield* all('SELECT word FROM words')).length;
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
    db.commit('quick', function* () {
      yield* run(`INSERT INTO words (word) VALUES ('half'), ('done')`);
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
    db.commit('quick', function* () {
      yield* run(`INSERT INTO words (word) VALUES ('alone')`);
      throw fault;
    }),
    fault,
  );
  assert.deepEqual(words(), ['first', 'one', 'two']);
});

test('a commit is synced to the disk where any of its works is durable, and only there', async (t) => {
  const { db } = setUp(t);
  function* synchronous(): Work<number> {
    return Number((yield* one('PRAGMA synchronous'))?.['synchronous']);
  }
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

/** The next COMMIT fails with this code of SQLite, before it has done anything but `before`. */
function failNextCommit(t: TestContext, errcode: number, before: () => void = () => undefined): void {
  const run: unknown = Reflect.get(StatementSync.prototype, 'run');
  let isFailed = false;
  t.mock.method(StatementSync.prototype, 'run', function failing(this: StatementSync, ...values: SQLInputValue[]) {
    if (this.sourceSQL === 'COMMIT' && !isFailed) {
      isFailed = true;
      before();
      throw Object.assign(new Error('the commit fails'), { code: 'ERR_SQLITE_ERROR', errcode });
    }
    return Reflect.apply(run as (...values: SQLInputValue[]) => unknown, this, values);
  });
}

const SQLITE_BUSY = 5;
const SQLITE_IOERR_FSYNC = 1_034;
const SQLITE_FULL = 13;

for (const [name, errcode] of Object.entries({ SQLITE_BUSY, SQLITE_FULL })) {
  test(`a COMMIT that fails with ${name} refuses all its works as busy; nothing of them is left, and they may be asked for again`, async (t) => {
    const { db, words } = setUp(t);
    failNextCommit(t, errcode);
    const refused = await Promise.allSettled(['one', 'two', 'three'].map((word) => say(db, word)));
    for (const each of refused) assert.equal(each.status === 'rejected' && each.reason.name, 'StoreBusyError');
    assert.deepEqual([words(), db.all('SELECT word FROM words')], [[], []]);
    await Promise.all(['two', 'three'].map((word) => say(db, word)));
    assert.deepEqual(words(), ['two', 'three']);
  });
}

test('a COMMIT that SQLite itself refuses fails the works in it, and not what had no room in it', async (t) => {
  const { db, words } = setUp(t);
  const other = (sql: string): Promise<number> => db.commit('quick', () => run(sql));
  await other('CREATE TABLE parents (id INTEGER PRIMARY KEY)');
  await other('CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)');
  const numbers = 'WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200)';
  const many = (word: string): Promise<number> => other(`INSERT INTO words ${numbers} SELECT '${word} ' || n FROM numbers`);
  const results = await Promise.allSettled([
    other('INSERT INTO children VALUES (1)'),
    many('a'),
    many('b'),
    say(db, 'behind'),
    say(db, 'last'),
  ]);
  assert.deepEqual(
    results.map((each) => (each.status === 'fulfilled' ? 'written' : each.reason.message)),
    [...Array.from({ length: 3 }, () => 'FOREIGN KEY constraint failed'), 'written', 'written'],
  );
  assert.deepEqual(words(), ['behind', 'last']);
});

test('a work for which there is no room in the file fails alone, as busy', async (t) => {
  const { db, words } = setUp(t);
  const pages = Number(db.one('PRAGMA page_count')?.['page_count']);
  db.one(`PRAGMA max_page_count = ${pages + 5}`);
  const results = await Promise.allSettled([say(db, 'one'), say(db, 'x'.repeat(1_000_000)), say(db, 'two')]);
  assert.deepEqual(
    results.map((each) => (each.status === 'fulfilled' ? 'written' : each.reason.name)),
    ['written', 'StoreBusyError', 'written'],
  );
  assert.deepEqual(words(), ['one', 'two']);
});

test('a work whose own error has ended the transaction writes no more: neither it nor those beside it is half done', async (t) => {
  const { db, words } = setUp(t);
  await say(db, 'first');
  const results = await Promise.allSettled([
    say(db, 'one'),
    db.commit('quick', function* () {
      yield* run(`INSERT INTO words VALUES ('half')`);
      try {
        yield* run(`INSERT OR ROLLBACK INTO words VALUES ('first')`);
      } catch {
        // It goes on as if nothing were the matter.
      }
      yield* run(`INSERT INTO words VALUES ('the other half')`);
    }),
    say(db, 'two'),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(words(), ['first', 'one', 'two']);
});

/** The words of a file and its log as whoever opens them after a crash has them; `work` may write some more. */
function wordsAfterCrash(path: string, work: (db: DatabaseSync, logPath: string) => void = () => undefined): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-crash-'));
  const copy = join(folder, 'turnkeep.db');
  for (const suffix of ['', '-wal']) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`);
  const db = new DatabaseSync(copy);
  work(db, `${copy}-wal`);
  const words = db.prepare('SELECT word FROM words ORDER BY rowid').all();
  db.close();
  rmSync(folder, { recursive: true, force: true });
  return words.map(({ word }) => String(word));
}

test('T1 · a commit whose sync fails is not found in the log after a crash: who asked for it was told that it failed', async (t) => {
  const { db, path, words } = setUp(t);
  await say(db, 'first');
  // Such a commit is in the log with all its pages, as in this copy: only that they are on disk is not known.
  let log = Buffer.alloc(0);
  const lost = wordsAfterCrash(path, (copy, logPath) => {
    copy.exec(`BEGIN; INSERT INTO words VALUES ('one'); INSERT INTO words VALUES ('two'); COMMIT`);
    log = readFileSync(logPath);
  });
  assert.deepEqual(lost, ['first', 'one', 'two']);
  let unmended: string[] = [];
  failNextCommit(t, SQLITE_IOERR_FSYNC, () => {
    const file = openSync(`${path}-wal`, 'r+');
    writeSync(file, log);
    closeSync(file);
    unmended = wordsAfterCrash(path);
  });
  const results = await Promise.allSettled(
    ['one', 'two'].map((word) => db.commit('durable', () => run('INSERT INTO words VALUES (?)', word))),
  );
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(unmended, ['first', 'one', 'two'], 'it would have been there');
  assert.deepEqual([wordsAfterCrash(path), words()], [['first'], ['first']]);
  await say(db, 'next');
  assert.deepEqual(
    [wordsAfterCrash(path), words()],
    [
      ['first', 'next'],
      ['first', 'next'],
    ],
  );
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
