/** What every driver of the store must do: the order of a session, and which of its turns may run, by whom. */
import assert from 'node:assert/strict';
import { failureOf } from '../../src/domain/failure.ts';
import type { NewTurn, Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, ended, expiredLease, inProgressOf, inserted, lease, newTurn, pastOf, sealOf, settle } from './contract.ts';

async function openSession(store: Store): Promise<void> {
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
}

function inSession(id: string, fields: Partial<NewTurn> = {}): NewTurn {
  return newTurn(id, { session: 'conv_a', ...fields });
}

function withHeadStart(turn: NewTurn): NewTurn {
  return { ...turn, headStart: { lease, row: inProgressOf(turn) } };
}

async function itemsOf(store: Store): Promise<string[] | undefined> {
  const session = await store.readSession('default', 'conv_a');
  assert.ok(session);
  return (await store.readSessionItems(session, { limit: 99, order: 'asc' }))?.map(({ id }) => id);
}

async function undispatched(store: Store): Promise<readonly string[]> {
  return store.listUndispatched({ readyForMs: 0, limit: 9 });
}

export function orderContract(contract: Contract): void {
  contract(
    'T1 · the commit that accepts a turn records its input where its session is idle, or where it has none',
    async (store, database) => {
      await openSession(store);
      const alone = await inserted(store, newTurn('resp_x'));
      const first = await inserted(store, inSession('resp_a'));
      const second = await inserted(store, inSession('resp_b'));
      assert.deepEqual(
        [alone, first, second].map(({ isRecorded }) => isRecorded),
        [true, true, false],
      );
      assert.deepEqual(
        [alone, first, second].map(({ readyAtMs }) => readyAtMs !== null),
        [true, true, false],
      );
      const other = database.open();
      for (const turn of [alone, first, second]) assert.deepEqual(await other.readTurn(turn.id), turn, 'as it was returned');
      assert.deepEqual(await itemsOf(other), ['msg_resp_a']);
      assert.deepEqual([await pastOf(other, 'resp_a'), await pastOf(other, 'resp_b')], [[], []]);
      assert.equal((await other.findItems('default', ['msg_resp_x'], 1_000))?.size, 1);
    },
  );

  contract(
    'T1 · the seal of a turn records the input of the next, makes it ready, and tells its id: each once, in order',
    async (store, database) => {
      await openSession(store);
      const ids = ['resp_a', 'resp_b', 'resp_c'];
      for (const id of ids) await inserted(store, inSession(id));
      const other = database.open();
      for (const [index, id] of ids.entries()) {
        const { epoch } = await claimed(store, id);
        assert.deepEqual(await undispatched(other), [id], 'of those that wait nothing is dispatched');
        const next = ids[index + 1];
        assert.deepEqual(await store.seal(sealOf(id, epoch)), { type: 'sealed', lostAttempts: 1, ...(next === undefined ? {} : { next }) });
        assert.deepEqual(
          await itemsOf(other),
          ids.slice(0, index + 2).map((each) => `msg_${each}`),
        );
        if (next === undefined) continue;
        const row = await other.readTurn(next);
        assert.deepEqual([row?.isRecorded, row?.readyAtMs !== null, row?.previous], [true, true, id]);
      }
      assert.deepEqual(await pastOf(other, 'resp_c'), ['msg_resp_a', 'msg_resp_b']);
    },
  );

  contract('T1 · a waiting turn that is cancelled shows its input at once, behind those of the turns before it', async (store) => {
    await openSession(store);
    const ids = ['resp_a', 'resp_b', 'resp_c', 'resp_d'];
    for (const id of ids) await inserted(store, inSession(id));
    const { epoch } = await claimed(store, 'resp_a');
    const ready: string[] = [];
    const onReady = (id: string): void => void ready.push(id);
    await settle(store, 'resp_c');
    assert.deepEqual(await itemsOf(store), ['msg_resp_a', 'msg_resp_b', 'msg_resp_c']);
    assert.deepEqual([await undispatched(store), ready], [['resp_a'], []], 'the first still runs');
    assert.equal((await store.readTurn('resp_b'))?.readyAtMs, null, 'what is recorded still waits');
    const sealed = await store.seal(sealOf('resp_a', epoch));
    assert.equal(sealed.type === 'sealed' && sealed.next, 'resp_b');
    const second = await claimed(store, 'resp_b');
    const then = await store.seal(sealOf('resp_b', second.epoch));
    if (then.type === 'sealed' && then.next !== undefined) onReady(then.next);
    assert.deepEqual(ready, ['resp_d'], 'the cancelled one is passed over');
    assert.deepEqual(
      await itemsOf(store),
      ids.map((id) => `msg_${id}`),
    );
    assert.deepEqual(await pastOf(store, 'resp_d'), ['msg_resp_a', 'msg_resp_b', 'msg_resp_c']);
  });

  contract('T1 · what takes the place of a turn that was cancelled while it waited has the past of that', async (store) => {
    await openSession(store);
    await inserted(store, inSession('resp_a'));
    await inserted(store, inSession('resp_b'));
    await settle(store, 'resp_b');
    await settle(store, 'resp_a');
    await inserted(store, inSession('resp_c', { replaces: 'resp_b' }));
    assert.deepEqual(await pastOf(store, 'resp_c'), ['msg_resp_a']);
  });

  contract(
    'of two processes that end a turn and one that posts, whatever comes first, one turn of the session is ready',
    async (store, database) => {
      await openSession(store);
      const other = database.open();
      await inserted(store, inSession('resp_0'));
      for (let index = 0; index < 20; index += 1) {
        const [running, posted] = [`resp_${index}`, `resp_${index + 1}`];
        await Promise.all([settle(store, running), inserted(other, inSession(posted)), settle(other, running)]);
        assert.deepEqual(await undispatched(store), [posted]);
      }
      assert.deepEqual(
        await itemsOf(store),
        Array.from({ length: 21 }, (_, index) => `msg_resp_${index}`),
      );
    },
  );

  contract('T2 · with a head start the first claim is part of the commit that accepts the turn', async (store, database) => {
    const result = await store.insertTurn(withHeadStart(newTurn('resp_a')));
    assert.deepEqual([result.type, result.type === 'inserted' && result.begun?.epoch], ['inserted', 1]);
    const other = database.open();
    assert.deepEqual(await other.readTurn('resp_a'), result.type === 'inserted' && result.turn);
    assert.equal((await other.readTurn('resp_a'))?.status, 'in_progress');
    assert.deepEqual(
      (await other.readJournal('resp_a')).map(({ type }) => type),
      ['response.created', 'response.queued', 'response.in_progress'],
    );
    assert.deepEqual(await other.readHead('resp_a'), { epoch: 1, last: 2, isSealed: false, lease: 'live' });
    assert.deepEqual(
      (await other.readAttempts('resp_a')).map(({ attempt, step, endedAtMs }) => [step, attempt, endedAtMs]),
      [[1, 1, undefined]],
    );
    assert.equal((await other.claim({ turn: 'resp_a', step: 1, lease })).type, 'held');
    assert.deepEqual(await undispatched(other), ['resp_a'], 'Temporal is to have it all the same');
  });

  contract('a head start is granted only to a turn that is new, ready and not cancelled', async (store) => {
    await openSession(store);
    const epochOf = async (turn: NewTurn) => {
      const result = await store.insertTurn(withHeadStart(turn));
      return result.type === 'inserted' ? result.begun?.epoch : result.type;
    };
    assert.equal(await epochOf(inSession('resp_a', { idempotencyKey: 'k' })), 1);
    assert.equal(await epochOf(inSession('resp_again', { idempotencyKey: 'k' })), 'joined');
    assert.equal(await epochOf(inSession('resp_b')), undefined, 'its session is busy');
    assert.equal((await store.readHead('resp_b'))?.last, 1, 'its viewers are not told that it runs');
    await store.requestCancel('default', 'resp_mine', 999);
    assert.equal(await epochOf(newTurn('resp_c', { chosenId: 'resp_mine' })), undefined, 'its cancel came first');
    assert.deepEqual([(await store.readTurn('resp_c'))?.isRecorded, await store.readAttempts('resp_c')], [true, []]);
  });

  contract('what is ready and not dispatched is found by its id, the longest ready first', async (store) => {
    await openSession(store);
    for (const id of ['resp_a', 'resp_b', 'resp_c', 'resp_d']) await inserted(store, newTurn(id));
    await inserted(store, inSession('resp_x'));
    await inserted(store, inSession('resp_waits'));
    await store.markDispatched([
      { turn: 'resp_b', runId: 'run b' },
      { turn: 'resp_nobody', runId: 'run' },
      { turn: 'resp_x', runId: 'run x' },
    ]);
    await settle(store, 'resp_c');
    assert.deepEqual([(await store.readTurn('resp_b'))?.isDispatched, (await store.readTurn('resp_b'))?.runId], [true, 'run b']);
    const ready = await Promise.all(['resp_a', 'resp_d'].map(async (id) => [(await store.readTurn(id))?.readyAtMs, id] as const));
    const oldestFirst = ready.toSorted(([one], [other]) => Number(one) - Number(other)).map(([, id]) => id);
    assert.deepEqual(await undispatched(store), oldestFirst);
    assert.deepEqual(await store.listUndispatched({ readyForMs: 0, limit: 1 }), oldestFirst.slice(0, 1));
    assert.deepEqual(await store.listUndispatched({ readyForMs: 60_000, limit: 9 }), [], 'not ready for so long');
  });

  contract('dispatched turns that no attempt holds a lease of are found, a page at a time', async (store) => {
    await openSession(store);
    const ids = ['resp_a', 'resp_b', 'resp_c', 'resp_d', 'resp_e'];
    for (const id of ids) await inserted(store, newTurn(id));
    await inserted(store, newTurn('resp_undispatched'));
    await store.markDispatched(ids.map((turn) => ({ turn, runId: 'run' })));
    await settle(store, 'resp_a');
    await claimed(store, 'resp_b');
    const { epoch, attempt } = await claimed(store, 'resp_c');
    await store.endAttempt({ turn: 'resp_c', step: 1, attempt }, epoch, { endedAtMs: Date.now(), outcome: 'failed' });
    // Whose lease has run out is left to the watchers.
    await claimed(store, 'resp_d', { lease: expiredLease });
    const query = { readyForMs: 0, afterOrdinal: 0, limit: 9 };
    const [first, ...rest] = await store.listUnattended(query);
    assert.deepEqual([first?.turn, rest.map(({ turn }) => turn)], ['resp_c', ['resp_e']]);
    assert.deepEqual(
      (await store.listUnattended({ ...query, limit: 1 })).map(({ turn }) => turn),
      ['resp_c'],
    );
    assert.deepEqual(
      (await store.listUnattended({ ...query, afterOrdinal: first?.ordinal ?? 0 })).map(({ turn }) => turn),
      ['resp_e'],
    );
    assert.deepEqual(await store.listUnattended({ ...query, readyForMs: 60_000 }), []);
  });

  contract(
    "a turn of somebody's own workflow is dispatched from the start: nobody starts, asks or is told of it",
    async (store, database) => {
      await openSession(store);
      await inserted(store, inSession('resp_a'));
      const owner = { workflowId: 'research/7', ownerRunId: 'run 1' };
      const waiting = await inserted(store, inSession('resp_b', owner));
      assert.deepEqual([waiting.isDispatched, waiting.workflowId, waiting.ownerRunId], [true, 'research/7', 'run 1']);
      assert.deepEqual(await database.open().readTurn('resp_b'), waiting, 'as it was returned');
      const { epoch } = await claimed(store, 'resp_a');
      assert.deepEqual(await store.seal(sealOf('resp_a', epoch)), { type: 'sealed', lostAttempts: 1 }, 'it looks for itself');
      const { readyAtMs } = (await store.readTurn('resp_b')) ?? {};
      assert.deepEqual(await undispatched(store), []);
      const held = await claimed(store, 'resp_b');
      const endedAtMs = Date.now() - 2_000;
      await store.endAttempt({ turn: 'resp_b', step: 1, attempt: held.attempt }, held.epoch, { endedAtMs, outcome: 'failed', waitMs: 0 });
      assert.deepEqual(await store.listOverdue({ dueForMs: 1_000, limit: 9 }), []);
      const [unattended] = await store.listUnattended({ readyForMs: 0, afterOrdinal: 0, limit: 9 });
      const { ordinal: _, ...facts } = unattended ?? { ordinal: 0 };
      assert.deepEqual(facts, { turn: 'resp_b', readyAtMs, owner: { workflowId: 'research/7', firstRunId: 'run 1' } });
      const listed = await store.listTurns('default', { filter: {}, limit: 9 });
      assert.deepEqual(
        listed?.map(({ publicId, owner: by }) => [publicId, by]),
        [
          ['resp_b', 'research/7'],
          ['resp_a', null],
        ],
      );
    },
  );

  contract('T7 · an event of a provider whose type no database would hold is written, and holds up nobody else’s', async (store) => {
    const rows = [{ seq: 3, type: 'response.a\0b', data: JSON.stringify({ type: 'response.a\0b' }) }];
    const epochs = new Map<string, number>();
    for (const id of ['resp_a', 'resp_b']) {
      await inserted(store, newTurn(id, { bodyHash: id }));
      epochs.set(id, (await claimed(store, id)).epoch);
    }
    const append = async (turn: string) => store.append({ turn, epoch: epochs.get(turn) ?? 0, rows });
    assert.deepEqual(await Promise.all([append('resp_a'), append('resp_b')]), [true, true]);
    for (const id of epochs.keys()) assert.equal((await store.readJournal(id, { after: 2 }))[0]?.data, rows[0]?.data);
  });

  contract('T5 · an accepted cancel wins over a failure, and over nothing else', async (store, database) => {
    const failure = { settled: { status: 'failed', code: 'worker_lost' }, winsOverCancel: false } as const;
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await inserted(store, newTurn(id));
    const [first, second, third] = await Promise.all(['resp_a', 'resp_b', 'resp_c'].map((id) => claimed(store, id)));
    assert.ok(first && second && third);
    for (const id of ['resp_a', 'resp_b']) assert.equal((await database.open().requestCancel('default', id, 5)).type, 'accepted');
    assert.deepEqual(await store.seal(sealOf('resp_a', first.epoch, failure)), { type: 'cancel_requested' });
    assert.deepEqual([(await store.readHead('resp_a'))?.isSealed, (await store.readTurn('resp_a'))?.status], [false, 'in_progress']);
    assert.equal((await store.seal(sealOf('resp_b', second.epoch))).type, 'sealed');
    assert.equal((await store.readTurn('resp_b'))?.status, 'completed');
    assert.equal((await store.seal(sealOf('resp_c', third.epoch, failure))).type, 'sealed');
    assert.equal((await store.readTurn('resp_c'))?.errorCode, 'worker_lost');
    const requested = { status: 'failed', failure: failureOf('worker_lost') } as const;
    assert.deepEqual(await settle(store, 'resp_a', requested), { status: 'cancelled', code: null });
  });

  contract('T6 · the seal ends the attempt that writes it, and counts those of dead workers as lost', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await claimed(store, 'resp_a', { lease: expiredLease });
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const end = { endedAtMs: 9, outcome: 'completed' } as const;
    const seal = sealOf('resp_a', epoch, { attempt: { turn: 'resp_a', step: 1, attempt, end }, usage: null });
    assert.deepEqual(await store.seal(seal), { type: 'sealed', lostAttempts: 0 });
    assert.deepEqual(await store.seal(seal), { type: 'refused' });
    assert.deepEqual(
      (await store.readAttempts('resp_a')).map(({ outcome, endedAtMs }) => [outcome, endedAtMs === 9]),
      [
        ['lost', false],
        ['completed', true],
      ],
    );
    assert.deepEqual([(await store.readHead('resp_a'))?.lease, await store.listExpiredLeases({ limit: 9, hasWorker: true })], ['none', []]);
    assert.equal((await ended(store, 'resp_b')).status, 'cancelled');
  });
}
