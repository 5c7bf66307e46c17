/** `openai` for Node: tools of every kind, offered to a chat provider and to one of the Responses API. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import OpenAI from 'openai';
import type { BetaResponseInputItem } from 'openai/resources/beta/responses/responses';
import type { Response, ResponseInputItem, ResponseItem, ResponseOutputItem, Tool } from 'openai/resources/responses/responses';
import { longestItemId } from '../../src/domain/item.ts';
import { publishedTypes } from '../../src/domain/item-types.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  end,
  event,
  responsesAnswer,
  ResponsesWriter,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

const model = 'scripted';
const patch: Tool = {
  type: 'custom',
  name: 'patch',
  description: 'Patches files.',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' },
};
const look: Tool = { type: 'function', name: 'look', parameters: { type: 'object', properties: {} }, strict: false };
const agents: Tool = {
  type: 'namespace',
  name: 'agents',
  description: 'For sub-agents.',
  tools: [{ type: 'function', name: 'spawn', parameters: {} }],
};
const search: Tool = { type: 'web_search' };

type ChatBody = { tools?: { function: { name: string } }[]; messages: { role: string; content: unknown; tool_calls?: unknown }[] };
type ResponsesBody = { tools: unknown; input: unknown[]; [name: string]: unknown };

void suite('a chat provider', () => {
  test('a custom tool and a namespace are called by their own names, and their outputs go back; what it cannot have is said', async () => {
    await using world = await World.open();
    world.model.enqueue(
      chatToolCalls(
        { id: 'call_1', name: 'patch', arguments: { input: 'a\nb' } },
        { id: 'call_2', name: 'agents__spawn', arguments: { n: 1 } },
      ),
      chatAnswer('Done.'),
    );
    const stream = world.client.responses.stream({ model, input: 'go', tools: [look, patch, agents, search] });
    let input = '';
    stream.on('response.custom_tool_call_input.delta', ({ delta }) => (input += delta));
    const first = await stream.finalResponse();
    assert.equal(input, 'a\nb');
    const shown = first.output.map((item) => {
      if (item.type === 'custom_tool_call') return [item.name, item.input, item.call_id];
      return item.type === 'function_call' ? [item.name, item.arguments, item.namespace] : [item.type];
    });
    assert.deepEqual(shown, [
      ['patch', 'a\nb', 'call_1'],
      ['spawn', '{"n":1}', 'agents'],
    ]);
    assert.deepEqual(
      first.tools.map(({ type }) => type),
      ['function', 'custom', 'namespace'],
    );
    const outputs: ResponseInputItem[] = [
      { type: 'custom_tool_call_output', call_id: 'call_1', output: 'patched' },
      { type: 'function_call_output', call_id: 'call_2', output: 'spawned' },
    ];
    const second = world.client.responses.create({ model, input: outputs, previous_response_id: first.id, tools: [patch, search] });
    assert.equal((await second.asResponse()).headers.get('x-turnkeep-omitted'), 'tools[1]=web_search');
    const { id, output_text: said } = await second;
    assert.equal(said, 'Done.');
    const { body: timeline } = await world.call('GET', `/turns/${id}`);
    assert.deepEqual(timeline['omitted_tools'], [{ param: 'tools[1]', type: 'web_search' }]);
    const [asked, told] = world.model.requests.map(({ body }) => body as ChatBody);
    assert.deepEqual(
      asked?.tools?.map((tool) => tool.function.name),
      ['look', 'patch', 'agents__spawn'],
    );
    const called = (callId: string, name: string, args: string) => ({ id: callId, type: 'function', function: { name, arguments: args } });
    assert.deepEqual(told?.messages.slice(1), [
      {
        role: 'assistant',
        content: null,
        tool_calls: [called('call_1', 'patch', '{"input":"a\\nb"}'), called('call_2', 'agents__spawn', '{"n":1}')],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'patched' },
      { role: 'tool', tool_call_id: 'call_2', content: 'spawned' },
    ]);
    await world.replayAll();
  });

  test('tools that come as an item of the input, as Codex offers its own, are offered, and their calls gone on with', async () => {
    await using world = await World.open();
    world.model.enqueue(chatToolCalls({ id: 'call_1', name: 'agents__spawn', arguments: { n: 1 } }), chatAnswer('Done.'));
    const unsayable: Tool = { ...look, name: 'get weather! ✓' };
    const wrong = world.client.responses.create({ model, input: [{ type: 'additional_tools', role: 'developer', tools: [unsayable] }] });
    await assert.rejects(wrong, { status: 400, param: 'input[0].tools[0].name' });
    const brought: ResponseInputItem = { type: 'additional_tools', role: 'developer', tools: [agents, search] };
    const first = world.client.responses.create({
      model,
      input: [brought, { role: 'user', content: 'go' }],
      reasoning: { effort: 'medium', context: 'all_turns' },
    });
    assert.equal((await first.asResponse()).headers.get('x-turnkeep-omitted'), 'input[0].tools[1]=web_search');
    const { id, output } = await first;
    const [call] = output;
    assert.deepEqual(call?.type === 'function_call' && [call.name, call.namespace], ['spawn', 'agents']);
    const outputs: ResponseInputItem[] = [{ type: 'function_call_output', call_id: 'call_1', output: 'spawned' }];
    assert.equal((await world.client.responses.create({ model, input: outputs, previous_response_id: id })).output_text, 'Done.');
    const bodies = world.model.requests.map((request) => request.body as ChatBody);
    assert.deepEqual(
      bodies.map(({ tools }) => tools?.map((tool) => tool.function.name)),
      [['agents__spawn'], ['agents__spawn']],
    );
    assert.deepEqual(
      bodies[1]?.messages.map(({ role }) => role),
      ['user', 'assistant', 'tool'],
    );
    await world.replayAll();
  });

  test('context_management is taken by any provider: one that cannot compact by itself is not asked to, and the answer says so', async () => {
    const context_management = [{ type: 'compaction', compact_threshold: 200_000 }];
    await using world = await World.open();
    const create = (more: object = {}) => world.client.responses.create({ model, input: 'x', context_management, ...more });
    const first = create({ tools: [look, search] });
    const omitted = 'context_management[0]=compaction, tools[1]=web_search';
    assert.equal((await first.asResponse()).headers.get('x-turnkeep-omitted'), omitted);
    const { id, status } = await first;
    assert.equal(status, 'completed');
    const { body: timeline } = await world.call('GET', `/turns/${id}`);
    assert.deepEqual(timeline['omitted_fields'], [{ param: 'context_management[0]', type: 'compaction' }]);
    assert.equal('context_management' in (world.model.requests[0]!.body as object), false);
    assert.equal((await create({ context_management: [] }).asResponse()).headers.get('x-turnkeep-omitted'), null);

    await using theirs = await World.open({ api: 'responses' });
    const passed = theirs.client.responses.create({ model, input: 'x', context_management });
    assert.equal((await passed.asResponse()).headers.get('x-turnkeep-omitted'), null);
    assert.equal((await passed).status, 'completed');
    assert.deepEqual((theirs.model.requests[0]!.body as { context_management?: unknown }).context_management, context_management);
  });

  test('tool_choice may name a tool that came as an item of an earlier turn, and none that never came', async () => {
    await using world = await World.open();
    const called = chatToolCalls({ id: 'call_1', name: 'look', arguments: {} });
    world.model.enqueue(chatAnswer('a'), called, called, called, chatAnswer('b'));
    const brought: ResponseInputItem = { type: 'additional_tools', role: 'developer', tools: [look, search] };
    const conversation = await world.session();
    const choose = (name: string, more: object) =>
      world.client.responses.create({
        model,
        tool_choice: { type: 'function', name },
        ...more,
      } as never) as Promise<OpenAI.Responses.Response>;
    const first = await world.client.responses.create({ model, input: [brought, { role: 'user', content: 'go' }], conversation });
    const gave = { type: 'function_call_output', call_id: 'call_1', output: 'x' };
    for (const more of [{ previous_response_id: first.id }, { conversation }]) {
      assert.equal((await choose('look', { ...more, input: 'x' })).output[0]?.type, 'function_call');
      await assert.rejects(choose('other', { ...more, input: 'x' }), { status: 400, param: 'tool_choice', code: 'invalid_value' });
    }
    const required = await world.client.responses.create({
      model,
      input: [gave as never],
      conversation,
      tools: [search],
      tool_choice: 'required',
    });
    assert.equal(required.output[0]?.type, 'function_call');
    const { data } = await world.client.conversations.items.list(conversation);
    const reference = data.find(({ type }) => (type as string) === 'additional_tools')?.id;
    await choose('look', {
      input: [
        { type: 'item_reference', id: reference },
        { role: 'user', content: 'x' },
      ],
    });
    await assert.rejects(choose('look', { input: 'x' }), { status: 400, param: 'tool_choice' });
    const counted = { model, input: 'x', tool_choice: { type: 'function', name: 'look' } } as const;
    assert.equal((await world.client.responses.inputTokens.count({ ...counted, conversation })).object, 'response.input_tokens');
    await assert.rejects(world.client.responses.inputTokens.count(counted), { status: 400, param: 'tool_choice' });
    const choices = world.model.requests.map(({ body }) => (body as { tool_choice?: unknown }).tool_choice);
    const named = { type: 'function', function: { name: 'look' } };
    assert.deepEqual(choices, [undefined, named, named, 'required', named]);
  });

  test('the same stateless, with whole items sent back', async () => {
    await using world = await World.open();
    world.model.enqueue(chatToolCalls({ id: 'call_1', name: 'patch', arguments: { input: 'x' } }), chatAnswer('Done.'));
    const question = { role: 'user' as const, content: 'go' };
    const first = await world.client.responses.create({ model, input: [question], tools: [patch], store: false });
    const output = { type: 'custom_tool_call_output' as const, call_id: 'call_1', output: [{ type: 'input_text' as const, text: 'ok' }] };
    const input = [question, ...(first.output as ResponseInputItem[]), output];
    assert.equal((await world.client.responses.create({ model, input, tools: [patch], store: false })).output_text, 'Done.');
    assert.deepEqual((world.model.requests[1]!.body as ChatBody).messages.at(-1), { role: 'tool', tool_call_id: 'call_1', content: 'ok' });
  });

  test('what is demanded and cannot be had is a 400 that names it', async () => {
    await using world = await World.open();
    const refused = async (body: object): Promise<unknown> => {
      const error: unknown = await world.client.responses.create({ model, input: 'x', ...body }).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof OpenAI.BadRequestError);
      return error.param;
    };
    assert.equal(await refused({ tools: [look, search], tool_choice: { type: 'web_search' } }), 'tool_choice');
    assert.equal(await refused({ tools: [search], tool_choice: 'required' }), 'tool_choice');
    assert.equal(await refused({ tools: [look], tool_choice: { type: 'mcp', server_label: 's' } }), 'tool_choice');
    assert.equal(await refused({ tools: [look], tool_choice: { type: 'custom', name: 'look' } }), 'tool_choice');
    assert.equal(await refused({ input: [{ type: 'mcp_approval_response', approval_request_id: 'a', approve: true }] }), 'input[0]');
    assert.equal(await refused({ input: [{ type: 'brand_new', x: 1 }] }), 'input[0].type');
    assert.equal(world.model.requests.length, 0);
    const allowed = {
      type: 'allowed_tools' as const,
      mode: 'auto' as const,
      tools: [{ type: 'function', name: 'look' }, { type: 'web_search' }],
    };
    assert.equal(
      (await world.client.responses.create({ model, input: 'x', tools: [look, search], tool_choice: allowed })).status,
      'completed',
    );
  });

  test("a server's own custom calls are calls of the custom tool, in pieces or whole; what could be two things is an error", async () => {
    await using world = await World.open();
    const custom = (index: number, fields: object, id?: string) => ({
      index,
      ...(id === undefined ? {} : { id, type: 'custom' }),
      custom: fields,
    });
    const answered = (...pieces: readonly object[]): Script => [
      sseHead,
      ...pieces.map((piece) => chat.delta({ tool_calls: [piece] })),
      chat.finish('tool_calls'),
      end,
    ];
    const asked = { model, input: 'go', tools: [look, patch] };
    world.model.enqueue(
      answered(
        custom(0, { name: 'patch', input: '' }, 'a'),
        custom(0, { input: 'say "\ud83d' }),
        custom(0, { input: '\ude00"\n{' }),
        custom(1, { name: 'patch', input: '{"x":1}' }, 'b'),
        custom(2, { name: 'patch', input: '' }, 'c'),
      ),
      answered(custom(0, { name: 'patch', input: 'x' }, 'a'), custom(0, { name: 'patch', input: 'y' }, 'b')),
      answered(custom(0, { name: 'look', input: 'x' }, 'a')),
    );
    const { output } = await world.client.responses.create(asked);
    assert.deepEqual(
      output.map((item) => (item.type === 'custom_tool_call' ? [item.call_id, item.name, item.input] : item.type)),
      [
        ['a', 'patch', 'say "\u{1f600}"\n{'],
        ['b', 'patch', '{"x":1}'],
        ['c', 'patch', ''],
      ],
    );
    for (const detail of ['custom_call_pieces', 'custom_call_of_function']) {
      const { error } = await world.client.responses.create(asked);
      assert.deepEqual([error?.code, error?.message.includes(detail)], ['provider_protocol', true]);
    }
  });

  test('of the tools that a choice allows the model is offered no other, in a form that every server knows; the response lists all', async () => {
    await using world = await World.open();
    for (const [tool_choice, names, sent] of [
      [{ type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'look' }] }, ['look'], 'auto'],
      [{ type: 'allowed_tools', mode: 'required', tools: [{ type: 'custom', name: 'patch' }] }, ['patch'], 'required'],
      [{ type: 'namespace', name: 'agents' }, ['agents__spawn'], 'required'],
    ] as const) {
      const asked = { model, input: 'x', tools: [look, patch, agents], tool_choice: tool_choice as never };
      const response: Response = await world.client.responses.create(asked);
      assert.equal(response.tools.length, 3);
      const body = world.model.requests.at(-1)!.body as ChatBody & { tool_choice: unknown };
      assert.deepEqual([body.tools?.map((tool) => tool.function.name), body.tool_choice], [names, sent]);
    }
  });

  test('TURNKEEP_UNSUPPORTED_TOOLS=refuse: a tool that cannot be had, and context_management, is a 400 that names it', async () => {
    const intake = { maxInputItems: 10, maxBodyBytesAtOnce: 10_000_000, unsupportedTools: 'refuse' } as const;
    await using world = await World.open({ config: { intake } });
    await assert.rejects(world.client.responses.create({ model, input: 'x', tools: [look, search] }), { status: 400, param: 'tools[1]' });
    const compacting = { model, input: 'x', context_management: [{ type: 'compaction' }] };
    await assert.rejects(world.client.responses.create(compacting), { status: 400, param: 'context_management[0]' });
    assert.equal((await world.client.responses.create({ model, input: 'x', tools: [look, patch, agents] })).status, 'completed');
  });

  test('what a hosted tool did is told in words', async () => {
    await using world = await World.open();
    const item = { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'Oslo' } } as const;
    await world.client.responses.create({
      model,
      input: [{ role: 'user', content: 'a' }, item, { role: 'user', content: 'b' }],
    });
    const { messages } = world.model.requests[0]!.body as ChatBody;
    assert.match(String(messages[1]?.content), /web_search_call.*Oslo/);
  });

  test('chat.completions: custom tools, streamed and blocking, and their outputs', async () => {
    await using world = await World.open();
    const calls = chatToolCalls({ id: 'call_1', name: 'patch', arguments: { input: 'x\ny' } });
    world.model.enqueue(calls, calls, chatAnswer('Done.'));
    const tools = [
      {
        type: 'custom' as const,
        custom: { name: 'patch', format: { type: 'grammar' as const, grammar: { syntax: 'lark' as const, definition: 'start: "x"' } } },
      },
    ];
    const messages = [{ role: 'user' as const, content: 'go' }];
    const expected = { id: 'call_1', type: 'custom', custom: { name: 'patch', input: 'x\ny' } };
    const streamed = await world.client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    const blocking = await world.client.chat.completions.create({ model, messages, tools });
    for (const { choices } of [streamed, blocking]) {
      assert.deepEqual(choices[0]?.message.tool_calls, [expected]);
      assert.equal(choices[0]?.finish_reason, 'tool_calls');
    }
    const answer = blocking.choices[0]!.message;
    const second = await world.client.chat.completions.create({
      model,
      messages: [...messages, answer, { role: 'tool', tool_call_id: 'call_1', content: 'ok' }],
      tools,
    });
    assert.equal(second.choices[0]?.message.content, 'Done.');
    assert.match(JSON.stringify(world.model.requests[0]?.body), /start: /);
    assert.deepEqual((world.model.requests[2]!.body as ChatBody).messages.at(-1), { role: 'tool', tool_call_id: 'call_1', content: 'ok' });
  });
});

/** Tools as a chat has them: hosted ones in the form of the Responses API, which this API has no other for. */
const chatTools = [{ type: 'function', function: { name: 'look', parameters: {} } }, search, { type: 'local_shell' }] as never;
const chatMessages = [{ role: 'user' as const, content: 'go' }];

