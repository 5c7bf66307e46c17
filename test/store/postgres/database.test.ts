/** Works on a real Postgres: what is committed, what is undone, and what becomes of them when others, the network or the server fail. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { clientConfig, type PostgresOptions, readPostgresOptions } from '../../../src/store/postgres/options.ts';
import { StoreBusyError } from '../../../src/store/ports/store.ts';
import { all, lockSession, lockTenant, lockTurn, one, onlyIn, run, scan, together, type Work } from '../../../src/store/sql/work.ts';
import { startCutProxy } from '../../support/cut-proxy.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { lockWaits, needDatabase, startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import { until } from '../../support/until.ts';
import { demote } from './demote.ts';
import { Proxy } from './proxy.ts';

function open(t: TestContext, url: string, options: Partial<PostgresOptions> = {}): PostgresDatabase {
  const db = new PostgresDatabase({ url, ...options });
  t.after(async () => db.close());
  return db;
}

/** Tasks that are led stand for whatever is written. */
function* say(word: string, by = ''): Work<void> {
  yield* run('INSERT INTO leaders (task, holder, until) VALUES (?, ?, 0)', word, by);
}

async function words(db: PostgresDatabase): Promise<unknown[]> {
  return db.read(function* () {
    return (yield* all('SELECT task FROM leaders ORDER BY task')).map(({ task }) => task);
  });
}

interface Gate {
  /** Waits on the server until it is open. */
  pass(): Work<void>;
  /** So many wait for this, or for each other. */
  untilWaiting(count: number): Promise<void>;
  open(): Promise<void>;
}

async function closedGate(t: TestContext, url: string): Promise<Gate> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  t.after(async () => client.end());
  await client.query('SELECT pg_advisory_lock(7)');
  return {
    *pass() {
      yield* one('SELECT pg_advisory_xact_lock_shared(7)');
    },
    untilWaiting: async (count) => {
      await until(async () => (await lockWaits(client)) === count);
    },
    open: async () => {
      await client.query('SELECT pg_advisory_unlock(7)');
    },
  };
}

const isBusy = { name: 'StoreBusyError' };

test('a commit keeps what its work has written, and returns what it returns', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  const count = await db.commit('durable', function* () {
    yield* say('one');
    yield* say('two');
    return yield* run(`UPDATE leaders SET until = ? WHERE task <> ?`, 5, 'one');
  });
  assert.equal(count, 1);
  assert.deepEqual(await words(open(t, url)), ['one', 'two']);
});

test('a work that throws takes back what it has written, and the connection serves the next one', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url, { poolSize: 1 });
  const backend = async (): Promise<unknown> => db.read(() => one('SELECT pg_backend_pid() AS pid'));
  const before = await backend();
  const fault = new Error('a fault of its own');
  const failing = db.commit('durable', function* () {
    yield* say('one');
    throw fault;
  });
  await assert.rejects(failing, fault);
  assert.deepEqual([await words(db), await backend()], [[], before]);
});

test('a work that goes on behind an error of the database is told it again, and is not committed', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  const seen: unknown[] = [];
  const failing = db.commit('durable', function* () {
    yield* say('one');
    for (const sql of ['SELECT 1 / 0', 'SELECT 1']) {
      try {
        yield* one(sql);
      } catch (error) {
        seen.push(error instanceof Error && error.message);
      }
    }
  });
  await assert.rejects(failing, /division by zero/);
  assert.deepEqual([seen, await words(db)], [['division by zero', 'division by zero'], []]);
});

test('T1 · of works that are done together one that throws leaves nothing of the others, which may still be under way then', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url, { poolSize: 1 });
  const gate = await closedGate(t, url);
  const committed = db.commit('durable', function* () {
    yield* together([
      function* (): Work<void> {
        yield* one('SELECT 1');
        throw new Error('ours');
      },
      function* (): Work<void> {
        yield* gate.pass();
        yield* say('late');
      },
    ]);
  });
  await gate.untilWaiting(1);
  await Promise.all([assert.rejects(committed, /ours/), gate.open()]);
  assert.deepEqual(await words(db), []);
  assert.deepEqual(await db.commit('durable', () => together([() => say('one'), () => run('UPDATE leaders SET until = 1')])), [
    undefined,
    1,
  ]);
});

