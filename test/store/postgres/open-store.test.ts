/** A store on a real Postgres, where others hold what it asks for. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { postgresStore } from '../../../src/store/postgres/open-store.ts';
import type { Store } from '../../../src/store/ports/store.ts';
import { needDatabase } from '../../support/postgres-server.ts';

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
