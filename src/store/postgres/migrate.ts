/**
 * Brings a database to the tables of this version, also while other processes do the same.
 *
 * Old and new run side by side while a version is rolled out: `meta` says which is the oldest version that can still use the tables.
 */
import { randomBytes } from 'node:crypto';
import pg, { type ClientBase } from 'pg';
import { translateError } from './errors.ts';
import { clientConfig, type PostgresOptions, type PostgresSettings, readPostgresOptions } from './options.ts';
import { type Migration, migrations as allMigrations } from './migrations.ts';

export interface Migrated {
  /** See `Store.databaseId`. */
  readonly databaseId: string;
  /** Migrations that were done before, and those that are done now. */
  readonly from: number;
  readonly to: number;
}

/** How long a migration waits for whoever reads or writes a table; everybody else waits behind it meanwhile. */
const lockTimeoutMs = 10_000;
/** How long its transaction may do nothing: nobody does it again by itself, as works are done. */
const idleTimeoutMs = 30_000;

const oldestServer = { number: 140_000, name: '14' };

interface State {
  readonly databaseId: string;
  readonly version: number;
  /** The lowest number of migrations that a process may know and still use this database. */
  readonly oldestReader: number;
}

/**
 * Does the migrations that were not done yet, each in a transaction of its own. Of several processes one does them, and the others
 * wait for it. It never goes back.
 * @throws where the database is of a version too new for this one, and is not UTF-8
 * @throws `StoreBusyError` where it cannot be reached, or is in use, for now
 */
export async function migrate(options: PostgresOptions, migrations: readonly Migration[] = allMigrations): Promise<Migrated> {
  const settings = readPostgresOptions(options);
  // A migration takes its time.
  const client = new pg.Client({ ...clientConfig(settings), statement_timeout: 0, query_timeout: 0, lock_timeout: 0 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await migrateOn(client, settings, migrations);
  } catch (error) {
    throw translateError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function migrateOn(client: ClientBase, settings: PostgresSettings, migrations: readonly Migration[]): Promise<Migrated> {
  let from: number | undefined;
  for (;;) {
    const { before, after } = await inTransaction(client, settings, async () => migrateOnce(client, settings.schema, migrations));
    from ??= before.version;
    if (after.version >= migrations.length) return { databaseId: after.databaseId, from, to: after.version };
  }
}

/** Under a lock that ends with the transaction, so that it holds behind a pooler too, and not beyond the process. */
async function inTransaction<T>(client: ClientBase, { schema }: PostgresSettings, act: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL search_path = ${schema}; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
      SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs};
      SELECT pg_advisory_xact_lock(hashtextextended('migrate:${schema}', 0));
      SET LOCAL lock_timeout = ${lockTimeoutMs};`);
    const result = await act();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The next migration, if there is one. */
async function migrateOnce(
  client: ClientBase,
  schema: string,
  migrations: readonly Migration[],
): Promise<{ readonly before: State; readonly after: State }> {
  const isNew = (await valueOf(client, `SELECT to_regclass('${schema}.meta') IS NULL AS value`)) === 1;
  if (isNew) await begin(client, schema);
  const before: State = {
    databaseId: String(await metaOf(client, 'database')),
    version: Number(await metaOf(client, 'schema')),
    oldestReader: Number(await metaOf(client, 'oldest_reader')),
  };
  if (before.oldestReader > migrations.length) {
    const versions = `schema ${before.version}, which takes ${before.oldestReader} or newer; this one knows ${migrations.length}`;
    throw new Error(`the database is of a newer turnkeep (${versions}): update this process`);
  }
  const next = migrations[before.version];
  if (next === undefined) return { before, after: before };
  await client.query(next.sql);
  const version = before.version + 1;
  const oldestReader = next.servesVersionBefore ? before.version : version;
  await client.query(
    `UPDATE meta SET value = '${version}' WHERE name = 'schema'; UPDATE meta SET value = '${oldestReader}' WHERE name = 'oldest_reader'`,
  );
  return { before, after: { ...before, version, oldestReader } };
}

/** An empty database, or an empty part of one. */
async function begin(client: ClientBase, schema: string): Promise<void> {
  if (Number(await valueOf(client, `SELECT current_setting('server_version_num')::int AS value`)) < oldestServer.number) {
    throw new Error(`turnkeep needs Postgres ${oldestServer.name} or newer`);
  }
  const encoding = await valueOf(client, `SELECT current_setting('server_encoding') AS value`);
  if (encoding !== 'UTF8') throw new Error(`the database has the encoding ${String(encoding)}; create it with ENCODING 'UTF8'`);
  if ((await valueOf(client, `SELECT to_regnamespace('${schema}') IS NULL AS value`)) === 1) await client.query(`CREATE SCHEMA ${schema}`);
  await client.query(`CREATE TABLE meta (name TEXT COLLATE "C" PRIMARY KEY, value TEXT COLLATE "C" NOT NULL);
    INSERT INTO meta VALUES ('database', '${randomBytes(8).toString('hex')}'), ('schema', '0'), ('oldest_reader', '0')`);
}

async function metaOf(client: ClientBase, name: string): Promise<unknown> {
  return valueOf(client, `SELECT value FROM meta WHERE name = '${name}'`);
}

async function valueOf(client: ClientBase, sql: string): Promise<unknown> {
  return (await client.query<{ value: unknown }>(sql)).rows[0]?.value;
}
