/** T13 · a model that calls tools of a worker gets its own reasoning back, also where its client did not ask to see it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { end, head, type LoggedRequest, ResponsesWriter, type Script, sseHead, text } from '../../src/testing/model-server/index.ts';
import { type AgentScene, agentScene, type AgentSceneOptions, tool } from './agent-scene.ts';

const asked = { include: ['reasoning.encrypted_content'] };

/** An answer of the Responses API: what `write` says between its first and its last event. */
function answer(write: (say: ResponsesWriter) => Script): Script {
  const say = new ResponsesWriter();
  return [sseHead, ...say.begin(), ...write(say), ...say.completed(), end];
}

const calling = answer((say) => [...say.encryptedReasoning('E1'), ...say.functionCall('c1', 'look', '{}')]);
const summarised = answer((say) => [
  ...say.encryptedReasoning('E1', 'Let me', ' look.'),
  ...say.text('One moment.'),
  ...say.encryptedReasoning('E2'),
  ...say.functionCall('c1', 'look', '{}'),
]);
const done = answer((say) => say.text('It is there.'));

function refusal(error: object): Script {
  return [head({ status: 400, headers: { 'content-type': 'application/json' } }), text(JSON.stringify({ error })), end];
}

async function scene(options: Partial<AgentSceneOptions>): Promise<AgentScene> {
  return agentScene({ api: 'responses', scripts: [calling, done], tools: [tool('look', async () => 'here')], ...options });
}

interface Body {
  readonly include?: readonly string[];
  readonly input: readonly { readonly type: string; readonly encrypted_content?: string; readonly id?: string }[];
}

function bodyOf(request: LoggedRequest | undefined): Body {
  return request?.body as Body;
}

/** What the model is told, in short: the encrypted reasoning by its text. */
function told(request: LoggedRequest | undefined): readonly string[] {
  return bodyOf(request).input.map(({ type, encrypted_content: encrypted }) => encrypted ?? type);
}

/** All that any client may see: the bytes of the events, the response with its items. */
async function shown({ store }: AgentScene): Promise<string> {
  return JSON.stringify([await store.readJournal('resp_a'), await store.readResponse('resp_a'), await store.readInput('resp_a')]);
}

const completed = { type: 'final', turn: { status: 'completed', code: null } };

test('the next step is told what the one before it has thought, and no event, item or response has it', async () => {
  await using at = await scene({});
  assert.deepEqual(await at.step(1), { type: 'tool_calls' });
  assert.deepEqual(await at.step(2), completed);
  const [first, second] = at.model.requests;
  assert.deepEqual([bodyOf(first).include, bodyOf(second).include], [asked.include, asked.include]);
  assert.deepEqual(told(second), ['message', 'E1', 'function_call', 'function_call_output']);
  assert.doesNotMatch(await shown(at), /E1|encrypted_content/);
  const { output } = await at.response();
  assert.deepEqual(
    output.map(({ type }) => type),
    ['reasoning', 'mcp_call', 'message'],
  );
  assert.deepEqual(at.errors, []);
});

test('several thoughts keep their places, with a summary or without', async () => {
  await using at = await scene({ scripts: [summarised, done] });
  await at.step(1);
  await at.step(2);
  assert.deepEqual(told(at.model.requests[1]), ['message', 'E1', 'message', 'E2', 'function_call', 'function_call_output']);
  const [thought] = (await at.response()).output;
  assert.deepEqual(thought?.type === 'reasoning' && thought.summary.map((part) => part.text), ['Let me look.']);
  assert.doesNotMatch(await shown(at), /E1|E2|encrypted_content/);
});

test('a client that asks for it sees it, in each step, and the model is told the same', async () => {
  await using at = await scene({ settings: asked });
  await at.step(1);
  assert.deepEqual(await at.step(2), completed);
  assert.deepEqual(told(at.model.requests[1]), ['message', 'E1', 'function_call', 'function_call_output']);
  const [thought] = (await at.response()).output;
  assert.equal(thought?.type === 'reasoning' && thought.encrypted_content, 'E1');
  assert.deepEqual(await at.store.readHiddenReasoning('resp_a'), []);
});