test('values come back as the works know them, whatever Postgres calls their types', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  const row = await db.read(() =>
    one(
      `SELECT CAST(? AS BIGINT) AS big, count(*) AS counted, sum(n) AS summed, 1 = 1 AS yes, 1 = 2 AS no, 0.5 AS half, CAST(? AS BYTEA) AS bytes,
         CAST(? AS TEXT) AS text, NULL AS nothing FROM (VALUES (1::bigint), (2)) AS numbers (n)`,
      Number.MAX_SAFE_INTEGER,
      Uint8Array.of(0, 255),
      'a\0b ü 😀',
    ),
  );
  assert.deepEqual(
    { ...row },
    {
      big: Number.MAX_SAFE_INTEGER,
      counted: 2,
      summed: 3,
      yes: 1,
      no: 0,
      half: 0.5,
      bytes: Uint8Array.of(0, 255),
      text: 'a\uFFFDb ü 😀',
      nothing: null,
    },
  );
  await assert.rejects(
    db.read(() => one('SELECT 9007199254740993 AS big')),
    /9007199254740993/,
  );
  assert.deepEqual(await words(db), [], 'the connection is none the worse for it');
});

test('JSON that says what a text of Postgres cannot hold is read all the same', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  const document = JSON.stringify({ a: [{ b: 'x\0\0y\u{1F600}\udc00z\ud800' }], c: String.raw`not \u0000` });
  const row = await db.read(() =>
    one(
      `SELECT item ->> '$.a[0].b' AS b, item ->> '$.c' AS c, item -> '$.a' AS a, item ->> '$.d' AS d FROM (VALUES (CAST(? AS TEXT))) AS items (item)`,
      document,
    ),
  );
  assert.deepEqual([row?.['b'], row?.['c'], row?.['d']], ['x��y\u{1F600}�z�', String.raw`not \u0000`, null]);
  assert.deepEqual(JSON.parse(String(row?.['a'])), [{ b: 'x��y\u{1F600}�z�' }]);
  const ids = await db.read(() => all('SELECT value FROM json_each(?)', JSON.stringify(['a', 'b\0'])));
  assert.deepEqual(
    ids.map(({ value }) => value),
    ['a', 'b\uFFFD'],
  );
});

test('a statement for another driver is left out', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  await db.commit('quick', function* () {
    yield* onlyIn('sqlite', 'no SQL at all');
    yield* onlyIn('postgres', 'INSERT INTO leaders (task, holder, until) VALUES (?, ?, 0)', 'here', '');
  });
  assert.deepEqual(await words(db), ['here']);
});

for (const isOfOneMoment of [true, false]) {
  test(`a read ${isOfOneMoment ? 'of one moment sees nothing' : 'that may be of several moments sees'} of what is committed meanwhile`, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    const [db, other, gate] = [open(t, url), open(t, url), await closedGate(t, url)];
    const reading = db.read(function* () {
      const before = yield* one('SELECT count(*) AS n FROM leaders');
      yield* gate.pass();
      const after = yield* one('SELECT count(*) AS n FROM leaders');
      return [before?.['n'], after?.['n']];
    }, isOfOneMoment);
    await gate.untilWaiting(1);
    await other.commit('quick', () => say('one'));
    await gate.open();
    assert.deepEqual(await reading, [0, isOfOneMoment ? 0 : 1]);
  });
}

