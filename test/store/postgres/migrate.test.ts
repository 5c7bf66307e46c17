/** The tables of Postgres: made once, however many ask for it, and never by a version that does not know them. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { migrate, type Migrated } from '../../../src/store/postgres/migrate.ts';
import { type Migration, migrations } from '../../../src/store/postgres/migrations.ts';
import { migrations as sqliteMigrations } from '../../../src/store/sqlite/migrations.ts';
import { createDatabase } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import type { MigrateOrder } from './migrating.ts';

async function emptyDatabase(t: TestContext): Promise<string | undefined> {
  if ((await needPostgres(t)) === undefined) return undefined;
  const database = await createDatabase({ isMigrated: false });
  t.after(async () => database[Symbol.asyncDispose]());
  return database.url;
}

async function ask(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
  await client.end();
  return rows;
}

const [table, column, brokenStep] = [
  'CREATE TABLE words (word TEXT PRIMARY KEY)',
  'ALTER TABLE words ADD COLUMN length BIGINT',
  'CREATE TABLE half (word TEXT); SELECT 1 / 0',
].map((sql): Migration => ({ sql, servesVersionBefore: true }));
const incompatible: Migration = { sql: 'ALTER TABLE words RENAME COLUMN word TO said', servesVersionBefore: false };
assert.ok(table !== undefined && column !== undefined && brokenStep !== undefined);

test('processes that start at the same moment on an empty database have one set of tables, and one id of it', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  const children = Array.from({ length: 4 }, () => fork(new URL('migrating.ts', import.meta.url)));
  await Promise.all(children.map(async (child) => once(child, 'message')));
  const atMs = Date.now() + 100;
  const results = await Promise.all(
    children.map(async (child): Promise<Migrated> => {
      const answer = once(child, 'message');
      child.send({ url, atMs } satisfies MigrateOrder);
      const [migrated] = (await answer) as [Migrated];
      child.disconnect();
      return migrated;
    }),
  );
  assert.deepEqual(
    results.map(({ to }) => to),
    results.map(() => migrations.length),
  );
  assert.equal(new Set(results.map(({ databaseId }) => databaseId)).size, 1);
  assert.equal(
    results.some(({ from }) => from === 0),
    true,
  );
  assert.match(results[0]?.databaseId ?? '', /^[0-9a-f]{16}$/);
});

test('migrations go on from where the last version stopped, and those that are done are not done again', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  const first = await migrate({ url }, [table]);
  assert.deepEqual(first, { databaseId: first.databaseId, from: 0, to: 1 });
  await ask(url, `INSERT INTO words VALUES ('kept')`);
  assert.deepEqual(await migrate({ url }, [table, column]), { ...first, from: 1, to: 2 });
  assert.deepEqual(await migrate({ url }, [table, column]), { ...first, from: 2, to: 2 });
  assert.deepEqual(await ask(url, 'SELECT word, length FROM words'), [['kept', null]]);
});

test('a migration that fails leaves nothing of itself, and those before it stay', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  await assert.rejects(migrate({ url }, [table, brokenStep]), /division by zero/);
  assert.deepEqual(await ask(url, `SELECT to_regclass('words') IS NULL, to_regclass('half') IS NULL`), [[false, true]]);
  assert.equal((await migrate({ url }, [table, column])).from, 1);
});

test('an old version goes on beside one that is one step newer and says that it may, and with none that is newer still', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  await migrate({ url }, [table, column]);
  assert.deepEqual((await migrate({ url }, [table])).to, 2);
  await migrate({ url }, [table, column, column].with(2, { ...column, sql: 'ALTER TABLE words ADD COLUMN more BIGINT' }));
  await assert.rejects(migrate({ url }, [table]), /newer turnkeep \(schema 3, which takes 2 or newer; this one knows 1\)/);
});

test('a version whose tables mean something else is refused by the one before', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  await migrate({ url }, [table, incompatible]);
  await assert.rejects(migrate({ url }, [table]), /newer turnkeep \(schema 2, which takes 2 or newer; this one knows 1\)/);
});

test('a database that is not UTF-8 is refused, by how to make one that is', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  const name = `latin_${process.pid}`;
  await ask(url, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
  try {
    await assert.rejects(migrate({ url: url.replace(/\/test_\w+/, `/${name}`) }), /LATIN1; create it with ENCODING 'UTF8'/);
  } finally {
    await ask(url, `DROP DATABASE ${name}`);
  }
});

test('two schemas of one database are two databases', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  const [one, other] = [await migrate({ url: `${url}&schema=one` }), await migrate({ url, schema: 'other' })];
  assert.notEqual(one.databaseId, other.databaseId);
  const sql = `SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_name = 'turns' ORDER BY 1`;
  assert.deepEqual(await ask(url, sql), [['one'], ['other']]);
});

test('both drivers have the same tables, columns and names of indexes', async (t) => {
  const url = await emptyDatabase(t);
  if (url === undefined) return;
  await migrate({ url });
  const sqlite = new DatabaseSync(':memory:');
  for (const migration of sqliteMigrations) sqlite.exec(migration);
  const columns = sqlite
    .prepare(
      `SELECT m.name AS "table", c.name AS "column" FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'`,
    )
    .all()
    .map((row) => `${String(row['table'])}.${String(row['column'])}`);
  const indexes = sqlite.prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL`).all();
  sqlite.close();
  const here = new Set(
    (await ask(url, `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'`)).flat(),
  );
  const indexesHere = new Set((await ask(url, `SELECT indexname FROM pg_indexes WHERE schemaname = 'public'`)).flat());
  assert.deepEqual(
    columns.filter((name) => !here.has(name)),
    // By it SQLite's processes find what others have written; here they are told.
    ['journal.ordinal'],
  );
  assert.deepEqual(
    indexes.map(({ name }) => name).filter((name) => !indexesHere.has(name)),
    [],
  );
});
