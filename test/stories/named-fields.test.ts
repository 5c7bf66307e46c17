/** What a request cannot ask for is a 400 that names the field in the words of the request's own protocol. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOf, read } from '../support/post.ts';
import { World } from '../support/world.ts';

async function send(url: string, body: unknown): Promise<unknown[]> {
  const headers = { 'content-type': 'application/json' };
  return errorOf(await read(await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })));
}

test('tool_choice that names no tool of the request is refused, in each protocol', { timeout: 60_000 }, async () => {
  await using world = await World.open();
  const messages = [{ role: 'user', content: 'hi' }];
  const tool = { type: 'function', name: 'known' };
  const other = { type: 'function', name: 'other' };
  const chatTool = { type: 'function', function: { name: 'known' } };
  const chatOther = { type: 'function', function: { name: 'other' } };
  const allowed = { type: 'allowed_tools', mode: 'auto', tools: [tool, other] };
  const cases: readonly [path: string, body: Record<string, unknown>, param: string][] = [
    ['/v1/responses', { input: 'hi', tool_choice: tool }, 'tool_choice'],
    ['/v1/responses', { input: 'hi', tools: [tool], tool_choice: other }, 'tool_choice'],
    ['/v1/responses', { input: 'hi', tools: [tool], tool_choice: allowed }, 'tool_choice'],
    ['/v1/chat/completions', { messages, tools: [chatTool], tool_choice: chatOther }, 'tool_choice'],
    ['/v1/chat/completions', { messages, functions: [{ name: 'known' }], function_call: { name: 'other' } }, 'function_call'],
    ['/api/chat', { id: 'c', messages: [{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }], tool_choice: tool }, 'tool_choice'],
  ];
  for (const [path, body, param] of cases) {
    assert.deepEqual(await send(`${world.url}${path}`, body), [400, param, 'invalid_value'], JSON.stringify(body));
  }
  assert.deepEqual(await world.acceptedInputs(), []);
  assert.deepEqual(await send(`${world.url}/v1/responses`, { input: 'hi', tools: [tool], tool_choice: tool }), [200, undefined, undefined]);
});

test('an unknown value of include in a query is refused, as openai-node writes it too', { timeout: 60_000 }, async () => {
  await using world = await World.open();
  const { id } = await world.hear('hi');
  const conversation = await world.session();
  for (const path of [`responses/${id}`, `responses/${id}/input_items`, `conversations/${conversation}/items`]) {
    for (const query of ['include=nonsense', 'include[]=nonsense', 'include=nonsense&include[]=nonsense']) {
      const { status, body } = await world.call('GET', `/v1/${path}?${query}`);
      const [, param, code] = errorOf({ status, json: body });
      assert.deepEqual([status, String(param).replace(/\[\d\]$/, ''), code], [400, 'include', 'invalid_value'], `${path}?${query}`);
    }
    for (const query of [
      'include=reasoning.encrypted_content',
      'include[]=reasoning.encrypted_content&include[]=web_search_call.results',
    ]) {
      assert.equal((await world.call('GET', `/v1/${path}?${query}`)).status, 200, `${path}?${query}`);
    }
  }
});
