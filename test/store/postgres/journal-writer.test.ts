/** The journal's writer on a real server: group commit, fences, and answers that are lost (T2, T7). */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { JournalWriter, type JournalWriterOptions } from '../../../src/store/postgres/journal-writer.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { StoreBusyError } from '../../../src/store/ports/store.ts';
import { append } from '../../../src/store/sql/journal.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { lockWaits, needDatabase, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import { until } from '../../support/until.ts';
import { Journals, rowsFrom } from './journals.ts';
import { demote } from './demote.ts';
import { Proxy } from './proxy.ts';

interface Bench extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly journals: Journals;
  /** Through the proxy. */
  readonly writer: JournalWriter;
}

async function open(url: string, options: Partial<JournalWriterOptions> = {}): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  const proxy = stack.use(await Proxy.start(url));
  const journals = stack.use(new Journals(url));
  const db = new PostgresDatabase({ url });
  stack.defer(() => db.close());
  const writer = new JournalWriter({
    config: { connectionString: proxy.url },
    schema: 'public',
    prepare: true,
    appendWaiting: (waiting) => append(db, waiting),
    ...options,
  });
  stack.defer(() => writer.close());
  return { proxy, journals, writer, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** On a database of its own; skipped where there is no Postgres. */
function onDatabase(name: string, act: (bench: Bench) => Promise<void>, options?: Partial<JournalWriterOptions>): void {
  test(name, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    await using bench = await open(url, options);
    await act(bench);
  });
}

/** On a server of its own. */
function onServer(
  name: string,
  settings: Readonly<Record<string, string>>,
  act: (bench: Bench & { readonly server: PostgresServer }, t: TestContext) => Promise<void>,
): void {
  test(name, async (t) => {
    if ((await needPostgres(t)) === undefined) return;
    await using server = await startPostgres(settings);
    await migrate({ url: server.url });
    await using bench = await open(server.url);
    await act({ ...bench, server }, t);
  });
}

const preloaded = { shared_preload_libraries: 'pg_stat_statements' };

const turns = (count: number): string[] => Array.from({ length: count }, (_, at) => `resp_${String(at).padStart(3, '0')}`);

onServer(
  'T7 · 1000 appends of 50 turns at once are a few statements, and each journal is whole and in order',
  preloaded,
  async ({ journals, writer }) => {
    await journals.pool.query('CREATE EXTENSION pg_stat_statements');
    const ids = turns(50);
    for (const id of ids) await journals.open(id);
    const appends = Array.from({ length: 20 }, (_, round) =>
      ids.map((turn) => writer.append({ turn, epoch: 1, rows: rowsFrom(round * 2, 2) })),
    );
    const answers = await Promise.all(appends.flat());
    assert.equal(answers.filter(Boolean).length, 1_000);
    for (const id of ids) {
      assert.deepEqual(await journals.read(id), rowsFrom(0, 40));
      assert.equal(await journals.nextSeq(id), 40);
    }
    const statements = await journals.statements();
    assert.ok(statements <= 20, `${statements} statements`);
    assert.equal(writer.queuedBytes, 0);
  },
);

onDatabase(
  'T7 · a lower epoch, a seal or a gap refuses its own turn, and no other that is written with it',
  async ({ journals, writer }) => {
    for (const id of ['resp_fenced', 'resp_sealed', 'resp_gap', 'resp_good']) await journals.open(id);
    await journals.pool.query(`UPDATE journal_head SET epoch = 2 WHERE turn = 'resp_fenced'`);
    await journals.pool.query(`UPDATE journal_head SET sealed = 1 WHERE turn = 'resp_sealed'`);
    const answers = await Promise.all([
      writer.append({ turn: 'resp_fenced', epoch: 1, rows: rowsFrom(0, 1) }),
      writer.append({ turn: 'resp_sealed', epoch: 1, rows: rowsFrom(0, 1) }),
      writer.append({ turn: 'resp_gap', epoch: 1, rows: rowsFrom(1, 1) }),
      writer.append({ turn: 'resp_none', epoch: 1, rows: rowsFrom(0, 1) }),
      writer.append({ turn: 'resp_good', epoch: 1, rows: rowsFrom(0, 1) }),
      writer.append({ turn: 'resp_good', epoch: 1, rows: rowsFrom(2, 1) }),
    ]);
    assert.deepEqual(answers, [false, false, false, false, true, false]);
    const { rows } = await journals.pool.query('SELECT turn FROM journal');
    assert.deepEqual(rows, [{ turn: 'resp_good' }]);
  },
);

