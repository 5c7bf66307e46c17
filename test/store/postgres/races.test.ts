/**
 * What two processes do at the same moment, where SQLite has one after the other: a work stands still before one of its statements,
 * another process does its part, and then the first goes on. Whoever comes first, no law is broken.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { newId } from '../../../src/client/ids.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { ensurePartitions, readUpkeep } from '../../../src/store/postgres/partitions.ts';
import { postgresStore } from '../../../src/store/postgres/open-store.ts';
import type { NewTurn, Store } from '../../../src/store/ports/store.ts';
import { createSqlStore } from '../../../src/store/sql/create-store.ts';
import type { SqlDatabase, Work } from '../../../src/store/sql/work.ts';
import { lockWaits, needDatabase } from '../../support/postgres-server.ts';
import { until } from '../../support/until.ts';
import { claimed, ended, expiredLease, inProgressOf, inserted, lease, newTurn, sealOf } from '../contract.ts';

const gate = 20_261_127;

/** Its works wait at the gate before each statement of this form. */
function gated(db: SqlDatabase, before: RegExp): SqlDatabase {
  function* stopping<T>(work: Work<T>): Work<T> {
    let step = work.next();
    while (step.done !== true) {
      const statement = step.value;
      if ('sql' in statement && before.test(statement.sql)) {
        // It stands there for as long as the others take, whatever it waits for a lock at the most.
        yield { type: 'all', sql: `SELECT set_config('lock_timeout', '0', true)`, values: [] };
        yield { type: 'all', sql: 'SELECT pg_advisory_xact_lock(?)', values: [gate] };
      }
      let answer: unknown;
      try {
        answer = yield statement.type === 'together'
          ? { ...statement, works: statement.works.map((each) => () => stopping(each())) }
          : statement;
      } catch (error) {
        step = work.throw(error);
        continue;
      }
      step = work.next(answer);
    }
    return step.value;
  }
  return {
    commit: (durability, work, queue) => db.commit(durability, () => stopping(work()), queue),
    read: (work, isOfOneMoment) => db.read(work, isOfOneMoment),
  };
}

interface Race {
  /** Works on it stop before statements of this form. */
  readonly gatedDatabase: (before: RegExp) => SqlDatabase;
  /** A process whose works do. */
  readonly stopped: (before: RegExp) => Store;
  readonly there: Store;
  /**
   * `first` comes to the gate, `second` does its part, or waits for what the first one holds, and the first goes on.
   * @returns what both came to
   */
  readonly run: <A, B>(first: () => Promise<A>, second: () => Promise<B>) => Promise<[A, B]>;
}

function race(title: string, check: (race: Race) => Promise<void>): void {
  test(title, { timeout: 60_000 }, async (t) => {
    const url = await needDatabase(t);
    if (url === undefined) return;
    const { databaseId } = await migrate({ url });
    const there = postgresStore({ url }, databaseId);
    const guard = new pg.Client(url);
    await guard.connect();
    const databases: PostgresDatabase[] = [];
    try {
      const gatedDatabase = (before: RegExp): SqlDatabase => {
        const db = new PostgresDatabase({ url });
        databases.push(db);
        return gated(db, before);
      };
      await check({
        there,
        gatedDatabase,
        stopped(before) {
          const signal = { watch: () => () => undefined };
          const nothing = async (): Promise<void> => undefined;
          return createSqlStore({ db: gatedDatabase(before), signal, databaseId, probe: nothing, close: nothing });
        },
        async run(first, second) {
          await guard.query('SELECT pg_advisory_lock($1)', [gate]);
          const one = first();
          await until(async () => (await lockWaits(guard)) === 1);
          let isDone = false;
          const other = second().finally(() => {
            isDone = true;
          });
          await until(async () => isDone || (await lockWaits(guard)) >= 2);
          await guard.query('SELECT pg_advisory_unlock($1)', [gate]);
          return Promise.all([one, other]);
        },
      });
    } finally {
      await guard.end();
      await there.close();
      for (const db of databases) await db.close();
    }
  });
}

const row = (seq: number) => ({ seq, type: 'response.output_text.delta', data: '{}' });

race(
  'T2 · a process that was taken for dead starts a step while another one claims it: one of them may',
  async ({ stopped, there, run }) => {
    await inserted(there, newTurn('resp_a'));
    const { epoch } = await claimed(there, 'resp_a', { lease: expiredLease });
    const head = await there.readHead('resp_a');
    const here = stopped(/outcome = 'lost'/);
    const [claim, isStarted] = await run(
      () => here.claim({ turn: 'resp_a', step: 1, lease }),
      () =>
        there.append({
          turn: 'resp_a',
          epoch,
          rows: [row((head?.last ?? 0) + 1)],
          starts: { turn: 'resp_a', step: 1, attempt: 1 },
        }),
    );
    assert.deepEqual([claim.type === 'granted', isStarted].filter(Boolean), [true], `${claim.type}, ${isStarted}`);
  },
);

