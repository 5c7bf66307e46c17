/** Followers of very many turns on a real server, which other works of the same process share the connections with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { postgresStore } from '../../../src/store/postgres/open-store.ts';
import { needDatabase, startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import { Journal } from '../../support/journal.ts';
import { inserted, newTurn } from '../contract.ts';
import { never } from '../contract-follow.ts';

/** More than may wait for a connection. */
const many = 1_500;

test('T14 · whoever follows many turns takes the connections of nobody else, when they join and when all have new rows', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const { databaseId } = await migrate({ url });
  const store = postgresStore({ url }, databaseId);
  await inserted(store, newTurn('resp_user'));
  const there = new pg.Client(url);
  await there.connect();
  await there.query(
    `INSERT INTO journal_head (turn, epoch, next_seq, sealed) SELECT 'resp_' || at, 1, 1, 0 FROM generate_series(1, ${many}) AS at`,
  );
  await there.query(
    `INSERT INTO journal (turn, seq, type, data) SELECT 'resp_' || at, 0, 'x', '{}' FROM generate_series(1, ${many}) AS at`,
  );
  const leave = new AbortController();
  const followers = Array.from({ length: many }, (_, at) => store.follow(`resp_${at + 1}`, -1, leave.signal)[Symbol.asyncIterator]());
  for (const seq of [0, 1]) {
    const next = followers.map((follower) => follower.next());
    // Right behind the questions of all who follow: none is refused for them.
    if (seq === 0) assert.equal((await store.readTurn('resp_user'))?.id, 'resp_user');
    else {
      await there.query(
        `INSERT INTO journal (turn, seq, type, data) SELECT 'resp_' || at, 1, 'x', '{}' FROM generate_series(1, ${many}) AS at`,
      );
      await there.query(`UPDATE journal_head SET next_seq = 2, sealed = 1 WHERE turn <> 'resp_user'`);
    }
    for (const each of next) assert.deepEqual((await each).value, [{ seq, type: 'x', data: '{}' }]);
  }
  for (const follower of followers) assert.equal((await follower.next()).done, true);
  await there.end();
  await store.close();
});

test('T7 · a viewer who reads the past goes on where it was, once a server that was restarted is back', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  const { databaseId } = await migrate({ url: server.url });
  const store = postgresStore({ url: server.url }, databaseId);
  const journal = await Journal.open(store, newTurn('resp_a'));
  await journal.append(store, 1_000);
  const viewer = store.follow('resp_a', -1, never)[Symbol.asyncIterator]();
  const seen = [...((await viewer.next()).value ?? [])];
  await server.stop();
  const next = viewer.next();
  await server.start();
  seen.push(...((await next).value ?? []));
  while (seen.length < journal.rows.length) seen.push(...((await viewer.next()).value ?? []));
  assert.deepEqual(seen, journal.rows);
  await store.close();
});