onDatabase(
  'T2 · the start of a step and what was recorded are in the commit of the rows, and are refused with them',
  async ({ journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    await journals.pool.query(`UPDATE journal_head SET epoch = 2 WHERE turn = 'resp_b'`);
    const data = Uint8Array.from([0, 1, 254, 255]);
    const starts = { step: 1, attempt: 1, providerRequestId: 'req "1"' };
    const append = { epoch: 1, rows: rowsFrom(0, 1), recording: [{ step: 1, attempt: 1, epoch: 1, part: 0, data }] };
    assert.equal(await writer.append({ ...append, turn: 'resp_a', starts: { ...starts, turn: 'resp_a' } }), true);
    assert.equal(await writer.append({ ...append, turn: 'resp_b', starts: { ...starts, turn: 'resp_b' } }), false);
    const attempts = await journals.pool.query('SELECT turn, provider_request_id FROM attempts WHERE first_event_at IS NOT NULL');
    assert.deepEqual(attempts.rows, [{ turn: 'resp_a', provider_request_id: 'req "1"' }]);
    const recordings = await journals.pool.query('SELECT turn, part, data FROM recordings');
    assert.deepEqual(recordings.rows, [{ turn: 'resp_a', part: '0', data: Buffer.from(data) }]);
  },
);

onDatabase(
  'T2 · a step has begun by the clock of the database, as far as it is known',
  async ({ journals, writer }) => {
    await journals.open('resp_a');
    assert.equal(
      await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1), starts: { turn: 'resp_a', step: 1, attempt: 1 } }),
      true,
    );
    const { rows } = await journals.pool.query('SELECT first_event_at FROM attempts');
    assert.deepEqual(rows, [{ first_event_at: '1798761600000' }]);
  },
  { now: () => 1_798_761_600_000 },
);

/** Somebody else's transaction, which has locked a head. @returns what ends it */
async function lockHead(
  journals: Journals,
  turn: string,
  change = 'SELECT 1 FROM journal_head WHERE turn = $1 FOR UPDATE',
): Promise<() => Promise<void>> {
  const holder = await journals.pool.connect();
  await holder.query('BEGIN');
  await holder.query(change, [turn]);
  return async () => {
    await holder.query('COMMIT');
    holder.release();
  };
}

onDatabase(
  'T7 · a head that somebody has locked holds up its own turn, and no other that is written with it',
  async ({ journals, writer }) => {
    const ids = turns(20);
    for (const id of ids) await journals.open(id);
    const [held = '', ...others] = ids;
    const release = await lockHead(journals, held);
    const waiting: Promise<boolean>[] = [];
    for (let seq = 0; seq < 5; seq += 1) {
      waiting.push(writer.append({ turn: held, epoch: 1, rows: rowsFrom(seq, 1) }));
      // While it is locked: a statement that waited for it would answer nobody.
      const answers = await Promise.all(others.map((turn) => writer.append({ turn, epoch: 1, rows: rowsFrom(seq, 1) })));
      assert.ok(answers.every(Boolean));
    }
    assert.deepEqual(await journals.read(held), []);
    await release();
    assert.deepEqual(await Promise.all(waiting), [true, true, true, true, true]);
    for (const id of ids) assert.deepEqual(await journals.read(id), rowsFrom(0, 5));
    assert.equal(writer.queuedBytes, 0);
  },
);

