/** The attempts of one process: how much room each tenant has, and how they end when the process does. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type GrantedClaim, RunningAttempts } from '../../src/activities/attempt/running-attempts.ts';
import { failureOf } from '../../src/domain/failure.ts';
import type { ModelDelta, ModelEvent } from '../../src/domain/model.ts';
import { type Provider, ProviderError } from '../../src/providers/provider.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { claimed, newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { FakeClock } from '../support/fake-clock.ts';

const limits = { heartbeatTimeoutMs: 60_000, turnTimeoutMs: 60_000, maxOutputBytes: 1_000_000 };
const hello: ModelEvent = { type: 'delta', delta: { type: 'text', text: 'Hello' } };
const finish: ModelEvent = { type: 'finish', finish: { status: 'completed' } };

/** A provider that sends these events and then nothing more, until it is aborted. `said` resolves once they are taken. */
function silentAfter(...events: readonly ModelEvent[]): { readonly provider: Provider; readonly said: Promise<void> } {
  const { promise: said, resolve } = Promise.withResolvers<void>();
  const provider: Provider = {
    async *stream(_request, signal, callbacks) {
      await callbacks?.beforeSend?.();
      yield* events;
      resolve();
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        if (signal.aborted) reject(signal.reason as Error);
      });
    },
    api: 'chat',
    countTokens: async () => undefined,
    listModels: async () => [],
    close: async () => {},
  };
  return { provider, said };
}

async function sceneOf(context: TestContext, provider: Provider, maxAttempts?: number) {
  const database = temporaryDatabase();
  const store = database.open();
  context.after(() => database[Symbol.asyncDispose]());
  const errors: unknown[] = [];
  const attempts = new RunningAttempts({
    store,
    provider,
    limits,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    onReady: () => {},
    onError: (error) => errors.push(error),
  });
  return { store, attempts, errors, grant: (turn: string, tenant?: string) => grant(store, attempts, turn, tenant) };
}

async function grant(store: Store, { lease }: RunningAttempts, turn: string, tenant = 'default'): Promise<GrantedClaim> {
  await store.insertTurn(newTurn(turn, { tenant }));
  return claimed(store, turn, { lease });
}

test('T14 · a tenant has as many attempts as are free: half of the room alone, a third of it beside another', async (context) => {
  const { attempts, grant } = await sceneOf(context, silentAfter().provider, 6);
  const run = async (turn: string, tenant: string): Promise<boolean> => {
    using room = attempts.reserve(tenant);
    if (room === undefined) return false;
    attempts.run(await grant(turn, tenant), 1);
    return true;
  };
  const ran = [await run('resp_1', 'a'), await run('resp_2', 'a'), await run('resp_3', 'a'), await run('resp_4', 'a')];
  assert.deepEqual(ran, [true, true, true, false]);
  assert.equal(attempts.reserve(), undefined, 'whose turn is not known gets no room that somebody may not have');
  assert.deepEqual([await run('resp_5', 'b'), await run('resp_6', 'b'), await run('resp_7', 'b')], [true, true, false]);
  assert.deepEqual([await run('resp_8', 'c'), await run('resp_9', 'c')], [true, false]);
  await attempts.drain(0);
});

test('T14 · many claims at once count before they run', async (context) => {
  const { attempts } = await sceneOf(context, silentAfter().provider, 4);
  const rooms = Array.from({ length: 4 }, () => attempts.reserve('a'));
  assert.deepEqual(
    rooms.map((room) => room !== undefined),
    [true, true, false, false],
  );
  assert.notEqual(attempts.reserve('b'), undefined);
  for (const room of rooms) room?.[Symbol.dispose]();
  assert.notEqual(attempts.reserve('a'), undefined);
});

test('T5 · a cancel that was accepted before the drain ends wins over worker_lost', async (context) => {
  const { provider, said } = silentAfter(hello);
  const { store, attempts, grant } = await sceneOf(context, provider);
  const { result } = attempts.run(await grant('resp_a'), 1);
  await said;
  assert.equal((await store.requestCancel('default', 'resp_a', Date.now())).type, 'accepted');
  await attempts.drain(0);
  assert.deepEqual(await result, { type: 'ended', step: { type: 'final', turn: { status: 'cancelled', code: null } } });
  const [attempt] = await store.readAttempts('resp_a');
  assert.equal(attempt?.outcome, 'cancelled');
});