test('T9 · a process that is gone between two steps takes nothing of it along', async () => {
  await using at = await scene({});
  await at.step(1);
  await at.own.attempts.drain(0);
  const other = at.process();
  assert.deepEqual(await at.step(2, other), completed);
  await other.attempts.drain(0);
  assert.deepEqual(told(at.model.requests[1]), ['message', 'E1', 'function_call', 'function_call_output']);
  assert.doesNotMatch(await shown(at), /E1|encrypted_content/);
});

test('what the whole response alone tells of a thought is told in the next step too', async () => {
  const late = answer((say) => [...say.reasoning('Hm.'), ...say.functionCall('c1', 'look', '{}')]).map((step) => {
    const isLast = step.type === 'event' && step.event === 'response.completed';
    const whole = JSON.stringify(step).replace('"type":"reasoning"', '"type":"reasoning","encrypted_content":"E1"');
    return isLast ? (JSON.parse(whole) as typeof step) : step;
  });
  await using at = await scene({ scripts: [late, done] });
  await at.step(1);
  const other = at.process();
  assert.deepEqual(await at.step(2, other), completed);
  await other.attempts.drain(0);
  assert.deepEqual(told(at.model.requests[1]), ['message', 'E1', 'function_call', 'function_call_output']);
  assert.deepEqual(
    (await at.response()).output.map(({ type }) => type),
    ['reasoning', 'mcp_call', 'message'],
  );
  assert.doesNotMatch(await shown(at), /E1|encrypted_content/);
});

for (const [words, error] of Object.entries({
  'the field': { message: 'Unsupported parameter', param: 'include', code: 'unsupported_parameter' },
  'its words': { message: 'Encrypted content is not supported with this model.' },
})) {
  test(`a model that refuses to encrypt is asked without it, in this turn and in later ones: known by ${words}`, async () => {
    await using at = await scene({ scripts: [refusal(error), calling, done] });
    await assert.rejects(async () => at.step(1));
    // Another process knows it by the request that is booked.
    const other = at.process();
    assert.deepEqual(await at.step(1, other), { type: 'tool_calls' });
    assert.deepEqual(await at.step(2, other), completed);
    await other.attempts.drain(0);
    assert.deepEqual(
      at.model.requests.map((request) => bodyOf(request).include),
      [asked.include, undefined, undefined],
    );
    const rows = await at.store.readAttempts('resp_a');
    assert.deepEqual(
      rows.map(({ step, attempt, outcome }) => [step, attempt, outcome]),
      [
        [1, 1, 'failed'],
        [1, 2, 'completed'],
        [2, 1, 'completed'],
      ],
    );
  });
}

test('T13 · reasoning that its provider cannot read any more is left out, and the turn goes on', async () => {
  const unread = refusal({ message: 'The encrypted content E1 could not be verified.', code: 'invalid_encrypted_content' });
  await using at = await scene({ scripts: [calling, unread, done] });
  await at.step(1);
  await assert.rejects(async () => at.step(2));
  assert.deepEqual(await at.step(2), completed);
  assert.deepEqual(
    at.model.requests.map((request) => told(request)),
    [['message'], ['message', 'E1', 'function_call', 'function_call_output'], ['message', 'function_call', 'function_call_output']],
  );
});

test('what a client has asked for itself, it is refused with', async () => {
  await using at = await scene({ settings: asked, scripts: [refusal({ message: 'no', param: 'include' })] });
  assert.deepEqual(await at.step(1), { type: 'final', turn: { status: 'failed', code: 'provider_rejected' } });
  assert.equal(at.model.requests.length, 1);
});

test('a chat provider, and an agent without tools, are asked for nothing', async () => {
  await using plain = await scene({ tools: [], scripts: [answer((say) => [...say.encryptedReasoning('E1'), ...say.text('Yes.')])] });
  assert.deepEqual(await plain.step(1), completed);
  assert.equal(bodyOf(plain.model.requests[0]).include, undefined);
  assert.deepEqual(
    (await plain.response()).output.map(({ type }) => type),
    ['message'],
  );
  await using chat = await scene({ api: 'chat', scripts: [] });
  await chat.step(1);
  assert.doesNotMatch(chat.model.requests[0]?.bodyText ?? '', /include"/);
});
