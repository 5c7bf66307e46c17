/** Partitions on a real server: made ahead by several processes at once, and dropped when retention is through with a whole day. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { childIdOf, newId } from '../../../src/client/ids.ts';
import type { Dispatcher } from '../../../src/client/dispatcher.ts';
import { startSweep } from '../../../src/client/sweep.ts';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { observed } from '../../../src/metrics/observed-store.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { openPostgresStore } from '../../../src/store/postgres/open-store.ts';
import { dropPartitions, ensurePartitions, planRetention, readUpkeep } from '../../../src/store/postgres/partitions.ts';
import { type RetentionCursor, StoreBusyError } from '../../../src/store/ports/store.ts';
import { expire } from '../../../src/store/sql/retention.ts';
import { needDatabase } from '../../support/postgres-server.ts';
import { until } from '../../support/until.ts';

const dayMs = 86_400_000;
const noon = Date.UTC(2027, 0, 1, 12);
const midnight = Date.UTC(2027, 0, 2);

class Bench implements AsyncDisposable {
  readonly db: PostgresDatabase;
  readonly pool: pg.Pool;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
    this.db = new PostgresDatabase({ url });
    this.pool = new pg.Pool({ connectionString: url });
    // The database may go before the last of its connections has said goodbye.
    this.pool.on('error', () => undefined);
  }

  /** Another process. */
  open(): PostgresDatabase {
    return new PostgresDatabase({ url: this.url });
  }

  /** A turn with a journal of two rows and a recording; settled where a time is given. */
  async turn(id: string, settledAtMs: number | null): Promise<void> {
    const { rows } = await this.pool.query<{ ordinal: string }>(
      `INSERT INTO turns (id, tenant, status, body_hash, created_at, settled_at) VALUES ($1, '', 'completed', '', 0, $2) RETURNING ordinal`,
      [id, settledAtMs],
    );
    await this.pool.query(`INSERT INTO turn_content VALUES ($1, '{}', NULL)`, [rows[0]?.ordinal]);
    await this.pool.query('INSERT INTO journal_head (turn, epoch, next_seq, sealed) VALUES ($1, 1, 2, $2)', [
      id,
      settledAtMs === null ? 0 : 1,
    ]);
    for (const seq of [0, 1]) {
      const data = JSON.stringify({ type: 'x', sequence_number: seq, response: { id, text: 'ü' } });
      await this.pool.query(`INSERT INTO journal VALUES ($1, $2, 'x', $3)`, [id, seq, data]);
    }
    await this.pool.query('INSERT INTO recordings VALUES ($1, 1, 0, 1, 1, $2)', [id, Buffer.from([0])]);
  }

  /** As the sweep of a store does it. @returns the days that were dropped, and those that were kept */
  async expire(beforeMs: number): ReturnType<typeof dropPartitions> {
    let from: RetentionCursor | undefined = { phase: 'sessions', ...(await planRetention(this.db, beforeMs)) };
    while (from !== undefined) from = await expire(this.db, { beforeMs, atMs: beforeMs + 30 * dayMs }, from);
    return dropPartitions(this.db, beforeMs);
  }

  /** From now on. @returns how many rows of journals and recordings have been deleted, which is not those that went with a table */
  async countDeletes(): Promise<() => Promise<number>> {
    await this.pool.query(`CREATE TABLE deletes (turn TEXT);
      CREATE FUNCTION note_delete() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO deletes VALUES (OLD.turn); RETURN NULL; END';
      CREATE TRIGGER deleted AFTER DELETE ON journal FOR EACH ROW EXECUTE FUNCTION note_delete();
      CREATE TRIGGER deleted AFTER DELETE ON recordings FOR EACH ROW EXECUTE FUNCTION note_delete()`);
    return async () => (await this.pool.query('SELECT 1 FROM deletes')).rows.length;
  }

  async heads(): Promise<string[]> {
    return (await this.pool.query<{ turn: string }>('SELECT turn FROM journal_head ORDER BY turn')).rows.map(({ turn }) => turn);
  }

  async response(id: string): Promise<unknown> {
    const sql = 'SELECT response FROM turn_content JOIN turns USING (ordinal) WHERE id = $1';
    return (await this.pool.query<{ response: string | null }>(sql, [id])).rows[0]?.response;
  }

  /** Where the rows of a table are: of each turn its partition. */
  async places(table: 'journal' | 'recordings'): Promise<Map<string, string>> {
    const sql = `SELECT DISTINCT turn, tableoid::regclass::text AS place FROM ${table}`;
    const { rows } = await this.pool.query<{ turn: string; place: string }>(sql);
    return new Map(rows.map(({ turn, place }) => [turn, place]));
  }

  async tables(): Promise<string[]> {
    const sql = `SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relname ~ '^(journal|recordings)_d[0-9]' ORDER BY 1`;
    return (await this.pool.query<{ name: string }>(sql)).rows.map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.db.close();
  }
}

