/** What a round of calls may grow to, and how it ends where something of it fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, sseHead } from '../../src/testing/model-server/index.ts';
import { nodeServer } from '../support/mcp.ts';
import { newCall } from '../store/contract-tool-calls.ts';
import { agentScene, called, tool } from './agent-scene.ts';

function callsOf(count: number) {
  return Array.from({ length: count }, (_, index) => ({ id: `c${index}`, name: 'look', arguments: '{}' }));
}

test('T14 · a step makes 128 calls at the most: past them the turn ends, and none of them is made', async () => {
  const look = tool('look', async () => 'seen');
  await using scene = await agentScene({ tools: [look], scripts: [called(...callsOf(129))] });
  assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'failed', code: 'provider_protocol' } });
  assert.equal((await scene.store.readAttempts('resp_a'))[0]?.detail, 'too_many_calls');
  assert.deepEqual([look.calls, (await scene.response()).output], [[], []]);
  assert.deepEqual(scene.errors, []);
});

test('all calls of a step are shown in their order, each at its place behind the words before them', async () => {
  const look = tool('look', async () => 'seen');
  const calls = callsOf(128).map((call, index) => chat.toolCall(index, call));
  const script = [sseHead, chat.content('I look.'), ...calls, chat.finish('tool_calls'), done, end];
  await using scene = await agentScene({ tools: [look], scripts: [script, chatAnswer('Seen.')] });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'completed', code: null } });
  const { output } = await scene.response();
  assert.deepEqual(
    output.map((item) => (item.type === 'mcp_call' ? [item.turnkeep?.call_id, item.status] : item.type)),
    ['message', ...callsOf(128).map(({ id }) => [id, 'completed']), 'message'],
  );
  assert.deepEqual(
    (await scene.store.readToolCalls('resp_a')).map(({ number, position }) => [number, position]),
    callsOf(128).map((_, index) => [index, index + 1]),
  );
  assert.deepEqual(scene.errors, []);
});

test('T5 · a cancel that is accepted before a call is booked keeps it from being made, and ends the turn', async () => {
  const mail = tool('mail', async () => 'sent');
  await using scene = await agentScene({ tools: [mail], scripts: [called({ id: 'c1', name: 'mail', arguments: '{}' })] });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  const start = scene.store.startToolCall.bind(scene.store);
  Object.assign(scene.store, {
    startToolCall: async (call: Parameters<typeof start>[0]) => {
      await scene.store.requestCancel('default', 'resp_a', Date.now());
      return start(call);
    },
  });
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'cancelled', code: null } });
  assert.deepEqual(mail.calls, []);
  assert.deepEqual(scene.errors, []);
});

test('T7 · a process that stood still behind the booking of a call past its lease does not make it', async (t) => {
  const mail = tool('mail', async () => 'sent');
  await using scene = await agentScene({
    tools: [mail],
    scripts: [called({ id: 'c1', name: 'mail', arguments: '{}' }), chatAnswer('Ah.')],
  });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  const start = scene.store.startToolCall.bind(scene.store);
  Object.assign(scene.store, {
    startToolCall: async (call: Parameters<typeof start>[0]) => {
      const isBooked = await start(call);
      const now = Date.now();
      t.mock.method(Date, 'now', () => now + 3_600_000);
      return isBooked;
    },
  });
  await assert.rejects(scene.step(2), { type: 'worker_lost' });
  assert.deepEqual(mail.calls, []);
  t.mock.restoreAll();
  assert.deepEqual(await scene.step(2, scene.process()), { type: 'final', turn: { status: 'completed', code: null } });
  assert.deepEqual(mail.calls, []);
  assert.equal((await scene.store.readToolCalls('resp_a'))[0]?.outcome, 'unknown');
});

test('a call whose arguments cannot be checked is one that somebody has to approve', async () => {
  const check = (): never => {
    throw new Error('cannot check it');
  };
  const mail = tool('mail', async () => 'sent', { check });
  await using scene = await agentScene({ tools: [mail], scripts: [called({ id: 'c1', name: 'mail', arguments: '{}' })] });
  assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'completed', code: null } });
  assert.deepEqual(
    (await scene.response()).output.map(({ type }) => type),
    ['mcp_approval_request'],
  );
  assert.deepEqual([mail.calls, scene.errors], [[], []]);
});

test('what fails for one call of a round stops the others before the round is over: none runs on unheard', async () => {
  const slow = Promise.withResolvers<AbortSignal>();
  const waits = tool('waits', async (_, { signal }) => {
    slow.resolve(signal);
    return new Promise<never>(() => undefined);
  });
  const quick = tool('quick', async () => 'done');
  const calls = [
    { id: 'c1', name: 'waits', arguments: '{}' },
    { id: 'c2', name: 'quick', arguments: '{}' },
  ];
  await using scene = await agentScene({ tools: [waits, quick], scripts: [called(...calls)] });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  const broken = new Error('a fault of our own');
  const start = scene.store.startToolCall.bind(scene.store);
  Object.assign(scene.store, {
    startToolCall: async (call: Parameters<typeof start>[0]) => {
      if (call.number === 0) return start(call);
      await slow.promise;
      throw broken;
    },
  });
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'failed', code: 'internal_error' } });
  assert.equal((await slow.promise).aborted, true);
  assert.deepEqual(quick.calls, []);
  assert.deepEqual(
    (await scene.store.readToolCalls('resp_a')).map(({ outcome }) => outcome),
    ['cut_off', 'cut_off'],
  );
  assert.deepEqual(scene.errors, [broken]);
});

test('an approved call whose server is away is told with that, not as one of no tool', async () => {
  const approved = [newCall(0, { position: null, serverLabel: 'down', name: 'read' })];
  const mcpServers = [{ ...nodeServer('down', []), command: 'no-such-program' }];
  await using scene = await agentScene({ tools: [], mcpServers, approved, scripts: [chatAnswer('It is away.')] });
  assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'completed', code: null } });
  const call = (await scene.response()).output.find(({ type }) => type === 'mcp_call');
  assert.match(JSON.stringify(call), /This call was not made: the tools of 'down' could not be had: .*no-such-program/);
  assert.deepEqual(scene.errors, []);
});
