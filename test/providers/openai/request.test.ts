import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Item } from '../../../src/domain/item.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { isOpenAi } from '../../../src/providers/openai/endpoint.ts';
import { responsesRequest } from '../../../src/providers/openai/responses-request.ts';
import { messageItem, settings } from '../support.ts';

const call = (id: string): Item => ({
  id: `fc_${id}`,
  type: 'function_call',
  status: 'completed',
  call_id: id,
  name: 'look',
  arguments: '{}',
});
const result = (id: string): Item => ({
  id: `fco_${id}`,
  type: 'function_call_output',
  status: 'completed',
  call_id: id,
  output: `saw ${id}`,
});
const refusal: Item = {
  id: 'msg_1',
  type: 'message',
  status: 'completed',
  role: 'assistant',
  content: [{ type: 'refusal', refusal: 'I will not' }],
};
const reasoning: Item = { id: 'rs_1', type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text: 'hm' }] };
const items = [
  messageItem('developer', 'be kind'),
  messageItem('user', 'Hi'),
  reasoning,
  messageItem('assistant', 'Looking.'),
  call('a'),
  call('b'),
  result('a'),
  result('b'),
  refusal,
  messageItem('user', '?'),
];

void suite('a prompt as a chat request', () => {
  void test('calls are one message with the text before them, results follow, reasoning is left out, a refusal is text', () => {
    const toolCall = (id: string) => ({ id, type: 'function', function: { name: 'look', arguments: '{}' } });
    assert.deepEqual(chatRequest({ settings: { ...settings, instructions: 'Be terse.' }, items }, false), {
      model: 'scripted',
      messages: [
        { role: 'system', content: 'Be terse.\n\nbe kind' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Looking.', tool_calls: [toolCall('a'), toolCall('b')] },
        { role: 'tool', tool_call_id: 'a', content: 'saw a' },
        { role: 'tool', tool_call_id: 'b', content: 'saw b' },
        { role: 'assistant', content: 'I will not' },
        { role: 'user', content: '?' },
      ],
      stream: true,
      stream_options: { include_usage: true },
    });
  });
  void test('a call after a result begins a message of its own', () => {
    const { messages } = chatRequest({ settings, items: [call('a'), result('a'), call('b'), result('b')] }, false);
    assert.deepEqual(
      messages.map(({ role }) => role),
      ['assistant', 'tool', 'assistant', 'tool'],
    );
  });
  void test('settings that were made are passed on, 0 among them', () => {
    const made = { ...settings, temperature: 0, top_p: 0.5, presence_penalty: 0, frequency_penalty: 1, max_output_tokens: 7, user: 'u' };
    const { messages: _, ...rest } = chatRequest({ settings: made, items: [] }, false);
    assert.deepEqual(rest, {
      model: 'scripted',
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0,
      top_p: 0.5,
      presence_penalty: 0,
      frequency_penalty: 1,
      max_tokens: 7,
      user: 'u',
    });
    assert.equal(chatRequest({ settings: made, items: [] }, true).max_completion_tokens, 7);
  });
  void test("OpenAI's own host is known by its name", () => {
    for (const url of ['https://api.openai.com/v1', 'https://eu.api.openai.com/v1', 'https://mine.openai.azure.com/openai/v1'])
      assert.equal(isOpenAi(url), true);
    for (const url of ['https://notopenai.com/v1', 'http://127.0.0.1/v1', 'https://api.openai.com.evil.test', 'nonsense'])
      assert.equal(isOpenAi(url), false);
  });
});

void test('a prompt as a Responses request: nothing stored, no ids of ours, no reasoning that it cannot read', () => {
  const request = responsesRequest({ settings: { ...settings, instructions: 'Be terse.', temperature: 0, max_output_tokens: 7 }, items });
  assert.deepEqual(request, {
    model: 'scripted',
    input: [
      { type: 'message', role: 'developer', content: 'be kind' },
      { type: 'message', role: 'user', content: 'Hi' },
      { type: 'message', role: 'assistant', content: 'Looking.' },
      { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}' },
      { type: 'function_call', call_id: 'b', name: 'look', arguments: '{}' },
      { type: 'function_call_output', call_id: 'a', output: 'saw a' },
      { type: 'function_call_output', call_id: 'b', output: 'saw b' },
      { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'I will not' }] },
      { type: 'message', role: 'user', content: '?' },
    ],
    stream: true,
    store: false,
    instructions: 'Be terse.',
    temperature: 0,
    max_output_tokens: 7,
  });
});
