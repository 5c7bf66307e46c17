/** The database of a story: a file of SQLite, or a database on a real Postgres where TURNKEEP_TEST_DATABASE says so. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { PostgresDatabase } from '../../src/store/postgres/database.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { postgresStore } from '../../src/store/postgres/open-store.ts';
import { clientConfig, readPostgresOptions } from '../../src/store/postgres/options.ts';
import { ensurePartitions } from '../../src/store/postgres/partitions.ts';
import { translate } from '../../src/store/postgres/translate.ts';
import type { Store } from '../../src/store/ports/store.ts';
import type { Row, Value } from '../../src/store/sql/work.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { createDatabase } from './postgres-server.ts';

export const isOnPostgres = process.env['TURNKEEP_TEST_DATABASE'] === 'postgres';

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** The database as another process has it; whoever opens it closes it. */
  open(): Store;
  /** One statement, past the store, in the words of `store/sql/`. @returns its rows */
  ask(sql: string, ...values: Value[]): Promise<Row[]>;
  /** Where this word is: files of SQLite, tables of Postgres. */
  find(word: string): Promise<string[]>;
  /** While `work` runs, nobody else writes. */
  locked<T>(work: () => Promise<T>): Promise<T>;
}

/** @param folder for its file, which goes with it */
export async function openTestDatabase(folder: string): Promise<TestDatabase> {
  return isOnPostgres ? openPostgres() : openSqlite(join(folder, 'turnkeep.db'));
}

function openSqlite(path: string): TestDatabase {
  return {
    url: `sqlite:${path}`,
    open: () => openSqliteStore(path),
    async ask(sql, ...values) {
      using database = new DatabaseSync(path, { timeout: 10_000 });
      return database.prepare(sql).all(...values) as Row[];
    },
    find: async (word) => readdirSync(dirname(path)).filter((name) => readFileSync(join(dirname(path), name)).includes(word)),
    async locked(work) {
      using database = new DatabaseSync(path, { timeout: 10_000 });
      database.exec('BEGIN IMMEDIATE');
      try {
        return await work();
      } finally {
        database.exec('ROLLBACK');
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

async function openPostgres(): Promise<TestDatabase> {
  const database = await createDatabase();
  const { url } = database;
  const { databaseId } = await migrate({ url });
  // As a process that starts does: with today's partitions before the first row.
  const partitioned = new PostgresDatabase({ url });
  await ensurePartitions(partitioned);
  await partitioned.close();
  const config = clientConfig(readPostgresOptions({ url }));
  async function withClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client(config);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
  const ask = async (sql: string, ...values: Value[]): Promise<Row[]> =>
    withClient(async (client) => (await client.query<Row>(translate(sql).text, values)).rows);
  return {
    url,
    // Thirty turns that one test posts at once share two processors with five other tests: nobody is refused for that.
    open: () => postgresStore({ url, connectTimeoutMs: 30_000 }, databaseId),
    ask,
    async find(word) {
      const tables = await ask("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'");
      const rows = await Promise.all(tables.map(async ({ name }) => [String(name), await ask(`SELECT * FROM ${String(name)}`)] as const));
      const has = (value: Value): boolean =>
        value instanceof Uint8Array ? Buffer.from(value).includes(word) : String(value).includes(word);
      return rows.filter(([, of]) => of.some((row) => Object.values(row).some(has))).map(([name]) => name);
    },
    locked: (work) =>
      withClient(async (client) => {
        await client.query('SET idle_in_transaction_session_timeout = 0');
        await client.query('BEGIN');
        // With `commits`, which each commit writes to, and whoever asks whether anything can be written.
        await client.query('LOCK TABLE turns, journal_head, sessions, commits IN EXCLUSIVE MODE');
        try {
          return await work();
        } finally {
          await client.query('ROLLBACK');
        }
      }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}
