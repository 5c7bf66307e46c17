import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatItems } from '../../../src/gateway/chat-completions/items.ts';
import { newChatInput } from '../../../src/gateway/chat-completions/new-input.ts';
import { chatRequest, type ChatRequest } from '../../../src/gateway/chat-completions/request-schema.ts';
import { chatHeaders, sessionNameOf } from '../../../src/gateway/chat-completions/session-name.ts';
import { chatSettings } from '../../../src/gateway/chat-completions/settings.ts';
import { uiRequest } from '../../../src/gateway/ai-sdk/request-schema.ts';
import { validate } from '../../../src/gateway/http/validate.ts';

function parsed(fields: object): ChatRequest {
  return chatRequest.parse({ messages: [{ role: 'user', content: 'hi' }], ...fields });
}

const text = (role: string, content: string): object => {
  const part =
    role === 'assistant' ? { type: 'output_text', text: content, annotations: [], logprobs: [] } : { type: 'input_text', text: content };
  return { type: 'message', status: 'completed', role, content: [part] };
};
const made = (call_id: string, name: string): object => ({ type: 'function_call', status: 'completed', call_id, name, arguments: '{}' });
const thought = (words: string, provider_fields: object): object => {
  return { type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text: words }], provider_fields };
};
const gave = (call_id: string, output: string): object => ({ type: 'function_call_output', status: 'completed', call_id, output });

const messages: readonly [string, readonly object[], readonly object[]][] = [
  [
    'every plain role',
    [
      { role: 'system', content: 'a' },
      { role: 'developer', content: [{ type: 'text', text: 'b' }] },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd' },
    ],
    [text('system', 'a'), text('developer', 'b'), text('user', 'c'), text('assistant', 'd')],
  ],
  [
    'images and files',
    [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'see' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AA', detail: 'low' } },
          { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
          { type: 'file', file: { file_data: 'data:application/pdf;base64,AA', filename: 'a.pdf' } },
          { type: 'file', file: { file_id: 'file_1' } },
        ],
      },
    ],
    [
      {
        type: 'message',
        status: 'completed',
        role: 'user',
        content: [
          { type: 'input_text', text: 'see' },
          { type: 'input_image', detail: 'low', image_url: 'data:image/png;base64,AA' },
          { type: 'input_image', detail: 'auto', image_url: 'https://example.com/a.png' },
          { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA' },
          { type: 'input_file', file_id: 'file_1' },
        ],
      },
    ],
  ],
  [
    'calls and their outputs, as clients echo them',
    [
      {
        role: 'assistant',
        content: null,
        refusal: null,
        annotations: [],
        parsed: null,
        reasoning_content: 'hm',
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}', parsed_arguments: null } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'x' }], name: 'f' },
    ],
    [thought('hm', { field: 'reasoning_content' }), made('c1', 'f'), gave('c1', 'x')],
  ],
  [
    "a provider's own fields, and arguments that the client keeps as an object",
    [
      {
        role: 'assistant',
        content: '',
        reasoning_content: 'hm',
        reasoning: 'hm',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm' }],
        tool_calls: [{ id: 'x'.repeat(942), type: 'function', function: { name: 'f', arguments: {} }, index: 0, extra_content: { a: 1 } }],
      },
      { role: 'assistant', content: 'Yes.', reasoning_content: '', reasoning_details: [{ type: 'reasoning.encrypted', data: 'E' }] },
      { role: 'assistant', content: 'No.', reasoning_content: '', reasoning: null, reasoning_details: [] },
    ],
    [
      thought('hm', { field: 'reasoning', details: [{ type: 'reasoning.text', text: 'hm' }] }),
      { ...made('x'.repeat(942), 'f'), provider_fields: { extra_content: { a: 1 } } },
      {
        type: 'reasoning',
        status: 'completed',
        summary: [],
        provider_fields: { field: 'reasoning_details', details: [{ type: 'reasoning.encrypted', data: 'E' }] },
      },
      text('assistant', 'Yes.'),
      text('assistant', 'No.'),
    ],
  ],
  [
    "the API's first form of calls, each output with the call before it",
    [
      { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
      { role: 'function', name: 'f', content: 'x' },
      { role: 'assistant', content: '', function_call: { name: 'g', arguments: '{}' } },
      { role: 'function', name: 'g', content: null },
    ],
    [made('call_function1', 'f'), gave('call_function1', 'x'), made('call_function2', 'g'), gave('call_function2', '')],
  ],
  [
    'a refusal',
    [{ role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }],
    [{ type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }],
  ],
];

for (const [name, given, expected] of messages) {
  test(`${name} become items`, () => {
    assert.deepEqual(chatItems(parsed({ messages: given }).messages).flat(), expected);
  });
}

test('a conversation takes the messages after the last of the assistant, a new one all; leading instructions hold for the turn', () => {
  const chat = parsed({
    messages: [
      { role: 'system', content: 'Be' },
      { role: 'developer', content: 'brief.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'uno', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'x' },
      { role: 'user', content: 'two' },
    ],
  }).messages;
  const tail = [gave('c1', 'x'), text('user', 'two')];
  assert.deepEqual(newChatInput(chat, true), {
    instructions: 'Be\n\nbrief.',
    input: tail,
    fields: ['messages[4].tool_call_id', 'messages[5].content'],
  });
  assert.deepEqual(newChatInput(chat, false).input, [text('user', 'one'), text('assistant', 'uno'), made('c1', 'f'), ...tail]);
  assert.throws(() => newChatInput(chat.slice(0, 4), true), /nothing comes after the last answer/);
  assert.deepEqual(newChatInput(chat.slice(0, 2), false), {
    instructions: null,
    input: [text('system', 'Be'), text('developer', 'brief.')],
    fields: ['messages[0].content', 'messages[1].content'],
  });
});

test('what a request asks for is what the turn is set to', () => {
  const settings = chatSettings(
    parsed({
      max_completion_tokens: 9,
      temperature: 0.5,
      reasoning_effort: 'low',
      verbosity: 'high',
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' }, strict: true } },
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'f' } }] } },
      parallel_tool_calls: true,
      service_tier: 'flex',
      metadata: { a: 'b' },
    }),
    'm',
    false,
  );
  assert.deepEqual(settings.text, {
    format: { type: 'json_schema', name: 'n', description: null, schema: { type: 'object' }, strict: true },
    verbosity: 'high',
  });
  assert.deepEqual(settings.tools, [{ type: 'function', name: 'f', description: null, parameters: { type: 'object' }, strict: null }]);
  assert.deepEqual(settings.tool_choice, { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] });
  const { max_output_tokens, temperature, reasoning, parallel_tool_calls, service_tier, metadata, store } = settings;
  assert.deepEqual([max_output_tokens, temperature, reasoning.effort, parallel_tool_calls], [9, 0.5, 'low', true]);
  assert.deepEqual([service_tier, metadata, store], ['flex', { a: 'b' }, false]);
  const legacy = chatSettings(parsed({ functions: [{ name: 'f' }], function_call: { name: 'f' } }), 'm', true);
  assert.deepEqual(
    [(legacy.tools[0] as { name?: string }).name, legacy.tool_choice, legacy.parallel_tool_calls],
    ['f', { type: 'function', name: 'f' }, false],
  );
});

