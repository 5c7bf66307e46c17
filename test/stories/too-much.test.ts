/** T14: what one request may bring, and what all may bring at once. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { errorOf, read } from '../support/post.ts';
import { World } from '../support/world.ts';

const options = { timeout: 60_000 };
const json = { 'content-type': 'application/json' };

async function send(url: string, body: unknown, headers: Record<string, string> = {}) {
  return read(await fetch(url, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) }));
}

test('T14 · a longer input is 400 naming its list, in each protocol; the longest that may be is taken in', options, async () => {
  await using world = await World.open({
    config: { intake: { maxInputItems: 5, maxBodyBytesAtOnce: 10_000_000, unsupportedTools: 'omit' } },
  });
  const many = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
  const item = { role: 'user', content: 'hi' };
  const part = { role: 'user', parts: [{ type: 'text', text: 'hi' }] };
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
  const calls = { role: 'assistant', tool_calls: many(6, call) };
  const conversation = await world.session();
  const cases: readonly [path: string, body: Record<string, unknown>, param: string][] = [
    ['/v1/responses', { input: many(6, item) }, 'input'],
    ['/v1/chat/completions', { messages: many(6, item) }, 'messages'],
    ['/v1/chat/completions', { messages: [item, calls] }, 'messages'],
    ['/api/chat', { id: 'c', messages: many(6, part) }, 'messages'],
    [`/v1/conversations/${conversation}/items`, { items: many(6, item) }, 'items'],
    ['/v1/conversations', { items: many(6, item) }, 'items'],
  ];
  for (const [path, body, param] of cases) {
    assert.deepEqual(errorOf(await send(`${world.url}${path}`, body)), [400, param, 'too_many_items'], `${path} ${param}`);
  }
  assert.deepEqual(await world.acceptedInputs(), []);
  const longest = await send(`${world.url}/v1/responses`, { input: many(5, item) });
  assert.deepEqual([longest.status, longest.json?.['status']], [200, 'completed']);
});

test('T14 · an item far down a long list is checked like the first, and every item arrives', options, async () => {
  await using world = await World.open();
  const items = (count: number): { role: string; content: string }[] =>
    Array.from({ length: count }, (_, index) => ({ role: 'user', content: `word ${index}` }));
  const wrong = items(3_000).with(2_345, { role: 'nobody', content: 'hi' });
  assert.deepEqual(errorOf(await send(`${world.url}/v1/responses`, { input: wrong })), [400, 'input[2345].role', 'invalid_value']);
  const [, param] = errorOf(await send(`${world.url}/v1/chat/completions`, { messages: wrong }));
  assert.equal(param, 'messages[2345].role');
  const taken = await send(`${world.url}/v1/responses`, { input: items(3_000) });
  assert.equal(taken.json?.['status'], 'completed');
  const { messages } = JSON.parse(world.model.requests.at(-1)?.bodyText ?? '') as { messages: unknown };
  assert.deepEqual(messages, items(3_000));
});

/** An upload that has begun, and goes no further: the gateway has its headers. */
async function beginUpload(url: string, bytes: number, authorization: string): Promise<ClientRequest> {
  const headers = { ...json, authorization, 'content-length': bytes, expect: '100-continue' };
  const upload = request(`${url}/v1/responses`, { method: 'POST', headers });
  upload.on('error', () => undefined);
  upload.flushHeaders();
  await once(upload, 'continue');
  return upload;
}

test(
  'T14 · bodies that are on their way take up a budget, of each key and in all: past it 429, until one has arrived',
  options,
  async () => {
    const names = ['ann', 'bob', 'carl'] as const;
    const apiKeys = names.map((name) => ({ name, hash: createHash('sha256').update(name).digest('hex') }));
    const keyOf = (name: (typeof names)[number]): { authorization: string } => ({ authorization: `Bearer ${name}` });
    await using world = await World.open({
      config: { apiKeys, intake: { maxInputItems: 10, maxBodyBytesAtOnce: 200_000, unsupportedTools: 'omit' } },
    });
    const post = async (name: (typeof names)[number], chars: number) =>
      send(`${world.url}/v1/responses`, { input: 'x'.repeat(chars) }, keyOf(name));
    const refused = [429, null, 'too_many_bytes'];
    const uploads = [await beginUpload(world.url, 90_000, keyOf('ann').authorization)];
    const second = await post('ann', 20_000);
    assert.deepEqual([errorOf(second), second.headers.get('retry-after')], [refused, '1'], 'her own share is used up');
    assert.equal((await post('ann', 5_000)).json?.['status'], 'completed');
    assert.equal((await post('bob', 50_000)).json?.['status'], 'completed', 'others have theirs');
    uploads.push(await beginUpload(world.url, 90_000, keyOf('bob').authorization));
    assert.deepEqual(errorOf(await post('carl', 50_000)), refused, 'all is used up');
    const [upload] = uploads;
    assert.ok(upload);
    const body = JSON.stringify({ input: 'x' });
    upload.end(body.padEnd(90_000));
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    answer.resume();
    assert.equal(answer.statusCode, 200);
    await once(answer, 'end');
    assert.equal((await post('carl', 50_000)).json?.['status'], 'completed', 'one has arrived, and is held no more');
    uploads[1]?.destroy();
    while (errorOf(await post('bob', 80_000))[0] !== 200);
  },
);