onDatabase(
  'T2 · the first event of a step waits neither behind others nor for the head of another first event',
  async ({ journals, writer }) => {
    for (const id of ['resp_held', 'resp_start', 'resp_new']) await journals.open(id);
    const releases = [await lockHead(journals, 'resp_held'), await lockHead(journals, 'resp_start')];
    const start = (turn: string) => ({ turn, epoch: 1, rows: rowsFrom(0, 1), starts: { turn, step: 1, attempt: 1 } });
    const held = [writer.append({ turn: 'resp_held', epoch: 1, rows: rowsFrom(0, 1) }), writer.append(start('resp_start'))];
    assert.equal(await writer.append(start('resp_new')), true);
    assert.deepEqual([...(await journals.read('resp_held')), ...(await journals.read('resp_start'))], []);
    for (const release of releases) await release();
    assert.deepEqual(await Promise.all(held), [true, true]);
    const { rows } = await journals.pool.query('SELECT turn FROM attempts WHERE first_event_at IS NOT NULL ORDER BY turn');
    assert.deepEqual(rows, [{ turn: 'resp_new' }, { turn: 'resp_start' }]);
  },
);

onDatabase(
  'T7 · a fence that is raised while an append waits for it refuses the append, and what follows it',
  async ({ journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    const release = await lockHead(journals, 'resp_a', 'UPDATE journal_head SET epoch = 2 WHERE turn = $1');
    const held = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) });
    assert.equal(await writer.append({ turn: 'resp_b', epoch: 1, rows: rowsFrom(0, 1) }), true);
    const next = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(1, 1) });
    await release();
    assert.deepEqual(await Promise.all([held, next]), [false, false]);
    assert.deepEqual(await journals.read('resp_a'), []);
  },
);

onDatabase(
  'T7 · an append whose head others lock one after the other, so that it is never free, has its turn as well',
  async ({ journals, writer }) => {
    await journals.open('resp_a');
    const state = { isOver: false };
    /** Lets it go when the next one waits for it. */
    const lockAgain = async (): Promise<void> => {
      while (!state.isOver) {
        const release = await lockHead(journals, 'resp_a');
        await until(async () => state.isOver || (await lockWaits(journals.pool)) > 0);
        await release();
      }
    };
    const release = await lockHead(journals, 'resp_a');
    const others = [lockAgain(), lockAgain()];
    await until(async () => (await lockWaits(journals.pool)) === 2);
    await release();
    const written = await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }).finally(() => {
      state.isOver = true;
    });
    await Promise.all(others);
    assert.equal(written, true);
    assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 1));
  },
);

onDatabase('a writer that is closed rejects what is held up', async ({ journals, writer }) => {
  for (const id of ['resp_a', 'resp_b']) await journals.open(id);
  const release = await lockHead(journals, 'resp_a');
  const held = assert.rejects(writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), /closed/);
  assert.equal(await writer.append({ turn: 'resp_b', epoch: 1, rows: rowsFrom(0, 1) }), true);
  await writer.close();
  await held;
  await release();
});

for (const [when, holds] of [
  ['before the server had it', 'requests'],
  ['after the server had committed it', 'answers'],
] as const) {
  onDatabase(
    `T7 · a connection that is cut ${when}: every row once, and the append is told that it stands`,
    async ({ proxy, journals, writer }) => {
      for (const id of ['resp_a', 'resp_b']) await journals.open(id);
      assert.equal(await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), true);
      proxy.holds = holds;
      const first = [
        writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(1, 2) }),
        writer.append({ turn: 'resp_b', epoch: 1, rows: rowsFrom(0, 1) }),
      ];
      await until(() => proxy.heldBytes > 0);
      assert.equal(await journals.nextSeq('resp_b'), holds === 'answers' ? 1 : 0);
      // It waits behind the one that nobody knows of.
      const second = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(3, 1) });
      await new Promise((resolve) => setImmediate(resolve));
      proxy.cut();
      assert.deepEqual(await Promise.all([...first, second]), [true, true, true]);
      assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 4));
      assert.deepEqual(await journals.read('resp_b'), rowsFrom(0, 1));
    },
  );
}