race('T6 · a lease that is renewed while another process takes its holder for dead is not fenced', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const { epoch } = await claimed(there, 'resp_a', { lease: { holder: 'here', lengthMs: -1 } });
  const [fence, [seen]] = await run(
    () => stopped(/SET epoch = CASE/).fence('resp_a', { epoch }),
    () => there.beat({ lease, turns: ['resp_a'] }),
  );
  assert.deepEqual([seen?.epoch === epoch, fence !== undefined].filter(Boolean), [true], 'it was renewed, or it was fenced');
});

race('T5 · a turn that is called while its caller ends is cancelled with it', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const { epoch } = await claimed(there, 'resp_a');
  const [, sealed] = await run(
    () => stopped(/^INSERT INTO turns/).insertTurn(newTurn('resp_b', { parent: { turn: 'resp_a', number: 0 } })),
    () => there.seal(sealOf('resp_a', epoch)),
  );
  assert.equal(sealed.type, 'sealed');
  assert.notEqual((await there.readTurn('resp_b'))?.cancelRequestedAtMs ?? null, null, 'nobody waits for it any more');
});

race('T14 · two turns that one has called end at the same moment: it has spent what both have', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const usage = { input_tokens: 1, output_tokens: 10, total_tokens: 11 } as never;
  const epochs: number[] = [];
  for (const [number, id] of ['resp_b', 'resp_c'].entries()) {
    await inserted(there, newTurn(id, { parent: { turn: 'resp_a', number }, bodyHash: id }));
    epochs.push((await claimed(there, id)).epoch);
  }
  const attemptOf = (turn: string) => ({ turn, step: 1, attempt: 1, end: { endedAtMs: 9, outcome: 'completed' as const, usage } });
  await run(
    () => stopped(/SET called_spent/).seal(sealOf('resp_b', epochs[0] ?? 0, { usage, attempt: attemptOf('resp_b') })),
    () => there.seal(sealOf('resp_c', epochs[1] ?? 0, { usage, attempt: attemptOf('resp_c') })),
  );
  const spending = await there.readSpending('resp_a', 1);
  assert.equal(spending?.turn.outputTokens, 20, JSON.stringify(spending));
});

const old = { beforeMs: 5_000_000, atMs: 9_000_000 };

race('T1 · a conversation that is used while it is dropped for its age is there', async ({ stopped, there, run }) => {
  await there.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  const [, result] = await run(
    () => stopped(/^DELETE FROM sessions/).expire(old),
    () => there.insertTurn(newTurn('resp_a', { session: 'conv_a', createdAtMs: Date.now() })),
  );
  const isThere = (await there.readSession('default', 'conv_a')) !== undefined;
  assert.equal(isThere, result.type === 'inserted', `${result.type}, and the conversation is ${isThere ? '' : 'not '}there`);
});

race(
  'T1 · a turn that is followed while it is dropped for its age is the past of the other, or that is refused',
  async ({ stopped, there, run }) => {
    await ended(there, 'resp_a');
    const cut = { beforeMs: Date.now() + 1_000, atMs: Date.now() };
    const [, result] = await run(
      () => stopped(/SET erased_by = \?/).expire(cut, { phase: 'turns' }),
      () => there.insertTurn(newTurn('resp_b', { previous: 'resp_a' })),
    );
    const past = result.type === 'inserted' ? (await there.readTranscript('resp_b')).length : 0;
    assert.deepEqual([result.type, past], result.type === 'inserted' ? ['inserted', 1] : ['unknown_previous', 0]);
  },
);

race(
  'T1 · a conversation that is forked from a turn while that is dropped has the turn as its past, or is refused',
  async ({ stopped, there, run }) => {
    const fork = (id: string) =>
      there.createSession({ id: `conv_${id}`, tenant: 'default', metadata: {}, createdAtMs: Date.now(), leaf: id });
    await ended(there, 'resp_a');
    const cut = { beforeMs: Date.now() + 1_000, atMs: Date.now() };
    const [, ofExpired] = await run(
      () => stopped(/SET erased_by = \?/).expire(cut, { phase: 'turns' }),
      () => fork('resp_a'),
    );
    await ended(there, 'resp_b', { bodyHash: 'b' });
    const [, ofDeleted] = await run(
      () => stopped(/SET erased_at = \?/).deleteTurn('default', 'resp_b', 9),
      () => fork('resp_b'),
    );
    for (const [id, session] of [
      ['resp_a', ofExpired],
      ['resp_b', ofDeleted],
    ] as const) {
      const items = session === undefined ? undefined : await there.readSessionItems(session, { limit: 9, order: 'asc' });
      assert.equal(items?.length, session === undefined ? undefined : 1, id);
      assert.equal((await there.readSession('default', `conv_${id}`))?.leaf, session?.leaf);
    }
  },
);

