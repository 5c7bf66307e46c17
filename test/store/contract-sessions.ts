/** What every driver of the store must do: sessions and their items. */
import assert from 'node:assert/strict';
import type { PagedItems } from '../../src/client/item-pages.ts';
import type { InputItem, Item, OutputMessage } from '../../src/domain/item.ts';
import type { NewSession } from '../../src/domain/turn/session.ts';
import type { Page, Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, ended, inserted, lease, newTurn, sealOf, settle } from './contract.ts';

function session(id: string, fields: Partial<NewSession> = {}): NewSession {
  return { id, tenant: 'default', metadata: {}, createdAtMs: 1, ...fields };
}

function message(id: string): InputItem {
  return { id, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text: id }] };
}

async function idsOf(store: Store, id: string, page: Parameters<Store['readSessionItems']>[1]): Promise<string[] | undefined> {
  const row = await store.readSession('default', id);
  assert.ok(row);
  return (await store.readSessionItems(row, page))?.map((item) => item.id);
}

export function sessionsContract(contract: Contract): void {
  contract('a session is made, read, renamed, listed by its latest use and deleted, by its tenant alone', async (store) => {
    await store.createSession(session('conv_a', { metadata: { topic: 'tea' } }));
    await store.createSession(session('conv_b', { createdAtMs: 2 }));
    await store.createSession(session('conv_c', { createdAtMs: 3 }));
    await store.createSession(session('conv_x', { tenant: 'other' }));
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    const ids = async (page: Parameters<Store['listSessions']>[1]) => (await store.listSessions('default', page))?.map(({ id }) => id);
    assert.deepEqual(await ids({ limit: 2, order: 'desc' }), ['conv_a', 'conv_c']);
    assert.deepEqual(await ids({ limit: 2, order: 'desc', after: 'conv_c' }), ['conv_b']);
    assert.deepEqual(await ids({ limit: 9, order: 'asc', after: 'conv_b' }), ['conv_c', 'conv_a']);
    assert.equal(await ids({ limit: 2, order: 'desc', after: 'conv_x' }), undefined);
    assert.deepEqual(await ids({ limit: 9, order: 'desc', sinceMs: 3 }), ['conv_a', 'conv_c']);
    assert.deepEqual(await ids({ limit: 9, order: 'desc', untilMs: 3 }), ['conv_b']);
    assert.deepEqual(await ids({ limit: 9, order: 'asc', sinceMs: 3, untilMs: 1_000, after: 'conv_b' }), ['conv_c']);
    const [used, unused] = (await store.listSessions('default', { limit: 2, order: 'desc' })) ?? [];
    assert.deepEqual([used?.usedAtMs, used?.firstWords, used?.name], [1_000, 'says resp_a', null]);
    assert.deepEqual([unused?.usedAtMs, unused?.firstWords], [3, null]);
    await store.openSession(session('conv_n', { createdAtMs: 2_000 }), 'my chat');
    assert.deepEqual((await store.listSessions('default', { limit: 1, order: 'desc' }))?.[0]?.name, 'my chat');
    await store.deleteSession('default', 'conv_n');
    assert.deepEqual((await store.updateSession('default', 'conv_a', { topic: 'cake' }))?.metadata, { topic: 'cake' });
    assert.equal(await store.updateSession('default', 'conv_x', {}), undefined);
    assert.equal(await store.deleteSession('other', 'conv_a'), undefined);
    await settle(store, 'resp_a');
    assert.deepEqual(await store.deleteSession('default', 'conv_a'), []);
    assert.equal(await store.deleteSession('default', 'conv_a'), undefined);
    assert.equal(await store.readSession('default', 'conv_a'), undefined);
    assert.equal(await store.readSession('default', 'conv_x'), undefined);
  });

  contract('T14 · a page of items ends with the one that reaches its bound in characters, and goes on behind it', async (store) => {
    await store.createSession(session('conv_a'));
    await ended(store, 'resp_a', { session: 'conv_a', input: ['msg_1', 'msg_2', 'msg_3'].map(message) });
    await inserted(store, newTurn('resp_b', { session: 'conv_a', input: [message('msg_4')] }));
    const one = JSON.stringify(message('msg_1')).length;
    const page = { limit: 9, order: 'asc' } as const;
    assert.deepEqual(await idsOf(store, 'conv_a', { ...page, maxChars: one + 1 }), ['msg_1', 'msg_2']);
    assert.deepEqual(await idsOf(store, 'conv_a', { ...page, maxChars: 1, after: 'msg_3' }), ['msg_4']);
    assert.deepEqual(await idsOf(store, 'conv_a', { ...page, maxChars: one, order: 'desc' }), ['msg_4']);
    const input = async (bounds: object) => (await store.readInputPage('resp_a', { ...page, ...bounds }))?.map(({ id }) => id);
    assert.deepEqual(await input({ maxChars: 2 * one }), ['msg_1', 'msg_2']);
    assert.deepEqual(await input({ maxChars: 1, after: 'msg_2' }), ['msg_3']);
  });

  contract(
    'T5 · a session is deleted with the cancels of its unsettled turns, oldest first, and takes nothing in after',
    async (store, database) => {
      const inSession = (id: string) => newTurn(id, { session: 'conv_a' });
      await store.createSession(session('conv_a'));
      await store.createSession(session('conv_b'));
      await ended(store, 'resp_a', { session: 'conv_a' });
      for (const id of ['resp_b', 'resp_c', 'resp_d']) await inserted(store, inSession(id));
      await inserted(store, newTurn('resp_x', { session: 'conv_b' }));
      await store.requestCancel('default', 'resp_c', 5);
      const other = database.open();
      const deleted = await Promise.all([store.deleteSession('default', 'conv_a'), other.insertTurn(inSession('resp_late'))]);
      const isLateIn = deleted[1].type === 'inserted';
      assert.deepEqual(deleted[0], ['resp_b', 'resp_c', 'resp_d', ...(isLateIn ? ['resp_late'] : [])]);
      const cancelsOf = async (...ids: string[]) =>
        Promise.all(ids.map(async (id) => (await other.readTurn(id))?.cancelRequestedAtMs !== null));
      assert.deepEqual(await cancelsOf('resp_b', 'resp_d'), [true, true]);
      assert.equal((await other.readTurn('resp_c'))?.cancelRequestedAtMs, 5, 'it was asked for before');
      assert.deepEqual(await cancelsOf('resp_a', 'resp_x'), [false, false]);
      assert.deepEqual(await other.insertTurn(inSession('resp_e')), { type: 'unknown_session' });
      assert.equal((await other.findTurn('default', 'resp_b'))?.id, 'resp_b', 'its turns stay');
      for (const id of ['resp_d', 'resp_c', 'resp_b']) await settle(store, id);
      assert.deepEqual(await store.claim({ turn: 'resp_b', step: 1, lease }), {
        type: 'settled',
        settled: { status: 'cancelled', code: null },
      });
    },
  );

  contract('a session is opened once by its name, however many ask for it, for its tenant alone', async (store, database) => {
    const other = database.open();
    const opened = await Promise.all(
      [store, other, store].map((each, index) => each.openSession(session(`conv_${index}`, { createdAtMs: 5 }), 'my chat')),
    );
    assert.equal(new Set(opened.map(({ id }) => id)).size, 1);
    assert.equal((await store.listSessions('default', { limit: 9, order: 'asc' }))?.length, 1);
    assert.equal((await store.findSession('default', 'my chat'))?.id, opened[0]?.id);
    assert.equal(await store.findSession('other', 'my chat'), undefined);
    const foreign = await store.openSession(session('conv_x', { tenant: 'other' }), 'my chat');
    assert.equal(foreign.id, 'conv_x');
  });

  contract('items come in pages, in both orders, through branches', async (store) => {
    await store.createSession(session('conv_a'));
    for (const [id, replaces] of [['resp_a'], ['resp_b'], ['resp_c', 'resp_b'], ['resp_d']] as const) {
      await ended(store, id, { session: 'conv_a', ...(replaces === undefined ? {} : { replaces }) });
    }
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 2, order: 'asc' }), ['msg_resp_a', 'msg_resp_c']);
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 2, order: 'asc', after: 'msg_resp_a' }), ['msg_resp_c', 'msg_resp_d']);
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 2, order: 'desc' }), ['msg_resp_d', 'msg_resp_c']);
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 2, order: 'desc', after: 'msg_resp_c' }), ['msg_resp_a']);
    assert.equal(await idsOf(store, 'conv_a', { limit: 2, order: 'desc', after: 'msg_resp_b' }), undefined, 'it was replaced');
    assert.equal(await idsOf(store, 'conv_a', { limit: 2, order: 'desc', after: 'msg_nobody' }), undefined);
  });

  contract(
    'items are told of which turn of the session they are, by its tenant and through branches; those put in by hand of none',
    async (store) => {
      await store.createSession(session('conv_a'));
      await ended(store, 'resp_a', { session: 'conv_a', input: [message('msg_1'), message('msg_2')] });
      await store.addItems({ id: 'items_1', tenant: 'default', session: 'conv_a', items: [message('msg_3')], createdAtMs: 2 });
      await inserted(store, newTurn('resp_b', { session: 'conv_a', input: [message('msg_4')] }));
      await store.createSession(session('conv_b'));
      await inserted(store, newTurn('resp_c', { session: 'conv_b', input: [message('msg_5')] }));
      const row = await store.readSession('default', 'conv_a');
      assert.ok(row);
      const turns = await store.readTurnsOfItems(row, ['msg_1', 'msg_3', 'msg_4', 'msg_5', 'msg_never']);
      assert.deepEqual(
        turns,
        new Map([
          ['msg_1', 'resp_a'],
          ['msg_4', 'resp_b'],
        ]),
      );
      assert.deepEqual([...(await store.readTurnsOfItems({ ...row, leaf: null }, ['msg_1']))], []);
    },
  );

  contract('items are put in and taken out by hand, behind and among what was said', async (store) => {
    await store.createSession(session('conv_a'));
    await ended(store, 'resp_a', { session: 'conv_a' });
    const hand = { id: 'items_1', tenant: 'default', session: 'conv_a', items: [message('msg_1'), message('msg_2')], createdAtMs: 9 };
    assert.deepEqual(await store.addItems(hand), hand.items);
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    const all = ['msg_resp_a', 'msg_1', 'msg_2', 'msg_resp_b'];
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 9, order: 'asc' }), all);
    const row = await store.readSession('default', 'conv_a');
    assert.ok(row);
    assert.equal((await store.readSessionItem(row, 'msg_2'))?.id, 'msg_2');
    assert.equal(await store.deleteSessionItem(row, 'msg_1'), true);
    assert.equal(await store.deleteSessionItem(row, 'msg_1'), false);
    const included = await store.readTranscript('resp_b', { isIncluded: true });
    assert.deepEqual(included.slice(0, -1), await store.readTranscript('resp_b'));
    assert.deepEqual(
      included.at(-1)?.items.map(({ id }) => id),
      ['msg_resp_b'],
    );
    assert.deepEqual(
      (await store.readTranscript('resp_b')).map(({ items }) => items.map(({ id }) => id)),
      [['msg_resp_a'], ['msg_2']],
    );
    assert.deepEqual(
      (await store.readTranscript('resp_b')).map(({ model, inputCount }) => [model, inputCount]),
      [
        ['scripted', 1],
        [null, 1],
      ],
    );
    assert.equal(await store.addItems({ ...hand, id: 'items_2', session: 'conv_none' }), undefined);
    assert.equal(await store.findTurn('default', 'items_1'), undefined, 'it is no response');
    const found = async (tenant: string, ids: readonly string[], maxChars = 1_000) => {
      const items = await store.findItems(tenant, ids, maxChars);
      return items && [...items.keys()];
    };
    const both = await store.findItems('default', ['msg_2', 'msg_resp_b'], 1_000);
    assert.deepEqual([both?.get('msg_2')?.model, both?.get('msg_resp_b')?.model], [null, 'scripted']);
    assert.deepEqual(await found('default', ['msg_2', 'msg_1']), ['msg_2']);
    assert.deepEqual(await found('other', ['msg_2']), []);
    const size = JSON.stringify((await store.findItems('default', ['msg_2'], 1_000))?.get('msg_2')?.item).length;
    assert.deepEqual(await found('default', ['msg_2', 'msg_2'], 2 * size), ['msg_2']);
    assert.equal(await found('default', ['msg_2', 'msg_2'], 2 * size - 1), undefined, 'each use counts');
  });

  contract('T7 · a page goes on where the one before it ended, also behind an id that stands several times', async (store) => {
    await store.createSession(session('conv_a'));
    const input = ['x', 'msg_1', 'x', 'msg_2', 'x@0.1'].map(message);
    await ended(store, 'resp_a', { session: 'conv_a', input });
    await inserted(store, newTurn('resp_b', { session: 'conv_a', input: ['x', 'msg_3'].map(message) }));
    const row = await store.readSession('default', 'conv_a');
    assert.ok(row);
    const lists: readonly (readonly [PagedItems<Item>, readonly string[]])[] = [
      [
        {
          read: (page) => store.readSessionItems(row, page),
          readCursor: (page, last) => store.readSessionCursor(row, page, last),
        },
        ['x', 'msg_1', 'x', 'msg_2', 'x@0.1', 'x', 'msg_3'],
      ],
      [
        {
          read: (page) => store.readInputPage('resp_a', page),
          readCursor: (page, last) => store.readInputCursor('resp_a', page, last),
        },
        ['x', 'msg_1', 'x', 'msg_2', 'x@0.1'],
      ],
    ];
    for (const [source, all] of lists) {
      for (const order of ['asc', 'desc'] as const) {
        for (const limit of [1, 2, 3, 9]) {
          const seen: string[] = [];
          for (let after: string | undefined, isMore = true; isMore;) {
            const page: Page = { limit, order, ...(after === undefined ? {} : { after }) };
            const items: readonly Item[] = (await source.read(page)) ?? [];
            seen.push(...items.map(({ id }) => id));
            const id = items.at(-1)?.id;
            isMore = id !== undefined;
            if (id !== undefined) after = await source.readCursor(page, { id, times: items.filter((item) => item.id === id).length });
          }
          assert.deepEqual(seen, order === 'asc' ? all : all.toReversed(), `${order}, ${limit}`);
        }
      }
      assert.equal(await source.read({ limit: 9, order: 'asc', after: 'x@9.9' }), undefined);
      assert.equal(await source.read({ limit: 9, order: 'asc', after: 'msg_9@0.0' }), undefined);
    }
  });

  contract('a transcript knows what came in with a turn from what was answered, also where items were deleted', async (store) => {
    await store.createSession(session('conv_a'));
    const input = Array.from({ length: 700 }, (_, n) => message(`msg_${n}`));
    await inserted(store, newTurn('resp_a', { session: 'conv_a', input }));
    const { epoch } = await claimed(store, 'resp_a');
    const output: OutputMessage[] = Array.from({ length: 700 }, (_, n) => ({
      id: `msg_said_${n}`,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [],
    }));
    await store.seal(sealOf('resp_a', epoch, { output }));
    const row = await store.readSession('default', 'conv_a');
    assert.ok(row);
    for (const id of ['msg_0', 'msg_699', 'msg_said_3']) assert.equal(await store.deleteSessionItem(row, id), true);
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    const [past] = await store.readTranscript('resp_b');
    assert.deepEqual([past?.items.length, past?.inputCount], [1_397, 698]);
  });

  contract('a transcript knows whose input the provider refused', async (store) => {
    await store.createSession(session('conv_a'));
    for (const [id, detail] of [
      ['resp_a', '400 at input'],
      ['resp_b', '401'],
    ] as const) {
      await inserted(store, newTurn(id, { session: 'conv_a' }));
      const { epoch, attempt } = await claimed(store, id);
      const end = { endedAtMs: 9, outcome: 'failed', code: 'provider_rejected', detail } as const;
      await store.seal(
        sealOf(id, epoch, { settled: { status: 'failed', code: 'provider_rejected' }, attempt: { turn: id, step: 1, attempt, end } }),
      );
    }
    await inserted(store, newTurn('resp_c', { session: 'conv_a' }));
    assert.deepEqual(
      (await store.readTranscript('resp_c')).map(({ isRefused }) => isRefused),
      [true, undefined],
    );
  });

  contract('a transcript of thousands of items is whole and in order, wherever turns begin and end', async (store) => {
    await store.createSession(session('conv_a'));
    const expected: string[][] = [];
    for (const [at, size] of [999, 1, 1_000, 2_500, 1, 1].entries()) {
      const items = Array.from({ length: size }, (_, n) => message(`msg_${at}_${n}`));
      await store.addItems({ id: `items_${at}`, tenant: 'default', session: 'conv_a', items, createdAtMs: at });
      expected.push(items.map(({ id }) => id));
    }
    await ended(store, 'resp_a', { session: 'conv_a' });
    // Further ones, on a branch of their own.
    await ended(store, 'resp_b', { previous: 'resp_a' });
    await ended(store, 'resp_c', { previous: 'resp_a' });
    const idsBefore = async (turn: string) => (await store.readTranscript(turn)).map(({ items }) => items.map(({ id }) => id));
    assert.deepEqual(await idsBefore('resp_a'), expected);
    assert.deepEqual(await idsBefore('resp_c'), [...expected, ['msg_resp_a']]);
  });

  contract('a session begins with items, in one commit', async (store) => {
    const creates = session('conv_a', { metadata: { topic: 'tea' } });
    await store.addItems({ id: 'items_1', tenant: 'default', session: 'conv_a', items: [message('msg_1')], createdAtMs: 9, creates });
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 9, order: 'asc' }), ['msg_1']);
  });

  contract('T1 · of several that make the session of one id at once, with items or without, one makes it', async (store) => {
    const ways = [0, 1, 2, 3].map(async (n) => {
      const creates = session('conv_a', { metadata: { n: String(n) } });
      if (n === 3) return store.createSession(creates);
      return store.addItems({
        id: `items_${n}`,
        tenant: 'default',
        session: 'conv_a',
        items: [message(`msg_${n}`)],
        createdAtMs: 9,
        creates,
      });
    });
    await Promise.all(ways);
    const { metadata } = (await store.readSession('default', 'conv_a')) ?? {};
    const ids = metadata?.['n'] === '3' ? [] : [`msg_${metadata?.['n']}`];
    assert.deepEqual(await idsOf(store, 'conv_a', { limit: 9, order: 'asc' }), ids);
    const again = await store.createSession(session('conv_a', { metadata: { n: 'again' } }));
    assert.deepEqual(again.metadata, metadata);
    const items = [message('msg_9')];
    const creates = session('conv_a');
    assert.equal(await store.addItems({ id: 'items_9', tenant: 'default', session: 'conv_a', items, createdAtMs: 9, creates }), undefined);
  });

  contract('of several that open a chat of one name at once one makes it', async (store) => {
    const opened = await Promise.all([1, 2, 3, 4].map(async (n) => store.openSession(session(`conv_${n}`), 'a chat')));
    assert.equal(new Set(opened.map(({ id }) => id)).size, 1);
    assert.equal((await store.findSession('default', 'a chat'))?.id, opened[0]?.id);
  });

  contract('a session begins behind a turn of another one, whose past it shares, with items or without', async (store) => {
    await store.createSession(session('conv_a'));
    await ended(store, 'resp_a', { session: 'conv_a', input: [message('msg_1')] });
    await ended(store, 'resp_b', { session: 'conv_a', input: [message('msg_2')] });
    const made = await store.createSession({ ...session('conv_b'), leaf: 'resp_a' });
    assert.equal(made?.leaf, 'resp_a');
    const creates = { ...session('conv_c'), leaf: 'resp_a' };
    const items = [message('msg_3')];
    await store.addItems({ id: 'items_1', tenant: 'default', session: 'conv_c', items, createdAtMs: 9, creates, model: 'some-model' });
    const page = { limit: 9, order: 'asc' } as const;
    const shared = (await idsOf(store, 'conv_b', page)) ?? [];
    assert.deepEqual(shared[0], 'msg_1');
    assert.deepEqual(await idsOf(store, 'conv_c', page), [...shared, 'msg_3']);
    assert.equal((await idsOf(store, 'conv_a', page))?.includes('msg_3'), false);
    // Each goes on by itself.
    await ended(store, 'resp_c', { session: 'conv_c', input: [message('msg_4')] });
    const past = await store.readTranscript('resp_c');
    assert.deepEqual(
      past.map((turn) => [turn.model, turn.items.at(-1)?.id]),
      [
        [past[0]?.model, shared.at(-1)],
        ['some-model', 'msg_3'],
      ],
    );
    assert.notEqual(past[0]?.model, null);
    assert.equal((await store.findItems('default', ['msg_3'], 10_000))?.get('msg_3')?.model, 'some-model');
  });

  contract('a call is found on the chain that made it, and on no other', async (store) => {
    const call: InputItem = { id: 'fc_1', type: 'function_call', status: 'completed', call_id: 'call_1', name: 'f', arguments: '{}' };
    await ended(store, 'resp_a', { input: [call] });
    await ended(store, 'resp_b', { previous: 'resp_a' });
    await ended(store, 'resp_x');
    assert.equal(await store.findUnknownCall('default', 'resp_b', ['call_1']), undefined);
    assert.equal(await store.findUnknownCall('default', 'resp_b', ['call_1', 'call_2', 'call_3']), 'call_2');
    assert.equal(await store.findUnknownCall('default', 'resp_x', ['call_1']), 'call_1');
    assert.equal(await store.findUnknownCall('other', 'resp_b', ['call_1']), 'call_1');
  });

  contract("a session's first turn, and no other, is to give it a title; a title of the user's stays", async (store) => {
    for (const id of ['conv_a', 'conv_b']) await store.createSession(session(id));
    const results = [
      await store.insertTurn(newTurn('resp_a', { session: 'conv_a', wantsTitle: true })),
      await store.insertTurn(newTurn('resp_b', { session: 'conv_a', wantsTitle: true })),
      await store.insertTurn(newTurn('resp_c', { session: 'conv_b' })),
    ];
    assert.deepEqual(
      results.map((result) => result.type === 'inserted' && result.givesTitle),
      [true, undefined, undefined],
    );
    assert.deepEqual(await store.listUntitled(9), [{ session: 'conv_a', turn: 'resp_a' }]);
    await store.markTitleStarted('conv_a');
    assert.deepEqual(await store.listUntitled(9), []);
    await store.setTitle('conv_a', 'Tea "and" cake');
    await store.setTitle('conv_a', 'another');
    assert.deepEqual((await store.readSession('default', 'conv_a'))?.metadata, { title: 'Tea "and" cake' });
  });

  contract('T2 · the request for a title is booked once, by one process, unless it is given back', async (store, database) => {
    const other = database.open();
    await store.createSession(session('conv_a'));
    const booked = await Promise.all([store.bookTitleRequest('conv_a'), other.bookTitleRequest('conv_a')]);
    assert.deepEqual(booked.toSorted(), [false, true]);
    await store.releaseTitleRequest('conv_a');
    assert.deepEqual([await other.bookTitleRequest('conv_a'), await store.bookTitleRequest('conv_a')], [true, false]);
    assert.equal(await store.bookTitleRequest('conv_none'), false);
  });
}