/** On a database of its own; skipped where there is no Postgres. */
function onDatabase(name: string, act: (bench: Bench, idAt: (atMs: number) => string) => Promise<void>): void {
  test(name, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    await using bench = new Bench(url);
    await act(bench, (atMs) => {
      t.mock.timers.enable({ apis: ['Date'], now: atMs });
      try {
        return newId('resp');
      } finally {
        t.mock.timers.reset();
      }
    });
  });
}

onDatabase('several processes make the days ahead at once, each day once; and those that are missing later', async (bench) => {
  const others = [bench.open(), bench.open()];
  const made = await Promise.all([bench.db, ...others].map((db) => ensurePartitions(db, { nowMs: noon, aheadDays: 2 })));
  assert.deepEqual(made.flat().toSorted(), ['20270101', '20270102', '20270103']);
  assert.deepEqual(await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 2 }), []);
  assert.deepEqual(await readUpkeep(bench.db, noon), { partitionDaysAhead: 2, defaultPartitionRows: 0, notificationQueueShare: 0 });
  assert.deepEqual(await readUpkeep(bench.db, noon + 3 * dayMs), {
    partitionDaysAhead: 0,
    defaultPartitionRows: 0,
    notificationQueueShare: 0,
  });
  assert.deepEqual(await ensurePartitions(bench.db, { nowMs: noon + dayMs, aheadDays: 2 }), ['20270104']);
  await Promise.all(others.map((db) => db.close()));
});

onDatabase('ids of turns, and of those that they call, are in the partition of their day', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  const last = idAt(midnight - 1);
  const first = idAt(midnight);
  const child = childIdOf({ turn: last, number: 3 });
  for (const id of [last, first, child, 'resp_chosen']) await bench.turn(id, noon);
  for (const table of ['journal', 'recordings'] as const) {
    assert.deepEqual(
      await bench.places(table),
      new Map([
        [last, `${table}_d20270101`],
        [first, `${table}_d20270102`],
        [child, `${table}_d20270101`],
        ['resp_chosen', `${table}_default`],
      ]),
    );
  }
  assert.equal((await readUpkeep(bench.db, noon)).defaultPartitionRows, 0, 'of an id that begins with no time nothing was to be expected');
});