race(
  'what the user has called a conversation stays, though a title of its own comes at the same moment',
  async ({ stopped, there, run }) => {
    await there.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await run(
      () => stopped(/^UPDATE sessions SET metadata = \? WHERE id/).setTitle('conv_a', 'of the model'),
      () => there.updateSession('default', 'conv_a', { title: 'of the user' }),
    );
    assert.equal((await there.readSession('default', 'conv_a'))?.metadata['title'], 'of the user');
  },
);

race('T5 · an answer that is booked as kept while its step is claimed is read on, or was not booked', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const { epoch } = await claimed(there, 'resp_a', { lease: expiredLease });
  const [claim, isBooked] = await run(
    () => stopped(/outcome = 'lost'/).claim({ turn: 'resp_a', step: 1, lease }),
    () => there.bookKeptResponse({ turn: 'resp_a', step: 1, attempt: 1, epoch, response: { id: 'resp_there', after: 2 } }),
  );
  const isReadOn = claim.type === 'granted' && claim.response !== undefined;
  assert.equal(isBooked, isReadOn, `${isBooked}, ${JSON.stringify(claim.type)}`);
});

race(
  'what is on its way to the default partition while its day gets one of its own is written there',
  async ({ gatedDatabase, there, run }) => {
    const [running, next] = [newId('resp'), newId('resp')];
    await inserted(there, newTurn(running));
    const { epoch } = await claimed(there, running);
    const last = (await there.readHead(running))?.last ?? 0;
    const db = gatedDatabase(/^ALTER TABLE journal ATTACH/);
    const [days, [isWritten, result]] = await run(
      () => ensurePartitions(db, { aheadDays: 0 }),
      () =>
        Promise.all([there.append({ turn: running, epoch, rows: [row(last + 1)] }), there.insertTurn(newTurn(next, { bodyHash: 'next' }))]),
    );
    assert.deepEqual([days.length, isWritten, result.type], [1, true, 'inserted']);
    assert.deepEqual([(await there.readHead(running))?.last, (await there.readJournal(next)).length > 0], [last + 1, true]);
    assert.equal((await readUpkeep(db)).defaultPartitionRows, 0);
  },
);

race('T3 · the wait that a failed request asks for is kept, though the step is claimed as it fails', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const { epoch } = await claimed(there, 'resp_a', { lease: expiredLease });
  const [claim] = await run(
    () => stopped(/outcome = 'lost'/).claim({ turn: 'resp_a', step: 1, lease }),
    () => there.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, epoch, { endedAtMs: Date.now(), outcome: 'failed', waitMs: 30_000 }),
  );
  const [first] = await there.readAttempts('resp_a');
  // Lost, and asked again at once; or failed, and not due.
  assert.deepEqual([claim.type, first?.outcome], claim.type === 'granted' ? ['granted', 'lost'] : ['not_due', 'failed']);
});

race(
  'T2, T6 · what waits for others before it is written has its whole lease: the head start of a turn, and a claim',
  async ({ stopped, there, run }) => {
    const withStart = (turn: NewTurn): NewTurn => ({ ...turn, headStart: { lease, row: inProgressOf(turn) } });
    let askedAtMs = 0;
    const [, second] = await run(
      () => stopped(/INSERT INTO turns/).insertTurn(withStart(newTurn('resp_a'))),
      () => {
        askedAtMs = Date.now();
        return there.insertTurn(withStart(newTurn('resp_b', { bodyHash: 'b' })));
      },
    );
    assert.ok(second.type === 'inserted' && second.begun !== undefined);
    assert.ok(second.begun.leaseUntilMs > askedAtMs + lease.lengthMs, 'not from when it was asked for');

    await inserted(there, newTurn('resp_c', { bodyHash: 'c' }));
    const { epoch } = await claimed(there, 'resp_c', { lease: expiredLease });
    const [, claim] = await run(
      () =>
        stopped(/^UPDATE attempts/).endAttempt({ turn: 'resp_c', step: 1, attempt: 1 }, epoch, {
          endedAtMs: Date.now(),
          outcome: 'failed',
        }),
      () => {
        askedAtMs = Date.now();
        return there.claim({ turn: 'resp_c', step: 1, lease });
      },
    );
    assert.ok(claim.type === 'granted');
    assert.ok(claim.leaseUntilMs > askedAtMs + lease.lengthMs);
  },
);

race('T1 · a resend that waits until its caller has gone and its turn has its end is not another turn', async ({ stopped, there, run }) => {
  await inserted(there, newTurn('resp_a'));
  const caller = new AbortController();
  const resend = newTurn('resp_b', { isResend: true, signal: caller.signal });
  const [outcome] = await run(
    async () =>
      stopped(/ body_hash = /)
        .insertTurn(resend)
        .catch(String),
    async () => {
      const { epoch } = await claimed(there, 'resp_a');
      await there.seal(sealOf('resp_a', epoch));
      await there.acknowledge('resp_a');
      caller.abort(new Error('gone'));
    },
  );
  assert.equal(outcome, 'Error: gone');
  assert.equal(await there.readTurn('resp_b'), undefined);
});