for (const isInCommit of [true, false]) {
  test(`T14 · a scan ${isInCommit ? 'within a commit' : 'by itself'} fetches little more than is wanted, and lets go of the rest`, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    const db = open(t, url, { poolSize: 1 });
    const work = function* (): Work<unknown[]> {
      const numbers: unknown[] = [];
      // Of a billion rows.
      const series = ['a', 'b', 'c'].map((name) => `generate_series(1, 1000) AS ${name} (n)`).join(', ');
      yield* scan(`SELECT a.n FROM ${series} WHERE a.n > ?`, [5], ({ n }) => {
        numbers.push(n);
        return numbers.length < 600;
      });
      const cursors = yield* one("SELECT count(*) AS n FROM pg_cursors WHERE is_holdable OR name LIKE 'scan%'");
      return [numbers.length, cursors?.['n']];
    };
    assert.deepEqual(isInCommit ? await db.commit('quick', work) : await db.read(work), [600, 0]);
    const every: unknown[] = [];
    await db.read(() => scan('SELECT n FROM generate_series(1, ?) AS numbers (n)', [512], ({ n }) => every.push(n) > 0));
    assert.deepEqual(
      every,
      Array.from({ length: 512 }, (_, at) => at + 1),
    );
  });
}

for (const [what, lock] of Object.entries({ tenant: lockTenant, session: lockSession, turn: lockTurn })) {
  test(`who locks a ${what} waits for the commit of who has locked it, and sees what that has written`, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    const [db, other, gate] = [open(t, url), open(t, url), await closedGate(t, url)];
    await db.commit('quick', function* () {
      for (const id of ['a', 'b'])
        yield* run(`INSERT INTO turns (id, tenant, status, body_hash, created_at) VALUES (?, '', '', '', 0)`, id);
    });
    const first = db.commit('quick', function* () {
      yield* lock('a');
      yield* gate.pass();
      yield* say('first');
    });
    await gate.untilWaiting(1);
    const count = (id: string) =>
      function* (): Work<unknown> {
        yield* lock(id);
        return (yield* one('SELECT count(*) AS n FROM leaders'))?.['n'];
      };
    const second = other.commit('quick', count('a'));
    await gate.untilWaiting(2);
    assert.equal(await other.commit('quick', count('b')), 0, 'another one is free');
    await gate.open();
    await first;
    assert.equal(await second, 1);
  });
}

test('of two that write the same key one is first, and the other is run again and sees it', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, gate] = [open(t, url), await closedGate(t, url)];
  const sayOnce = function* (): Work<string> {
    if ((yield* one(`SELECT 1 FROM leaders WHERE task = 'one'`)) !== undefined) return 'found';
    yield* gate.pass();
    yield* say('one');
    return 'said';
  };
  const both = [db.commit('quick', sayOnce), db.commit('quick', sayOnce)];
  await gate.untilWaiting(2);
  await gate.open();
  assert.deepEqual((await Promise.all(both)).toSorted(), ['found', 'said']);
});

test('a work that always writes a key that is there fails by that, and is not called busy', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  await db.commit('quick', () => say('one'));
  await assert.rejects(
    db.commit('quick', () => say('one')),
    { code: '23505' },
  );
});

test('of two works that wait for each other both are done: one of them is run again', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, gate] = [open(t, url), await closedGate(t, url)];
  await db.commit('quick', function* () {
    yield* say('one');
    yield* say('two');
  });
  let runs = 0;
  const raise = (...tasks: readonly string[]) =>
    function* (): Work<void> {
      runs += 1;
      for (const task of tasks) {
        yield* run('UPDATE leaders SET until = until + 1 WHERE task = ?', task);
        yield* gate.pass();
      }
    };
  const both = [db.commit('quick', raise('one', 'two')), db.commit('quick', raise('two', 'one'))];
  await gate.untilWaiting(2);
  await gate.open();
  await Promise.all(both);
  const rows = await db.read(() => all('SELECT until FROM leaders'));
  assert.deepEqual([rows.map(({ until }) => until), runs], [[2, 2], 3]);
});

test('what waits too long for a lock, or runs too long, is busy, and nothing of it is left', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, gate] = [open(t, url), await closedGate(t, url)];
  for (const [limits, state] of [
    [{ lockTimeoutMs: 50 }, '55P03'],
    [{ statementTimeoutMs: 50 }, '57014'],
  ] as const) {
    const refused = open(t, url, limits).commit('quick', function* () {
      yield* say('one');
      yield* gate.pass();
    });
    await assert.rejects(refused, (error: StoreBusyError) => {
      assert.deepEqual([error.name, Reflect.get(Object(error.cause), 'code')], ['StoreBusyError', state]);
      return true;
    });
  }
  assert.deepEqual(await words(db), []);
});

