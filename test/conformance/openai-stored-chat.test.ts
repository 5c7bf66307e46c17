/** `openai` for Node: stored Chat Completions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { NotFoundError } from 'openai';
import { chat, chatToolCalls, done, end, httpError, sseHead } from '../../src/testing/model-server/index.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { World } from '../support/world.ts';

const messages = [
  { role: 'system' as const, content: 'be brief' },
  { role: 'user' as const, content: 'hi' },
];

for (const api of ['chat', 'responses'] as const) {
  test(`openai: stored chat completions are listed, read, changed and deleted (${api})`, async () => {
    await using world = await World.open({ api });
    const { completions } = world.client.chat;
    const first = await completions.create({ model: 'scripted', messages, store: true, metadata: { kind: 'test', lang: 'en' } });
    const second = await completions.create({ model: 'larger', messages, store: true, metadata: { kind: 'test' } });
    const chunks = await completions.create({ model: 'scripted', messages, store: true, stream: true });
    let streamed = '';
    for await (const { id } of chunks) streamed = id;
    const unstored = await completions.create({ model: 'scripted', messages });

    assert.deepEqual(first.metadata, { kind: 'test', lang: 'en' });
    assert.deepEqual(await completions.retrieve(first.id), first, 'as it was answered');
    assert.equal((await completions.retrieve(streamed)).choices[0]?.message.content, 'Hello world');
    const ids = async (query: OpenAI.ChatCompletionListParams = {}) => {
      const found: string[] = [];
      for await (const { id } of completions.list(query)) found.push(id);
      return found;
    };
    assert.deepEqual(await ids(), [first.id, second.id, streamed]);
    assert.deepEqual(await ids({ limit: 1 }), [first.id, second.id, streamed], 'a page after a page');
    assert.deepEqual(await ids({ order: 'desc', limit: 2 }), [streamed, second.id, first.id]);
    assert.deepEqual(await ids({ model: 'larger' }), [second.id]);
    assert.deepEqual(await ids({ metadata: { kind: 'test', lang: 'en' } }), [first.id]);

    const updated = await completions.update(second.id, { metadata: { kind: 'other' } });
    assert.deepEqual(updated, { ...second, metadata: { kind: 'other' } });
    assert.deepEqual(await completions.retrieve(second.id), updated);
    assert.deepEqual(await ids({ metadata: { kind: 'test' } }), [first.id]);

    assert.deepEqual(await completions.delete(first.id), { id: first.id, object: 'chat.completion.deleted', deleted: true });
    assert.deepEqual(await ids(), [second.id, streamed]);
    for (const id of [first.id, unstored.id, 'chatcmpl-nobody']) {
      await assert.rejects(completions.retrieve(id), NotFoundError, id);
      await assert.rejects(completions.update(id, { metadata: {} }), NotFoundError);
      await assert.rejects(completions.delete(id), NotFoundError);
      await assert.rejects(completions.messages.list(id), NotFoundError);
    }
    await assert.rejects(completions.list({ after: 'chatcmpl-nobody' }), /after/);
  });
}

test('openai: the messages of a stored completion are those it was asked with', async () => {
  await using world = await World.open();
  const { completions } = world.client.chat;
  const image = { type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' as const } };
  const calls = ['a', 'b'].map((id) => ({ id, type: 'function' as const, function: { name: 'look', arguments: '{}' } }));
  const { id } = await completions.create({
    model: 'scripted',
    store: true,
    messages: [
      ...messages,
      { role: 'assistant', content: 'let me see', tool_calls: calls },
      { role: 'tool', tool_call_id: 'a', content: 'one' },
      { role: 'tool', tool_call_id: 'b', content: 'two' },
      { role: 'assistant', content: 'done' },
      { role: 'user', content: [{ type: 'text', text: 'and this?' }, image] },
    ],
  });
  const page = await completions.messages.list(id, { limit: 4 });
  const seen: object[] = [];
  for await (const message of page) seen.push(message);
  assert.equal(page.data.length, 4);
  const plain = { refusal: null, name: null, content_parts: null };
  assert.deepEqual(seen, [
    { id: `${id}-0`, role: 'system', content: 'be brief', ...plain },
    { id: `${id}-1`, role: 'user', content: 'hi', ...plain },
    { id: `${id}-2`, role: 'assistant', content: 'let me see', ...plain, annotations: [], tool_calls: calls },
    { id: `${id}-3`, role: 'tool', content: 'one', ...plain, tool_call_id: 'a' },
    { id: `${id}-4`, role: 'tool', content: 'two', ...plain, tool_call_id: 'b' },
    { id: `${id}-5`, role: 'assistant', content: 'done', ...plain, annotations: [] },
    { id: `${id}-6`, role: 'user', content: 'and this?', ...plain, content_parts: [{ type: 'text', text: 'and this?' }, image] },
  ]);
  const newest = await completions.messages.list(id, { order: 'desc', limit: 1, after: `${id}-6` });
  assert.deepEqual(newest.data, [seen[5]]);
});

test('stored completions are per tenant, also without /v1, and what failed or was cut off in the form of its request', async () => {
  const { apiKeys } = readConfig({ env: { TURNKEEP_API_KEYS: 'one:first,two:second' }, cwd: '/' });
  await using world = await World.open({ config: { apiKeys } });
  const [one, two] = ['first', 'second'].map((apiKey) => new OpenAI({ baseURL: world.url, apiKey, maxRetries: 0 })) as [OpenAI, OpenAI];
  world.model.enqueue(
    chatToolCalls({ id: 'call_x', name: 'look', arguments: {} }),
    httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }),
    [sseHead, chat.role(), chat.content('Hel'), chat.finish('length'), done, end],
  );
  const legacy = await one.chat.completions.create({ messages, model: 'm', store: true, functions: [{ name: 'look' }] });
  assert.equal(legacy.choices[0]?.finish_reason, 'function_call');
  await assert.rejects(one.chat.completions.create({ messages, model: 'm', store: true }));
  const cut = await one.chat.completions.create({ messages, model: 'm', store: true });
  assert.deepEqual((await one.chat.completions.list()).data, [legacy, cut]);
  assert.deepEqual((await two.chat.completions.list()).data, []);
  await assert.rejects(two.chat.completions.retrieve(cut.id), NotFoundError);
  const response = await fetch(`${world.url}/chat/completions/${cut.id}`, { method: 'PUT' });
  assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD, POST, DELETE']);
});
