/** What every driver of the store must do: the journal. A driver's test calls this with a way to open one database twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import { journalRowOf, type JournalRow } from '../../src/domain/response-event.ts';
import { ResponseStream } from '../../src/domain/response-stream.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response-settings.ts';
import { newResponse } from '../../src/domain/response.ts';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import type { TurnRow } from '../../src/domain/turn.ts';
import type { Claim, NewTurn, Store } from '../../src/store/ports/store.ts';

export interface OpenDatabase extends AsyncDisposable {
  /** Another store on the same database, as another process would have. */
  open(): Store;
}

const settings: ResponseSettings = defaultSettings('scripted');

export function newTurn(id: string, fields: Partial<NewTurn> = {}): NewTurn {
  const response = newResponse({ id, createdAtMs: 1_000, settings, session: fields.session ?? null, previous: null });
  return {
    id,
    tenant: 'default',
    session: null,
    previous: null,
    settings,
    input: [{ id: `msg_${id}`, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: `says ${id}` }] }],
    idempotencyKey: null,
    bodyHash: 'hash',
    createdAtMs: 1_000,
    events: ResponseStream.open(response).map(journalRowOf),
    whenBusy: 'enqueue',
    limits: { maxWaitingTurns: 100, maxRunningTurns: 1_000 },
    ...fields,
  };
}

const run = { step: 1, workflowId: 'turn/a', runId: 'run' };

async function claimed(store: Store, turn: string): Promise<Claim & { type: 'granted' }> {
  const claim = await store.claim({ ...run, turn, atMs: 2_000 });
  assert.equal(claim.type, 'granted');
  return claim;
}

/** When each request of the turn was first answered with something to show. */
async function startsOf(store: Store, turn: string): Promise<(number | undefined)[]> {
  return (await store.readAttempts(turn)).map(({ firstEventAtMs }) => firstEventAtMs);
}

function row(seq: number, text = 'x'): JournalRow {
  return {
    seq,
    type: 'response.output_text.delta',
    data: JSON.stringify({ type: 'response.output_text.delta', sequence_number: seq, text }),
  };
}

/** Takes a turn in that nothing refuses. */
export async function inserted(store: Store, turn: NewTurn): Promise<TurnRow> {
  const result = await store.insertTurn(turn);
  assert.equal(result.type, 'inserted');
  return result.turn;
}

export type Contract = (title: string, check: (store: Store, database: OpenDatabase) => Promise<void>) => void;

/** How a part of the contract states a rule: a test with a database of its own. */
export function contractFor(name: string, openDatabase: () => OpenDatabase): Contract {
  return (title, check) => {
    test(`${name} · ${title}`, async () => {
      await using database = openDatabase();
      await check(database.open(), database);
    });
  };
}

