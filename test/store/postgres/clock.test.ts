/** The clock of the database, as a process knows it (T2, T6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, DatabaseClock } from '../../../src/store/postgres/clock.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { now, one } from '../../../src/store/sql/work.ts';
import { startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';

test('an answer that came within a quarter of a second is counted on, one that took longer is not', (t) => {
  let atMs = 1_000;
  t.mock.method(performance, 'now', () => atMs);
  const clock = new DatabaseClock();
  const ask = (databaseMs: number, tookMs: number): number => {
    const askedAt = atMs;
    atMs += tookMs;
    return clock.note(databaseMs, askedAt);
  };
  assert.equal(ask(50_000, 12_000), 56_000, 'as good as it can be told');
  assert.equal(clock.now(), undefined);
  assert.equal(ask(60_000, 10), 60_005);
  atMs += 100;
  assert.equal(clock.now(), 60_105);
  ask(99_000, 6_000);
  assert.equal(clock.now(), 66_105, 'as it was known before');
  atMs += 4_000;
  assert.equal(clock.now(), undefined);
});

test('T2 · a server that stood still is asked again, and leases run by its second answer', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  const clock = new DatabaseClock();
  const areKept: boolean[] = [];
  const watched: Clock = {
    now: () => clock.now(),
    note(databaseMs, askedAt) {
      const nowMs = clock.note(databaseMs, askedAt);
      areKept.push(clock.now() !== undefined);
      return nowMs;
    },
  };
  const db = new PostgresDatabase({ url: server.url }, watched);
  t.after(async () => db.close());
  await db.read(() => one('SELECT 1'));
  server.freeze();
  const asked = db.read(() => now());
  setTimeout(() => server.resume(), 400);
  await asked;
  assert.deepEqual([areKept[0], areKept.length > 1], [false, true]);
});
