/** `openai`, Chat Completions, with an agent whose tools a worker runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { clerk } from '../support/clerk.ts';

const call = (name: string, at: string) => ({ id: `call_${at}`, name, arguments: { at } });

test("Chat Completions: an agent's calls are made and not shown; what waits for an approval is answered as it says", async () => {
  const { url, model } = clerk();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  model.enqueue(chatToolCalls(call('look', 'a')), chatAnswer('There.'));
  const messages = [{ role: 'user' as const, content: 'where?' }];
  const streamed = await client.chat.completions.create({ model: 'clerk', messages, stream: true });
  const choices = [];
  for await (const chunk of streamed) choices.push(chunk.choices[0]);
  assert.ok(choices.every((choice) => choice?.delta.tool_calls === undefined));
  assert.deepEqual([choices.map((choice) => choice?.delta.content ?? '').join(''), choices.at(-1)?.finish_reason], ['There.', 'stop']);

  model.enqueue(chatToolCalls(call('drop', 'b')), chatAnswer('Dropped.'));
  const asked = await client.chat.completions.create({ model: 'clerk', messages, store: true });
  const { message, finish_reason: reason } = asked.choices[0]!;
  assert.deepEqual([reason, message.tool_calls], ['stop', undefined]);
  const [, path = '', body = ''] = /^To make it: POST (\S+) with (\{.*\}); /m.exec(message.content ?? '') ?? [];
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const response = (await answer.json()) as { output: { type: string; output?: string; content?: { text: string }[] }[] };
  assert.deepEqual(
    response.output.map((item) => item.output ?? item.content?.[0]?.text),
    ['was at b', 'Dropped.'],
  );
});

test('Chat Completions: what was not stored cannot be approved, and says so', async () => {
  const { url, model } = clerk();
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  model.enqueue(chatToolCalls(call('drop', 'b')));
  const { choices } = await client.chat.completions.create({ model: 'clerk', messages: [{ role: 'user', content: 'drop it' }] });
  assert.match(choices[0]?.message.content ?? '', /waits for an approval\.\nThis completion is not stored/);
});
