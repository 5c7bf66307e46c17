/** The UI message stream, with the AI SDK's own chat. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls, readUIMessageStream, type UIMessage } from 'ai';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  hold,
  reset,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { UiChat } from '../support/ui-chat.ts';
import { story, World } from '../support/world.ts';

/** What the provider was asked last: roles and texts. */
function lastAsked(world: World): unknown[] {
  const body = world.model.requests.at(-1)?.body as { messages: { role: string; content: unknown }[] };
  return body.messages.map(({ role, content }) => [role, content]);
}

/** Worlds share a Temporal server, and a chat's name makes the name of its workflow: each world has a chat of its own. */
function chatOf(world: World): string {
  return `chat of ${world.config.taskQueue}`;
}

async function post(world: World, body: object): Promise<Response> {
  return fetch(`${world.url}/api/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const question = (id: string, text: string): UIMessage => ({ id, role: 'user', parts: [{ type: 'text', text }] });

test("a turn is shown in the protocol's own words, under the protocol's own header", async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.reasoning('hm'), chat.content('Hello'), chat.finish(), done, end]);
  const response = await post(world, { id: chatOf(world), messages: [question('u1', 'hi')] });
  assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  const id = response.headers.get('x-turnkeep-response-id') ?? '';
  const lines = (await response.text())
    .trim()
    .split('\n\n')
    .map((line) => line.slice('data: '.length));
  assert.equal(lines.pop(), '[DONE]');
  const item = (kind: string, index: number): string => `${kind}_${id.replace('resp_', '')}000${index}:0`;
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { type: 'start', messageId: id },
      { type: 'start-step' },
      { type: 'reasoning-start', id: item('rs', 0) },
      { type: 'reasoning-delta', id: item('rs', 0), delta: 'hm' },
      { type: 'reasoning-end', id: item('rs', 0) },
      { type: 'text-start', id: item('msg', 1) },
      { type: 'text-delta', id: item('msg', 1), delta: 'Hello' },
      { type: 'text-end', id: item('msg', 1) },
      { type: 'finish-step' },
      { type: 'finish', finishReason: 'stop' },
    ],
  );
});

story('a chat of several turns is one conversation, and the model is shown what turnkeep has of it', async (world) => {
  const ui = new UiChat(world.url, chatOf(world), { body: { instructions: 'Be brief.' } });
  await ui.sendMessage({ text: 'one' });
  await ui.sendMessage({ text: 'two' });
  assert.equal(ui.status, 'ready');
  assert.deepEqual(ui.told, [
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'two'],
    ['assistant', 'Hello world'],
  ]);
  assert.deepEqual(lastAsked(world), [
    ['system', 'Be brief.'],
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'two'],
  ]);
  const turn = await world.store.readTurn(ui.lastMessage?.id ?? '');
  assert.ok(turn?.session, "a message of the assistant has its response's id");
  assert.deepEqual(await world.userTexts(turn.session), ['one', 'two']);
});

test('T7 · whoever resumes sees the message from its beginning to its end; with nothing running there is nothing', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), hold('more'), chat.content('lo'), chat.finish(), done, end]);
  const first = new UiChat(world.url, chatOf(world));
  const sending = first.sendMessage({ text: 'hi' });
  await first.untilText('Hel');
  const second = new UiChat(world.url, chatOf(world), { messages: first.messages.slice(0, 1) });
  const resumed = second.resumeStream();
  await second.untilText('Hel');
  // Leaving is no stopping.
  await first.stop();
  await sending;
  world.model.release('more');
  await resumed;
  assert.deepEqual(second.told, [
    ['user', 'hi'],
    ['assistant', 'Hello'],
  ]);
  assert.equal(world.model.requests.length, 1);
  assert.equal((await fetch(`${world.url}/api/chat/${chatOf(world)}/stream`)).status, 204);
  assert.equal((await fetch(`${world.url}/api/chat/nobody/stream`)).status, 204);
  const transport = new DefaultChatTransport({ api: `${world.url}/api/chat` });
  assert.equal(await transport.reconnectToStream({ chatId: chatOf(world) }), null);
});

test('T5 · stop ends the turn for every viewer, and what was shown stays', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('fine'));
  const ui = new UiChat(world.url, chatOf(world));
  const sending = ui.sendMessage({ text: 'hi' });
  await ui.untilText('Hel');
  const stopped = await world.call('POST', `/api/chat/${chatOf(world)}/stop`);
  await sending;
  assert.deepEqual(stopped, { status: 200, body: { id: ui.lastMessage?.id, status: 'cancelled' } });
  await world.model.clientClosed(1);
  assert.deepEqual([ui.status, ui.text], ['ready', 'Hel']);
  assert.equal((await fetch(`${world.url}/api/chat/${chatOf(world)}/stop`, { method: 'POST' })).status, 204);
  assert.equal((await fetch(`${world.url}/api/chat/nobody/stop`, { method: 'POST' })).status, 204);
  await ui.sendMessage({ text: 'go on' });
  assert.deepEqual(lastAsked(world), [
    ['user', 'hi'],
    ['assistant', 'Hel\n\n[The user stopped this answer before it was complete.]'],
    ['user', 'go on'],
  ]);
});

test('T2 · a turn that fails is an error in the chat, with what was shown before it', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), hold('cut'), reset]);
  const ui = new UiChat(world.url, chatOf(world));
  const sending = ui.sendMessage({ text: 'hi' });
  await ui.untilText('Hel');
  world.model.release('cut');
  await sending;
  assert.deepEqual([ui.status, ui.text], ['error', 'Hel']);
  assert.match(ui.error?.message ?? '', /^stream_interrupted: /);
  assert.equal(world.model.requests.length, 1);
});

story('another answer takes the place of the first', async (world) => {
  const ui = new UiChat(world.url, chatOf(world));
  await ui.sendMessage({ text: 'one' });
  await ui.sendMessage({ text: 'two' });
  const old = ui.lastMessage?.id;
  await ui.regenerate();
  assert.notEqual(ui.lastMessage?.id, old);
  const asked = [
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'two'],
  ];
  assert.deepEqual(lastAsked(world), asked);
  assert.equal(ui.messages.length, 4);
  await ui.regenerate({ messageId: ui.messages[1]?.id ?? '' });
  assert.deepEqual(lastAsked(world), [['user', 'one']]);
  await ui.sendMessage({ text: 'three' });
  assert.deepEqual(lastAsked(world), [
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'three'],
  ]);
});

test('an edited question goes back to where it was asked', async () => {
  await using world = await World.open();
  const ui = new UiChat(world.url, chatOf(world));
  await ui.sendMessage({ text: 'one' });
  await ui.sendMessage({ text: 'two' });
  await ui.sendMessage({ text: 'zwei', messageId: ui.messages[2]?.id ?? '' });
  assert.deepEqual(lastAsked(world), [
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'zwei'],
  ]);
  await ui.sendMessage({ text: 'eins', messageId: ui.messages[0]?.id ?? '' });
  assert.deepEqual(lastAsked(world), [['user', 'eins']]);
});

test('T1 · the same message posted twice is one turn, and both viewers read the same bytes', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), hold('more'), chat.finish(), done, end]);
  const body = { id: chatOf(world), messages: [question('u1', 'hi')], trigger: 'submit-message' };
  const [one, two] = await Promise.all([post(world, body), post(world, body)]);
  await world.model.reached('more');
  const three = await post(world, body);
  const four = await fetch(`${world.url}/api/chat/${chatOf(world)}/stream`);
  world.model.release('more');
  const texts = await Promise.all([one, two, three, four].map((response) => response.text()));
  assert.equal(new Set(texts).size, 1);
  const after = await post(world, body);
  assert.equal(await after.text(), texts[0]);
  assert.equal(world.model.requests.length, 1);
});

test('T1 · a conversation whose newest turn was deleted does not take its own past again', async () => {
  await using world = await World.open();
  world.model.enqueue(chatAnswer('Hello'), chatAnswer('Fine'));
  const first = await post(world, { id: chatOf(world), messages: [question('u1', 'hi')] });
  await first.text();
  const id = first.headers.get('x-turnkeep-response-id') ?? '';
  assert.equal((await world.call('DELETE', `/v1/responses/${id}`)).status, 200);
  const answer: UIMessage = { id, role: 'assistant', parts: [{ type: 'text', text: 'Hello' }] };
  await (await post(world, { id: chatOf(world), messages: [question('u1', 'hi'), answer, question('u2', 'how are you?')] })).text();
  assert.deepEqual(lastAsked(world), [
    ['user', 'hi'],
    ['assistant', 'Hello'],
    ['user', 'how are you?'],
  ]);
});

test("the client's own tools: the calls go out, their outputs come back, one message shows it all", async () => {
  await using world = await World.open();
  world.model.enqueue(chatToolCalls({ id: 'call_a', name: 'weather', arguments: { city: 'Oslo' } }), [
    sseHead,
    chat.content('Cold'),
    hold('more'),
    chat.content('.'),
    chat.finish(),
    done,
    end,
  ]);
  const tools = [{ type: 'function', name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];
  const ui: UiChat = new UiChat(world.url, chatOf(world), {
    body: { tools },
    onToolCall: ({ toolCall }) => {
      void ui.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: { degrees: -3 } });
    },
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  const sending = ui.sendMessage({ text: 'Oslo?' });
  await ui.untilText('Cold');
  const resumed = new UiChat(world.url, chatOf(world), { messages: ui.messages.slice(0, 1) });
  const seen = resumed.resumeStream();
  await resumed.untilText('Cold');
  world.model.release('more');
  await Promise.all([sending, seen]);
  await ui.untilText('Cold.');
  const parts = (message: UIMessage | undefined): unknown[] =>
    (message?.parts ?? []).map((part) =>
      part.type === 'tool-weather' && 'output' in part
        ? [part.type, part.state, part.input, part.output]
        : part.type === 'text'
          ? part.text
          : part.type,
    );
  const expected = ['step-start', ['tool-weather', 'output-available', { city: 'Oslo' }, { degrees: -3 }], 'step-start', 'Cold.'];
  assert.deepEqual(parts(ui.lastMessage), expected);
  assert.equal(ui.messages.length, 2);
  assert.deepEqual(parts(resumed.lastMessage), expected);
  assert.equal(resumed.messages.length, 2);
  assert.equal(resumed.lastMessage?.id, ui.lastMessage?.id);
  assert.deepEqual(lastAsked(world), [
    ['user', 'Oslo?'],
    ['assistant', null],
    ['tool', '{"degrees":-3}'],
  ]);
  await ui.sendMessage({ text: 'Thanks' });
  assert.deepEqual(lastAsked(world).slice(3), [
    ['assistant', 'Cold.'],
    ['user', 'Thanks'],
  ]);
});

test('T13 · a message whose steps call under one id again and again shows and tells each call with its own output', async () => {
  await using world = await World.open();
  const look = (...places: number[]): Script => chatToolCalls(...places.map((n) => ({ id: 'look:0', name: 'look', arguments: { n } })));
  world.model.enqueue(look(1), look(2, 3), [sseHead, chat.content('Co'), hold('more'), chat.content('ld'), chat.finish(), done, end]);
  const tools = [{ type: 'function', name: 'look', parameters: { type: 'object' } }];
  const ui: UiChat = new UiChat(world.url, chatOf(world), {
    body: { tools },
    onToolCall: ({ toolCall: { toolName: tool, toolCallId, input } }) => {
      void ui.addToolOutput({ tool, toolCallId, output: `saw ${(input as { n: number }).n}` });
    },
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  const sending = ui.sendMessage({ text: 'Look.' });
  await ui.untilText('Co');
  const resumed = new UiChat(world.url, chatOf(world), { messages: ui.messages.slice(0, 1) });
  const seen = resumed.resumeStream();
  await resumed.untilText('Co');
  world.model.release('more');
  await Promise.all([sending, seen]);
  await ui.untilText('Cold');
  const parts = (message: UIMessage | undefined): unknown[] =>
    (message?.parts ?? []).flatMap((part) =>
      part.type === 'tool-look' && 'output' in part ? [[part.toolCallId, part.input, part.output]] : [],
    );
  const shown = parts(ui.lastMessage);
  assert.deepEqual(
    shown.map((part) => (part as unknown[]).slice(1)),
    [1, 2, 3].map((n) => [{ n }, `saw ${n}`]),
  );
  assert.deepEqual(parts(resumed.lastMessage), shown);
  const { body } = await world.call('GET', `/api/chat/${encodeURIComponent(chatOf(world))}`);
  assert.deepEqual(parts((body['messages'] as UIMessage[]).at(-1)), shown);
  await ui.sendMessage({ text: 'Thanks' });
  assert.deepEqual(lastAsked(world), [
    ['user', 'Look.'],
    ['assistant', null],
    ['tool', 'saw 1'],
    ['assistant', null],
    ['tool', 'saw 2'],
    ['tool', 'saw 3'],
    ['assistant', 'Cold'],
    ['user', 'Thanks'],
  ]);
});

test("the AI SDK's own reader takes every part, and a history that was begun elsewhere is taken over", async () => {
  await using world = await World.open();
  const transport = new DefaultChatTransport({ api: `${world.url}/api/chat` });
  const earlier: UIMessage = { id: 'elsewhere', role: 'assistant', parts: [{ type: 'text', text: 'Good day.' }] };
  const stream = await transport.sendMessages({
    trigger: 'submit-message',
    chatId: chatOf(world),
    messageId: undefined,
    messages: [question('u1', 'Hello'), earlier, question('u2', 'hi')],
    abortSignal: undefined,
  });
  let last: UIMessage | undefined;
  for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message;
  assert.deepEqual(
    last?.parts.map((part) => (part.type === 'text' ? [part.text, part.state] : part.type)),
    ['step-start', ['Hello world', 'done']],
  );
  assert.deepEqual(lastAsked(world), [
    ['user', 'Hello'],
    ['assistant', 'Good day.'],
    ['user', 'hi'],
  ]);
});

test('what is wrong with a request is named', async () => {
  await using world = await World.open();
  const messages = [question('u1', 'hi')];
  for (const [body, param] of [
    [{ messages }, 'id'],
    [{ id: chatOf(world) }, 'messages'],
    [{ id: chatOf(world), messages: [] }, 'messages'],
    [{ id: chatOf(world), messages, seed: 1 }, 'seed'],
    [{ id: chatOf(world), messages: [{ id: 'u', role: 'user', parts: [{ type: 'text' }] }] }, 'messages[0].parts[0].text'],
    [{ id: chatOf(world), messages: [{ id: 'u', role: 'user', parts: [{ type: 'hologram' }] }] }, 'messages[0].parts[0].type'],
    [{ id: chatOf(world), messages: [{ id: 'u', role: 'user', parts: [] }] }, 'messages'],
  ] as const) {
    const response = await post(world, body);
    const { error } = (await response.json()) as { error: { param: string; message: string } };
    assert.deepEqual([response.status, error.param], [400, param], error.message);
  }
  assert.equal((await world.call('DELETE', '/api/chat')).status, 405);
});
