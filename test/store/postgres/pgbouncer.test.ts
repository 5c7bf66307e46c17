/** Behind a real PgBouncer in transaction mode, which gives each transaction whatever connection is free. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { all, lockTenant, one, run, scan, type Work } from '../../../src/store/sql/work.ts';
import { needPgbouncer } from '../../support/programs.ts';
import { needDatabase, serverUser } from '../../support/postgres-server.ts';
import { until } from '../../support/until.ts';

/** @returns the address of the database through a pooler that has two connections to it */
async function pooled(t: TestContext): Promise<string | undefined> {
  const [url, program] = [await needDatabase(t), await needPgbouncer(t)];
  if (url === undefined || program === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-pooler-'));
  const owner = await serverUser();
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const settings = join(folder, 'pgbouncer.ini');
  const name = new URL(url).pathname.slice(1);
  writeFileSync(
    settings,
    `[databases]
${name} = host=${new URL(url).searchParams.get('host') ?? ''} user=turnkeep
[pgbouncer]
unix_socket_dir = ${folder}
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = 2
`,
  );
  const pooler = spawn(program, ['-q', settings], { ...owner, cwd: folder, stdio: 'ignore' });
  t.after(async () => {
    pooler.kill('SIGKILL');
    if (pooler.exitCode === null && pooler.signalCode === null) await once(pooler, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });
  const address = `postgres://turnkeep@localhost/${name}?host=${encodeURIComponent(folder)}`;
  await until(async () => {
    const client = new pg.Client(address);
    client.on('error', () => undefined);
    return client.connect().then(
      async () => client.end().then(() => true),
      () => false,
    );
  });
  return address;
}

test('many works at once have their own schema, limits and locks on the two connections of a pooler', async (t) => {
  const address = await pooled(t);
  if (address === undefined) return;
  const url = `${address}&schema=kept&pgbouncer=true`;
  await Promise.all([migrate({ url }), migrate({ url })]);
  const db = new PostgresDatabase({ url, poolSize: 8, lockTimeoutMs: 20_000 });
  t.after(async () => db.close());
  const raise = function* (): Work<string> {
    yield* lockTenant('a');
    const row = yield* one(`SELECT until, current_setting('lock_timeout') AS lock FROM leaders WHERE task = 'count'`);
    yield* run(
      `INSERT INTO leaders (task, holder, until) VALUES ('count', '', ?) ON CONFLICT (task) DO UPDATE SET until = excluded.until`,
      Number(row?.['until'] ?? 0) + 1,
    );
    return String(row?.['lock'] ?? '20s');
  };
  const limits = await Promise.all(Array.from({ length: 40 }, async () => db.commit('quick', raise)));
  assert.deepEqual([...new Set(limits)], ['20s']);
  assert.deepEqual(
    (await db.read(() => all('SELECT until FROM leaders'))).map(({ until: count }) => count),
    [40],
  );
  const numbers: unknown[] = [];
  await db.read(() => scan('SELECT n FROM generate_series(1, ?) AS numbers (n)', [600], ({ n }) => numbers.push(n) > 0));
  assert.equal(numbers.length, 600);
});