onDatabase(
  'T7 · a statement that goes on at the server after its connection was cut is written once',
  async ({ proxy, journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    const holder = await journals.pool.connect();
    await holder.query(`BEGIN; INSERT INTO journal VALUES ('resp_a', 2, '', '')`);
    const held = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 3) });
    await until(async () => (await lockWaits(journals.pool)) === 1);
    proxy.cut();
    // The lost one has locked the head, which the one that is sent again finds locked.
    assert.equal(await writer.append({ turn: 'resp_b', epoch: 1, rows: rowsFrom(0, 1) }), true);
    await holder.query('ROLLBACK');
    holder.release();
    assert.equal(await held, true);
    assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 3));
  },
);

onDatabase(
  'T7 · an append that was lost with its connection, and fenced before it came again, is refused',
  async ({ proxy, journals, writer }) => {
    await journals.open('resp_a');
    assert.equal(await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), true);
    proxy.holds = 'requests';
    const lost = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(1, 1) });
    await until(() => proxy.heldBytes > 0);
    await journals.pool.query(`UPDATE journal_head SET epoch = 2 WHERE turn = 'resp_a'`);
    proxy.cut();
    assert.equal(await lost, false);
    assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 1));
  },
);

/** Appends row after row, as a stream does, until it is told to stop. */
async function stream(writer: JournalWriter, turn: string, state: { isOver: boolean }): Promise<number> {
  let seq = 0;
  while (!state.isOver) {
    try {
      assert.equal(await writer.append({ turn, epoch: 1, rows: rowsFrom(seq, 1) }), true, `row ${seq} of ${turn}`);
      seq += 1;
    } catch (error) {
      if (!(error instanceof StoreBusyError)) throw error;
    }
  }
  return seq;
}

onServer(
  'T7 · kill -9 of Postgres in mid-stream, and again: every row once, none that was told to stand is missing',
  {},
  async ({ server, journals, writer }, t) => {
    const ids = turns(20);
    for (const id of ids) await journals.open(id);
    const state = { isOver: false };
    const streams = ids.map((id) => stream(writer, id, state));
    const more = async (than: number): Promise<void> => {
      await until(async () => (await journals.nextSeq(ids[0] ?? '')) > than + 10);
    };
    for (let kills = 0; kills < 2; kills += 1) {
      const before = await journals.nextSeq(ids[0] ?? '');
      await more(before);
      await server.kill();
      await server.start();
    }
    await more(await journals.nextSeq(ids[0] ?? ''));
    state.isOver = true;
    const lengths = await Promise.all(streams);
    for (const [at, id] of ids.entries()) assert.deepEqual(await journals.read(id), rowsFrom(0, lengths[at] ?? 0));
    t.diagnostic(`${lengths.reduce((sum, each) => sum + each, 0)} rows`);
  },
);

onServer(
  'T7 · after a failover appends and starts go to the new primary, and no row is missing',
  {},
  async ({ server, journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    const starts = { turn: 'resp_b', step: 1, attempt: 1 };
    const both = (seq: number): Promise<boolean[]> =>
      Promise.all([
        writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(seq, 1) }),
        writer.append({ turn: 'resp_b', epoch: 1, rows: rowsFrom(seq, 1), starts }),
      ]);
    assert.deepEqual(await both(0), [true, true]);
    const sessions = async (): Promise<number[]> => {
      const sql = `SELECT pid FROM pg_stat_activity WHERE query LIKE '%journal_head%next_seq%' AND pid <> pg_backend_pid()`;
      return (await journals.pool.query<{ pid: number }>(sql)).rows.map(({ pid }) => pid);
    };
    const before = await sessions();
    assert.equal(before.length, 2);
    await demote(server.url, true);
    // It is known to each connection by its next statement.
    let seq = 1;
    const isLeft = async (): Promise<boolean> => !(await sessions()).some((pid) => before.includes(pid));
    await until(async () => {
      assert.deepEqual(await both(seq), [true, true]);
      seq += 1;
      return isLeft();
    });
    for (const id of ['resp_a', 'resp_b']) assert.deepEqual(await journals.read(id), rowsFrom(0, seq));
  },
);

