/** Budgets of an agent's turn, without a Temporal server: what is asked, what is run, and how the turn ends past a limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { Limits } from '../../src/domain/agents/agent.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { chat, chatAnswer, done, end, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { inserted, newTurn } from '../store/contract.ts';
import { inTime } from '../support/in-time.ts';
import { agentScene, called, tool } from './agent-scene.ts';

const settingsOf = (turn: Limits, session: Limits = {}): Pick<ResponseSettings, 'budget'> => ({ budget: { turn, session } });
const look = () => tool('look', async () => 'seen');
const call = (id: string): Script => called({ id, name: 'look', arguments: '{}' });
const overBudget = { type: 'final', turn: { status: 'failed', code: 'budget_exceeded' } };
const completed = { type: 'final', turn: { status: 'completed', code: null } };

interface Sent {
  readonly tool_choice?: unknown;
  readonly tools?: readonly unknown[];
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
}

function sent(request: { readonly bodyText: string } | undefined): Sent {
  assert.ok(request, 'there is no such request');
  return JSON.parse(request.bodyText) as Sent;
}

test('before its last step the model is told that tools are not run any more, and may call none', async () => {
  await using scene = await agentScene({ tools: [look()], scripts: [call('c1'), chatAnswer('Seen.')], settings: settingsOf({ steps: 2 }) });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.deepEqual(await scene.step(2), completed);
  const [first, last] = scene.model.requests.map(sent);
  assert.deepEqual([first?.tool_choice, last?.tool_choice, last?.tools?.length], [undefined, 'none', 1]);
  assert.match(JSON.stringify(last?.messages.at(-1)), /This is your last step.*tools are not run any more/);
  assert.doesNotMatch(JSON.stringify(first?.messages), /last step/);
  assert.deepEqual(scene.errors, []);
});

test('a model that calls a tool in its last step has used up its steps: nothing is run, what was shown is kept', async () => {
  const tools = [look()];
  const talks: Script = [
    sseHead,
    chat.content('Let me look again.'),
    chat.toolCall(0, { id: 'c2', name: 'look', arguments: '{}' }),
    chat.finish('tool_calls'),
    done,
    end,
  ];
  await using scene = await agentScene({ tools, scripts: [call('c1'), talks], settings: settingsOf({ steps: 2 }) });
  await scene.step(1);
  assert.deepEqual(await scene.step(2), overBudget);
  assert.equal(tools[0]?.calls.length, 1);
  const { output, error } = await scene.response();
  assert.deepEqual(
    output.map(({ type, status }) => [type, status]),
    [
      ['mcp_call', 'completed'],
      ['message', 'incomplete'],
    ],
  );
  assert.match(error?.message ?? '', /its limit of steps is 2, and 2 were spent/);
});

test('calls past the limit of tool calls are not made, the model is told, and answers without tools', async () => {
  const tools = [look()];
  const three = called(...['c1', 'c2', 'c3'].map((id) => ({ id, name: 'look', arguments: '{}' })));
  const settings = settingsOf({ toolCalls: 2 });
  await using scene = await agentScene({ tools, scripts: [three, chatAnswer('Seen twice.')], settings });
  await scene.step(1);
  assert.deepEqual(await scene.step(2), completed);
  assert.equal(tools[0]?.calls.length, 2);
  const calls = await scene.store.readToolCalls('resp_a');
  assert.deepEqual(
    calls.map(({ runs, outcome }) => [runs, outcome]),
    [
      [1, 'completed'],
      [1, 'completed'],
      [0, 'failed'],
    ],
  );
  const last = sent(scene.model.requests[1]);
  assert.equal(last.tool_choice, 'none');
  assert.match(JSON.stringify(last.messages), /This call was not made: the limit of tool calls is reached/);
  assert.match(JSON.stringify(last.messages.at(-1)), /No more tools can be called/);
});

test('a step past the limit of tokens is not asked for, and the calls before it are not run', async () => {
  const tools = [look()];
  const costly: Script = [
    sseHead,
    chat.toolCall(0, { id: 'c1', name: 'look', arguments: '{}' }),
    chat.finish('tool_calls'),
    chat.usage(10, 51),
    done,
    end,
  ];
  await using scene = await agentScene({ tools, scripts: [costly], settings: settingsOf({ outputTokens: 50 }) });
  assert.deepEqual(await scene.step(1), overBudget);
  assert.deepEqual([scene.model.requests.length, tools[0]?.calls.length], [1, 0]);
  assert.match((await scene.response()).error?.message ?? '', /its limit of outputTokens is 50, and 51 were spent/);
  assert.equal((await scene.response()).usage?.output_tokens, 51);
});

test('a stream that passes the limit of tokens is cut where it is, by what is estimated until the provider counts', async () => {
  const endless: Script = [sseHead, chat.content('x'.repeat(200)), chat.content('y'.repeat(201)), stall];
  await using scene = await agentScene({ tools: [], scripts: [endless], settings: settingsOf({ outputTokens: 100 }) });
  assert.deepEqual(await scene.step(1), overBudget);
  const { output, error } = await scene.response();
  assert.deepEqual(
    output.map(({ type, status }) => [type, status]),
    [['message', 'incomplete']],
  );
  assert.match(error?.message ?? '', /limit of outputTokens is 100, and 101 were spent/);
  assert.equal((await scene.store.readSpending('resp_a', 2))?.turn.outputTokens, 101);
});

test('what the provider counts stands over the estimate: an answer that is whole is completed, however it was estimated', async () => {
  const counted: Script = [
    sseHead,
    chat.content('x'.repeat(390)),
    chat.usage(5, 20),
    chat.content('y'.repeat(300)),
    chat.finish(),
    done,
    end,
  ];
  await using scene = await agentScene({ tools: [], scripts: [counted], settings: settingsOf({ outputTokens: 100 }) });
  assert.deepEqual(await scene.step(1), completed);
});

test('money is counted by the price that held when the turn was taken in', async () => {
  const budget = { turn: { costUsd: 1 }, session: {}, price: { input: 1_000, cachedInput: 100, output: 10_000 } };
  const first: Script = [...call('c1').slice(0, -2), chat.usage(400, 50), done, end];
  const second: Script = [...call('c2').slice(0, -2), chat.usage(600, 10), done, end];
  await using scene = await agentScene({ tools: [look()], scripts: [first, second], settings: { budget } });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.equal((await scene.store.readSpending('resp_a', 2))?.turn.costUsd, 0.9);
  assert.deepEqual(await scene.step(2), overBudget);
  assert.match((await scene.response()).error?.message ?? '', /its limit of costUsd is 1, and 1.6 were spent/);
});

test('a session that has spent its budget sends nothing more', async () => {
  await using scene = await agentScene({ tools: [], scripts: [] });
  const { store, own, model } = scene;
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  const settings = { ...defaultSettings('scripted'), ...settingsOf({}, { steps: 1 }) };
  for (const [id, expected] of [
    ['resp_b', completed],
    ['resp_c', overBudget],
  ] as const) {
    await inserted(store, newTurn(id, { session: 'conv_a', settings }));
    const input = { database: store.databaseId, turn: id, step: 1 };
    assert.deepEqual(await new MockActivityEnvironment().run(own.activities.streamModel, input), expected);
  }
  assert.equal(model.requests.length, 1);
  assert.match(
    (await store.readResponse('resp_c'))?.error?.message ?? '',
    /The budget of the conversation is used up: its limit of steps is 1/,
  );
});

test('a turn has the time of its own limit, and fails by its name', async () => {
  const silent: Script = [sseHead, chat.content('Well'), stall];
  await inTime(300, async (wallTimeMs) => {
    await using scene = await agentScene({ tools: [], scripts: [silent], settings: settingsOf({ wallTimeMs }) });
    assert.deepEqual(await scene.step(1), overBudget);
    const { error, output } = await scene.response();
    assert.match(error?.message ?? '', new RegExp(`its limit of wallTimeMs is ${wallTimeMs}, and \\d+ were spent`));
    return output.length === 1;
  });
});
