/** What every driver of the store must do: taking turns in, joining them, refusing them, and where they stand in the tree. */
import assert from 'node:assert/strict';
import { resendWindowMs } from '../../src/domain/turn/admission.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { type Contract, ended, inserted, newTurn, pastOf, settle } from './contract.ts';

type Fields = Parameters<typeof newTurn>[1];

export function intakeContract(contract: Contract): void {
  contract('the same idempotency key gives the same turn, for its tenant only, and another body is refused', async (store) => {
    await inserted(store, newTurn('resp_a', { idempotencyKey: 'k' }));
    const again = await store.insertTurn(newTurn('resp_b', { idempotencyKey: 'k' }));
    assert.deepEqual([again.type, again.type === 'joined' && again.turn.id], ['joined', 'resp_a']);
    assert.deepEqual(await store.insertTurn(newTurn('resp_b', { idempotencyKey: 'k', bodyHash: 'other' })), { type: 'conflict' });
    await inserted(store, newTurn('resp_c', { idempotencyKey: 'k', tenant: 'other' }));
  });

  contract('a chosen id joins with the same body; it is a name within its tenant, and free for every other', async (store) => {
    const chosen = (id: string, fields: Fields = {}) => newTurn(id, { chosenId: 'resp_mine', joinsTwin: false, ...fields });
    const mine = await inserted(store, chosen('resp_a'));
    assert.deepEqual([mine.id, mine.publicId], ['resp_a', 'resp_mine']);
    const again = await store.insertTurn(chosen('resp_b'));
    assert.deepEqual([again.type, again.type === 'joined' && again.turn.id], ['joined', 'resp_a']);
    assert.deepEqual(await store.insertTurn(chosen('resp_b', { bodyHash: 'other' })), { type: 'conflict' });
    const theirs = await inserted(store, chosen('resp_c', { tenant: 'other', bodyHash: 'other' }));
    assert.deepEqual([theirs.id, theirs.publicId], ['resp_c', 'resp_mine']);
    assert.deepEqual(await store.findTurn('default', 'resp_mine'), mine);
    assert.deepEqual(await store.findTurn('other', 'resp_mine'), theirs);
    assert.equal(await store.findTurn('default', 'resp_a'), undefined, 'its tenant knows it by the other name');
    assert.equal((await store.insertTurn(newTurn('resp_d', { chosenId: 'resp_a' }))).type, 'inserted');
    const cancel = await store.requestCancel('other', 'resp_mine', 5);
    assert.equal(cancel.type === 'accepted' && cancel.turn.id, 'resp_c');
    assert.equal((await store.readTurn('resp_a'))?.cancelRequestedAtMs, null);
    await settle(store, 'resp_a');
    const settled = await store.requestCancel('default', 'resp_mine', 6);
    assert.equal(settled.type === 'settled' && settled.turn.id, 'resp_a');
    const next = await inserted(store, newTurn('resp_e', { previous: 'resp_mine' }));
    assert.equal(next.previous, 'resp_a');
    assert.equal(await store.deleteTurn('default', 'resp_mine', 7), true);
    assert.equal(await store.findTurn('default', 'resp_mine'), undefined);
    assert.deepEqual(await store.insertTurn(chosen('resp_f')), { type: 'conflict' }, 'its name stays taken');
    assert.equal((await store.findTurn('other', 'resp_mine'))?.id, 'resp_c');
  });

  contract('a key is of one turn: with another id it is refused, with the same or none it joins', async (store) => {
    const keyed = (id: string, chosenId?: string) =>
      newTurn(id, { idempotencyKey: 'k', joinsTwin: false, ...(chosenId === undefined ? {} : { chosenId }) });
    await inserted(store, keyed('resp_a', 'resp_mine'));
    assert.equal((await store.insertTurn(keyed('resp_b', 'resp_mine'))).type, 'joined');
    assert.equal((await store.insertTurn(keyed('resp_b'))).type, 'joined');
    assert.deepEqual(await store.insertTurn(keyed('resp_b', 'resp_other')), { type: 'conflict' });
    await inserted(store, newTurn('resp_c', { chosenId: 'resp_taken', joinsTwin: false }));
    assert.deepEqual(await store.insertTurn(keyed('resp_b', 'resp_taken')), { type: 'conflict' }, 'two turns');
  });

  contract('T1 · a resend joins the latest turn with its body that is unsettled, or settled lately', async (store) => {
    const resend = (id: string, fields: Fields = {}) => store.insertTurn(newTurn(id, { isResend: true, ...fields }));
    await inserted(store, newTurn('resp_a'));
    const joined = await resend('resp_b');
    assert.deepEqual(joined.type === 'joined' && joined.turn.id, 'resp_a');
    await settle(store, 'resp_a');
    assert.equal((await resend('resp_b')).type, 'joined');
    assert.equal((await resend('resp_c', { joinsTwin: false })).type, 'inserted', 'it has a key of its own');
    assert.equal((await resend('resp_d', { bodyHash: 'other' })).type, 'inserted');
    assert.equal((await resend('resp_e', { tenant: 'other' })).type, 'inserted');
    await settle(store, 'resp_c');
    assert.equal((await resend('resp_f', { createdAtMs: Date.now() + resendWindowMs + 1 })).type, 'inserted');
  });

  contract('T1 · a turn that nobody waits for any more is not taken in, and still joins one that is there', async (store) => {
    const signal = AbortSignal.abort(new Error('its caller has gone'));
    await assert.rejects(store.insertTurn(newTurn('resp_a', { signal })), /its caller has gone/);
    assert.equal(await store.readTurn('resp_a'), undefined);
    await inserted(store, newTurn('resp_a', { signal: new AbortController().signal }));
    const joined = await store.insertTurn(newTurn('resp_b', { isResend: true, signal }));
    assert.equal(joined.type === 'joined' && joined.turn.id, 'resp_a');
  });

  contract(
    'T1 · an original that its own resend has overtaken joins that, if it was received before that was created',
    async (store, database) => {
      const original = (id: string, receivedAtMs: number) => store.insertTurn(newTurn(id, { receivedAtMs, createdAtMs: 9_000 }));
      await inserted(database.open(), newTurn('resp_resend', { isResend: true, receivedAtMs: 4_900, createdAtMs: 5_000 }));
      const joined = await original('resp_a', 5_000);
      assert.deepEqual(joined.type === 'joined' && joined.turn.id, 'resp_resend');
      assert.equal((await original('resp_b', 5_001)).type, 'inserted', 'the same words, said again');
      assert.equal((await original('resp_c', 5_000)).type, 'inserted', 'the latest twin was no resend');
    },
  );

  contract('T1 · fifty resends at once, from two processes, are one turn', async (store, database) => {
    const other = database.open();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? store : other).insertTurn(newTurn(`resp_${index}`, { isResend: true }))),
    );
    assert.equal(results.filter(({ type }) => type === 'inserted').length, 1);
    assert.equal(results.filter(({ type }) => type === 'joined').length, 49);
  });

  contract('T1 · a turn whose end a client got has no twins: the same words again are a new message', async (store) => {
    await inserted(store, newTurn('resp_a'));
    assert.equal(await store.acknowledge('resp_a'), false);
    const resend = newTurn('resp_b', { isResend: true });
    assert.equal((await store.insertTurn(resend)).type, 'joined', 'it has no end that could have been got');
    await settle(store, 'resp_a');
    assert.equal((await store.insertTurn(resend)).type, 'joined');
    await store.acknowledge('resp_a');
    await store.retractAcknowledgement('resp_a');
    assert.equal((await store.insertTurn(resend)).type, 'joined', 'its connection was reset: it has not');
    assert.deepEqual(await Promise.all([store.acknowledge('resp_a'), store.acknowledge('resp_a')]), [true, false]);
    assert.equal(await store.acknowledge('resp_a'), false);
    assert.equal((await store.insertTurn(resend)).type, 'inserted');
  });

  contract(
    'T1 · a turn does not follow one that was cancelled while it waited, before those it waited for have their ends',
    async (store) => {
      await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
      await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
      await inserted(store, newTurn('resp_b', { session: 'conv_a', bodyHash: 'other' }));
      await settle(store, 'resp_b', { status: 'cancelled' });
      const next = newTurn('resp_c', { previous: 'resp_b', bodyHash: 'third' });
      assert.equal((await store.insertTurn(next)).type, 'unsettled_previous');
      await settle(store, 'resp_a');
      assert.equal((await store.insertTurn(next)).type, 'inserted');
    },
  );

  contract('a turn follows one of its tenant that has its end and was not erased', async (store) => {
    const follow = async (id: string, previous: string, fields: Fields = {}) =>
      (await store.insertTurn(newTurn(id, { previous, ...fields }))).type;
    await inserted(store, newTurn('resp_a'));
    assert.equal(await follow('resp_b', 'resp_a'), 'unsettled_previous', 'it runs');
    assert.equal(await follow('resp_b', 'resp_nobody'), 'unknown_previous');
    await settle(store, 'resp_a');
    assert.equal(await follow('resp_b', 'resp_a', { tenant: 'other' }), 'unknown_previous');
    assert.equal(await follow('resp_b', 'resp_a'), 'inserted');
    await store.deleteTurn('default', 'resp_a', Date.now());
    assert.equal(await follow('resp_c', 'resp_a'), 'unknown_previous');
    assert.equal(await store.readTurn('resp_c'), undefined);
  });

  contract('a busy session refuses, is interrupted, or has room for so many', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    const inSession = (id: string, fields: Fields = {}) => newTurn(id, { session: 'conv_a', ...fields });
    await inserted(store, inSession('resp_a', { whenBusy: 'reject' }));
    assert.deepEqual(await store.insertTurn(inSession('resp_b', { whenBusy: 'reject' })), { type: 'busy', running: 'resp_a' });
    assert.equal(await store.readTurn('resp_b'), undefined);
    const interrupting = await store.insertTurn(inSession('resp_c', { whenBusy: 'interrupt' }));
    assert.equal(interrupting.type === 'inserted' && interrupting.interrupted, 'resp_a');
    assert.equal((await store.readTurn('resp_a'))?.cancelRequestedAtMs, 1_000);
    assert.deepEqual(await store.listStuckCancels({ acceptedForMs: 0, limit: 10 }), ['resp_a']);
    assert.deepEqual(await store.listStuckCancels({ acceptedForMs: Date.now(), limit: 10 }), [], 'not for so long');
    const limits = { maxWaitingTurns: 1, maxRunningTurns: 1_000 };
    assert.deepEqual(await store.insertTurn(inSession('resp_d', { limits })), { type: 'queue_full' });
    await settle(store, 'resp_a');
    await inserted(store, inSession('resp_d', { limits }));
    assert.deepEqual(await store.listUnsettledOf('default', 'conv_a'), ['resp_c', 'resp_d']);
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
      assert.deepEqual(await store.deleteSession('default', 'conv_a'), ['resp_a', 'resp_b', 'resp_c', 'resp_d']);
      assert.deepEqual(await interrupting('resp_e'), { type: 'unknown_session' });
      assert.equal(await store.readTurn('resp_e'), undefined);
    },
  );

  contract('a tenant has so many turns at once', async (store) => {
    const limits = { maxWaitingTurns: 100, maxRunningTurns: 1 };
    await inserted(store, newTurn('resp_a', { limits }));
    assert.deepEqual(await store.insertTurn(newTurn('resp_b', { limits })), { type: 'too_many' });
    await inserted(store, newTurn('resp_c', { limits, tenant: 'other' }));
    await settle(store, 'resp_a');
    await inserted(store, newTurn('resp_b', { limits }));
  });

  contract('T5 · a cancel that comes before its turn is remembered, for its tenant and for 10 minutes', async (store) => {
    const createdAtMs = 700_000;
    const named = (id: string, fields: Fields = {}) => newTurn(id, { chosenId: `${id}_chosen`, createdAtMs, ...fields });
    for (const [id, atMs] of [
      ['resp_a_chosen', createdAtMs - 1],
      ['resp_b_chosen', createdAtMs - 600_001],
    ] as const) {
      assert.deepEqual(await store.requestCancel('default', id, atMs), { type: 'unknown' });
    }
    assert.equal((await inserted(store, named('resp_a'))).cancelRequestedAtMs, createdAtMs);
    assert.equal((await inserted(store, named('resp_b'))).cancelRequestedAtMs, null);
    await store.requestCancel('default', 'resp_c_chosen', createdAtMs);
    assert.equal((await inserted(store, named('resp_c', { tenant: 'other' }))).cancelRequestedAtMs, null);
    assert.equal((await store.requestCancel('default', 'resp_c_chosen', createdAtMs)).type, 'unknown', 'it is of another tenant');
  });

  contract('turns branch from any turn, and each sees its own past', async (store) => {
    const follow = (id: string, previous: string | null) => ended(store, id, { previous });
    await follow('resp_a', null);
    await follow('resp_b', 'resp_a');
    await follow('resp_c', 'resp_b');
    await follow('resp_x', 'resp_a');
    await follow('resp_y', 'resp_x');
    await follow('resp_z', 'resp_a');
    const past = (id: string) => pastOf(store, id);
    assert.deepEqual(await past('resp_c'), ['msg_resp_a', 'msg_resp_b']);
    assert.deepEqual(await past('resp_y'), ['msg_resp_a', 'msg_resp_x']);
    assert.deepEqual(await past('resp_z'), ['msg_resp_a']);
    assert.deepEqual(await past('resp_a'), []);
  });

  contract('a turn that takes the place of another follows the turn before that', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    for (const [id, replaces] of [['resp_a'], ['resp_b'], ['resp_c', 'resp_b']] as const) {
      await ended(store, id, { session: 'conv_a', ...(replaces === undefined ? {} : { replaces }) });
    }
    const session = await store.readSession('default', 'conv_a');
    assert.ok(session);
    assert.deepEqual(
      (await store.readSessionItems(session, { limit: 10, order: 'asc' }))?.map((item) => item.id),
      ['msg_resp_a', 'msg_resp_c'],
    );
  });

  contract('a turn that is not to be stored reads the past and leaves nothing in it', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    const settings = { ...defaultSettings('scripted'), store: false };
    await ended(store, 'resp_a', { session: 'conv_a' });
    await ended(store, 'resp_b', { session: 'conv_a', settings });
    await ended(store, 'resp_c', { session: 'conv_a' });
    assert.deepEqual([await pastOf(store, 'resp_b'), await pastOf(store, 'resp_c')], [['msg_resp_a'], ['msg_resp_a']]);
    assert.equal((await store.readSession('default', 'conv_a'))?.leaf, 'resp_c');
  });
}
