/** `GET /api/chat` and `GET /api/chat/{id}`: what a UI that is loaded anew begins with, read by the AI SDK itself. */
import assert from 'node:assert/strict';
import { lastAssistantMessageIsCompleteWithToolCalls, type UIMessage, validateUIMessages } from 'ai';
import { chat, chatAnswer, chatToolCalls, done, end, hold, httpError, sseHead } from '../../src/testing/model-server/index.ts';
import { UiChat } from '../support/ui-chat.ts';
import { until } from '../support/until.ts';
import { story, type World } from '../support/world.ts';

/** Worlds share a Temporal server, and a chat's name makes the name of its workflow: each world has a chat of its own. */
function chatOf(world: World): string {
  return `chat of ${world.config.taskQueue}`;
}

async function historyOf(world: World, query = '', url = world.url): Promise<{ messages: UIMessage[]; has_more: boolean; title: unknown }> {
  const response = await fetch(`${url}/api/chat/${encodeURIComponent(chatOf(world))}${query}`);
  assert.equal(response.status, 200);
  const page = (await response.json()) as Awaited<ReturnType<typeof historyOf>>;
  if (page.messages.length > 0) await validateUIMessages({ messages: page.messages });
  return page;
}

const marks = new Set(['id', 'state', 'providerMetadata', 'callProviderMetadata']);

/** What a person sees, without the ids that the UI makes for its user's messages, and the marks of a stream. */
function seenOf(messages: readonly UIMessage[]): unknown[] {
  const withoutMarks = (part: object): unknown =>
    Object.fromEntries(Object.entries(part).filter(([name, value]) => !marks.has(name) && value !== undefined));
  return messages.map(({ id, role, parts }) => ({ ...(role === 'assistant' ? { id } : {}), role, parts: parts.map(withoutMarks) }));
}

const tools = [{ type: 'function', name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }];

story('a chat that is loaded anew is as its UI had it, tools and pictures with it, and goes on from there', async (world) => {
  assert.deepEqual((await historyOf(world)).messages, [], 'a chat begins with its first message');
  world.model.enqueue(
    [sseHead, chat.reasoning('hm'), chat.content('Hello'), chat.finish(), done, end],
    chatToolCalls({ id: 'call_a', name: 'weather', arguments: { city: 'Oslo' } }),
    chatAnswer('Cold.'),
    chatAnswer('Bye.'),
  );
  const ui: UiChat = new UiChat(world.url, chatOf(world), {
    body: { tools },
    onToolCall: ({ toolCall }) => {
      void ui.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: { degrees: -3 } });
    },
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  await ui.sendMessage({ text: 'hi', files: [{ type: 'file', mediaType: 'image/png', url: 'data:image/png;base64,AAAA' }] });
  await ui.sendMessage({ text: 'Oslo?' });
  await ui.untilText('Cold.');
  await until(() => ui.status === 'ready');
  const { messages, has_more } = await historyOf(world);
  assert.deepEqual(seenOf(messages), seenOf(ui.messages));
  assert.equal(has_more, false);
  const again = new UiChat(world.url, chatOf(world), { messages, body: { tools } });
  await again.sendMessage({ text: 'thanks' });
  assert.equal(again.text, 'Bye.');
  assert.equal((await historyOf(world)).messages.length, 6);

  const last = await historyOf(world, '?limit=1');
  assert.deepEqual([last.messages.map(({ role }) => role), last.has_more], [['user', 'assistant'], true]);
  const before = await historyOf(world, `?before=${last.messages[1]?.id ?? ''}`);
  assert.deepEqual([before.messages.length, before.has_more], [4, false]);
});

story('the message that is being written comes by the stream, also at another gateway; one that failed says so', async (world) => {
  world.model.enqueue(httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }), [
    sseHead,
    chat.content('Hel'),
    hold('go'),
    chat.content('lo'),
    chat.finish(),
    done,
    end,
  ]);
  const ui = new UiChat(world.url, chatOf(world));
  await ui.sendMessage({ text: 'one' });
  const sending = ui.sendMessage({ text: 'two' });
  await ui.untilText('Hel');
  const other = await world.startGateway();
  const { messages } = await historyOf(world, '', other.url);
  assert.deepEqual(
    messages.map(({ role, parts, metadata }) => [role, parts.length, (metadata as { error?: { code: string } } | undefined)?.error?.code]),
    [
      ['user', 1, undefined],
      ['assistant', 0, 'provider_rejected'],
      ['user', 1, undefined],
    ],
  );
  const reloaded = new UiChat(other.url, chatOf(world), { messages });
  const resuming = reloaded.resumeStream();
  await reloaded.untilText('Hel');
  world.model.release('go');
  await Promise.all([sending, resuming]);
  assert.equal(reloaded.text, 'Hello');
  assert.deepEqual(seenOf((await historyOf(world)).messages), seenOf(reloaded.messages));
});

story('the chats are listed by their names in the UI, the last used first, with their first words', async (world) => {
  for (const [name, text] of [
    ['first', 'tea?'],
    ['second', 'cake?'],
  ] as const) {
    await new UiChat(world.url, `${name} ${chatOf(world)}`).sendMessage({ text });
  }
  const { body } = await world.call('GET', '/api/chat?limit=1');
  const [chatOfList] = body['data'] as Record<string, unknown>[];
  const { last_used_at, ...facts } = chatOfList ?? {};
  assert.ok(Date.now() - Date.parse(String(last_used_at)) < 600_000);
  assert.deepEqual([facts, body['has_more']], [{ id: `second ${chatOf(world)}`, title: null, preview: 'cake?' }, true]);
  const { body: rest } = await world.call('GET', `/api/chat?after=${String(body['last_id'])}`);
  assert.deepEqual(
    (rest['data'] as { preview: string }[]).map(({ preview }) => preview),
    ['tea?'],
  );
});