onDatabase(
  'silence of Postgres: what may stand is waited for, what was not sent is busy, and the next one is taken',
  async ({ proxy, journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    assert.equal(await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), true);
    proxy.holds = 'answers';
    const inDoubt = writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(1, 1) });
    await until(async () => (await journals.nextSeq('resp_a')) === 2);
    await assert.rejects(writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(2, 1) }), StoreBusyError);
    await until(() => proxy.connections > 2);
    proxy.holds = 'nothing';
    assert.equal(await inDoubt, true);
    assert.equal(await writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(2, 1) }), true);
    assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 3));
  },
  { silenceMs: 1_000, patienceMs: 2_000 },
);

onDatabase(
  'T14 · more than may wait is busy at once, and one turn cannot take the room of the others',
  async ({ proxy, journals, writer }) => {
    for (const id of ['resp_a', 'resp_b']) await journals.open(id);
    proxy.holds = 'requests';
    const long = { epoch: 1, rows: [{ seq: 0, type: 'x', data: 'x'.repeat(2_000) }] };
    const first = writer.append({ ...long, turn: 'resp_a' });
    await assert.rejects(writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(1, 1) }), StoreBusyError);
    const other = writer.append({ ...long, turn: 'resp_b' });
    await assert.rejects(
      writer.append({ ...long, turn: 'resp_c', rows: [{ seq: 0, type: 'x', data: 'x'.repeat(9_000) }] }),
      StoreBusyError,
    );
    proxy.cut();
    assert.deepEqual(await Promise.all([first, other]), [true, true]);
  },
  { maxBytes: 10_000, maxTurnBytes: 1_000 },
);

onDatabase('one append that no statement can hold fails alone', async ({ journals, writer }) => {
  for (const id of ['resp_a', 'resp_b']) await journals.open(id);
  // A text of Postgres has no such character.
  const [good, bad] = await Promise.allSettled([
    writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }),
    writer.append({ turn: 'resp_b', epoch: 1, rows: [{ seq: 0, type: 'x', data: '\u0000' }] }),
  ]);
  assert.deepEqual([good.status, bad.status], ['fulfilled', 'rejected']);
  assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 1));
});

onDatabase('where errors come in another language, too, one append that always fails fails alone', async ({ proxy, journals, writer }) => {
  for (const id of ['resp_a', 'resp_b']) await journals.open(id);
  await journals.pool.query(`ALTER TABLE journal ADD CHECK (type <> 'bad')`);
  proxy.isTranslating = true;
  const [good, bad] = await Promise.allSettled([
    writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }),
    writer.append({ turn: 'resp_b', epoch: 1, rows: [{ seq: 0, type: 'bad', data: '{}' }] }),
  ]);
  assert.deepEqual(good, { status: 'fulfilled', value: true });
  assert.ok(bad.status === 'rejected');
  assert.deepEqual([Reflect.get(bad.reason, 'severity'), Reflect.get(bad.reason, 'code')], ['FEHLR', '23514']);
  assert.deepEqual(await journals.read('resp_a'), rowsFrom(0, 1));
});

onDatabase('a writer that is closed rejects what it has not sent, and takes nothing more', async ({ proxy, journals }) => {
  await journals.open('resp_a');
  const config = { connectionString: proxy.url };
  const writer = new JournalWriter({ config, schema: 'public', prepare: true, appendWaiting: async () => false });
  const unsent = assert.rejects(writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), /closed/);
  await writer.close();
  await unsent;
  await assert.rejects(writer.append({ turn: 'resp_a', epoch: 1, rows: rowsFrom(0, 1) }), /closed/);
});
