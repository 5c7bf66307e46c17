/** Every setting of a request, as each API has it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FunctionTool, ResponseSettings, ToolChoice } from '../../../src/domain/response/response-settings.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { responsesRequest } from '../../../src/providers/openai/responses-request.ts';
import { settings } from '../support.ts';

const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } as const;
const look: FunctionTool = { type: 'function', name: 'look', description: 'Looks.', parameters, strict: true };
const bare: FunctionTool = { type: 'function', name: 'bare', description: null, parameters: null, strict: null };
const schema = { type: 'object', properties: {}, additionalProperties: false } as const;

/** What the settings add to the bare request. */
function added(api: 'chat' | 'responses', made: Partial<ResponseSettings>): Readonly<Record<string, unknown>> {
  const of = { settings: { ...settings, ...made }, items: [] };
  const { model: _, stream: _stream, ...rest } = api === 'chat' ? chatRequest(of, false) : responsesRequest(of);
  return Object.fromEntries(Object.entries(rest).filter(([key]) => !['messages', 'input', 'store', 'stream_options'].includes(key)));
}

type Row = readonly [made: Partial<ResponseSettings>, chat: object, responses: object];

const same = { temperature: 0, top_p: 0.5, presence_penalty: 0, frequency_penalty: 1, user: 'u' };
const words = { service_tier: 'flex', safety_identifier: 's', prompt_cache_key: 'k', prompt_cache_retention: '24h' };
const rows: Readonly<Record<string, Row>> = {
  'no settings': [{}, {}, {}],
  'what is called the same in both, 0 among them': [same, same, same],
  'for the provider alone': [words, words, words],
  'a limit of the output': [{ max_output_tokens: 7 }, { max_tokens: 7 }, { max_output_tokens: 7 }],
  'what only the Responses API has': [{ truncation: 'auto', max_tool_calls: 3 }, {}, { truncation: 'auto', max_tool_calls: 3 }],
  'what only Chat Completions has': [{ stop: ['END'], seed: 7 }, { stop: ['END'], seed: 7 }, {}],
  'how much to say': [{ text: { format: { type: 'text' }, verbosity: 'low' } }, { verbosity: 'low' }, { text: { verbosity: 'low' } }],
  'any JSON': [
    { text: { format: { type: 'json_object' }, verbosity: null } },
    { response_format: { type: 'json_object' } },
    { text: { format: { type: 'json_object' } } },
  ],
  'a JSON schema': [
    { text: { format: { type: 'json_schema', name: 'answer', description: 'It.', schema, strict: true }, verbosity: 'high' } },
    {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', description: 'It.', schema, strict: true } },
      verbosity: 'high',
    },
    { text: { format: { type: 'json_schema', name: 'answer', description: 'It.', schema, strict: true }, verbosity: 'high' } },
  ],
  'a JSON schema without the optional fields': [
    { text: { format: { type: 'json_schema', name: 'answer', description: null, schema, strict: null }, verbosity: null } },
    { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } },
    { text: { format: { type: 'json_schema', name: 'answer', schema } } },
  ],
  'how to reason': [
    { reasoning: { effort: 'high', summary: 'auto' } },
    { reasoning_effort: 'high' },
    { reasoning: { effort: 'high', summary: 'auto' } },
  ],
  'an effort that is not known yet': [
    { reasoning: { effort: 'heroic', summary: null } },
    { reasoning_effort: 'heroic' },
    { reasoning: { effort: 'heroic' } },
  ],
  'what else to include, when it was asked for': [
    { include: ['reasoning.encrypted_content', 'file_search_call.results'] },
    {},
    { include: ['reasoning.encrypted_content', 'file_search_call.results'] },
  ],
  'what turnkeep does not look at': [
    { passed: { client_metadata: { a: 'b' }, prompt_cache_options: { ttl: '30m' }, top_logprobs: 2 } },
    {},
    { client_metadata: { a: 'b' }, prompt_cache_options: { ttl: '30m' }, top_logprobs: 2 },
  ],
  'all that is said of reasoning': [
    { reasoning: { effort: null, summary: 'auto', context: 'all_turns', mode: 'pro' } as ResponseSettings['reasoning'] },
    {},
    { reasoning: { summary: 'auto', context: 'all_turns', mode: 'pro' } },
  ],
  'ours alone': [{ metadata: { a: 'b' }, store: false, background: true }, {}, {}],
  'tools, with the fields that were set': [
    { tools: [look, bare], parallel_tool_calls: false },
    {
      tools: [
        { type: 'function', function: { name: 'look', description: 'Looks.', parameters, strict: true } },
        { type: 'function', function: { name: 'bare' } },
      ],
      parallel_tool_calls: false,
    },
    { tools: [look, { type: 'function', name: 'bare', parameters: null }], parallel_tool_calls: false },
  ],
  'strict: false is sent': [
    { tools: [{ ...bare, strict: false }] },
    { tools: [{ type: 'function', function: { name: 'bare', strict: false } }] },
    { tools: [{ type: 'function', name: 'bare', parameters: null, strict: false }] },
  ],
  'a choice among no tools, which OpenAI’s chat refuses and clients send': [
    { tool_choice: 'auto', parallel_tool_calls: true },
    {},
    { tool_choice: 'auto', parallel_tool_calls: true },
  ],
  'a demand for a call without tools, for the provider to refuse': [
    { tool_choice: 'required' },
    { tool_choice: 'required' },
    { tool_choice: 'required' },
  ],
};

for (const [name, [made, chat, responses]] of Object.entries(rows)) {
  void test(`${name}: chat`, () => assert.deepEqual(added('chat', made), chat));
  void test(`${name}: responses`, () => assert.deepEqual(added('responses', made), responses));
}

void suite('the choice of a tool', () => {
  const named = { type: 'function', name: 'look' } as const;
  const chatNamed = { type: 'function', function: { name: 'look' } };
  const allowed = { type: 'allowed_tools', mode: 'required', tools: [named] } as const;
  const choices: readonly (readonly [choice: ToolChoice, chat: unknown])[] = [
    ['none', 'none'],
    ['auto', 'auto'],
    ['required', 'required'],
    [named, chatNamed],
    // Only what is allowed is offered: other hosts know no such choice.
    [allowed, 'required'],
  ];
  for (const [choice, chat] of choices) {
    void test(JSON.stringify(choice), () => {
      const made = { tools: [look], tool_choice: choice };
      assert.deepEqual(added('chat', made)['tool_choice'], chat);
      assert.deepEqual(added('responses', made)['tool_choice'], choice);
    });
  }
  void test("of several, in OpenAI's own form to its own host", () => {
    const other = { ...look, name: 'other' };
    const given = { settings: { ...settings, tools: [look, other], tool_choice: allowed }, items: [] };
    const { tools, tool_choice } = chatRequest(given, true);
    assert.deepEqual([tools?.length, tool_choice], [2, { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [chatNamed] } }]);
    assert.equal(chatRequest(given, false).tools?.length, 1);
    const gone = { ...allowed, tools: [{ type: 'function', name: 'gone' }] };
    const none = chatRequest({ ...given, settings: { ...given.settings, tool_choice: { ...gone, mode: 'auto' } } }, false);
    assert.deepEqual([none.tools, none.tool_choice], [undefined, undefined]);
  });
});