export function journalContract(contract: Contract): void {
  contract('a turn is there for every process, with its first events', async (store, database) => {
    const turn = await inserted(store, newTurn('resp_a'));
    assert.equal(turn.status, 'queued');
    const other = database.open();
    assert.deepEqual(await other.readTurn('resp_a'), turn);
    assert.deepEqual(
      (await other.readJournal('resp_a')).map(({ seq, type }) => [seq, type]),
      [
        [0, 'response.created'],
        [1, 'response.queued'],
      ],
    );
  });

  contract('T2 · a step that has started is not claimed again', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const starts = { turn: 'resp_a', step: 1, attempt, atMs: 3_000 };
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(2)], starts }), true);
    const other = database.open();
    assert.deepEqual(await startsOf(other, 'resp_a'), [3_000]);
    assert.deepEqual(await other.claim({ ...run, turn: 'resp_a', atMs: 4_000 }), { type: 'started' });
  });

  contract('T3 · a step gets three requests, whoever makes them', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const other = database.open();
    for (const [index, process] of [store, other, store].entries()) {
      assert.equal((await claimed(process, 'resp_a')).attempt, index + 1);
    }
    assert.deepEqual(await other.claim({ ...run, turn: 'resp_a', atMs: 5 }), { type: 'exhausted' });
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ attempt, outcome }) => [attempt, outcome]),
      [
        [1, 'lost'],
        [2, 'lost'],
        [3, 'lost'],
      ],
    );
  });

  contract('T7 · a zombie of a lower epoch is refused, and leaves nothing', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const zombie = await claimed(store, 'resp_a');
    const other = database.open();
    const heir = await claimed(other, 'resp_a');
    const starts = { turn: 'resp_a', step: 1, attempt: zombie.attempt, atMs: 3_000 };
    assert.equal(await store.append({ turn: 'resp_a', epoch: zombie.epoch, rows: [row(2, 'zombie')], starts }), false);
    assert.deepEqual(await startsOf(store, 'resp_a'), [undefined, undefined]);
    assert.equal(await other.append({ turn: 'resp_a', epoch: heir.epoch, rows: [row(2, 'heir')] }), true);
    assert.deepEqual(
      (await store.readJournal('resp_a', { after: 1 })).map((seen) => seen.data),
      [row(2, 'heir').data],
    );
  });

  contract('T7 · rows leave no gap: what does not follow the last row is refused', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)] }), false);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(1)] }), false);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(2), row(3)] }), true);
  });

  contract('T6 · a turn has one end: of many who settle it at once, the first writes and the rest adopt', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    await claimed(store, 'resp_a');
    const others = [store, database.open(), database.open()];
    const failure = failureOf('worker_lost');
    const ends = await Promise.all(
      others.flatMap((each) => [
        settleTurn(each, 'resp_a', { status: 'failed', failure }, 9_000),
        settleTurn(each, 'resp_a', { status: 'cancelled' }, 9_000),
      ]),
    );
    assert.equal(new Set(ends.map((end) => JSON.stringify(end))).size, 1);
    const types = (await store.readJournal('resp_a')).map(({ type }) => type);
    assert.equal(types.filter((type) => /completed|incomplete|failed/.test(type)).length, 1);
    assert.equal((await store.readHead('resp_a'))?.isSealed, true);
  });

  contract('T6 · nothing is written behind the seal', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 9_000);
    const length = (await store.readJournal('resp_a')).length;
    for (const each of [epoch, epoch + 1, epoch + 2]) {
      assert.equal(await store.append({ turn: 'resp_a', epoch: each, rows: [row(length)] }), false);
    }
    assert.deepEqual(await store.claim({ ...run, turn: 'resp_a', atMs: 5 }), {
      type: 'settled',
      settled: { status: 'cancelled', code: null },
    });
    assert.deepEqual(await store.requestCancel('default', 'resp_a', 10_000), { type: 'settled' });
  });

  contract('T7 · a follower in another process sees every row once, in order, to the end, from any point', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    const follow = async (after: number): Promise<number[]> => {
      const seen: number[] = [];
      const follower = database.open();
      for await (const batch of follower.follow('resp_a', after, AbortSignal.timeout(20_000))) seen.push(...batch.map(({ seq }) => seq));
      return seen;
    };
    const following = [-1, 0, 5, 400].map(follow);
    for (let seq = 2; seq < 402; seq += 4) {
      assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [0, 1, 2, 3].map((offset) => row(seq + offset)) }), true);
      // Let the followers in between, as a socket would.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const end = newTurn('resp_a').events[0];
    assert.ok(end);
    const response = newResponse({ id: 'resp_a', createdAtMs: 1, settings, session: null, previous: null });
    const settled = { status: 'completed', code: null } as const;
    await store.seal({ turn: 'resp_a', isStored: true, epoch, rows: [row(402)], response, output: [], settled, atMs: 9, usage: null });
    const all = Array.from({ length: 403 }, (_, seq) => seq);
    assert.deepEqual(await Promise.all(following), [all, all.slice(1), all.slice(6), all.slice(401)]);
  });

  contract('a follower who leaves is gone at once', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    const leave = new AbortController();
    const seen: number[] = [];
    for await (const batch of store.follow('resp_a', -1, leave.signal)) {
      seen.push(batch.length);
      leave.abort();
    }
    assert.deepEqual(seen, [2]);
  });

  contract('T5 · after an accepted cancel nothing is claimed', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    assert.equal((await store.requestCancel('default', 'resp_a', 5)).type, 'accepted');
    assert.deepEqual(await store.claim({ ...run, turn: 'resp_a', atMs: 6 }), { type: 'cancelled' });
  });

  contract('unsettled turns are counted, those that a worker has claimed and those that wait', async (store, database) => {
    assert.deepEqual(await store.counts(), { running: 0, waiting: 0 });
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await store.insertTurn(newTurn(id));
    await store.recordInput('resp_b');
    await claimed(store, 'resp_a');
    await claimed(store, 'resp_b');
    assert.deepEqual(await database.open().counts(), { running: 2, waiting: 1 });
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    await settleTurn(store, 'resp_c', { status: 'cancelled' }, 6_000);
    assert.deepEqual(await store.counts(), { running: 1, waiting: 0 });
  });

  contract('the head of a journal says who may write, and the number of the last row', async (store) => {
    assert.equal(await store.readHead('resp_a'), undefined);
    await store.insertTurn(newTurn('resp_a'));
    assert.deepEqual(await store.readHead('resp_a'), { epoch: 0, last: 1, isSealed: false });
    const { epoch } = await claimed(store, 'resp_a');
    await store.append({ turn: 'resp_a', epoch, rows: [row(2), row(3)] });
    assert.deepEqual(await store.readHead('resp_a'), { epoch: 1, last: 3, isSealed: false });
  });
}