void suite('chat.completions: what a tool of another kind becomes is the same rule as that of POST /v1/responses', () => {
  test('a chat provider is not offered it, and the answer says so, streamed and blocking', async () => {
    await using world = await World.open();
    const { completions } = world.client.chat;
    const omitted = 'tools[1]=web_search, tools[2]=local_shell';
    for (const stream of [false, true]) {
      const asked = completions.create({ model, messages: chatMessages, tools: chatTools, stream, store: true });
      const answer = await asked.asResponse();
      assert.equal(answer.headers.get('x-turnkeep-omitted'), omitted);
      await answer.text();
      const { body: timeline } = await world.call('GET', `/turns/${answer.headers.get('x-turnkeep-response-id')}`);
      const kinds = (timeline['omitted_tools'] as { type: string }[]).map(({ type }) => type);
      assert.deepEqual(kinds, ['web_search', 'local_shell']);
    }
    for (const { body } of world.model.requests) {
      assert.deepEqual(
        (body as ChatBody).tools?.map((tool) => tool.function.name),
        ['look'],
      );
    }
  });

  test('what is demanded and cannot be had is a 400 that names it; to be allowed is not to be demanded', async () => {
    await using world = await World.open();
    const { completions } = world.client.chat;
    const choose = async (tool_choice: object | string, tools: unknown = chatTools) =>
      completions.create({ model, messages: chatMessages, tools: tools as never, tool_choice: tool_choice as never });
    await assert.rejects(choose({ type: 'web_search' }), { status: 400, param: 'tool_choice', code: 'unsupported_parameter' });
    await assert.rejects(choose('required', [search]), { status: 400, param: 'tool_choice' });
    await assert.rejects(choose({ type: 'file_search' }), { status: 400, param: 'tool_choice', code: 'invalid_value' });
    await assert.rejects(choose('auto', [{ ...agents, tools: [] }]), { status: 400, param: 'tools[0].type' });
    await assert.rejects(choose('auto', [{ type: 'function' }]), { status: 400, param: 'tools[0].function' });
    await assert.rejects(choose('auto', [look]), /members of a tool stand in its 'function'/);
    assert.equal(world.model.requests.length, 0);
    const tools = [{ type: 'function', function: { name: 'look' } }, { type: 'web_search' }];
    await choose({ type: 'allowed_tools', allowed_tools: { mode: 'auto', tools } });
    assert.equal(world.model.requests.length, 1);
  });

  test('TURNKEEP_UNSUPPORTED_TOOLS=refuse: it is a 400 that names it', async () => {
    const intake = { maxInputItems: 10, maxBodyBytesAtOnce: 10_000_000, unsupportedTools: 'refuse' } as const;
    await using world = await World.open({ config: { intake } });
    const asked = world.client.chat.completions.create({ model, messages: chatMessages, tools: chatTools });
    await assert.rejects(asked, { status: 400, param: 'tools[1]' });
  });

  test('a provider of the Responses API has it as it is; what the client would have to carry out in a form it has not is left out', async () => {
    await using world = await World.open({ api: 'responses' });
    world.model.enqueue(searched());
    const choice = { type: 'web_search' } as never;
    const asked = world.client.chat.completions.create({ model, messages: chatMessages, tools: chatTools, tool_choice: choice });
    assert.equal((await asked.asResponse()).headers.get('x-turnkeep-omitted'), 'tools[2]=local_shell');
    assert.match((await asked).choices[0]?.message.content ?? '', /Snow/);
    const body = world.model.requests[0]!.body as ResponsesBody;
    assert.deepEqual([(body.tools as unknown[])[1], body['tool_choice']], [search, choice]);
    assert.equal((body.tools as unknown[]).length, 2);
  });
});