onDatabase('a question for one turn looks at the partition of its day alone, also by a join and by a prepared statement', async (bench) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 3 });
  const client = await bench.pool.connect();
  await client.query(`SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off;
    PREPARE rows_of (text) AS SELECT seq FROM journal_head JOIN journal USING (turn) WHERE turn = $1`);
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, COSTS OFF) EXECUTE rows_of ('${newId('resp')}')`);
  client.release();
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  assert.match(plan, /Index.* on journal_default|Subplans Removed/, plan);
  assert.doesNotMatch(plan, /Seq Scan|journal_d2027/, plan);
});

onDatabase('what came before its partition was there is taken over by it, whole', async (bench, idAt) => {
  const [early, later] = [idAt(noon), idAt(noon + 5 * dayMs)];
  await bench.turn(early, noon);
  await bench.turn(later, null);
  assert.equal((await readUpkeep(bench.db, noon)).defaultPartitionRows, 4);
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  assert.deepEqual(
    await bench.places('journal'),
    new Map([
      [early, 'journal_d20270101'],
      [later, 'journal_default'],
    ]),
  );
  assert.equal((await bench.places('recordings')).get(early), 'recordings_d20270101');
  assert.equal((await readUpkeep(bench.db, noon)).defaultPartitionRows, 2);
});

onDatabase(
  'a day goes as a whole once the last of its turns is past retention, and no row of it is deleted before',
  async (bench, idAt) => {
    await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
    const ids = Array.from({ length: 120 }, (_, at) => idAt(noon + at));
    const lateEnd = idAt(midnight - 1);
    const next = idAt(midnight);
    for (const id of ids) await bench.turn(id, noon + 1_000);
    await bench.turn(lateEnd, midnight + 1_000);
    await bench.turn(next, midnight + 3_000);
    const deletes = await bench.countDeletes();

    assert.deepEqual(await bench.expire(midnight - 1), { dropped: [], kept: [] }, 'the day is not over');
    assert.deepEqual(await bench.expire(midnight), { dropped: [], kept: ['20270101'] }, 'a turn of it has ended later');
    const { rows: hidden } = await bench.pool.query('SELECT 1 FROM journal_head WHERE sealed = 2');
    assert.equal(hidden.length, ids.length, 'what is past retention is hidden meanwhile');
    assert.equal((await bench.places('journal')).size, 122);
    assert.deepEqual(await bench.expire(midnight + 2_000), { dropped: ['20270101'], kept: [] });

    assert.deepEqual(await bench.tables(), ['journal_d20270102', 'recordings_d20270102']);
    assert.deepEqual([...(await bench.places('journal')).keys()], [next]);
    assert.deepEqual([...(await bench.places('recordings')).keys()], [next]);
    assert.deepEqual(await bench.heads(), [next]);
    assert.equal(await deletes(), 0);
    const { rows: stubs } = await bench.pool.query(`SELECT 1 FROM turns WHERE erased_by = 'retention' AND erased_at IS NOT NULL`);
    assert.equal(stubs.length, 121, 'each of them says that it was there');
  },
);

onDatabase('the response of a turn that a session goes on from is kept, though its journal goes with its day', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 0 });
  const leaf = idAt(noon);
  await bench.turn(leaf, noon + 1_000);
  await bench.pool.query(
    `INSERT INTO sessions (id, tenant, leaf, metadata, created_at, touched_at) VALUES ('conv_a', '', $1, '{}', 0, $2)`,
    [leaf, midnight + dayMs],
  );
  const deletes = await bench.countDeletes();
  assert.deepEqual(await bench.expire(midnight), { dropped: ['20270101'], kept: [] });
  assert.equal(await bench.response(leaf), JSON.stringify({ id: leaf, text: 'ü' }));
  assert.deepEqual([await bench.heads(), await deletes()], [[], 0]);
  assert.deepEqual(await bench.expire(midnight), { dropped: [], kept: [] });
  assert.equal(await bench.response(leaf), JSON.stringify({ id: leaf, text: 'ü' }));
});

onDatabase(
  'a day with a turn that still runs is kept, however old; the others of it are deleted one by one a day later',
  async (bench, idAt) => {
    await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 0 });
    const [running, ended] = [idAt(noon), idAt(noon + 1)];
    await bench.turn(running, null);
    await bench.turn(ended, noon + 1_000);
    const deletes = await bench.countDeletes();
    const kept = { dropped: [], kept: ['20270101'] };
    assert.deepEqual(await bench.expire(midnight), kept);
    assert.deepEqual([(await bench.places('journal')).size, await deletes()], [2, 0], 'the day may still go as a whole');
    assert.deepEqual(await bench.expire(midnight + dayMs), kept);
    assert.deepEqual([[...(await bench.places('journal')).keys()], await deletes()], [[running], 3]);
    assert.deepEqual(await bench.heads(), [running]);
    assert.deepEqual(await bench.expire(noon + 100 * dayMs), kept);
  },
);

onDatabase('days that nobody has looked after for long go as a whole, too', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 3 });
  for (let day = 0; day < 4; day += 1) await bench.turn(idAt(noon + day * dayMs), noon + day * dayMs);
  const deletes = await bench.countDeletes();
  const { dropped } = await bench.expire(noon + 100 * dayMs);
  assert.deepEqual([dropped.length, await deletes(), await bench.heads()], [4, 0, []]);
});

onDatabase('what is in the default partition is deleted one by one', async (bench) => {
  await bench.turn('resp_chosen', noon);
  const deletes = await bench.countDeletes();
  await bench.expire(midnight);
  assert.deepEqual([await deletes(), await bench.heads()], [3, []]);
});

onDatabase('of a turn that is past retention nothing can be read, though its day is not over', async (bench) => {
  const store = await openPostgresStore({ url: bench.url });
  const [id, leaf] = [newId('resp'), newId('resp')];
  for (const each of [id, leaf]) await bench.turn(each, Date.now() - 1_000);
  await bench.pool.query(
    `INSERT INTO sessions (id, tenant, leaf, metadata, created_at, touched_at) VALUES ('conv_a', '', $1, '{}', 0, $2)`,
    [leaf, Date.now() + dayMs],
  );
  const beforeMs = Date.now();
  let from: RetentionCursor | undefined;
  do from = await store.expire({ beforeMs, atMs: Date.now() }, from);
  while (from !== undefined);
  for (const each of [id, leaf]) {
    assert.deepEqual(await store.readJournal(each), []);
    assert.equal(await store.readHead(each), undefined);
    await assert.rejects(store.untilSealed(each, AbortSignal.timeout(60_000)), /no journal|gone/);
  }
  assert.equal((await store.readTurn(id))?.erasedBy, 'retention');
  assert.equal((await store.readTurn(leaf))?.erasedBy, null);
  assert.equal(await bench.response(leaf), JSON.stringify({ id: leaf, text: 'ü' }));
  await store.close();
});

onDatabase('a table that a killed process has detached is dropped by the next one', async (bench) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 0 });
  await bench.pool.query(
    'ALTER TABLE journal DETACH PARTITION journal_d20270101; ALTER TABLE recordings DETACH PARTITION recordings_d20270101',
  );
  assert.deepEqual(await dropPartitions(bench.db, noon), { dropped: [], kept: [] });
  assert.deepEqual(await bench.tables(), []);
});

onDatabase('several processes drop at once', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  await bench.turn(idAt(noon), noon);
  const other = bench.open();
  await bench.pool.query('UPDATE journal_head SET sealed = 2');
  const results = await Promise.all([bench.db, other].map((db) => dropPartitions(db, noon + 2 * dayMs)));
  assert.deepEqual(results.flatMap(({ dropped }) => dropped).toSorted(), ['20270101', '20270102']);
  assert.deepEqual(await bench.tables(), []);
  await other.close();
});

onDatabase('whoever reads for long is waited for shortly, and holds up no writer for longer', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  const [old, next] = [idAt(noon), idAt(midnight)];
  await bench.turn(old, noon);
  await bench.pool.query('UPDATE journal_head SET sealed = 2');
  const reader = await bench.pool.connect();
  await reader.query('BEGIN; SELECT 1 FROM journal');
  let isOver = false;
  const drop = assert.rejects(dropPartitions(bench.db, midnight), StoreBusyError).finally(() => {
    isOver = true;
  });
  const waiting = `SELECT 1 FROM pg_locks JOIN pg_database AS d ON d.oid = database
    WHERE datname = current_database() AND NOT granted AND mode = 'AccessExclusiveLock'`;
  await until(async () => isOver || (await bench.pool.query(waiting)).rows.length > 0);
  await bench.turn(next, null);
  await drop;
  await reader.query('COMMIT');
  reader.release();
  assert.deepEqual(await dropPartitions(bench.db, midnight), { dropped: ['20270101'], kept: [] });
});

onDatabase(
  'a row whose day has no partition is seen in the metrics of the process that has read them, and no other one has them',
  async (bench, idAt) => {
    await using stack = new AsyncDisposableStack();
    const gateways: Metrics[] = [];
    const dispatcher = { start: async () => undefined, isRunning: async () => true, isOwned: async () => true } as unknown as Dispatcher;
    await bench.turn(idAt(Date.now() - 40 * dayMs), null);
    for (let at = 0; at < 2; at += 1) {
      const metrics = new Metrics();
      gateways.push(metrics);
      const store = observed(await openPostgresStore({ url: bench.url }), { metrics, onTurnEnd: () => undefined });
      stack.defer(() => store.close());
      const sweep = startSweep({ store, dispatcher, retentionDays: 30, cancel: async () => undefined, onError: () => undefined });
      stack.defer(() => sweep.stop());
    }
    const told = async (): Promise<string[]> =>
      (await Promise.all(gateways.map((each) => each.text()))).flatMap(
        (text) => text.match(/^turnkeep_(?:partition|default|notification)_.+$/gm) ?? [],
      );
    await until(async () => (await told()).length > 0);
    assert.deepEqual(await told(), [
      'turnkeep_partition_days_ahead 7',
      'turnkeep_default_partition_rows 2',
      'turnkeep_notification_queue_ratio 0',
    ]);
  },
);
