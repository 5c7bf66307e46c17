/** A store on a real Postgres, where others hold what it asks for. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { newId } from '../../../src/client/ids.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { openPostgresStore, postgresStore } from '../../../src/store/postgres/open-store.ts';
import { dropPartitions, ensurePartitions, readUpkeep } from '../../../src/store/postgres/partitions.ts';
import type { RetentionCursor } from '../../../src/store/ports/retention.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { one } from '../../../src/store/sql/work.ts';
import { needDatabase } from '../../support/postgres-server.ts';
import { claimed, inserted, newTurn } from '../contract.ts';

const dayMs = 86_400_000;

async function connected(t: TestContext, url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  // The database goes before it.
  client.on('error', () => undefined);
  await client.connect();
  t.after(async () => client.end());
  return client;
}

async function storeOf(t: TestContext, url: string): Promise<Store> {
  const { databaseId } = await migrate({ url });
  const store = postgresStore({ url }, databaseId);
  t.after(async () => store.close());
  return store;
}

test('T9 · a probe is not held up by a row that another process has locked', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [store, other] = [await storeOf(t, url), await connected(t, url)];
  await other.query('BEGIN; UPDATE meta SET value = value; UPDATE leaders SET until = until');
  await store.probe();
  await other.query('ROLLBACK');
});

test('a probe finds that nothing can be written', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const store = await storeOf(t, `${url}&options=${encodeURIComponent('-c default_transaction_read_only=on')}`);
  await assert.rejects(store.probe(), { name: 'StoreBusyError' });
});

/** As `pg_dump` does for as long as it runs. */
async function lockAllTables(client: pg.Client): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname::text AS name FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`,
  );
  for (const { name } of rows) await client.query(`LOCK TABLE ${name} IN ACCESS SHARE MODE`);
}

test('during a backup a store opens, retention goes on with all but partitions, and appends are taken', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const store = await storeOf(t, url);
  // However long others wait for locks.
  const db = new PostgresDatabase({ url, lockTimeoutMs: 600_000, statementTimeoutMs: 600_000 });
  t.after(async () => db.close());
  const [past, today] = [Date.now() - 40 * dayMs, Date.now()];
  for (const nowMs of [past, today]) await ensurePartitions(db, { nowMs, aheadDays: 0 });
  const id = newId('resp');
  await inserted(store, newTurn(id));
  const { epoch } = await claimed(store, id);
  await store.createSession({ id: 'conv_old', tenant: 'default', metadata: {}, createdAtMs: 1 });
  const dump = await connected(t, url);
  await lockAllTables(dump);

  for (const work of [() => ensurePartitions(db), () => dropPartitions(db, today - 30 * dayMs)]) {
    await assert.rejects(work(), { name: 'StoreBusyError' });
  }
  const opened = await openPostgresStore({ url });
  await opened.close();
  await expireAll(store, today);
  assert.equal(await store.readSession('default', 'conv_old'), undefined);
  const next = ((await store.readHead(id))?.last ?? 0) + 1;
  assert.equal(await store.append({ turn: id, epoch, rows: [{ seq: next, type: 'x', data: '{}' }] }), true);
  assert.deepEqual(await daysOf(db), { days: 2, ahead: 0 });

  await dump.query('ROLLBACK');
  await expireAll(store, today);
  assert.deepEqual(await daysOf(db), { days: 8, ahead: 7 });
});

/** What ended more than 30 days before. */
async function expireAll(store: Store, atMs: number): Promise<void> {
  for (let from: RetentionCursor | undefined, isBegun = false; !isBegun || from !== undefined; isBegun = true) {
    from = await store.expire({ beforeMs: atMs - 30 * dayMs, atMs }, from);
  }
}

/** Days that have a partition, in all and behind today. */
async function daysOf(db: PostgresDatabase): Promise<{ readonly days: number; readonly ahead: number }> {
  const sql = `SELECT count(*) AS days FROM pg_inherits WHERE inhparent = to_regclass('journal') AND inhrelid <> to_regclass('journal_default')`;
  const row = await db.read(() => one(sql));
  return { days: Number(row?.['days']), ahead: (await readUpkeep(db)).partitionDaysAhead };
}
