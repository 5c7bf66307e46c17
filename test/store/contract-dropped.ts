/** What every driver of the store must do: what is deleted, not to be stored, or past retention. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { RetentionCursor, Store, UnstoredCut } from '../../src/store/ports/store.ts';
import { setClock } from './clock.ts';
import { type Contract, ended, inserted, newTurn, pastOf, settle } from './contract.ts';

async function expireAll(store: Store, beforeMs: number, atMs = beforeMs): Promise<void> {
  let from: RetentionCursor | undefined;
  do from = await store.expire({ beforeMs, atMs }, from);
  while (from !== undefined);
}

/** A time between what has been written and what will be: no clock shows it again. */
async function now(): Promise<number> {
  const cut = Date.now() + 1;
  while (Date.now() <= cut) await nextTurnOfTheLoop();
  return cut;
}

export function droppedContract(contract: Contract): void {
  contract('a deleted turn is gone for its owner, and its words stay where others go on from them', async (store) => {
    await ended(store, 'resp_a');
    await ended(store, 'resp_b', { previous: 'resp_a' });
    assert.equal(await store.deleteTurn('other', 'resp_a', 9), false);
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.equal(await store.findTurn('default', 'resp_a'), undefined);
    const models = await store.findModels('default', ['resp_a', 'resp_b', 'resp_none']);
    const named = ['resp_a', 'resp_b', 'resp_none'].map((id) => models.get(id));
    assert.deepEqual(named, ['scripted', 'scripted', undefined], 'as long as anything is left of it');
    assert.equal((await store.findModels('other', ['resp_a'])).size, 0);
    assert.deepEqual([await store.readHead('resp_a'), await store.readJournal('resp_a')], [undefined, []]);
    assert.equal((await store.readTranscript('resp_b')).length, 1);
    assert.equal(await store.deleteTurn('default', 'resp_b', 9), true);
    assert.deepEqual(await store.findItems('default', ['msg_resp_b'], 1_000), new Map());
    await inserted(store, newTurn('resp_c'));
    assert.equal(await store.deleteTurn('default', 'resp_c', 9), false, 'it runs');
  });

  contract('a deleted turn that a session was forked from leaves its words there', async (store) => {
    await ended(store, 'resp_a');
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1, leaf: 'resp_a' });
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.equal(await store.findTurn('default', 'resp_a'), undefined);
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    assert.deepEqual(await pastOf(store, 'resp_b'), ['msg_resp_a']);
  });

  contract('T1 · no session goes on from what was dropped: it would have no past', async (store) => {
    for (const id of ['resp_old', 'resp_deleted', 'resp_past']) await ended(store, id, { bodyHash: id });
    const cut = await now();
    await ended(store, 'resp_next', { previous: 'resp_past' });
    for (const id of ['resp_deleted', 'resp_past']) assert.equal(await store.deleteTurn('default', id, 9), true);
    await expireAll(store, cut, cut + 1_000);
    const fork = async (leaf: string) =>
      (await store.createSession({ id: `conv_${leaf}`, tenant: 'default', metadata: {}, createdAtMs: cut, leaf }))?.leaf;
    assert.deepEqual(await Promise.all(['resp_old', 'resp_deleted', 'resp_never'].map(fork)), [undefined, undefined, undefined]);
    assert.equal(await store.readSession('default', 'conv_resp_old'), undefined);
    const creates = { id: 'conv_items', tenant: 'default', metadata: {}, createdAtMs: cut, leaf: 'resp_old' };
    const items = newTurn('resp_x').input;
    const added = await store.addItems({ id: 'items_a', tenant: 'default', session: 'conv_items', items, createdAtMs: cut, creates });
    assert.deepEqual([added, await store.readSession('default', 'conv_items')], [undefined, undefined]);
    assert.deepEqual(
      await Promise.all(['resp_past', 'resp_next'].map(fork)),
      ['resp_past', 'resp_next'],
      'its words are the past of another',
    );
  });

  contract('T1 · a turn deleted before it ran leaves its words in the conversation, and nowhere else', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await ended(store, 'resp_a', { session: 'conv_a' });
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.deepEqual(await store.readInput('resp_a'), []);
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    assert.deepEqual(await pastOf(store, 'resp_b'), ['msg_resp_a']);
    await ended(store, 'resp_c');
    await store.deleteTurn('default', 'resp_c', 9);
    assert.deepEqual(await store.readInput('resp_c'), [], 'outside of a conversation nobody is to see them again');
    assert.equal((await store.findItems('default', ['msg_resp_c'], 1_000))?.size, 0);
  });

  contract('a turn that is not to be stored is hidden once it has ended, then gone with all it said', async (store) => {
    const settings = { ...defaultSettings('scripted'), store: false };
    await inserted(store, newTurn('resp_a', { settings }));
    assert.equal((await store.findTurn('default', 'resp_a'))?.id, 'resp_a');
    const before = await now();
    await settle(store, 'resp_a');
    assert.equal(await store.findTurn('default', 'resp_a'), undefined);
    assert.equal((await store.findModels('default', ['resp_a'])).get('resp_a'), 'scripted');
    const after = await now();
    assert.equal(await store.purgeUnstored({ acknowledgedBeforeMs: after, settledBeforeMs: before }), 0, 'no client has its end yet');
    await store.acknowledge('resp_a');
    assert.equal(await store.purgeUnstored({ acknowledgedBeforeMs: before, settledBeforeMs: before }), 0, 'others may still read it');
    assert.notEqual(await store.purgeUnstored({ acknowledgedBeforeMs: after, settledBeforeMs: before }), 0);
    assert.deepEqual([await store.readTurn('resp_a'), await store.readJournal('resp_a')], [undefined, []]);
    await store.requestCancel('default', 'resp_c', 2_000);
    await ended(store, 'resp_b', { settings });
    assert.notEqual(await store.purgeUnstored({ acknowledgedBeforeMs: after, settledBeforeMs: await now() }), 0);
    assert.equal((await inserted(store, newTurn('resp_c', { createdAtMs: 2_001 }))).cancelRequestedAtMs, null, 'no turn came in time');
  });

  contract('what is not to be stored waits for the workflow of its owner, and not for ever', async (store) => {
    const fields = { settings: { ...defaultSettings('scripted'), store: false }, workflowId: 'research/7', ownerRunId: 'run 1' };
    const before = await now();
    await ended(store, 'resp_a', fields);
    const after = await now();
    const purge = async (cut: UnstoredCut) => store.purgeUnstored(cut);
    assert.equal(await purge({ acknowledgedBeforeMs: after, settledBeforeMs: after, ownedBeforeMs: before }), 0, 'it has not read it');
    await store.acknowledge('resp_a');
    assert.equal(await purge({ acknowledgedBeforeMs: after, settledBeforeMs: after, ownedBeforeMs: before }), 0, 'a viewer has, not it');
    assert.notEqual(await purge({ acknowledgedBeforeMs: after, settledBeforeMs: after, ownedBeforeMs: after }), 0);
    await ended(store, 'resp_b', fields);
    const end = await now();
    assert.notEqual(await purge({ acknowledgedBeforeMs: end, settledBeforeMs: end, ownedBeforeMs: end }), 0, 'it never came');
    assert.deepEqual([await store.readTurn('resp_a'), await store.readTurn('resp_b')], [undefined, undefined]);
  });

  contract('past retention the journal goes, then the turn: what is left says that there was one', async (store) => {
    await ended(store, 'resp_a');
    const cut = await now();
    await ended(store, 'resp_b');
    await expireAll(store, cut);
    const row = await store.findTurn('default', 'resp_a');
    assert.deepEqual([row?.erasedBy, row?.inputCount], ['retention', 0]);
    assert.deepEqual([await store.readInput('resp_a'), await store.readResponse('resp_a')], [[], undefined]);
    assert.deepEqual([await store.readHead('resp_a'), await store.readJournal('resp_a')], [undefined, []]);
    assert.equal((await store.findItems('default', ['msg_resp_a'], 1_000))?.size, 0);
    assert.equal((await store.findTurn('default', 'resp_b'))?.erasedBy, null);
    assert.equal((await store.readJournal('resp_b')).length > 0, true);
    await expireAll(store, cut + 1);
    assert.equal(await store.findTurn('default', 'resp_a'), undefined, 'the stub goes after as long again');
  });

  contract('the past of what is kept is kept: only the journals of an old turn go while its session lives', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await store.createSession({ id: 'conv_old', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await ended(store, 'resp_a', { session: 'conv_a' });
    await ended(store, 'resp_x', { session: 'conv_old' });
    const cut = await now();
    await ended(store, 'resp_b', { session: 'conv_a', createdAtMs: cut });
    const end = await now();
    await expireAll(store, cut);
    assert.equal(await store.readSession('default', 'conv_old'), undefined);
    assert.equal((await store.readTurn('resp_x'))?.erasedBy, 'retention');
    const session = await store.readSession('default', 'conv_a');
    assert.ok(session);
    assert.equal((await store.readSessionItems(session, { limit: 9, order: 'asc' }))?.length, 2);
    assert.equal(await store.readHead('resp_a'), undefined);
    assert.equal((await store.readTurn('resp_a'))?.erasedBy, null);
    await expireAll(store, end);
    assert.equal(await store.readSession('default', 'conv_a'), undefined);
    assert.deepEqual([(await store.readTurn('resp_a'))?.erasedBy, (await store.readTurn('resp_b'))?.erasedBy], ['retention', 'retention']);
  });

  contract('a turn that its owner deleted goes past retention with its words, and keeps no past of its own', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    const before = await now();
    await ended(store, 'resp_a', { session: 'conv_a' });
    await ended(store, 'resp_b', { session: 'conv_a' });
    await store.deleteTurn('default', 'resp_b', Date.now());
    await expireAll(store, before);
    assert.equal((await store.findItems('default', ['msg_resp_a', 'msg_resp_b'], 1_000))?.size, 2);
    await expireAll(store, await now());
    assert.equal((await store.findItems('default', ['msg_resp_a', 'msg_resp_b'], 1_000))?.size, 0);
    assert.deepEqual([(await store.readTurn('resp_a'))?.erasedBy, await store.readTurn('resp_b')], ['retention', undefined]);
  });

  contract('the response outlives the events, which are past retention, as long as a turn is the past of others', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await ended(store, 'resp_a', { session: 'conv_a' });
    const before = await store.readResponse('resp_a');
    assert.equal(before?.status, 'cancelled');
    const cut = await now();
    await ended(store, 'resp_b', { session: 'conv_a', createdAtMs: Date.now() });
    await expireAll(store, cut);
    assert.equal(await store.readHead('resp_a'), undefined);
    assert.deepEqual(await store.readResponse('resp_a'), before);
    assert.deepEqual((await store.readInput('resp_a')).length, 1);
    assert.equal(await store.deleteTurn('default', 'resp_a', 9), true);
    assert.equal(await store.readResponse('resp_a'), undefined);
  });

  contract('a clock that is set back keeps no leader that is not heard of any more', async (store, database) => {
    using clock = setClock();
    const other = database.open();
    const lease = { holder: 'one', lengthMs: 30_000 };
    assert.equal(await store.lead('retention', lease), true);
    clock.move(-3_600_000);
    assert.equal(await other.lead('retention', { ...lease, holder: 'two' }), true);
    assert.equal(await store.lead('retention', lease), false, 'one leads at a time, and it sees that it is another');
    clock.move(30_001);
    assert.equal(await store.lead('retention', lease), true);
  });

  contract('of all processes one leads, for as long as it is heard of', async (store, database) => {
    const other = database.open();
    const lease = { holder: 'one', lengthMs: 60_000 };
    assert.equal(await store.lead('retention', lease), true);
    assert.equal(await other.lead('retention', { ...lease, holder: 'two' }), false);
    assert.equal(await other.lead('another', { ...lease, holder: 'two' }), true);
    assert.equal(await store.lead('retention', { ...lease, lengthMs: -1 }), true);
    assert.equal(await other.lead('retention', { ...lease, holder: 'two' }), true, 'the first has not been heard of since');
    assert.equal(await store.lead('retention', lease), false);
    const both = await Promise.all([store, other].map((each, at) => each.lead('new', { ...lease, holder: String(at) })));
    assert.deepEqual(both.filter(Boolean), [true]);
  });

  contract('T14 · cancels that came before their turn are forgotten, however many there are', async (store) => {
    for (let at = 0; at < 700; at += 1) await store.requestCancel('default', `resp_never_${at}`, 1_000);
    const cut = { acknowledgedBeforeMs: 2_000, settledBeforeMs: 2_000 };
    for (let rounds = 0; (await store.purgeUnstored(cut)) !== 0; rounds += 1) assert.ok(rounds < 10);
    await inserted(store, newTurn('resp_a', { chosenId: 'resp_never_699' }));
    assert.equal((await store.readTurn('resp_a'))?.cancelRequestedAtMs, null);
  });
}
