/** Partitions on a real server: made ahead by several processes at once, and dropped when retention is through with a whole day. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { childIdOf, newId } from '../../../src/client/ids.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { dropPartitions, ensurePartitions, readPartitions } from '../../../src/store/postgres/partitions.ts';
import { StoreBusyError } from '../../../src/store/ports/store.ts';
import { needDatabase } from '../../support/postgres-server.ts';
import { until } from '../../support/until.ts';

const dayMs = 86_400_000;
const noon = Date.UTC(2027, 0, 1, 12);
const midnight = Date.UTC(2027, 0, 2);

class Bench implements AsyncDisposable {
  readonly db: PostgresDatabase;
  readonly pool: pg.Pool;
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
    this.db = new PostgresDatabase({ url });
    this.pool = new pg.Pool({ connectionString: url });
    // The database may go before the last of its connections has said goodbye.
    this.pool.on('error', () => undefined);
  }

  /** Another process. */
  open(): PostgresDatabase {
    return new PostgresDatabase({ url: this.#url });
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
  assert.deepEqual(await readPartitions(bench.db, noon), { aheadDays: 2, days: 3, strayRows: 0 });
  assert.deepEqual(await readPartitions(bench.db, noon + 3 * dayMs), { aheadDays: 0, days: 3, strayRows: 0 });
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
  assert.equal((await readPartitions(bench.db, noon)).strayRows, 2);
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
  assert.equal((await readPartitions(bench.db, noon)).strayRows, 4);
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  assert.deepEqual(
    await bench.places('journal'),
    new Map([
      [early, 'journal_d20270101'],
      [later, 'journal_default'],
    ]),
  );
  assert.equal((await bench.places('recordings')).get(early), 'recordings_d20270101');
  assert.equal((await readPartitions(bench.db, noon)).strayRows, 2);
});

onDatabase('a day goes once all of its turns have ended before the cut; their responses are kept first', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  const ids = Array.from({ length: 120 }, (_, at) => idAt(noon + at));
  const lateEnd = idAt(midnight - 1);
  const next = idAt(midnight);
  for (const id of ids) await bench.turn(id, noon + 1_000);
  await bench.turn(lateEnd, midnight + 1_000);
  await bench.turn(next, midnight + 1_000);

  assert.deepEqual(await dropPartitions(bench.db, midnight - 1), { dropped: [], kept: [] }, 'the day is not over');
  assert.deepEqual(await dropPartitions(bench.db, midnight), { dropped: [], kept: ['20270101'] }, 'a turn of it has ended later');
  assert.equal((await bench.places('journal')).size, 122);
  assert.deepEqual(await dropPartitions(bench.db, midnight + 2_000), { dropped: ['20270101'], kept: [] });

  assert.deepEqual(await bench.tables(), ['journal_d20270102', 'recordings_d20270102']);
  assert.deepEqual([...(await bench.places('journal')).keys()], [next]);
  assert.deepEqual([...(await bench.places('recordings')).keys()], [next]);
  for (const id of [...ids, lateEnd]) assert.equal(await bench.response(id), JSON.stringify({ id, text: 'ü' }));
  assert.equal(await bench.response(next), null);
  const { rows } = await bench.pool.query('SELECT turn FROM journal_head WHERE sealed = 1');
  assert.deepEqual(rows, [{ turn: next }], 'the journals that are gone are hidden');
});

onDatabase('a day with a turn that still runs is kept, however old', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 0 });
  await bench.turn(idAt(noon), null);
  assert.deepEqual(await dropPartitions(bench.db, noon + 100 * dayMs), { dropped: [], kept: ['20270101'] });
  assert.equal((await bench.places('journal')).size, 1);
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
  const results = await Promise.all([bench.db, other].map((db) => dropPartitions(db, noon + 2 * dayMs)));
  assert.deepEqual(results.flatMap(({ dropped }) => dropped).toSorted(), ['20270101', '20270102']);
  assert.deepEqual(await bench.tables(), []);
  await other.close();
});

onDatabase('whoever reads for long is waited for shortly, and holds up no writer for longer', async (bench, idAt) => {
  await ensurePartitions(bench.db, { nowMs: noon, aheadDays: 1 });
  const [old, next] = [idAt(noon), idAt(midnight)];
  await bench.turn(old, noon);
  const reader = await bench.pool.connect();
  await reader.query('BEGIN; SELECT 1 FROM journal');
  const drop = assert.rejects(dropPartitions(bench.db, midnight), StoreBusyError);
  await until(
    async () => (await bench.pool.query(`SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'`)).rows.length > 0,
  );
  await bench.turn(next, null);
  await drop;
  await reader.query('COMMIT');
  reader.release();
  assert.deepEqual(await dropPartitions(bench.db, midnight), { dropped: ['20270101'], kept: [] });
});