test('T9 · a process that stands still in a transaction loses what it has locked before anybody gives up waiting for it', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  // It is connected as every process is, and says nothing more.
  const stopped = new pg.Client(clientConfig(readPostgresOptions({ url })));
  stopped.on('error', () => undefined);
  await stopped.connect();
  t.after(async () => stopped.end());
  const db = open(t, url);
  await db.commit('quick', () => say('one'));
  await stopped.query(`BEGIN; UPDATE leaders SET holder = 'stopped'`);
  await db.commit('quick', () => run(`UPDATE leaders SET holder = holder || '!'`));
  const rows = await db.read(() => all('SELECT holder FROM leaders'));
  assert.deepEqual(
    rows.map(({ holder }) => holder),
    ['!'],
  );
});

test('T9 · a process that is heard of too late does its transaction again, and it is done once', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  await using proxy = await Proxy.start(url);
  const db = open(t, proxy.url, { idleInTransactionTimeoutMs: 1_000 });
  let runs = 0;
  const commit = db.commit('quick', function* () {
    runs += 1;
    yield* say('one', `run ${runs}`);
    if (runs === 1) proxy.holds = 'requests';
    yield* say('two', `run ${runs}`);
  });
  await until(() => proxy.heldBytes > 0);
  proxy.holds = 'nothing';
  await commit;
  assert.ok(runs > 1);
  const rows = await db.read(() => all('SELECT holder FROM leaders'));
  assert.deepEqual(
    rows.map(({ holder }) => holder),
    [`run ${runs}`, `run ${runs}`],
  );
});

test('a server that is not there is busy, and so is a pool that has no connection to spare', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const nobody = 'postgres://turnkeep@localhost/nothing?host=/nowhere';
  for (const address of [nobody, 'postgres://turnkeep@127.0.0.1:1/nothing']) await assert.rejects(words(open(t, address)), isBusy);
  const [db, gate] = [open(t, url, { poolSize: 1, connectTimeoutMs: 1_000 }), await closedGate(t, url)];
  const held = db.read(() => gate.pass());
  await gate.untilWaiting(1);
  await assert.rejects(words(db), isBusy);
  await gate.open();
  await held;
  assert.deepEqual(await words(db), []);
});

