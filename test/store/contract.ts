/** What every driver of the store must do: the journal. A driver's test calls this with a way to open one database twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import { journalRowOf, type JournalRow, type ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import type { RequestedOutcome, TurnStatus } from '../../src/domain/turn/turn-state.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';
import type { Claim, ClaimRequest, Lease, NewTurn, Seal, Store } from '../../src/store/ports/store.ts';

export interface OpenDatabase extends AsyncDisposable {
  /** Another store on the same database, as another process would have. */
  open(): Store;
}

const settings: ResponseSettings = defaultSettings('scripted');

export function newTurn(id: string, fields: Partial<NewTurn> = {}): NewTurn {
  const response = newResponse({ id, createdAtMs: 1_000, settings, session: fields.session ?? null, previous: null });
  const turn: Omit<NewTurn, 'json'> = {
    id,
    tenant: 'default',
    session: null,
    previous: null,
    settings,
    input: [{ id: `msg_${id}`, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: `says ${id}` }] }],
    idempotencyKey: null,
    bodyHash: 'hash',
    receivedAtMs: 1_000,
    createdAtMs: 1_000,
    isResend: false,
    joinsTwin: (fields.idempotencyKey ?? null) === null,
    workflowId: `turn/${id}`,
    events: ResponseStream.open(response).map(journalRowOf),
    whenBusy: 'enqueue',
    limits: { maxWaitingTurns: 100, maxRunningTurns: 1_000 },
    ...fields,
  };
  return { ...turn, json: { settings: JSON.stringify(turn.settings), input: turn.input.map((item) => JSON.stringify(item)) } };
}

/** The row by which a head start tells that its turn runs. */
export function inProgressOf(turn: NewTurn): JournalRow {
  const opening = turn.events.map(({ data }) => JSON.parse(data) as ResponseEvent);
  const [row] = ResponseStream.replay(opening).begin().map(journalRowOf);
  assert.ok(row);
  return row;
}

/** Of a process that lives. */
export const lease: Lease = { holder: 'here', lengthMs: 60_000 };
/** Of a process that died as soon as it had claimed. */
export const expiredLease: Lease = { holder: 'dead', lengthMs: -1 };

export async function claimed(store: Store, turn: string, fields: Partial<ClaimRequest> = {}): Promise<Claim & { type: 'granted' }> {
  const claim = await store.claim({ turn, step: 1, lease, ...fields });
  assert.equal(claim.type, 'granted');
  return claim;
}

/** Gives the turn its end from outside; nobody dispatches what becomes ready by that. */
export async function settle(store: Store, turn: string, requested: RequestedOutcome = { status: 'cancelled' }): Promise<TurnStatus> {
  return settleTurn({ store, onReady: () => undefined }, turn, requested);
}

/** The turn's end, as the attempt writes it that holds this epoch. */
export function sealOf(turn: string, epoch: number, fields: Partial<Seal> = {}): Seal {
  return {
    turn,
    epoch,
    isStored: true,
    rows: [],
    output: [],
    settled: { status: 'completed', code: null },
    winsOverCancel: true,
    usage: null,
    ...fields,
  };
}

/** Which requests of the turn were answered with something to show. */
async function startsOf(store: Store, turn: string): Promise<boolean[]> {
  return (await store.readAttempts(turn)).map(({ firstEventAtMs }) => firstEventAtMs !== undefined);
}