test('a conversation is named by our own header or field first, then by the headers of chat UIs', () => {
  const named = (headers: Record<string, string>, fields: object = {}): unknown => sessionNameOf((name) => headers[name], parsed(fields));
  const explicit = { name: 'a', isFromUi: false };
  const ofInterface = { name: 'b', isFromUi: true };
  assert.equal(named({}), undefined);
  assert.deepEqual(named({ 'x-turnkeep-session': 'a', 'x-openwebui-chat-id': 'b' }), explicit);
  assert.deepEqual(named({ 'x-openwebui-chat-id': 'b' }, { conversation: { id: 'a' } }), explicit);
  assert.deepEqual(named({}, { session_id: 'a' }), explicit);
  for (const header of ['x-openwebui-chat-id', 'x-librechat-conversation-id', 'x-conversation-id']) {
    assert.deepEqual(named({ [header]: 'b' }), ofInterface, header);
  }
  assert.equal(named({ 'x-conversation-id': 'new' }), undefined);
  assert.equal(named({ 'x-conversation-id': '{{LIBRECHAT_BODY_CONVERSATIONID}}' }), undefined);
});

test('the name of a conversation has 200 characters at most, wherever it stands: the error names the field and the limit', () => {
  const messages = [{ role: 'user', content: 'hi' }];
  const headers = ['x-turnkeep-session', 'x-openwebui-chat-id', 'x-librechat-conversation-id', 'x-conversation-id'];
  const asked = [
    ...headers.map((param) => ({ param, schema: chatHeaders, rest: {} })),
    ...['conversation', 'session_id'].map((param) => ({ param, schema: chatRequest, rest: { messages } })),
    { param: 'id', schema: uiRequest, rest: { messages: [{ role: 'user', parts: [] }] } },
  ];
  for (const { param, schema, rest } of asked) {
    validate(schema, { ...rest, [param]: 'a'.repeat(200) });
    const message = `Invalid '${param}': must have at most 200 characters.`;
    assert.throws(() => validate(schema, { ...rest, [param]: 'a'.repeat(201) }), { name: 'ApiError', message });
  }
});