const found = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'Oslo' } };
const source = { type: 'url_citation', url: 'https://a.test', title: 'A', start_index: 0, end_index: 4 };
const approval = { id: 'mcpr_1', type: 'mcp_approval_request', server_label: 's', name: 'f', arguments: '{}' };

/** A search, an approval that is asked for, and a text with its source. */
function searched(): Script {
  const at = { output_index: 0, item_id: 'ws_1' };
  const part = { output_index: 2, item_id: 'msg_1', content_index: 0 };
  const content = [{ type: 'output_text', text: 'Snow', annotations: [source], logprobs: [] }];
  const message = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content, phase: 'final_answer' };
  const sent = [
    { type: 'response.output_item.added', output_index: 0, item: { ...found, status: 'in_progress' } },
    { type: 'response.web_search_call.in_progress', ...at },
    { type: 'response.web_search_call.searching', ...at },
    { type: 'response.web_search_call.completed', ...at },
    { type: 'response.output_item.done', output_index: 0, item: found },
    { type: 'response.output_item.added', output_index: 1, item: approval },
    { type: 'response.output_item.done', output_index: 1, item: approval },
    { type: 'response.output_item.added', output_index: 2, item: { ...message, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', ...part, part: { type: 'output_text', text: '', annotations: [] } },
    { type: 'response.output_text.delta', ...part, delta: 'Snow' },
    { type: 'response.output_text.annotation.added', ...part, annotation_index: 0, annotation: source },
    { type: 'response.output_text.done', ...part, text: 'Snow' },
    { type: 'response.content_part.done', ...part, part: content[0] },
    { type: 'response.output_item.done', output_index: 2, item: message },
    { type: 'response.completed', response: { id: 'r', status: 'completed', output: [found, approval, message] } },
  ];
  return [sseHead, ...new ResponsesWriter().begin(), ...sent.map((data) => event(data, data.type)), end];
}

void suite('a provider of the Responses API', () => {
  const tools = [look, patch, agents, search, { type: 'brand_new', more: [1] } as unknown as Tool];
  const common = { model, tools, reasoning: { effort: 'max', context: 'all_turns' }, prompt_cache_options: { ttl: '30m' } } as const;

  test('tools, and the items and events that come of them, are passed on as they are', async () => {
    await using world = await World.open({ api: 'responses' });
    world.model.enqueue(searched());
    const types: string[] = [];
    const stream = world.client.responses.stream({ ...common, input: 'weather?', tool_choice: { type: 'web_search' } as never });
    stream.on('event', ({ type }) => types.push(type));
    const { id, output } = await stream.finalResponse();
    assert.deepEqual(
      types.filter((type) => type.includes('web_search')),
      ['in_progress', 'searching', 'completed'].map((name) => `response.web_search_call.${name}`),
    );
    assert.ok(types.includes('response.output_text.annotation.added'));
    const [first, second, message] = output;
    assert.deepEqual([first, second], [found, approval]);
    assert.ok(message?.type === 'message' && message.phase === 'final_answer');
    assert.deepEqual(message.content[0]?.type === 'output_text' && message.content[0].annotations, [source]);
    const body = world.model.requests[0]!.body as ResponsesBody;
    assert.deepEqual([body.tools, body['tool_choice']], [tools, { type: 'web_search' }]);
    assert.deepEqual([body['reasoning'], body['prompt_cache_options']], [common.reasoning, common.prompt_cache_options]);
    const stored = await world.client.responses.retrieve(id);
    assert.deepEqual(stored.output.slice(0, 2), [found, approval]);
    const history = JSON.stringify(await world.history(id));
    for (const word of ['Oslo', 'web_search', 'a.test']) assert.ok(!history.includes(word), `T11 · ${word} is in the history`);
    await world.replayAll();
  });

  for (const way of ['conversation', 'previous_response_id', 'stateless'] as const) {
    test(`T13 · they are told again in the next turn: ${way}`, async () => {
      await using world = await World.open({ api: 'responses' });
      world.model.enqueue(searched(), responsesAnswer('Yes.'), responsesAnswer('Yes.'));
      const conversation = way === 'conversation' ? await world.session() : undefined;
      const question = { role: 'user' as const, content: 'weather?' };
      const going = {
        ...common,
        ...(conversation === undefined ? {} : { conversation }),
        ...(way === 'stateless' ? { store: false } : {}),
      };
      const first = await world.client.responses.create({ ...going, input: [question] });
      const approved = { type: 'mcp_approval_response' as const, approval_request_id: 'mcpr_1', approve: true };
      const input = way === 'stateless' ? [question, ...(first.output as ResponseInputItem[]), approved] : [approved];
      const previous = way === 'previous_response_id' ? { previous_response_id: first.id } : {};
      assert.equal((await world.client.responses.create({ ...going, ...previous, input })).output_text, 'Yes.');
      const { input: told } = world.model.requests[1]!.body as ResponsesBody;
      assert.deepEqual(told.slice(1, 3), [found, approval]);
      assert.deepEqual(told[3], {
        type: 'message',
        role: 'assistant',
        phase: 'final_answer',
        content: [{ type: 'output_text', text: 'Snow', annotations: [source] }],
      });
      const { id: _ours, ...last } = told[4] as { id: string };
      assert.deepEqual(last, approved);
      if (way !== 'conversation' || conversation === undefined) return;
      // Nothing new: the model goes on with what is there.
      assert.equal((await world.client.responses.create({ ...going, input: [] })).output_text, 'Yes.');
      const items = await world.client.conversations.items.list(conversation);
      assert.deepEqual(
        items.data.flatMap((item) => (item.type === 'web_search_call' ? [item] : [])),
        [found],
      );
      assert.equal((await world.client.conversations.items.retrieve('ws_1', { conversation_id: conversation })).type, 'web_search_call');
    });
  }

  test('T13 · an item of a type that nobody has is refused by name, before it is in a conversation; one that was given out is not', async () => {
    type Published = NonNullable<(ResponseInputItem | ResponseItem | ResponseOutputItem | BetaResponseInputItem)['type']>;
    const published: readonly Published[] = publishedTypes;
    const missing: Exclude<Published, (typeof publishedTypes)[number]>[] = [];
    assert.deepEqual([new Set(published).size, missing.length], [publishedTypes.length, 0]);

    await using world = await World.open({ api: 'responses' });
    const conversation = await world.session();
    const refused = async (path: string, body: object) => {
      const { status, body: said } = await world.call('POST', path, body);
      const { param, message } = said['error'] as { param: string; message: string };
      return [status, param, message];
    };
    const output = { type: 'function_call_ouput', call_id: 'a', output: 'x' };
    const spelt = "'function_call_ouput' is no type of an item: did you mean 'function_call_output'?";
    const responses = [400, 'input[1].type', `Unsupported 'input[1].type': ${spelt}.`];
    assert.deepEqual(await refused('/v1/responses', { conversation, input: [{ role: 'user', content: 'x' }, output] }), responses);
    assert.deepEqual(await refused('/v1/responses/input_tokens', { input: [{ role: 'user', content: 'x' }, output] }), responses);
    const items = `/v1/conversations/${conversation}/items`;
    assert.deepEqual(await refused(items, { items: [output] }), [400, 'items[0].type', `Unsupported 'items[0].type': ${spelt}.`]);
    assert.deepEqual((await refused('/v1/conversations', { items: [{ type: 'whatever' }] })).slice(0, 2), [400, 'items[0].type']);
    assert.deepEqual((await refused(items, { items: [{ type: 'compaction_trigger' }] })).slice(0, 2), [400, 'items[0]']);
    assert.deepEqual((await world.client.conversations.items.list(conversation)).data, []);

    const own = { type: 'x_search_call', id: 'xs_1', status: 'completed', found: ['a'] };
    const say = new ResponsesWriter();
    const [begin, created, progress] = [sseHead, ...say.begin()];
    const done = { type: 'response.output_item.done', output_index: 0, item: own };
    const last = { type: 'response.completed', response: { id: 'r', status: 'completed', output: [own] } };
    world.model.enqueue([begin, created!, progress!, event(done), event(last), end], responsesAnswer('Yes.'));
    const { output: given } = await world.client.responses.create({ model, store: false, input: 'go' });
    assert.deepEqual(given, [own]);
    await world.client.responses.create({
      model,
      store: false,
      input: [...(given as ResponseInputItem[]), { role: 'user', content: 'and?' }],
    });
    assert.deepEqual((world.model.requests[1]!.body as ResponsesBody).input[0], own);
  });

  test('an id that a client puts in twice is two items, and a list of them comes to its end', async () => {
    await using world = await World.open({ api: 'responses' });
    const conversation = await world.session();
    const item = found as ResponseInputItem;
    const other = { role: 'user' as const, content: 'x' };
    await world.client.conversations.items.create(conversation, { items: [item, other, item, other] });
    for (const order of ['asc', 'desc'] as const) {
      const types: string[] = [];
      for await (const each of world.client.conversations.items.list(conversation, { order, limit: 3 })) types.push(each.type);
      assert.deepEqual(types.filter((type) => type === 'web_search_call').length, 2, order);
      assert.equal(types.length, 4, order);
    }
  });

  test('T7 · nothing is skipped and nothing repeated where turns bring the same id, by either cursor of the client', async () => {
    await using world = await World.open({ api: 'responses' });
    const conversation = await world.session();
    const item = found as ResponseInputItem;
    const said = (content: string) => ({ role: 'user' as const, content });
    const input = [item, said('1'), item, said('2'), item, item, said('3')];
    for (const items of [input, [item, said('4'), item]]) await world.client.conversations.items.create(conversation, { items });
    const { id } = await world.client.responses.create({ model, conversation: await world.session(), input });
    const outline = (items: readonly object[]): string[] =>
      items.map((each) => ('content' in each ? (each.content as readonly [{ readonly text: string }])[0].text : 'found'));
    const sent = ['found', '1', 'found', '2', 'found', 'found', '3'];
    for (const order of ['asc', 'desc'] as const) {
      const inOrder = (list: readonly string[]) => (order === 'asc' ? list : list.toReversed());
      for (const limit of [1, 2, 3, 4]) {
        // By `last_id` of a page.
        const listed: object[] = [];
        for await (const each of world.client.conversations.items.list(conversation, { order, limit })) listed.push(each);
        assert.deepEqual(outline(listed), inOrder([...sent, 'found', '4', 'found']), `${order}, ${limit}`);
        // By the id of its last item.
        const brought: object[] = [];
        for await (const each of world.client.responses.inputItems.list(id, { order, limit })) brought.push(each);
        assert.deepEqual(outline(brought), inOrder(sent), `${order}, ${limit}`);
      }
    }
  });

  test('T13 · a long id of such an item is taken back wherever an id is, and a delete leaves none of its id', async () => {
    await using world = await World.open({ api: 'responses' });
    const conversation = await world.session();
    const [long, longest] = ['…'.repeat(longestItemId), 'x'.repeat(longestItemId + 1)];
    const items = [long, longest].map((id) => ({ type: 'x_search_call', id, status: 'completed' }));
    const answered = (...output: readonly object[]): Script => [
      sseHead,
      ...new ResponsesWriter().begin(),
      ...output.map((item, output_index) => event({ type: 'response.output_item.done', output_index, item })),
      event({ type: 'response.completed', response: { id: 'r', status: 'completed', output } }),
      end,
    ];
    world.model.enqueue(answered(...items), answered(items[0]!), responsesAnswer('Yes.'));
    const { output } = await world.client.responses.create({ model, conversation, input: 'go' });
    assert.equal(output[0]!.id, long);
    assert.match(output[1]!.id!, /^item_/);
    await world.client.responses.create({
      model,
      conversation,
      input: [...(output as ResponseInputItem[]), { type: 'item_reference', id: long }],
    });
    const told = (world.model.requests[1]!.body as ResponsesBody).input as { id?: string; type: string }[];
    assert.ok(told.some(({ id }) => id === long));
    assert.ok(told.every(({ id }) => id === undefined || id === long));
    const { items: listed } = world.client.conversations;
    const page = await listed.list(conversation, { after: long, order: 'asc' });
    assert.deepEqual(page.data, []);
    await listed.delete(long, { conversation_id: conversation });
    await assert.rejects(listed.retrieve(long, { conversation_id: conversation }), OpenAI.NotFoundError);
    for await (const item of listed.list(conversation)) assert.notEqual(item.id, long);
  });

  test('an answer that is cut off in such an item keeps it as incomplete, and the model is not told of it', async () => {
    await using world = await World.open({ api: 'responses' });
    const [head, ...script] = searched();
    const cut = [head!, ...script.slice(0, 4), { type: 'fin' } as const];
    world.model.enqueue(cut, responsesAnswer('Yes.'));
    const conversation = await world.session();
    const first = await world.client.responses.create({ ...common, conversation, input: 'weather?' });
    assert.deepEqual([first.status, first.error?.code], ['failed', 'stream_interrupted']);
    assert.deepEqual(first.output, [{ ...found, status: 'incomplete' }]);
    await world.client.responses.create({ ...common, conversation, input: 'again' });
    assert.ok(!JSON.stringify((world.model.requests[1]!.body as ResponsesBody).input).includes('ws_1'));
  });
});