export function row(seq: number, text = 'x'): JournalRow {
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

/** Takes a turn in and gives it its end, so that others may go on from it. */
export async function ended(store: Store, id: string, fields: Partial<NewTurn> = {}): Promise<TurnRow> {
  await inserted(store, newTurn(id, fields));
  await settle(store, id);
  const turn = await store.readTurn(id);
  assert.ok(turn);
  return turn;
}

/** The items of the turns before this one. */
export async function pastOf(store: Store, turn: string): Promise<string[]> {
  return (await store.readTranscript(turn)).flatMap(({ items }) => items.map(({ id }) => id));
}

export type Contract = (title: string, check: (store: Store, database: OpenDatabase) => Promise<void>) => void;

/** How a part of the contract states a rule: a test with a database of its own. */
export function contractFor(name: string, openDatabase: () => OpenDatabase | Promise<OpenDatabase>): Contract {
  return (title, check) => {
    test(`${name} · ${title}`, async () => {
      await using database = await openDatabase();
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
    const { epoch, attempt } = await claimed(store, 'resp_a', { lease: expiredLease });
    const starts = { turn: 'resp_a', step: 1, attempt, providerRequestId: 'req_1' };
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3)], starts }), true);
    const other = database.open();
    assert.deepEqual(await startsOf(other, 'resp_a'), [true]);
    assert.equal((await other.readAttempts('resp_a'))[0]?.providerRequestId, 'req_1');
    assert.deepEqual(await other.claim({ turn: 'resp_a', step: 1, lease }), { type: 'started' });
  });

  contract('T3 · a step gets three requests, whoever makes them', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const other = database.open();
    for (const [index, process] of [store, other, store].entries()) {
      const { attempt, lostAttempts } = await claimed(process, 'resp_a', { lease: expiredLease });
      assert.deepEqual([attempt, lostAttempts], [index + 1, index === 0 ? 0 : 1]);
    }
    assert.deepEqual(await other.claim({ turn: 'resp_a', step: 1, lease }), { type: 'exhausted' });
    await settle(other, 'resp_a', { status: 'failed', failure: failureOf('transport_failed') });
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ attempt, outcome }) => [attempt, outcome]),
      [
        [1, 'lost'],
        [2, 'lost'],
        [3, 'lost'],
      ],
    );
  });

  contract(
    'T6 · that no fourth request is granted says nothing of the third: whoever holds it may end the turn yet',
    async (store, database) => {
      await store.insertTurn(newTurn('resp_a'));
      for (const _ of [1, 2]) await claimed(store, 'resp_a', { lease: expiredLease });
      const { epoch, attempt } = await claimed(store, 'resp_a', { lease: expiredLease });
      assert.equal((await database.open().claim({ turn: 'resp_a', step: 1, lease })).type, 'exhausted');
      const end = { endedAtMs: 9, outcome: 'completed', spent: { outputTokens: 5, costUsd: 0.5 } } as const;
      const sealed = await store.seal(sealOf('resp_a', epoch, { attempt: { turn: 'resp_a', step: 1, attempt, end } }));
      assert.equal(sealed.type, 'sealed');
      assert.deepEqual(
        (await store.readAttempts('resp_a')).map(({ outcome, spent }) => [outcome, spent]),
        [
          ['lost', undefined],
          ['lost', undefined],
          ['completed', end.spent],
        ],
      );
    },
  );

  contract('T7 · a zombie of a lower epoch is refused, and leaves nothing', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    const zombie = await claimed(store, 'resp_a', { lease: expiredLease });
    const other = database.open();
    const heir = await claimed(other, 'resp_a');
    const starts = { turn: 'resp_a', step: 1, attempt: zombie.attempt };
    assert.equal(await store.append({ turn: 'resp_a', epoch: zombie.epoch, rows: [row(3, 'zombie')], starts }), false);
    assert.deepEqual(await startsOf(store, 'resp_a'), [false, false]);
    assert.deepEqual(await store.seal(sealOf('resp_a', zombie.epoch, { rows: [row(3, 'zombie')] })), { type: 'refused' });
    assert.equal(await other.append({ turn: 'resp_a', epoch: heir.epoch, rows: [row(3, 'heir')] }), true);
    assert.deepEqual(
      (await store.readJournal('resp_a', { after: 2 })).map((seen) => seen.data),
      [row(3, 'heir').data],
    );
  });

  contract('T7 · rows leave no gap: what does not follow the last row is refused', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(4)] }), false);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(2)] }), false);
    assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [row(3), row(4)] }), true);
  });

  contract('T6 · a turn has one end: of many who settle it at once, the first writes and the rest adopt', async (store, database) => {
    await store.insertTurn(newTurn('resp_a'));
    await claimed(store, 'resp_a');
    const others = [store, database.open(), database.open()];
    const failure = failureOf('worker_lost');
    const ends = await Promise.all(
      others.flatMap((each) => [settle(each, 'resp_a', { status: 'failed', failure }), settle(each, 'resp_a', { status: 'cancelled' })]),
    );
    assert.equal(new Set(ends.map((end) => JSON.stringify(end))).size, 1);
    const types = (await store.readJournal('resp_a')).map(({ type }) => type);
    assert.equal(types.filter((type) => /completed|incomplete|failed/.test(type)).length, 1);
    assert.equal((await store.readHead('resp_a'))?.isSealed, true);
  });

  contract('T6 · nothing is written behind the seal', async (store) => {
    await store.insertTurn(newTurn('resp_a'));
    const { epoch } = await claimed(store, 'resp_a');
    await settle(store, 'resp_a');
    const length = (await store.readJournal('resp_a')).length;
    for (const each of [epoch, epoch + 1, epoch + 2]) {
      assert.equal(await store.append({ turn: 'resp_a', epoch: each, rows: [row(length)] }), false);
    }
    const settled = { status: 'cancelled', code: null } as const;
    assert.deepEqual(await store.claim({ turn: 'resp_a', step: 1, lease }), { type: 'settled', settled });
    assert.deepEqual(await store.fence('resp_a'), { epoch: -1, settled });
    assert.deepEqual(await store.seal(sealOf('resp_a', epoch + 1)), { type: 'refused' });
    assert.equal((await store.requestCancel('default', 'resp_a', 10_000)).type, 'settled');
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
    for (let seq = 3; seq < 403; seq += 4) {
      assert.equal(await store.append({ turn: 'resp_a', epoch, rows: [0, 1, 2, 3].map((offset) => row(seq + offset)) }), true);
      // Let the followers in between, as a socket would.
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await store.seal(sealOf('resp_a', epoch, { rows: [row(403)] }))).type, 'sealed');
    const all = Array.from({ length: 404 }, (_, seq) => seq);
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
    assert.deepEqual(await store.claim({ turn: 'resp_a', step: 1, lease }), { type: 'cancelled' });
  });

  contract('the head of a journal says who may write, and the number of the last row', async (store) => {
    assert.equal(await store.readHead('resp_a'), undefined);
    await store.insertTurn(newTurn('resp_a'));
    assert.deepEqual(await store.readHead('resp_a'), { epoch: 0, last: 1, isSealed: false, lease: 'none' });
    const { epoch } = await claimed(store, 'resp_a');
    await store.append({ turn: 'resp_a', epoch, rows: [row(3), row(4)] });
    assert.deepEqual(await store.readHead('resp_a'), { epoch: 1, last: 4, isSealed: false, lease: 'live' });
  });

  contract('of the calls that come together one that fails takes nothing with it', async (store, database) => {
    const calls = [
      store.insertTurn(newTurn('resp_a')),
      store.claim({ turn: 'resp_nobody', step: 1, lease }),
      store.insertTurn(newTurn('resp_b', { idempotencyKey: 'k' })),
      store.fence('resp_nobody'),
      store.insertTurn(newTurn('resp_c')),
    ];
    assert.deepEqual(
      (await Promise.allSettled(calls)).map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    const other = database.open();
    for (const id of ['resp_a', 'resp_b', 'resp_c']) assert.equal((await other.readTurn(id))?.id, id);
  });
}
