/** LISTEN and NOTIFY on a real server: who watches learns of all that others write, whatever happens to the connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import type { ChangeWatcher } from '../../../src/store/live/source.ts';
import { payloadsOf, readPayload } from '../../../src/store/postgres/notifications.ts';
import { PostgresSignal, type SignalOptions } from '../../../src/store/postgres/signal.ts';
import { needDatabase, startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import { until } from '../../support/until.ts';
import { Proxy } from './proxy.ts';

class Watcher implements ChangeWatcher {
  /** The newest row of each journal that it was told of. */
  readonly known = new Map<string, number | undefined>();
  /** How often any journal may have changed. */
  anyCount = 0;
  failures = 0;

  onChange(turn?: string, last?: number): void {
    if (turn === undefined) this.anyCount += 1;
    else this.known.set(turn, last);
  }

  onFailure(): void {
    this.failures += 1;
  }
}

interface Bench extends AsyncDisposable {
  /** Of the connections that listen. */
  readonly proxy: Proxy;
  readonly pool: pg.Pool;
  /** Of a process of its own. */
  open(options?: Partial<SignalOptions>): PostgresSignal;
}

async function start(url: string): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  const proxy = stack.use(await Proxy.start(url));
  const pool = new pg.Pool({ connectionString: url });
  pool.on('error', () => undefined);
  stack.defer(() => pool.end());
  return {
    proxy,
    pool,
    open(options) {
      const signal = new PostgresSignal({
        config: { connectionString: url },
        listenConfig: { connectionString: proxy.url, application_name: 'listener' },
        schema: 'public',
        ...options,
      });
      stack.defer(() => signal.close());
      return signal;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** On a database of its own; skipped where there is no Postgres. */
function onDatabase(name: string, act: (bench: Bench) => Promise<void>): void {
  test(name, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    await using bench = await start(url);
    await act(bench);
  });
}

const listeners = async (pool: pg.Pool): Promise<number> =>
  (await pool.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'listener'`)).rows.length;

onDatabase('what one process has committed, those of others that watch are told of, and it is not told of its own', async (bench) => {
  const [here, there, third] = [bench.open(), bench.open(), bench.open()];
  const watchers = [new Watcher(), new Watcher(), new Watcher()];
  for (const [at, signal] of [here, there, third].entries()) signal.watch(watchers[at]!);
  await until(() => here.isListening && there.isListening && third.isListening);
  here.notify('resp_a', 1);
  here.notify('resp_a', 3);
  here.notify('resp_b', 0);
  for (const watcher of watchers.slice(1)) await until(() => watcher.known.get('resp_a') === 3 && watcher.known.get('resp_b') === 0);
  there.notify('resp_c', 7);
  await until(() => watchers[0]!.known.get('resp_c') === 7);
  assert.deepEqual([...watchers[0]!.known.keys()], ['resp_c'], 'nothing of its own');
});

onDatabase('a connection that is ended is opened again, and then anything may have changed', async (bench) => {
  const [here, there] = [bench.open(), bench.open()];
  const watcher = new Watcher();
  there.watch(watcher);
  await until(() => there.isListening);
  for (let ends = 0; ends < 3; ends += 1) {
    const before = watcher.anyCount;
    await bench.pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listener'`);
    await until(() => watcher.anyCount > before);
    here.notify('resp_a', ends);
    await until(() => watcher.known.get('resp_a') === ends);
  }
  assert.equal(watcher.failures, 0);
});

test('it listens again after a kill of the server, and what could not be sent meanwhile holds up nobody', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await using bench = await start(server.url);
  const [here, there] = [bench.open(), bench.open()];
  const watcher = new Watcher();
  there.watch(watcher);
  await until(() => there.isListening);
  await server.kill();
  await until(() => !there.isListening);
  here.notify('resp_lost', 1);
  const before = watcher.anyCount;
  await server.start();
  await until(() => watcher.anyCount > before);
  // Until its own connection is there again, what it is told is dropped.
  await until(() => {
    here.notify('resp_a', 1);
    return watcher.known.get('resp_a') === 1;
  });
});

onDatabase('a connection whose other end is gone without a word is found, and opened again', async (bench) => {
  const [here, there] = [bench.open(), bench.open({ probeMs: 50 })];
  const watcher = new Watcher();
  there.watch(watcher);
  await until(() => there.isListening);
  bench.proxy.holds = 'answers';
  await until(() => !there.isListening);
  bench.proxy.holds = 'nothing';
  const before = watcher.anyCount;
  await until(() => watcher.anyCount > before);
  const opened = watcher.anyCount;
  here.notify('resp_a', 1);
  // Where no answer comes in 50 ms, as on a busy machine, it is opened once more, and that says: any.
  await until(() => watcher.known.get('resp_a') === 1 || watcher.anyCount > opened);
});

onDatabase('while nobody watches there is no connection, and it lasts for as long as one of several does', async (bench) => {
  const [here, there] = [bench.open(), bench.open({ lingerMs: 1 })];
  assert.equal(bench.proxy.connections, 0);
  const [first, second] = [new Watcher(), new Watcher()];
  const stops = [there.watch(first), there.watch(second)];
  await until(() => there.isListening);
  stops[0]?.();
  here.notify('resp_a', 1);
  await until(() => second.known.get('resp_a') === 1);
  assert.equal(first.known.size, 0);
  stops[1]?.();
  await until(async () => (await listeners(bench.pool)) === 0);
  there.watch(first);
  await until(() => there.isListening);
  assert.equal(await listeners(bench.pool), 1);
});

onDatabase('a crowd of turns takes several notifications, and more than that are one that says: any', async (bench) => {
  const [here, there] = [bench.open(), bench.open()];
  const watcher = new Watcher();
  there.watch(watcher);
  await until(() => there.isListening);
  const before = watcher.anyCount;
  for (let turn = 0; turn < 1_000; turn += 1) here.notify(`resp_${String(turn).padStart(48, '0')}`, turn);
  await until(() => watcher.known.size === 1_000);
  assert.equal(watcher.anyCount, before);
  for (let turn = 0; turn < 6_000; turn += 1) here.notify(`resp_${String(turn).padStart(48, '0')}`, turn);
  await until(() => watcher.anyCount === before + 1);
});

test('payloads fit into what the server takes, and read as they were written', () => {
  const changes = new Map(Array.from({ length: 1_000 }, (_, at) => [`resp_${'x'.repeat(64)}${at}`, at] as const));
  const payloads = payloadsOf('me', changes);
  assert.ok(payloads.every((payload) => Buffer.byteLength(payload) < 8_000));
  const read = payloads.map((payload) => readPayload(payload));
  assert.ok(read.every((each) => each?.sender === 'me'));
  assert.deepEqual(new Map(read.flatMap((each) => [...((each?.changes ?? new Map()) as ReadonlyMap<string, number>)])), changes);
  assert.deepEqual(payloadsOf('me', new Map()), []);
  for (const odd of ['', 'me', 'me resp_a', 'me resp_a:x', '{"v":2}']) assert.equal(readPayload(odd), undefined, odd);
});