test('T14 · a page of large items ends early and says that there are more; so does the history of a chat', options, async () => {
  await using world = await World.open();
  const large = 'a'.repeat(3_000_000);
  const items = Array.from({ length: 4 }, () => ({ role: 'user', content: large }));
  const conversation = await world.session();
  const taken = await send(`${world.url}/v1/responses`, { conversation, input: items });
  assert.equal(taken.json?.['status'], 'completed');
  interface List {
    readonly data: readonly { readonly id: string }[];
    readonly last_id: string;
    readonly has_more: boolean;
  }
  for (const list of [`/v1/responses/${String(taken.json['id'])}/input_items`, `/v1/conversations/${conversation}/items`]) {
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after = '', isLast = false; !isLast;) {
      const page = (await (await fetch(`${world.url}${list}?order=asc&limit=100${after}`)).json()) as List;
      seen.push(...page.data.map(({ id }) => id));
      sizes.push(page.data.length);
      after = `&after=${page.last_id}`;
      isLast = !page.has_more;
    }
    const answers = list.startsWith('/v1/conversations') ? 1 : 0;
    assert.equal(new Set(seen).size, 4 + answers);
    assert.deepEqual(sizes, answers === 0 ? [2, 2] : [2, 2, 1]);
  }
  const chat = `chat of ${world.config.taskQueue}`;
  const say = async (text: string) => {
    const messages = [{ id: text.slice(0, 3), role: 'user', parts: [{ type: 'text', text }] }];
    await (await fetch(`${world.url}/api/chat`, { method: 'POST', headers: json, body: JSON.stringify({ id: chat, messages }) })).text();
  };
  for (const first of ['one', 'two', 'new']) await say(first + 'b'.repeat(9_000_000));
  const historyOf = async (query: string) =>
    (await (await fetch(`${world.url}/api/chat/${encodeURIComponent(chat)}${query}`)).json()) as {
      readonly has_more: boolean;
      readonly messages: readonly { readonly id: string; readonly role: string; readonly parts: readonly { readonly text: string }[] }[];
    };
  const newest = await historyOf('');
  const firstWords = ({ messages }: typeof newest) =>
    messages.filter(({ role }) => role === 'user').map(({ parts }) => parts[0]?.text.slice(0, 3));
  assert.deepEqual([firstWords(newest), newest.has_more], [['two', 'new'], true]);
  const earlier = await historyOf(`?before=${newest.messages[1]?.id ?? ''}`);
  assert.deepEqual([firstWords(earlier), earlier.has_more], [['one'], false]);
});

test('T14 · references that stand for more than a body may hold are 400, however short they are', options, async () => {
  await using world = await World.open();
  const taken = await send(`${world.url}/v1/responses`, { input: [{ role: 'user', content: 'a'.repeat(4_000_000) }] });
  const list = await fetch(`${world.url}/v1/responses/${String(taken.json?.['id'])}/input_items`);
  const { data } = (await list.json()) as { data: readonly { readonly id: string }[] };
  const references = (count: number) => Array.from({ length: count }, () => ({ type: 'item_reference', id: data[0]?.id }));
  for (const path of ['/v1/responses', '/v1/responses/input_tokens']) {
    const refused = await send(`${world.url}${path}`, { input: references(9) });
    assert.deepEqual(errorOf(refused), [400, 'input', 'references_too_large'], path);
  }
  assert.equal((await send(`${world.url}/v1/responses`, { input: references(8) })).json?.['status'], 'completed');
});