test('T8 · a shutdown between the finish and a late usage ends as completed: the proof is in hand', async (context) => {
  const { provider, said } = silentAfter(hello, finish);
  const { store, attempts, grant } = await sceneOf(context, provider);
  const { result } = attempts.run(await grant('resp_a'), 1);
  await said;
  await attempts.drain(0);
  assert.deepEqual(await result, { type: 'ended', step: { type: 'final', turn: { status: 'completed', code: null } } });
  assert.equal((await store.readTurn('resp_a'))?.status, 'completed');
});

test('T9 · a process that drains has no room, and hands on at once what it is given after', async (context) => {
  const { attempts, errors, grant } = await sceneOf(context, silentAfter().provider);
  const late = await grant('resp_late');
  await attempts.drain(0);
  assert.deepEqual([attempts.isDraining, attempts.reserve('default'), attempts.reserve()], [true, undefined, undefined]);
  const result = await attempts.run(late, 1).result;
  assert.deepEqual(result.type === 'failed' && [result.failure.code, result.mayRetry, result.requestsMade], ['transport_failed', true, 1]);
  assert.deepEqual(errors, []);
});

const more: ModelEvent = { type: 'delta', delta: { type: 'text', text: ', world' } };

/** A provider that sends these events at once, calls `then`, and ends. */
function sending(events: readonly ModelEvent[], then: () => Promise<void> = async () => {}): Provider {
  return {
    async *stream(_request, _signal, callbacks) {
      await callbacks?.beforeSend?.();
      // All of them have been read already: an abort is not looked for between two.
      yield* events;
      await then();
    },
    api: 'chat',
    countTokens: async () => undefined,
    listModels: async () => [],
    close: async () => {},
  };
}

for (const [what, failure] of [
  ['a reset', { ...failureOf('transport_failed'), detail: 'ECONNRESET' }],
  ['a busy provider', { ...failureOf('provider_busy'), busy: { retryAfterMs: 1_000 } }],
] as const) {
  for (const [when, call] of [
    ['just before', 'before'],
    ['within', 'within'],
  ] as const) {
    test(`T5 · a cancel that is accepted ${when} the end of an attempt by ${what} ends the turn at once: nothing is sent again`, async (context) => {
      const cancel = (): Promise<unknown> => store.requestCancel('default', 'resp_a', Date.now());
      const fail = async (): Promise<void> => {
        if (call === 'before') await cancel();
        throw new ProviderError(failure);
      };
      const { store, attempts, grant } = await sceneOf(context, sending([], fail));
      const endAttempt = store.endAttempt.bind(store);
      context.mock.method(store, 'endAttempt', async (...end: Parameters<Store['endAttempt']>) => {
        if (call === 'within') await cancel();
        await endAttempt(...end);
      });
      const result = await attempts.run(await grant('resp_a'), 1).result;
      assert.deepEqual(result, { type: 'ended', step: { type: 'final', turn: { status: 'cancelled', code: null } } });
      const [attempt] = await store.readAttempts('resp_a');
      assert.deepEqual([attempt?.outcome, attempt?.code], ['failed', failure.code]);
    });
  }
}

test('the last deltas and the end of a turn are one commit', async (context) => {
  // They come at one moment, however long the machine takes.
  using _ = new FakeClock();
  const { store, attempts, grant } = await sceneOf(context, sending([hello, more, finish]));
  const append = context.mock.method(store, 'append');
  const seal = context.mock.method(store, 'seal');
  await attempts.run(await grant('resp_a'), 1).result;
  assert.deepEqual([append.mock.callCount(), seal.mock.callCount()], [1, 1], 'the first delta starts the step in a commit of its own');
  assert.match(JSON.stringify(await store.readJournal('resp_a')), /Hello, world/);
});

test('T5 · an accepted cancel that refuses a failure leaves the last deltas in the journal', async (context) => {
  const cancelled = async (): Promise<void> => {
    await store.requestCancel('default', 'resp_a', Date.now());
    throw new Error('a fault of our own');
  };
  const { store, attempts, grant } = await sceneOf(context, sending([hello, more], cancelled));
  assert.deepEqual((await attempts.run(await grant('resp_a'), 1).result).type, 'ended');
  assert.equal((await store.readTurn('resp_a'))?.status, 'cancelled');
  assert.match(JSON.stringify(await store.readJournal('resp_a')), /Hello, world/);
});

