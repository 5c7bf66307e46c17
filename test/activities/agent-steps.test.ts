/** Steps of an agent's turn, without a Temporal server: the model calls tools, the worker runs them, the model is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import type { StepResult } from '../../src/domain/turn/turn-state.ts';
import { until } from '../support/until.ts';
import { type AgentScene, agentScene, called, tool } from './agent-scene.ts';

function messagesOf(request: { readonly bodyText: string } | undefined): readonly unknown[] {
  return (JSON.parse(request?.bodyText ?? '{}') as { readonly messages?: readonly unknown[] }).messages ?? [];
}

test('a tool is run once, shown as mcp_call, and the next step tells the model what came of it', async () => {
  const weather = tool('weather', async ({ city }) => `${city as string}: 12 degrees`);
  await using scene = await agentScene({
    tools: [weather],
    scripts: [called({ id: 'c1', name: 'weather', arguments: '{"city":"Graz"}' }), chatAnswer('It is 12 degrees.')],
  });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'completed', code: null } });
  assert.deepEqual(weather.calls, [{ city: 'Graz' }]);
  const { output } = await scene.response();
  assert.deepEqual(
    output.map(({ type, status }) => [type, status]),
    [
      ['mcp_call', 'completed'],
      ['message', 'completed'],
    ],
  );
  const [, second] = scene.model.requests;
  assert.deepEqual(messagesOf(second).slice(-2), [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Graz"}' } }],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'Graz: 12 degrees' },
  ]);
  assert.deepEqual(scene.errors, []);
});

test('a call that needs an approval is shown as a request for one, and the turn ends without it', async () => {
  const mail = tool('mail', async () => 'sent', { needsApproval: () => true });
  await using scene = await agentScene({ tools: [mail], scripts: [called({ id: 'c1', name: 'mail', arguments: '{"to":"bob"}' })] });
  assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'completed', code: null } });
  assert.deepEqual(mail.calls, []);
  const { output } = await scene.response();
  assert.deepEqual(
    output.map(({ type }) => type),
    ['mcp_approval_request'],
  );
  assert.deepEqual(scene.errors, []);
});

test('T2 · the activity of a step does not take the end of the step before it for its own: its calls would never be made', async () => {
  const weather = tool('weather', async () => 'mild');
  await using scene = await agentScene({
    tools: [weather],
    scripts: [called({ id: 'c1', name: 'weather', arguments: '{}' }), chatAnswer('It is mild.')],
  });
  const { attempts } = scene.own;
  const first = Promise.withResolvers<ReturnType<typeof attempts.get>>();
  const run = attempts.run.bind(attempts);
  Object.assign(attempts, {
    run: (...args: Parameters<typeof run>) => {
      const running = run(...args);
      first.resolve(running);
      return running;
    },
  });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  // Its end is committed, and known to Temporal by another process: here it is still among those that run.
  const ended = await first.promise;
  const get = attempts.get.bind(attempts);
  Object.assign(attempts, { run, get: (turn: string) => get(turn) ?? ended });
  assert.deepEqual(await scene.step(2), { type: 'final', turn: { status: 'completed', code: null } });
  assert.equal(weather.calls.length, 1);
});

test('T2 · the activity of a step waits for the step in front of it, and sends nothing', async () => {
  const weather = tool('weather', async () => 'mild');
  await using scene = await agentScene({
    tools: [weather],
    scripts: [called({ id: 'c1', name: 'weather', arguments: '{}' }), chatAnswer('It is mild.')],
  });
  const claims: string[] = [];
  const claim = scene.store.claim.bind(scene.store);
  scene.store.claim = async (request) => {
    const answer = await claim(request);
    claims.push(answer.type);
    return answer;
  };
  const second = scene.step(2);
  await until(() => claims.length > 0);
  assert.deepEqual([new Set(claims), scene.model.requests.length], [new Set(['ahead']), 0]);
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.deepEqual(await second, { type: 'final', turn: { status: 'completed', code: null } });
  assert.deepEqual([weather.calls.length, scene.model.requests.length], [1, 2]);
  assert.deepEqual(scene.errors, []);
});

/** Its finish is there, and the usage is waited for. */
const callWithoutUsage = [
  sseHead,
  chat.toolCall(0, { id: 'c1', name: 'mail', arguments: '{}' }),
  chat.finish('tool_calls'),
  hold('usage'),
  done,
  end,
];

/** Begins the first step, and resolves once its finish has been read. */
async function behindTheFinish(scene: AgentScene): Promise<{ readonly step: Promise<StepResult> }> {
  const step = scene.step(1);
  await scene.model.reached('usage');
  await until(async () => (await scene.store.readAttempts('resp_a'))[0]?.firstEventAtMs !== undefined);
  // What has arrived is read.
  for (let turn = 0; turn < 50; turn += 1) await nextTurnOfTheLoop();
  return { step };
}

