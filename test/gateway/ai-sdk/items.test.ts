import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UiPart } from '../../../src/gateway/ai-sdk/request-schema.ts';
import { uiItems, newToolOutputs } from '../../../src/gateway/ai-sdk/items.ts';

const asked = (...parts: UiPart[]): unknown =>
  uiItems({ role: 'user', parts }, 'messages[0]').flatMap((item) => ('content' in item ? item.content : []));
const file = (fields: object): UiPart => ({ type: 'file', ...fields });

const files: readonly [string, UiPart, object][] = [
  [
    'an image',
    file({ mediaType: 'image/png', url: 'data:image/png;base64,AA' }),
    { type: 'input_image', detail: 'auto', image_url: 'data:image/png;base64,AA' },
  ],
  [
    'a document',
    file({ mediaType: 'application/pdf', url: 'data:application/pdf;base64,AA', filename: 'a.pdf' }),
    { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA' },
  ],
  [
    'an address',
    file({ mediaType: 'text/plain', url: 'https://example.com/a' }),
    { type: 'input_file', file_url: 'https://example.com/a' },
  ],
  [
    'an uploaded image',
    file({ mediaType: 'image/png', url: '', providerReference: { openai: 'file_1' } }),
    { type: 'input_image', detail: 'auto', file_id: 'file_1' },
  ],
  [
    'an uploaded document',
    file({ mediaType: 'text/plain', providerReference: { openai: 'file_1' } }),
    { type: 'input_file', file_id: 'file_1' },
  ],
];

for (const [name, part, expected] of files) {
  test(`${name} goes to the model as it is`, () => {
    assert.deepEqual(asked({ type: 'text', text: 'see' }, part, { type: 'data-mark', data: 1 }), [
      { type: 'input_text', text: 'see' },
      expected,
    ]);
  });
}

test('a file without data or address is an error that names it', () => {
  assert.throws(() => asked(file({ mediaType: 'image/png' })), /messages\[0\]\.parts\[0\]\.url/);
});

const tool = (toolCallId: string, state: string, fields: object = {}): UiPart => ({
  type: 'tool-look',
  toolCallId,
  state,
  input: { a: 1 },
  ...fields,
});
const gave = (call_id: string, output: string): object => ({ type: 'function_call_output', status: 'completed', call_id, output });

test("only the outputs of the last step are new, and what the tool's state says is what the model hears", () => {
  const message = {
    role: 'assistant' as const,
    parts: [
      { type: 'step-start' },
      tool('c0', 'output-available', { output: 'old' }),
      { type: 'step-start' },
      tool('c1', 'output-available', { output: { b: 2 } }),
      tool('c2', 'output-error', { errorText: 'broken' }),
      tool('c3', 'output-denied'),
      tool('c4', 'input-available'),
      { ...tool('c5', 'output-available', { output: 'text' }), type: 'dynamic-tool', toolName: 'see' },
    ],
  };
  assert.deepEqual(newToolOutputs(message, 'messages[1]'), [
    gave('c1', '{"b":2}'),
    gave('c2', 'broken'),
    gave('c3', 'The user did not allow this call.'),
    gave('c5', 'text'),
  ]);
});

test('a history begun elsewhere brings its calls with their outputs, and no call without one', () => {
  const parts = [
    { type: 'text', text: 'so' },
    tool('c1', 'output-available', { output: 1 }),
    tool('c2', 'input-streaming'),
    { type: 'reasoning', text: 'hm' },
  ];
  assert.deepEqual(uiItems({ role: 'assistant', parts }, 'messages[0]'), [
    {
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'so', annotations: [], logprobs: [] }],
    },
    { type: 'function_call', status: 'completed', call_id: 'c1', name: 'look', arguments: '{"a":1}' },
    gave('c1', '1'),
  ]);
});

test('T13 · the calls of a step come before their outputs, under the ids that the provider gave, with its own fields', () => {
  const signed = { callProviderMetadata: { turnkeep: { provider_fields: { extra_content: 1 } }, openai: { itemId: 'x' } } };
  const parts = [
    { type: 'step-start' },
    tool('look:0', 'output-available', { output: 'a', ...signed }),
    tool('look:0#fc_ab0001', 'output-available', { output: 'b' }),
    { type: 'step-start' },
    tool(`look:0#fc_${'0'.repeat(52)}`, 'output-available', { output: 'c' }),
  ];
  const made = (fields: object = {}): object => {
    return { type: 'function_call', status: 'completed', call_id: 'look:0', name: 'look', arguments: '{"a":1}', ...fields };
  };
  assert.deepEqual(uiItems({ role: 'assistant', parts }, 'messages[0]'), [
    made({ provider_fields: { extra_content: 1 } }),
    made(),
    gave('look:0', 'a'),
    gave('look:0', 'b'),
    made(),
    gave('look:0', 'c'),
  ]);
  assert.deepEqual(newToolOutputs({ role: 'assistant', parts }, 'messages[0]'), [gave('look:0', 'c')]);
});
