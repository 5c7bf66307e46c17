/** What messages and the outputs of tools hold, as each API has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InputPart, Item, MessagePart, Role } from '../../../src/domain/item.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { responsesRequest } from '../../../src/providers/openai/responses-request.ts';
import { settings } from '../support.ts';

type Part = InputPart | MessagePart;

const message = (role: Role, ...content: readonly Part[]): Item => ({ id: 'msg_1', type: 'message', status: 'completed', role, content });
const gave = (output: string | readonly InputPart[]): Item => ({
  id: 'fco_1',
  type: 'function_call_output',
  status: 'completed',
  call_id: 'a',
  output,
});
const text = (words: string): InputPart => ({ type: 'input_text', text: words });
const output = (words: string): MessagePart => ({ type: 'output_text', text: words, annotations: [], logprobs: [] });
const refusal: MessagePart = { type: 'refusal', refusal: 'I will not' };
const photo = 'data:image/png;base64,AAAA';
const paper = 'data:application/pdf;base64,AAAA';
const image: InputPart = { type: 'input_image', detail: 'low', image_url: photo };
const imageById: InputPart = { type: 'input_image', detail: 'auto', file_id: 'file_1' };
const file: InputPart = { type: 'input_file', filename: 'a.pdf', file_data: paper };
const fileByUrl: InputPart = { type: 'input_file', file_url: 'https://files.test/a.pdf' };

type Row = readonly [item: Item, chat: unknown, responses: unknown];
const noImage = '[an image that cannot be shown here]';

const rows: Readonly<Record<string, Row>> = {
  'texts alone are one plain string': [
    message('user', text('a'), text('b')),
    { role: 'user', content: 'ab' },
    { type: 'message', role: 'user', content: 'ab' },
  ],
  'an image beside a text': [
    message('user', text('What?'), image),
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What?' },
        { type: 'image_url', image_url: { url: photo, detail: 'low' } },
      ],
    },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'What?' },
        { type: 'input_image', detail: 'low', image_url: photo },
      ],
    },
  ],
  'an image without a word of detail': [
    message('user', { type: 'input_image', detail: 'auto', image_url: photo }),
    { role: 'user', content: [{ type: 'image_url', image_url: { url: photo } }] },
    { type: 'message', role: 'user', content: [{ type: 'input_image', detail: 'auto', image_url: photo }] },
  ],
  'a file with its data': [
    message('user', file),
    { role: 'user', content: [{ type: 'file', file: { filename: 'a.pdf', file_data: paper } }] },
    { type: 'message', role: 'user', content: [{ type: 'input_file', filename: 'a.pdf', file_data: paper }] },
  ],
  'a file by its id': [
    message('user', { type: 'input_file', file_id: 'file_1' }),
    { role: 'user', content: [{ type: 'file', file: { file_id: 'file_1' } }] },
    { type: 'message', role: 'user', content: [{ type: 'input_file', file_id: 'file_1' }] },
  ],
  'from an older transcript, an image by its id and a file by its URL: replaced by texts where the API has no place for them': [
    message('user', imageById, fileByUrl),
    { role: 'user', content: `${noImage}[a file that cannot be shown here]` },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_image', detail: 'auto', file_id: 'file_1' },
        { type: 'input_file', file_url: 'https://files.test/a.pdf' },
      ],
    },
  ],
  'a message of the system with an image': [
    message('system', text('Like this: '), image),
    { role: 'system', content: `Like this: ${noImage}` },
    {
      type: 'message',
      role: 'system',
      content: [
        { type: 'input_text', text: 'Like this: ' },
        { type: 'input_image', detail: 'low', image_url: photo },
      ],
    },
  ],
  'an answer': [
    message('assistant', output('Hel'), output('lo')),
    { role: 'assistant', content: 'Hello' },
    { type: 'message', role: 'assistant', content: 'Hello' },
  ],
  'an answer that ended in a refusal': [
    message('assistant', output('No. '), refusal),
    { role: 'assistant', content: 'No. I will not' },
    {
      type: 'message',
      role: 'assistant',
      content: [
        { type: 'output_text', text: 'No. ', annotations: [] },
        { type: 'refusal', refusal: 'I will not' },
      ],
    },
  ],
  'an answer with a file, from an older transcript': [
    message('assistant', output('Here: '), file),
    { role: 'assistant', content: 'Here: [the file a.pdf, which cannot be shown here]' },
    {
      type: 'message',
      role: 'assistant',
      content: [
        { type: 'output_text', text: 'Here: ', annotations: [] },
        { type: 'output_text', text: '[the file a.pdf, which cannot be shown here]', annotations: [] },
      ],
    },
  ],
  'the output of a tool as text': [
    gave('saw it'),
    { role: 'tool', tool_call_id: 'a', content: 'saw it' },
    { type: 'function_call_output', call_id: 'a', output: 'saw it' },
  ],
  'the output of a tool in parts': [
    gave([text('saw '), image]),
    { role: 'tool', tool_call_id: 'a', content: `saw ${noImage}` },
    {
      type: 'function_call_output',
      call_id: 'a',
      output: [
        { type: 'input_text', text: 'saw ' },
        { type: 'input_image', detail: 'low', image_url: photo },
      ],
    },
  ],
};

for (const [name, [item, chat, responses]] of Object.entries(rows)) {
  void test(`${name}: chat`, () => assert.deepEqual(chatRequest({ settings, items: [item] }, false).messages, [chat]));
  void test(`${name}: responses`, () => assert.deepEqual(responsesRequest({ settings, items: [item] }).input, [responses]));
}

void test('encrypted reasoning goes back as it came, but for the id, which is ours', () => {
  const thought: Item = {
    id: 'rs_1',
    type: 'reasoning',
    status: 'completed',
    summary: [{ type: 'summary_text', text: 'hm' }],
    encrypted_content: 'E',
  };
  assert.deepEqual(responsesRequest({ settings, items: [thought] }).input, [
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'E' },
  ]);
  assert.deepEqual(responsesRequest({ settings, items: [{ ...thought, encrypted_content: '' }] }).input, []);
  assert.deepEqual(chatRequest({ settings, items: [thought] }, true).messages, []);
});
