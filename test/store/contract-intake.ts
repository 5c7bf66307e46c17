/** What every driver of the store must do: taking turns in, joining them, refusing them, recording them. */
import assert from 'node:assert/strict';
import { defaultSettings } from '../../src/domain/response-settings.ts';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import { type Contract, inserted, newTurn } from './contract.ts';

const joins = { settledAfterMs: 5_000 };
const query = { createdBeforeMs: 2_000, onlyUndispatched: true, afterOrdinal: 0, limit: 10 };

export function intakeContract(contract: Contract): void {
  contract('the same idempotency key gives the same turn, for its tenant only, and another body is refused', async (store) => {
    await inserted(store, newTurn('resp_a', { idempotencyKey: 'k' }));
    const again = await store.insertTurn(newTurn('resp_b', { idempotencyKey: 'k' }));
    assert.deepEqual([again.type, again.type === 'joined' && again.turn.id], ['joined', 'resp_a']);
    assert.deepEqual(await store.insertTurn(newTurn('resp_b', { idempotencyKey: 'k', bodyHash: 'other' })), { type: 'conflict' });
    await inserted(store, newTurn('resp_c', { idempotencyKey: 'k', tenant: 'other' }));
  });

  contract('the same id joins with the same body, for its tenant only', async (store) => {
    await inserted(store, newTurn('resp_a'));
    assert.equal((await store.insertTurn(newTurn('resp_a'))).type, 'joined');
    assert.deepEqual(await store.insertTurn(newTurn('resp_a', { bodyHash: 'other' })), { type: 'conflict' });
    assert.deepEqual(await store.insertTurn(newTurn('resp_a', { tenant: 'other' })), { type: 'conflict' });
  });

  contract('a resend joins the latest turn with its body that is unsettled, or settled lately', async (store) => {
    const resend = (id: string, fields: Parameters<typeof newTurn>[1] = {}) => store.insertTurn(newTurn(id, { joins, ...fields }));
    await inserted(store, newTurn('resp_a', { joins }));
    const joined = await resend('resp_b');
    assert.deepEqual(joined.type === 'joined' && joined.turn.id, 'resp_a');
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    assert.equal((await resend('resp_b')).type, 'joined');
    assert.equal((await resend('resp_c', { bodyHash: 'other' })).type, 'inserted');
    assert.equal((await resend('resp_d', { tenant: 'other' })).type, 'inserted');
    assert.equal((await resend('resp_e', { joins: { settledAfterMs: 6_000 } })).type, 'inserted');
  });

  contract('T1 · fifty resends at once, from two processes, are one turn', async (store, database) => {
    const other = database.open();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? store : other).insertTurn(newTurn(`resp_${index}`, { joins }))),
    );
    assert.equal(results.filter(({ type }) => type === 'inserted').length, 1);
    assert.equal(results.filter(({ type }) => type === 'joined').length, 49);
  });

  contract('T1 · a turn whose end a client got has no twins: the same words again are a new message', async (store) => {
    await inserted(store, newTurn('resp_a', { joins: { settledAfterMs: 0 } }));
    await store.acknowledge('resp_a');
    const resend = newTurn('resp_b', { joins: { settledAfterMs: 0 } });
    assert.equal((await store.insertTurn(resend)).type, 'joined', 'it has no end that could have been got');
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    assert.equal((await store.insertTurn(resend)).type, 'joined');
    await store.acknowledge('resp_a');
    assert.equal((await store.insertTurn(resend)).type, 'inserted');
  });

  contract('a busy session refuses, is interrupted, or has room for so many', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    const inSession = (id: string, fields: Parameters<typeof newTurn>[1] = {}) => newTurn(id, { session: 'conv_a', ...fields });
    await inserted(store, inSession('resp_a', { whenBusy: 'reject' }));
    assert.deepEqual(await store.insertTurn(inSession('resp_b', { whenBusy: 'reject' })), { type: 'busy', running: 'resp_a' });
    assert.equal(await store.readTurn('resp_b'), undefined);
    const interrupting = await store.insertTurn(inSession('resp_c', { whenBusy: 'interrupt' }));
    assert.equal(interrupting.type === 'inserted' && interrupting.interrupted, 'resp_a');
    assert.equal((await store.readTurn('resp_a'))?.cancelRequestedAtMs, 1_000);
    assert.deepEqual(
      (await store.listStuckCancels(2_000, 10)).map(({ id }) => id),
      ['resp_a'],
    );
    const limits = { maxWaitingTurns: 1, maxRunningTurns: 1_000 };
    assert.deepEqual(await store.insertTurn(inSession('resp_d', { limits })), { type: 'queue_full' });
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    await inserted(store, inSession('resp_d', { limits }));
    assert.deepEqual(
      (await store.listUnsettledOf('default', 'conv_a')).map(({ id }) => id),
      ['resp_c', 'resp_d'],
    );
    assert.deepEqual(await store.listUnsettledOf('other', 'conv_a'), []);
  });

  contract(
    'who interrupts an interruption has the one cancelled that would run next, and a deleted session takes nothing in',
    async (store) => {
      await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
      const interrupting = (id: string) => store.insertTurn(newTurn(id, { session: 'conv_a', whenBusy: 'interrupt' }));
      await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
      const results = [await interrupting('resp_b'), await interrupting('resp_c'), await interrupting('resp_d')];
      assert.deepEqual(
        results.map((result) => result.type === 'inserted' && result.interrupted),
        ['resp_a', 'resp_b', 'resp_c'],
      );
      assert.equal(await store.deleteSession('default', 'conv_a'), 'busy');
      for (const id of ['resp_a', 'resp_b', 'resp_c', 'resp_d']) await settleTurn(store, id, { status: 'cancelled' }, 6_000);
      assert.equal(await store.deleteSession('default', 'conv_a'), true);
      assert.deepEqual(await interrupting('resp_e'), { type: 'unknown_session' });
      assert.equal(await store.readTurn('resp_e'), undefined);
    },
  );

  contract('a tenant has so many turns at once', async (store) => {
    const limits = { maxWaitingTurns: 100, maxRunningTurns: 1 };
    await inserted(store, newTurn('resp_a', { limits }));
    assert.deepEqual(await store.insertTurn(newTurn('resp_b', { limits })), { type: 'too_many' });
    await inserted(store, newTurn('resp_c', { limits, tenant: 'other' }));
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    await inserted(store, newTurn('resp_b', { limits }));
  });

  contract('T5 · a cancel that comes before its turn is remembered, for its tenant and for 10 minutes', async (store) => {
    const createdAtMs = 700_000;
    for (const [id, atMs] of [
      ['resp_a', createdAtMs - 1],
      ['resp_b', createdAtMs - 600_001],
    ] as const) {
      assert.deepEqual(await store.requestCancel('default', id, atMs), { type: 'unknown' });
    }
    assert.equal((await inserted(store, newTurn('resp_a', { createdAtMs }))).cancelRequestedAtMs, createdAtMs);
    assert.equal((await inserted(store, newTurn('resp_b', { createdAtMs }))).cancelRequestedAtMs, null);
    await store.requestCancel('default', 'resp_c', createdAtMs);
    assert.equal((await inserted(store, newTurn('resp_c', { createdAtMs, tenant: 'other' }))).cancelRequestedAtMs, null);
    assert.equal((await store.requestCancel('default', 'resp_c', createdAtMs)).type, 'unknown', 'it is of another tenant');
  });

  contract('an unfinished turn that was never dispatched is found, a page at a time', async (store) => {
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await inserted(store, newTurn(id));
    await store.markDispatched('resp_a');
    const ids = async (fields: Partial<typeof query>) => (await store.listUnfinished({ ...query, ...fields })).map(({ turn }) => turn.id);
    assert.deepEqual(await ids({}), ['resp_b', 'resp_c']);
    assert.deepEqual(await ids({ onlyUndispatched: false }), ['resp_a', 'resp_b', 'resp_c']);
    assert.deepEqual(await ids({ createdBeforeMs: 500 }), []);
    const [first] = await store.listUnfinished({ ...query, limit: 1 });
    assert.deepEqual(await ids({ afterOrdinal: first?.ordinal ?? 0 }), ['resp_c']);
  });

  contract('turns of a session that were left behind are found before a later one is dispatched', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await inserted(store, newTurn(id, { session: 'conv_a' }));
    await inserted(store, newTurn('resp_x'));
    await store.markDispatched('resp_a');
    assert.deepEqual(
      (await store.listUndispatchedBefore('resp_c')).map(({ id }) => id),
      ['resp_b'],
    );
    assert.deepEqual(await store.listUndispatchedBefore('resp_x'), []);
  });

  contract('T1 · a turn cancelled before it was dispatched is still to be recorded', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    assert.equal((await store.listUnfinished(query)).length, 1);
    await store.recordInput('resp_a');
    assert.deepEqual(await store.listUnfinished(query), []);
  });

  contract('T1 · the input is recorded once, however often it is asked for, and moves the pointer of the session', async (store) => {
    const session = await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: session.id }));
    await inserted(store, newTurn('resp_b', { session: session.id }));
    await store.recordInput('resp_a');
    await Promise.all([store.recordInput('resp_a'), store.recordInput('resp_b'), store.recordInput('resp_b')]);
    assert.equal((await store.readTurn('resp_b'))?.previous, 'resp_a');
    const now = await store.readSession('default', 'conv_a');
    assert.equal(now?.leaf, 'resp_b');
    assert.deepEqual(
      (await store.readSessionItems(now, { limit: 10, order: 'asc' }))?.map((item) => item.id),
      ['msg_resp_a', 'msg_resp_b'],
    );
    assert.deepEqual(
      (await store.readTranscript('resp_b')).map((turn) => turn.items.map((item) => item.id)),
      [['msg_resp_a']],
    );
  });

  contract('turns branch from any turn, and each sees its own past', async (store) => {
    const follow = async (id: string, previous: string | null): Promise<void> => {
      await inserted(store, newTurn(id, { previous }));
      await store.recordInput(id);
    };
    await follow('resp_a', null);
    await follow('resp_b', 'resp_a');
    await follow('resp_c', 'resp_b');
    await follow('resp_x', 'resp_a');
    await follow('resp_y', 'resp_x');
    await follow('resp_z', 'resp_a');
    const past = async (id: string) => (await store.readTranscript(id)).flatMap(({ items }) => items.map((item) => item.id));
    assert.deepEqual(await past('resp_c'), ['msg_resp_a', 'msg_resp_b']);
    assert.deepEqual(await past('resp_y'), ['msg_resp_a', 'msg_resp_x']);
    assert.deepEqual(await past('resp_z'), ['msg_resp_a']);
    assert.deepEqual(await past('resp_a'), []);
  });

  contract('a turn that takes the place of another follows the turn before that', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    for (const [id, replaces] of [['resp_a'], ['resp_b'], ['resp_c', 'resp_b']] as const) {
      await inserted(store, newTurn(id, { session: 'conv_a', ...(replaces === undefined ? {} : { replaces }) }));
      await store.recordInput(id);
    }
    const session = await store.readSession('default', 'conv_a');
    assert.ok(session);
    assert.deepEqual(
      (await store.readSessionItems(session, { limit: 10, order: 'asc' }))?.map((item) => item.id),
      ['msg_resp_a', 'msg_resp_c'],
    );
  });

  contract('T1 · what takes the place of a turn that was cancelled before it was recorded has the past of that', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    await store.recordInput('resp_a');
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    await settleTurn(store, 'resp_b', { status: 'cancelled' }, 6_000);
    await inserted(store, newTurn('resp_c', { session: 'conv_a', replaces: 'resp_b' }));
    await store.recordInput('resp_c');
    assert.deepEqual(
      (await store.readTranscript('resp_c')).map(({ items }) => items.map((item) => item.id)),
      [['msg_resp_a']],
    );
  });

  contract('T1 · a turn that goes on from one that was cancelled before it was recorded comes behind its words', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await settleTurn(store, 'resp_a', { status: 'cancelled' }, 6_000);
    await inserted(store, newTurn('resp_b', { previous: 'resp_a' }));
    await store.recordInput('resp_b');
    assert.deepEqual(
      (await store.readTranscript('resp_b')).map(({ items }) => items.map((item) => item.id)),
      [['msg_resp_a']],
    );
  });

  contract('a turn that is not to be stored reads the past and leaves nothing in it', async (store) => {
    const session = { id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 };
    await store.createSession(session);
    const settings = { ...defaultSettings('scripted'), store: false };
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    await inserted(store, newTurn('resp_b', { session: 'conv_a', settings }));
    await inserted(store, newTurn('resp_c', { session: 'conv_a' }));
    for (const id of ['resp_a', 'resp_b', 'resp_c']) await store.recordInput(id);
    const past = async (id: string) => (await store.readTranscript(id)).flatMap(({ items }) => items.map((item) => item.id));
    assert.deepEqual([await past('resp_b'), await past('resp_c')], [['msg_resp_a'], ['msg_resp_a']]);
    assert.equal((await store.readSession('default', 'conv_a'))?.leaf, 'resp_c');
  });
}