test('a connection that was ended while nobody used it, or in the middle of a work, costs nothing', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, other] = [open(t, url, { poolSize: 1 }), open(t, url)];
  const endAll = async (): Promise<unknown> =>
    other.read(() =>
      all(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`),
    );
  await db.commit('quick', () => say('one'));
  await endAll();
  await db.commit('quick', () => say('two'));
  const gate = await closedGate(t, url);
  let runs = 0;
  const work = db.commit('quick', function* () {
    runs += 1;
    yield* say('three');
    if (runs === 1) yield* gate.pass();
  });
  await gate.untilWaiting(1);
  await endAll();
  await work;
  assert.deepEqual([await words(db), runs], [['one', 'three', 'two'], 2]);
});

test('a table that gets a column while statements are prepared is read with it', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, other] = [open(t, url, { poolSize: 1 }), open(t, url)];
  await db.commit('quick', () => say('one'));
  const read = async (): Promise<string[]> =>
    db.read(function* () {
      return Object.keys((yield* one('SELECT * FROM leaders')) ?? {});
    });
  const before = await read();
  await other.commit('quick', () => run('ALTER TABLE leaders ADD COLUMN more TEXT'));
  assert.deepEqual(await read(), [...before, 'more']);
});

test('where all connections have prepared what reads that table, each work is run once more, and no oftener', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url);
  const gate = await closedGate(t, url);
  let runs = 0;
  const read = async (waits: boolean): Promise<string[]> =>
    db.read(function* () {
      runs += 1;
      if (waits) yield* gate.pass();
      return Object.keys((yield* one('SELECT * FROM leaders')) ?? {});
    });
  const connections = db.settings.poolSize;
  await db.commit('quick', () => say('one'));
  const prepared = Array.from({ length: connections }, async () => read(true));
  await gate.untilWaiting(connections);
  await gate.open();
  await Promise.all(prepared);
  await open(t, url).commit('quick', () => run('ALTER TABLE leaders ADD COLUMN more TEXT'));
  runs = 0;
  for (let reads = 0; reads < connections; reads += 1) assert.equal((await read(false)).at(-1), 'more');
  assert.ok(runs <= 2 * connections, `${runs} runs`);
});

test('T1 · after a failover a work is run again by a connection to the new primary, and what was connected before serves nobody', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  const db = open(t, server.url, { poolSize: 3 });
  /** Of three that are used at the same moment. */
  const connections = async (): Promise<readonly (readonly [pid: unknown, isReadOnly: unknown])[]> => {
    const sql = `SELECT pg_backend_pid() AS pid, current_setting('default_transaction_read_only') AS "readOnly", pg_sleep(0.05)`;
    const rows = await Promise.all([1, 2, 3].map(async () => db.read(() => one(sql))));
    return rows.map((row) => [row?.['pid'], row?.['readOnly']]);
  };
  await until(async () => new Set((await connections()).map(([pid]) => pid)).size === 3);
  await demote(server.url, true);
  await until(async () => (await connections()).every(([, isReadOnly]) => isReadOnly === 'on'));
  const before = new Set((await connections()).map(([pid]) => pid));
  let runs = 0;
  await db.commit('durable', function* () {
    runs += 1;
    yield* say('one');
  });
  assert.deepEqual([runs, await words(db)], [2, ['one']]);
  for (const [pid, isReadOnly] of await connections()) assert.deepEqual([before.has(pid), isReadOnly], [false, 'off']);
});

test('T14 · as long as the address leads to a standby, writes are busy, and do not connect anew each time', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  await using proxy = await Proxy.start(server.url);
  const db = open(t, proxy.url);
  await demote(server.url, false);
  const clock = t.mock.method(performance, 'now', () => 1_000);
  for (let writes = 0; writes < 4; writes += 1)
    await assert.rejects(
      db.commit('quick', () => say('one')),
      isBusy,
    );
  clock.mock.restore();
  assert.deepEqual([proxy.connections, await words(db)], [2, []]);
});

for (const [fate, doneBy] of [
  ['lost', 2],
  ['unanswered', 1],
  ['late', 2],
] as const) {
  test(`T1 · a commit that is ${fate} when its connection breaks is ${doneBy === 1 ? 'found to be done' : 'known never to be done, and done again'}`, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    await using proxy = await startCutProxy(url);
    proxy.cutNext(fate);
    let runs = 0;
    await open(t, proxy.url).commit('durable', function* () {
      runs += 1;
      yield* say(`by run ${runs}`);
    });
    if (fate === 'late') assert.match(await proxy.deliver(), /23505/, 'whoever asked has taken its place');
    assert.deepEqual([await words(open(t, url)), runs], [[`by run ${doneBy}`], doneBy]);
  });
}

test('T1 · a server that is killed in the middle of a work, and starts again, has all that was committed and nothing else', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  const db = open(t, server.url);
  await db.commit('quick', () => say('one'));
  let killed: Promise<void> | undefined;
  const failing = db.commit('durable', function* () {
    yield* say('two');
    killed ??= server.kill();
    yield* say('three');
  });
  await assert.rejects(failing, isBusy);
  await killed;
  await assert.rejects(
    db.commit('durable', () => say('four')),
    isBusy,
  );
  await server.start();
  assert.deepEqual(await words(db), ['one'], 'a quick commit too is on the disk');
  await db.commit('durable', () => say('five'));
  assert.deepEqual(await words(db), ['five', 'one']);
});

test('T1 · a commit that a frozen server was asked for is done or busy, as the rows say, once the server goes on', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  const db = open(t, server.url, { statementTimeoutMs: 500, connectTimeoutMs: 500 });
  const frozen = Promise.withResolvers<void>();
  const commit = db.commit('durable', function* () {
    yield* say('one');
    server.freeze();
    frozen.resolve();
  });
  await frozen.promise;
  await assert.rejects(words(db), isBusy);
  server.resume();
  const isDone = await commit.then(
    () => true,
    (error: unknown) => {
      assert.equal(error instanceof StoreBusyError, true, String(error));
      return false;
    },
  );
  await until(async () =>
    words(db).then(
      () => true,
      () => false,
    ),
  );
  assert.deepEqual(await words(db), isDone ? ['one'] : []);
});

test('a server that does not come back leaves it unknown what became of a commit, and says so', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using server = await startPostgres();
  await migrate({ url: server.url });
  const db = open(t, server.url, { statementTimeoutMs: 100, connectTimeoutMs: 100, outcomeTimeoutMs: 100 });
  const commit = db.commit('durable', function* () {
    yield* say('one');
    server.freeze();
  });
  await assert.rejects(commit, /whether the commit is done is not known/);
});

test('closing waits for what was asked for; what comes after it is refused', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = open(t, url, { poolSize: 1 });
  const before = ['one', 'two', 'three'].map(async (word) => db.commit('quick', () => say(word)));
  await db.close();
  assert.equal(
    (await Promise.allSettled(before)).every(({ status }) => status === 'fulfilled'),
    true,
  );
  await assert.rejects(
    db.commit('quick', () => say('four')),
    ({ name }: Error) => name !== 'StoreBusyError',
  );
  assert.deepEqual(await words(open(t, url)), ['one', 'three', 'two']);
});

test('behind a pooler the same holds by what each transaction sets for itself, in a schema of its own', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const address = `${url}&schema=kept&pgbouncer=true`;
  await migrate({ url: address });
  const db = open(t, address, { lockTimeoutMs: 77 });
  await db.commit('quick', () => say('one'));
  const limits = await db.commit('quick', () =>
    one(
      `SELECT current_setting('lock_timeout') AS "lock", current_setting('search_path') AS path, (SELECT count(*) FROM pg_prepared_statements) AS prepared`,
    ),
  );
  assert.deepEqual({ ...limits }, { lock: '77ms', path: 'kept', prepared: 0 });
  assert.deepEqual([await words(db), await words(open(t, url))], [['one'], []]);
});

test('what the address asks of the server is asked beside our own: the tables are where the address says', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const address = `${url}&schema=kept&options=${encodeURIComponent('-c work_mem=8MB -c search_path=public')}`;
  await migrate({ url: address });
  const db = open(t, address);
  await db.commit('quick', () => say('one'));
  const settings = await db.read(() => one(`SELECT current_setting('work_mem') AS memory, current_setting('search_path') AS path`));
  assert.deepEqual({ ...settings }, { memory: '8MB', path: 'kept' });
  assert.deepEqual([await words(db), await words(open(t, url))], [['one'], []]);
});

test('T14 · works of one tenant that wait for a connection of a server that says nothing are busy, each as soon as the first of them', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const [db, gate] = [open(t, url, { connectTimeoutMs: 1_000 }), await closedGate(t, url)];
  const first = db.commit('quick', () => gate.pass(), 'tenant');
  await gate.untilWaiting(1);
  const more = ['one', 'two', 'three'].map(async (word) =>
    assert.rejects(
      db.commit('quick', () => say(word), 'tenant'),
      isBusy,
    ),
  );
  await Promise.all(more);
  await db.commit('quick', () => say('other'), 'other tenant');
  await gate.open();
  await first;
  await db.commit('quick', () => say('later'), 'tenant');
  assert.deepEqual(await words(db), ['later', 'other']);
});

test('addresses that say something wrong are refused by what they say', () => {
  const refusals = {
    'mysql://here': /postgres:\/\//,
    'postgres://here/it?schema=No': /schema=No/,
    'postgres://here/it?pgbouncer=maybe': /pgbouncer=maybe/,
  };
  for (const [url, message] of Object.entries(refusals)) assert.throws(() => new PostgresDatabase({ url }), message);
});
