/** T13 · what an earlier answer gave goes back in a form that the provider accepts. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Item, type ProviderFields, type Role, unwrittenMessage } from '../../../src/domain/item.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { takesOwnFields } from '../../../src/providers/openai/endpoint.ts';
import { responsesRequest } from '../../../src/providers/openai/responses-request.ts';
import { messageItem, settings } from '../support.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

const call = (args: string, provider_fields?: ProviderFields): Item => ({
  id: 'fc_a',
  type: 'function_call',
  status: 'completed',
  call_id: 'a',
  name: 'look',
  arguments: args,
  ...(provider_fields === undefined ? {} : { provider_fields }),
});
const gave: Item & { type: 'function_call_output' } = {
  id: 'fco_a',
  type: 'function_call_output',
  status: 'completed',
  call_id: 'a',
  output: 'saw it',
};
const thought = (text: string, provider_fields?: ProviderFields): Item => ({
  id: 'rs_1',
  type: 'reasoning',
  status: 'completed',
  summary: [{ type: 'summary_text', text }],
  ...(provider_fields === undefined ? {} : { provider_fields }),
});
const tools = [{ type: 'function', name: 'look', description: null, parameters: null, strict: null } as const];

type Messages = readonly Readonly<Record<string, unknown>>[];
const chat = (items: readonly Item[], made: Partial<typeof settings> = {}, isOpenAiHost = false): Messages =>
  chatRequest({ settings: { ...settings, ...made }, items }, isOpenAiHost).messages as unknown as Messages;
const responses = (items: readonly Item[], made: Partial<typeof settings> = {}, isOpenAiHost = false) =>
  responsesRequest({ settings: { ...settings, ...made }, items }, isOpenAiHost);

void suite('the arguments of an earlier call are the text of an object', () => {
  const rows: readonly (readonly [args: string, sent: string])[] = [
    ['{"city": "Oslo"}', '{"city": "Oslo"}'],
    ['{"id": 12345678901234567890, "id": 1.0}', '{"id": 12345678901234567890, "id": 1.0}'],
    ['', '{}'],
    [' \n', '{}'],
    ['null', '{}'],
    ['{"city": "Osl', '{"invalid_arguments":"{\\"city\\": \\"Osl"}'],
    ['{}{}', '{"invalid_arguments":"{}{}"}'],
    ['["Oslo"]', '{"invalid_arguments":"[\\"Oslo\\"]"}'],
    ['"{\\"city\\": 1}"', '{"invalid_arguments":"\\"{\\\\\\"city\\\\\\": 1}\\""}'],
    ['Oslo', '{"invalid_arguments":"Oslo"}'],
    ['{"city": "\ud83d"}', '{"city": "\ufffd"}'],
    ['{"city": "\\ud83d", "\\uDE00": 1}', '{"city":"\ufffd","\ufffd":1}'],
    ['{"city": "\\ud83d\\ude00"}', '{"city": "\\ud83d\\ude00"}'],
  ];
  for (const [args, sent] of rows) {
    void test(JSON.stringify(args), () => {
      assert.deepEqual(chat([call(args), gave])[0]?.['tool_calls'], [
        { id: 'a', type: 'function', function: { name: 'look', arguments: sent } },
      ]);
      assert.deepEqual(responses([call(args), gave]).input?.[0], { type: 'function_call', call_id: 'a', name: 'look', arguments: sent });
    });
  }
});

void test('the fields of a call that are the provider’s own go back with it; what is OpenAI’s own stays', () => {
  const fields = { extra_content: { google: { thought_signature: 'S' } }, id: 'no', type: 'no', function: 'no' };
  const own = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
  assert.deepEqual(chat([call('{}', fields), gave])[0]?.['tool_calls'], [{ extra_content: fields.extra_content, ...own }]);
  assert.deepEqual(chat([call('{}', fields), gave], {}, true)[0]?.['tool_calls'], [own], 'OpenAI refuses a field that it does not know');
  assert.deepEqual(responses([call('{}', fields), gave]).input?.[0], {
    type: 'function_call',
    call_id: 'a',
    name: 'look',
    arguments: '{}',
  });
});

void suite('reasoning goes back in the field it came in, to a chat server that sent it, where there are tools', () => {
  const inContent = { field: 'reasoning_content' };
  const toolCall = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } }],
  };
  const result = { role: 'tool', tool_call_id: 'a', content: 'saw it' };
  const user = messageItem('user', 'Hi');
  const rows: Readonly<Record<string, readonly [items: readonly Item[], messages: Messages]>> = {
    'with its call': [
      [user, thought('hm', inContent), call('{}'), gave],
      [{ role: 'user', content: 'Hi' }, { ...toolCall, reasoning_content: 'hm' }, result],
    ],
    'with the words and the call of its answer, also where it comes behind the words': [
      [messageItem('assistant', 'Looking.'), thought('hm', inContent), call('{}'), gave],
      [{ ...toolCall, content: 'Looking.', reasoning_content: 'hm' }, result],
    ],
    'several are paragraphs': [
      [thought('a', inContent), thought('b', inContent), call('{}'), gave],
      [{ ...toolCall, reasoning_content: 'a\n\nb' }, result],
    ],
    'in the turns after the loop too, with an empty one where there is none: servers check every answer': [
      [
        user,
        thought('hm', inContent),
        call('{}'),
        gave,
        messageItem('assistant', 'Cold.'),
        user,
        thought('so', inContent),
        messageItem('assistant', 'Yes.'),
        user,
      ],
      [
        { role: 'user', content: 'Hi' },
        { ...toolCall, reasoning_content: 'hm' },
        result,
        { role: 'assistant', content: 'Cold.', reasoning_content: '' },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Yes.', reasoning_content: 'so' },
        { role: 'user', content: 'Hi' },
      ],
    ],
    'in another field': [
      [thought('hm', { field: 'reasoning' }), call('{}'), gave],
      [{ ...toolCall, reasoning: 'hm' }, result],
    ],
    'with its details': [
      [thought('hm', { field: 'reasoning', details: [{ type: 'reasoning.text', text: 'hm', signature: 'S' }] }), call('{}'), gave],
      [{ ...toolCall, reasoning: 'hm', reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 'S' }] }, result],
    ],
    'beside its details, where a server has both': [
      [thought('hm', { field: 'reasoning_details', details: [{ type: 'reasoning.text', text: 'hm' }] }), call('{}'), gave],
      [{ ...toolCall, reasoning: 'hm', reasoning_details: [{ type: 'reasoning.text', text: 'hm' }] }, result],
    ],
    'as details alone': [
      [thought('', { field: 'reasoning_details', details: [{ type: 'reasoning.encrypted', data: 'E' }] }), call('{}'), gave],
      [{ ...toolCall, reasoning_details: [{ type: 'reasoning.encrypted', data: 'E' }] }, result],
    ],
    'but not what came in no field of its own': [
      [thought('hm'), call('{}'), gave],
      [toolCall, result],
    ],
    'nor what led to nothing': [
      [thought('hm', inContent), user, call('{}'), gave],
      [{ role: 'user', content: 'Hi' }, toolCall, result],
    ],
    'nor in a field that nobody knows': [
      [thought('hm', { field: 'tool_calls' }), call('{}'), gave],
      [toolCall, result],
    ],
  };
  for (const [name, [items, messages]] of Object.entries(rows)) void test(name, () => assert.deepEqual(chat(items), messages));

  const answered = [user, thought('hm', inContent), messageItem('assistant', 'Hello.'), user];
  void test('wherever the model may call tools, though it has not', () => {
    assert.equal(chat(answered, { tools })[1]?.['reasoning_content'], 'hm');
  });
  void test('and is left out of a conversation without tools, by OpenAI, and by the Responses API', () => {
    assert.doesNotMatch(JSON.stringify(chat(answered)), /hm/);
    assert.doesNotMatch(JSON.stringify(chat(answered, { tools }, true)), /hm/);
    assert.doesNotMatch(JSON.stringify(responses(answered, { tools })), /hm/);
  });
});

void test('a server that refuses what it does not know is sent OpenAI’s own fields alone', () => {
  const items = [thought('hm', { field: 'reasoning_content' }), call('{}', { extra_content: 1 }), gave];
  const { messages } = chatRequest({ settings, items }, false, false);
  const own = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
  assert.deepEqual(messages[0], { role: 'assistant', content: null, tool_calls: [own] });
  for (const host of ['api.mistral.ai', 'api.groq.com', 'api.openai.com']) assert.equal(takesOwnFields(`https://${host}/v1`), false);
  for (const url of ['https://api.deepseek.com', 'http://127.0.0.1:1/v1', 'nonsense']) assert.equal(takesOwnFields(url), true);
});

void suite('messages of the system, for servers that take one', () => {
  const say = (role: Role, text: string): Item => messageItem(role as 'user', text);
  const instructions = 'Be terse.';
  type Row = readonly [instructions: string | null, items: readonly Item[], chat: Messages, told: string | undefined];
  const rows: Readonly<Record<string, Row>> = {
    'those that lead are one, behind the instructions': [
      instructions,
      [say('developer', 'a'), say('system', 'b'), say('user', 'Hi')],
      [
        { role: 'system', content: 'Be terse.\n\na\n\nb' },
        { role: 'user', content: 'Hi' },
      ],
      'Be terse.\n\na\n\nb',
    ],
    'without instructions': [null, [say('developer', 'a')], [{ role: 'system', content: 'a' }], undefined],
    'before an answer': [
      null,
      [say('user', 'Hi'), say('system', 'In French.'), say('assistant', 'Salut')],
      [
        { role: 'user', content: 'Hi\n\n<system>\nIn French.\n</system>\n\n' },
        { role: 'assistant', content: 'Salut' },
      ],
      undefined,
    ],
    'without any': [null, [say('user', 'Hi')], [{ role: 'user', content: 'Hi' }], undefined],
    'a later one keeps its place, and is marked': [
      instructions,
      [say('user', 'Hi'), say('assistant', 'Hello'), say('developer', 'In French.'), say('user', 'And now?')],
      [
        { role: 'system', content: instructions },
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Hello' },
        { role: 'user', content: '<system>\nIn French.\n</system>\n\nAnd now?' },
      ],
      instructions,
    ],
    'an empty one says nothing': ['', [say('system', ''), say('user', 'Hi')], [{ role: 'user', content: 'Hi' }], undefined],
  };
  for (const [name, [made, items, messages, told]] of Object.entries(rows)) {
    void test(name, () => {
      assert.deepEqual(chat(items, { instructions: made }), messages);
      assert.equal(responses(items, { instructions: made }).instructions, told);
    });
  }
  void test('OpenAI takes them where they stand', () => {
    const items = [say('developer', 'a'), say('user', 'Hi'), say('developer', 'b'), say('user', 'Now')];
    assert.deepEqual(
      chat(items, { instructions }, true).map(({ role }) => role),
      ['system', 'user', 'system', 'user'],
    );
    assert.deepEqual(
      (responses(items, { instructions }, true).input as { role: string }[]).map(({ role }) => role),
      ['developer', 'user', 'developer', 'user'],
    );
  });
});

void test('a row of messages of the user is one where turnkeep wrote one of them, such as a summary', () => {
  const items = [messageItem('user', 'a'), messageItem('user', 'b'), unwrittenMessage('user', 'In summary: c'), messageItem('user', 'd')];
  assert.deepEqual(chat(items), [{ role: 'user', content: 'a\n\nb\n\nIn summary: c\n\nd' }]);
  assert.equal(chat(items, {}, true).length, 4, 'OpenAI takes them as they are');
});

void test('messages of the user in a row stay apart, and an empty answer is none', () => {
  const items = [messageItem('user', 'a'), messageItem('user', 'b'), messageItem('assistant', ''), messageItem('user', 'c')];
  const told = ['a', 'b', 'c'].map((content) => ({ role: 'user', content }));
  assert.deepEqual(chat(items), told);
  assert.deepEqual(
    responses(items).input,
    told.map((each) => ({ type: 'message', ...each })),
  );
});

void suite('ids and names of earlier calls are as given, but for what a server refuses', () => {
  const long = `call_${'x'.repeat(942)}`;
  const named = (call_id: string, name: string): Item[] => [
    { ...(call('{}') as Item & { type: 'function_call' }), call_id, name },
    { ...gave, call_id },
  ];
  type Row = readonly [id: string, name: string, sentId: string | RegExp, sentName: string, isOpenAiHost?: boolean];
  const rows: readonly Row[] = [
    ['functions.get_weather:0', 'default_api:look.up', 'functions.get_weather:0', 'default_api:look.up'],
    [long, 'look', long, 'look'],
    ['a', 'look<|channel|>commentary', 'a', 'look__channel__commentary'],
    ['a', 'x'.repeat(200), 'a', 'x'.repeat(128)],
    [long, 'mcp.look', /^call_[0-9a-f]{48}$/, 'mcp_look', true],
  ];
  for (const [id, name, sentId, sentName, isOpenAiHost = false] of rows) {
    void test(`${id.slice(0, 30)} ${name.slice(0, 30)}${isOpenAiHost ? ', to OpenAI' : ''}`, () => {
      const [answer, result] = chat(named(id, name), {}, isOpenAiHost);
      const [toolCall] = (answer?.['tool_calls'] ?? []) as { id: string; function: { name: string } }[];
      assert.ok(toolCall);
      const [sent, output] = responses(named(id, name), {}, isOpenAiHost).input as { call_id: string; name: string }[];
      if (typeof sentId === 'string') assert.equal(toolCall.id, sentId);
      else assert.match(toolCall.id, sentId);
      assert.deepEqual([result?.['tool_call_id'], sent?.call_id, output?.call_id], Array(3).fill(toolCall.id));
      assert.deepEqual([toolCall.function.name, sent?.name], [sentName, sentName]);
    });
  }
});

void suite('what a client brings back as encrypted reasoning, without the fields that OpenAI does not have', () => {
  const sealed = (fields: object): string => `turnkeep:1:${Buffer.from(JSON.stringify(fields)).toString('base64url')}`;
  const brought = (text: string, fields: object): Item => ({
    ...(thought(text) as Item & { type: 'reasoning' }),
    encrypted_content: sealed(fields),
  });
  const items = [
    brought('hm', { field: 'reasoning_content' }),
    call('{}'),
    gave,
    brought('', { calls: [{ extra_content: 1, id: 'no', function: 'no' }, null, 3] }),
    messageItem('user', 'And?'),
  ];
  void test('goes back to a chat server in its own fields', () => {
    const own = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
    assert.deepEqual(chat(items)[0], {
      role: 'assistant',
      content: null,
      tool_calls: [{ extra_content: 1, ...own }],
      reasoning_content: 'hm',
    });
    assert.deepEqual(chat(items, {}, true)[0], { role: 'assistant', content: null, tool_calls: [own] });
  });
  void test('and is not sent to the Responses API, which has not sealed it', () => {
    assert.doesNotMatch(JSON.stringify(responses(items)), /turnkeep:/);
  });
});

void suite('T14 · a request takes what a client can send of it', () => {
  void test('arguments that are too long to be looked into are sent as they are, if they look like an object', () => {
    const long = `"${'[],'.repeat(1_000_000)}"`;
    const sent = (args: string): unknown =>
      (chat([call(args), gave]) as { tool_calls?: { function: { arguments: string } }[] }[])[0]?.tool_calls?.[0]?.function.arguments;
    const object = `{"a":[${'[],'.repeat(1_000_000)}[]]}`;
    const cpuMs = cpuMsOf(() => {
      assert.equal(sent(object), object);
    });
    assert.ok(cpuMs < 150, `${cpuMs} ms`);
    assert.equal(sent(long), JSON.stringify({ invalid_arguments: long }));
  });

  void test('arguments that are nested too deep to be written again', () => {
    const deep = `{"\\ud83d":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    assert.match(JSON.stringify(chat([call(deep), gave])), /invalid_arguments/);
  });

  void test('details of any number', () => {
    const details = Array.from({ length: 300_000 }, () => 0);
    const messages = chat([thought('t', { field: 'reasoning_details', details }), call('{}'), gave], { tools });
    assert.deepEqual(messages[0]?.['reasoning_details'], details);
  });
});

void test('details of the reasoning that came behind a call are of its message', () => {
  const items = [
    thought('hm', { field: 'reasoning_details', details: ['a'] }),
    call('{}'),
    thought('', { field: 'reasoning_details', details: ['b'] }),
    gave,
  ];
  assert.deepEqual(chat(items, { tools })[0]?.['reasoning_details'], ['a', 'b']);
});

void test('T13 · a provider is told the id that an item came with, and none of ours', () => {
  const search = (id: string): Item => ({ type: 'web_search_call', status: 'completed', id });
  const own = `item_${'0a'.repeat(24)}`;
  const told = responses([search('ws_1'), search(own), search(`${own}0003`)]).input;
  assert.deepEqual(told, [search('ws_1'), ...[1, 2].map(() => ({ type: 'web_search_call', status: 'completed' }))]);
});
