/** A role that starts while its Postgres is away, as a failover or a restart of all machines has it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { openDatabase } from '../../../src/cli/open-database.ts';
import { needDatabase } from '../../support/postgres-server.ts';

const patient = AbortSignal.timeout(60_000);
const postgres = { poolSize: 2 };

/** A log whose lines are told. */
const logTo = (onLine: (line: string) => void) =>
  pino(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        onLine((JSON.parse(chunk.toString()) as { msg: string }).msg);
        done();
      },
    }),
  );

test('a database whose connections are reset at first is opened once they hold, with a line in the log for each attempt', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const target = new URL(url);
  const folder = target.searchParams.get('host');
  const open = (): Socket =>
    folder?.startsWith('/') === true
      ? connect(`${folder}/.s.PGSQL.${target.port || '5432'}`)
      : connect(Number(target.port || '5432'), target.hostname);
  let connections = 0;
  const proxy = createServer((socket) => {
    connections += 1;
    if (connections <= 2) {
      socket.resetAndDestroy();
      return;
    }
    const server = open();
    socket.pipe(server).pipe(socket);
    for (const each of [socket, server]) each.on('error', () => undefined).on('close', () => (socket.destroy(), server.destroy()));
  });
  t.after(() => proxy.close());
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const address = proxy.address();
  assert.ok(typeof address === 'object' && address !== null);
  const through = new URL(url);
  through.searchParams.delete('host');
  through.host = `127.0.0.1:${address.port}`;
  const lines: string[] = [];
  const log = logTo((line) => lines.push(line));
  const store = await openDatabase({ databaseUrl: through.href, postgres }, log, patient);
  t.after(async () => store.close());
  await store.probe();
  assert.deepEqual(
    lines,
    [500, 1_000].map((ms) => `The database cannot be opened for now; trying again in ${ms} ms`),
  );
});

test('a database that answers and cannot be used is not waited for', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const missing = new URL(url);
  missing.pathname = '/nobody_made_this';
  const lines: string[] = [];
  const log = logTo((line) => lines.push(line));
  await assert.rejects(openDatabase({ databaseUrl: missing.href, postgres }, log, patient), /does not exist/);
  assert.deepEqual(lines, []);
});

test('who stops the process meanwhile does not wait', async () => {
  const stop = new AbortController();
  const log = logTo(() => stop.abort());
  const config = { databaseUrl: 'postgres://127.0.0.1:1/nowhere', postgres };
  await assert.rejects(openDatabase(config, log, stop.signal), { name: 'AbortError' });
});
