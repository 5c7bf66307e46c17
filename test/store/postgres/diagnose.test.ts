/** What `diagnosePostgres` sees of a real server, and what `turnkeep migrate` does with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import type { Finding } from '../../../src/store/ports/diagnosis.ts';
import { diagnosePostgres } from '../../../src/store/postgres/diagnose.ts';
import { migrations } from '../../../src/store/postgres/migrations.ts';
import { openPostgresStore } from '../../../src/store/postgres/open-store.ts';
import { readCodecKeyMark } from '../../../src/store/postgres/schema-versions.ts';
import { turnkeep } from '../../cli/run-turnkeep.ts';
import { createDatabase, startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';

/** Every finding that is not well has a way out. */
async function diagnosed(url: string): Promise<ReadonlyMap<string, Finding>> {
  const findings = await diagnosePostgres({ url })();
  for (const each of findings) assert.equal(each.mend !== undefined, /^(?:warning|fault)$/.test(each.status), JSON.stringify(each));
  return new Map(findings.map((each) => [each.check, each]));
}

const statusOf = (findings: ReadonlyMap<string, Finding>, check: string): string =>
  `${findings.get(check)?.status}: ${findings.get(check)?.seen}`;

test('tables that are not there yet are a warning; turnkeep migrate makes them, and says from where to where', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using database = await createDatabase({ isMigrated: false });
  const { url } = database;
  assert.equal(statusOf(await diagnosed(url), 'database schema'), 'warning: there are no tables yet');
  const migrate = async (...args: readonly string[]) => turnkeep('migrate', '--database-url', url, ...args);
  assert.equal(await readCodecKeyMark({ url }), null);
  const check = await migrate('--check', '--json');
  assert.deepEqual([check.code, (JSON.parse(check.stdout) as { current: number }).current], [1, 0], check.stderr);
  const done = await migrate();
  assert.match(done.stdout, new RegExp(`: made, now schema ${migrations.length}\n$`));
  assert.equal((await migrate('--check')).code, 0);
  assert.equal(await readCodecKeyMark({ url }), null);
  const store = await openPostgresStore({ url });
  await store.useCodecKey([{ id: 'a', fingerprint: 'f1' }]);
  await store.close();
  assert.deepEqual(await readCodecKeyMark({ url }), { id: 'a', fingerprint: 'f1' });
  const findings = await diagnosed(url);
  const well = [
    'database',
    'database schema',
    'database writes',
    'database connections',
    'database replicas',
    'database clock',
    'notification queue',
  ];
  for (const each of well) assert.match(statusOf(findings, each), /^ok: /);
  assert.match(statusOf(findings, 'notification queue'), /^ok: 0\.0 % full$/);

  const client = new pg.Client(url);
  await client.connect();
  await client.query(`UPDATE meta SET value = '${migrations.length + 1}' WHERE name = 'schema'`);
  assert.match(statusOf(await diagnosed(url), 'database schema'), /^ok: .*which can use it$/);
  await client.query(`UPDATE meta SET value = '${migrations.length + 1}' WHERE name = 'oldest_reader'`);
  assert.match(statusOf(await diagnosed(url), 'database schema'), /^fault: /);
  await client.query(`UPDATE meta SET value = '0'`);
  assert.match(statusOf(await diagnosed(url), 'database schema'), /^warning: 0, and/);
  await client.end();
});

test('partitions that end soon, rows in a default one: told by the names of the tables', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using database = await createDatabase({ isMigrated: false });
  const client = new pg.Client(database.url);
  await client.connect();
  const day = (ahead: number): string => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '');
  await client.query('CREATE TABLE words (turn TEXT) PARTITION BY RANGE (turn); CREATE TABLE words_default PARTITION OF words DEFAULT');
  assert.match(statusOf(await diagnosed(database.url), 'database partitions'), /^fault: words has 1 partition, for 0 days ahead$/);
  for (const ahead of [0, 1, 2, 3]) {
    await client.query(`CREATE TABLE words_d${day(ahead)} PARTITION OF words FOR VALUES FROM ('${ahead}') TO ('${ahead + 1}')`);
  }
  const made = await diagnosed(database.url);
  assert.match(statusOf(made, 'database partitions'), /^ok: words has 5 partitions, for 3 days ahead$/);
  assert.match(statusOf(made, 'default partition'), /^ok: /);
  await client.query(`INSERT INTO words VALUES ('lost'); DROP TABLE words_d${day(3)}`);
  const late = await diagnosed(database.url);
  assert.match(statusOf(late, 'database partitions'), /^warning: /);
  assert.match(statusOf(late, 'default partition'), /^warning: public\.words_default has 1 rows/);
  await client.end();
});

test('a server that is nearly full, that may lose what it took in, that is not there: warnings and faults', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres({
    max_connections: '8',
    superuser_reserved_connections: '1',
    fsync: 'off',
    synchronous_commit: 'off',
  });
  const held = Array.from({ length: 5 }, () => new pg.Client(server.url));
  await Promise.all(held.map(async (client) => client.connect()));
  const findings = await diagnosed(server.url);
  assert.match(statusOf(findings, 'database connections'), /^warning: 6 of 7, 1 of them turnkeep's$/);
  assert.match(statusOf(findings, 'database settings'), /^fault: fsync and synchronous_commit are off/);
  await Promise.all(held.map(async (client) => client.end()));

  assert.match(
    statusOf(await diagnosed(server.url.replace('/postgres?', '/nowhere?')), 'database'),
    /^fault: no connection: database "nowhere" does not exist$/,
  );
  await server.stop();
  const away = await diagnosed(server.url);
  assert.deepEqual([[...away.keys()], away.get('database')?.status], [['database'], 'fault']);
});