for (const [name, leftMs, isSent] of [
  ['T2 · a claim that took as long as its lease sends no request: somebody else may have begun', 0, false],
  ['a claim that took half of its lease sends its request', limits.heartbeatTimeoutMs / 2, true],
] as const) {
  test(name, async (context) => {
    const asked: (boolean | undefined)[] = [];
    const provider: Provider = {
      async *stream(_request, signal, callbacks) {
        await callbacks?.beforeSend?.();
        asked.push(callbacks?.maySend?.());
        signal.throwIfAborted();
        yield* [hello, finish];
      },
      api: 'chat',
      countTokens: async () => undefined,
      listModels: async () => [],
      close: async () => {},
    };
    const { attempts, grant } = await sceneOf(context, provider);
    const claim = await grant('resp_a');
    const result = await attempts.run({ ...claim, leaseUntilMs: Date.now() + leftMs }, 1).result;
    assert.deepEqual([asked, result.type], [[isSent], isSent ? 'ended' : 'failed']);
  });
}

test('T14 · calls without arguments count as output: any number of them is no way around the limit', async (context) => {
  const calls = Array.from({ length: 3_000 }, (_, at): ModelEvent => ({
    type: 'delta',
    delta: { type: 'tool_call', item: String(at), callId: `call_${at}`, name: 'look', text: '' },
  }));
  const { store, attempts, grant } = await sceneOf(context, sending([...calls, finish]));
  assert.equal((await attempts.run(await grant('resp_a'), 1).result).type, 'ended');
  assert.equal((await store.readTurn('resp_a'))?.errorCode, 'output_too_large');
});

for (const [what, delta] of [
  [
    'last event',
    { type: 'opaque', item: 'o', text: '', event: { type: 'response.output_item.done', item: { type: 'x', data: 'x'.repeat(1_200_000) } } },
  ],
  ['text', { type: 'text', text: 'x'.repeat(1_200_000) }],
] as const) {
  test(`T8 · a finish behind a ${what} too large to be kept proves nothing`, async (context) => {
    const { store, attempts, grant } = await sceneOf(context, sending([hello, { type: 'delta', delta }, finish]));
    await attempts.run(await grant('resp_a'), 1).result;
    assert.equal((await store.readTurn('resp_a'))?.errorCode, 'output_too_large');
  });
  test(`T8 · and one before such a ${what} is none`, async (context) => {
    const { store, attempts, grant } = await sceneOf(context, sending([hello, finish, { type: 'delta', delta }]));
    await attempts.run(await grant('resp_a'), 1).result;
    assert.equal((await store.readTurn('resp_a'))?.errorCode, 'output_too_large');
  });
}

const small = (delta: (at: number) => ModelDelta) =>
  Array.from({ length: 3_000 }, (_, at): ModelEvent => ({ type: 'delta', delta: delta(at) }));
for (const [what, deltas] of [
  ['calls with short arguments', small((at) => ({ type: 'tool_call', item: String(at), callId: `call_${at}`, name: 'look', text: '{}' }))],
  ['reasoning and text in turns', small((at) => ({ type: at % 2 === 0 ? 'text' : 'reasoning', text: 'a' }))],
  ['messages', small((at) => ({ type: 'message', item: String(at), text: '', members: { phase: 'x'.repeat(400) } }))],
  ['encrypted reasoning', small((at) => ({ type: 'reasoning', text: '', item: String(at), providerFields: { field: 'f', text: 'x' } }))],
] as const) {
  test(`T14 · ${what} count by the item: any number of them is no way around the limit`, async (context) => {
    const { store, attempts, grant } = await sceneOf(context, sending([hello, ...deltas, finish]));
    await attempts.run(await grant('resp_a'), 1).result;
    assert.equal((await store.readTurn('resp_a'))?.errorCode, 'output_too_large');
  });
}

test('a text and a call in many pieces count by what they say', async (context) => {
  const call = { type: 'tool_call', item: '0', callId: 'c', name: 'look' } as const;
  const pieces = small((at) => (at < 1_500 ? { type: 'text', text: 'a' } : { ...call, text: '1' }));
  const { store, attempts, grant } = await sceneOf(context, sending([...pieces, finish]));
  await attempts.run(await grant('resp_a'), 1).result;
  assert.equal((await store.readTurn('resp_a'))?.status, 'completed');
});