test('T8 · what ends a turn behind the finish, while the usage is waited for, ends it before the calls that it was to make', async () => {
  const mail = tool('mail', async () => 'sent');
  await using scene = await agentScene({ tools: [mail], scripts: [callWithoutUsage] });
  const { step } = await behindTheFinish(scene);
  scene.own.attempts.get('resp_a')?.steer();
  assert.deepEqual(await step, { type: 'final', turn: { status: 'incomplete', code: null } });
  assert.deepEqual(mail.calls, []);
});

test('T9 · a worker that goes behind the finish hands the calls on: another one makes them', async () => {
  const mail = tool('mail', async () => 'sent');
  await using scene = await agentScene({ tools: [mail], scripts: [callWithoutUsage, chatAnswer('Sent.')] });
  const { step } = await behindTheFinish(scene);
  scene.own.attempts.get('resp_a')?.abort('shutdown');
  assert.deepEqual(await step, { type: 'tool_calls' });
  assert.deepEqual(await scene.step(2, scene.process()), { type: 'final', turn: { status: 'completed', code: null } });
  assert.equal(mail.calls.length, 1);
});

test('a process whose configuration lacks the tools hands the turn on, unclaimed, to one that has them', async () => {
  const weather = tool('weather', async () => 'mild');
  const scripts = [called({ id: 'c1', name: 'weather', arguments: '{}' }), chatAnswer('It is mild.')];
  await using scene = await agentScene({ tools: [weather], scripts });
  const other = scene.toolless();
  const handedOn = { type: 'worker_lost', nonRetryable: false, nextRetryDelay: 500 };
  await assert.rejects(scene.step(1, other), handedOn);
  assert.equal((await scene.store.readHead('resp_a'))?.epoch, 0);
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  await assert.rejects(scene.step(2, other), handedOn);
  assert.deepEqual(await scene.step(2, other).catch(() => scene.step(2)), { type: 'final', turn: { status: 'completed', code: null } });
  assert.equal(weather.calls.length, 1);
});

test('a turn that nobody’s configuration can serve fails by name, after a few looks for somebody', async () => {
  await using scene = await agentScene({ tools: [tool('weather', async () => 'mild')], scripts: [] });
  const other = scene.toolless();
  for (let handOns = 4; handOns > 0; handOns--) await assert.rejects(scene.step(1, other), { type: 'worker_lost', nonRetryable: false });
  assert.deepEqual(await scene.step(1, other), { type: 'final', turn: { status: 'failed', code: 'tool_failed' } });
  assert.match((await scene.response()).error?.message ?? '', /no 'weather'/);
  assert.deepEqual([scene.model.requests.length, scene.errors], [0, []]);
});

test('T5 · a turn that is cancelled is not handed on: its end needs no tools', async () => {
  await using scene = await agentScene({ tools: [tool('weather', async () => 'mild')], scripts: [] });
  await scene.store.requestCancel('default', 'resp_a', Date.now());
  assert.deepEqual(await scene.step(1, scene.toolless()), { type: 'final', turn: { status: 'cancelled', code: null } });
});

test('T9 · a deploy that takes a tool away ends no turn that is on its way: a call of it is an error that the model is told', async () => {
  const [weather, mail] = [tool('weather', async () => 'mild'), tool('mail', async () => 'sent')];
  const callOf = (id: string, name: string) => called({ id, name, arguments: '{}' });
  await using scene = await agentScene({
    tools: [weather, mail],
    mcpServers: [{ name: 'files', command: 'no-such-program', args: [], env: {}, needsApproval: 'never' }],
    scripts: [callOf('c1', 'weather'), callOf('c2', 'mail'), callOf('c3', 'weather'), chatAnswer('It is mild.')],
  });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  const after = scene.toolless(weather);
  for (let handOns = 4; handOns > 0; handOns--) await assert.rejects(scene.step(2, after), { type: 'worker_lost', nonRetryable: false });
  for (const step of [2, 3]) assert.deepEqual(await scene.step(step, after), { type: 'tool_calls' }, 'nobody is looked for again');
  assert.deepEqual(await scene.step(4, after), { type: 'final', turn: { status: 'completed', code: null } });
  const outputs = (request: number): readonly unknown[] =>
    (messagesOf(scene.model.requests[request]) as { role: string; content: string }[]).flatMap(({ role, content }) =>
      role === 'tool' ? [content] : [],
    );
  assert.match(String(outputs(2)[1]), /^Error: 'mail' is in the configuration no more/);
  assert.deepEqual(outputs(3)[2], 'mild');
  assert.deepEqual([weather.calls.length, mail.calls.length], [2, 0]);
  const { tools = [] } = JSON.parse(scene.model.requests[2]?.bodyText ?? '{}') as { tools?: { function: { name: string } }[] };
  assert.deepEqual(
    tools.map((each) => each.function.name).toSorted(),
    ['mail', 'weather'],
    'some servers refuse calls of tools that a request does not bring',
  );
  assert.deepEqual(scene.errors, []);
});
