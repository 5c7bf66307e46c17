/**
 * T13 · what was given out is taken back, in every protocol, and reaches the provider of either API in a form that it
 * accepts: an answer never makes the rest of its conversation impossible.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, end, reset, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

type Api = 'chat' | 'responses';
const apis = ['chat', 'responses'] as const;

interface Call {
  readonly id: string;
  readonly args: string;
}

function calls(api: Api, ...made: readonly Call[]): Script {
  if (api === 'chat') {
    return [
      sseHead,
      ...made.map(({ id, args }, index) => chat.toolCall(index, { id, name: 'look', arguments: args })),
      chat.finish('tool_calls'),
      end,
    ];
  }
  const say = new ResponsesWriter();
  return [
    sseHead,
    ...say.begin(),
    ...made.flatMap(({ id, args }) => [...say.functionCall(id, 'look', args), ...say.close()]),
    ...say.completed(),
    end,
  ];
}

function answer(api: Api, text: string): Script {
  if (api === 'chat') return chatAnswer(text);
  const say = new ResponsesWriter();
  return [sseHead, ...say.begin(), ...say.text(text), ...say.completed(), end];
}

interface Told {
  readonly type?: string;
  readonly role?: string;
  readonly content?: string | null;
  readonly call_id?: string;
  readonly arguments?: string;
  readonly output?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly arguments: string } }[];
}

/** What the provider was asked last, one line a message, call and output, in the same words for both APIs. */
function told(world: World): string[] {
  const body = world.model.requests.at(-1)?.body as { messages?: readonly Told[]; input?: readonly Told[] } | undefined;
  return (body?.messages ?? body?.input ?? []).flatMap((each) => {
    if (each.type === 'function_call') return [`${each.call_id}(${each.arguments})`];
    if (each.type === 'function_call_output') return [`${each.call_id} gave ${each.output}`];
    if (each.type === 'reasoning') return ['sealed'];
    if (each.role === 'tool') return [`${each.tool_call_id} gave ${each.content}`];
    const called = (each.tool_calls ?? []).map(({ id, function: { arguments: args } }) => `${id}(${args})`);
    return [...(each.content == null ? [] : [`${each.role}: ${each.content}`]), ...called];
  });
}

type Json = Record<string, unknown>;
const functionTool = { type: 'function', name: 'look', parameters: { type: 'object' } };
const chatTool = { type: 'function', function: { name: 'look', parameters: { type: 'object' } } };

async function ask(world: World, path: string, body: Json): Promise<Json> {
  const { status, body: said } = await world.call('POST', path, body);
  assert.equal(status, 200, JSON.stringify(said));
  return said;
}

interface Talk {
  /** Says something, and carries out the calls of the answer: the outputs in their order. */
  say(text: string, outputs?: readonly string[]): Promise<void>;
}

type CallItem = Json & { call_id: string };

/** Loops of tools, as clients of each protocol run them. */
const talks: Readonly<Record<string, (world: World) => Promise<Talk>>> = {
  'in a conversation': async (world) => {
    const conversation = await world.session();
    return responsesTalk((input) => ask(world, '/v1/responses', { conversation, input, tools: [functionTool] }));
  },
  'by previous_response_id': async (world) => {
    let previous: Json = {};
    return responsesTalk(async (input) => {
      const response = await ask(world, '/v1/responses', { ...previous, input, tools: [functionTool] });
      previous = { previous_response_id: response['id'] };
      return response;
    });
  },
  'by previous_response_id, with the whole answer beside the outputs': async (world) => {
    let previous: Json = {};
    let answered: Json[] = [];
    return responsesTalk(async (input) => {
      const again = input.some(({ type }) => type === 'function_call_output') ? answered : [];
      const response = await ask(world, '/v1/responses', { ...previous, input: [...again, ...input], tools: [functionTool] });
      previous = { previous_response_id: response['id'] };
      answered = response['output'] as Json[];
      return response;
    });
  },
  'with all items in every request': async (world) => {
    const items: Json[] = [];
    return responsesTalk(async (input) => {
      items.push(...input);
      const response = await ask(world, '/v1/responses', { input: items, tools: [functionTool], store: false });
      items.push(...(response['output'] as Json[]));
      return response;
    });
  },
  'with all items in every request, of a client that keeps only what OpenAI has': async (world) => {
    const items: Json[] = [];
    const include = ['reasoning.encrypted_content'];
    return responsesTalk(async (input) => {
      items.push(...input);
      const response = await ask(world, '/v1/responses', { input: items, tools: [functionTool], store: false, include });
      items.push(...(response['output'] as Json[]).map(({ provider_fields: _fields, ...item }) => item));
      return response;
    });
  },
  'in Chat Completions': async (world) => chatTalk((body) => ask(world, '/v1/chat/completions', body)),
  'in Chat Completions, in a conversation': async (world) => {
    const conversation = await world.session();
    return chatTalk((body) => ask(world, '/v1/chat/completions', { ...body, conversation }));
  },
};

function responsesTalk(send: (input: readonly Json[]) => Promise<Json>): Talk {
  return {
    async say(text, outputs = []) {
      const { output } = await send([{ type: 'message', role: 'user', content: text }]);
      const made = (output as CallItem[]).filter(({ type }) => type === 'function_call');
      assert.equal(made.length, outputs.length);
      if (outputs.length === 0) return;
      await send(made.map(({ call_id }, n) => ({ type: 'function_call_output', call_id, output: outputs[n] })));
    },
  };
}

function chatTalk(send: (body: Json) => Promise<Json>): Talk {
  const messages: Json[] = [];
  const complete = async (): Promise<readonly { id: string }[]> => {
    const completion = await send({ model: 'scripted', messages, tools: [chatTool] });
    const [choice] = completion['choices'] as { message: Json & { tool_calls?: { id: string }[] } }[];
    assert.ok(choice);
    messages.push(choice.message);
    return choice.message.tool_calls ?? [];
  };
  return {
    async say(text, outputs = []) {
      messages.push({ role: 'user', content: text });
      const made = await complete();
      assert.equal(made.length, outputs.length);
      if (outputs.length === 0) return;
      messages.push(...made.map(({ id }, n) => ({ role: 'tool', tool_call_id: id, content: outputs[n] })));
      await complete();
    },
  };
}

for (const api of apis) {
  test(
    `T13 · each call has its own output, though ids come again, and an id is as long as it was given (${api})`,
    { timeout: 120_000 },
    async () => {
      await using world = await World.open({ api });
      const long = `call_${'x'.repeat(942)}`;
      for (const [protocol, open] of Object.entries(talks)) {
        world.model.enqueue(
          calls(api, { id: 'look:0', args: '{"n":1}' }),
          answer(api, 'cold'),
          calls(api, { id: 'look:0', args: '{"n":2}' }, { id: 'look:0', args: '{"n":3}' }),
          answer(api, 'warm'),
          calls(api, { id: long, args: '' }),
          answer(api, 'bye'),
        );
        const talk = await open(world);
        await talk.say('Oslo?', ['minus 5']);
        await talk.say('Rome and Bari?', ['plus 35', 'plus 36']);
        await talk.say('And?', ['nothing']);
        assert.deepEqual(
          told(world),
          [
            'user: Oslo?',
            'look:0({"n":1})',
            'look:0 gave minus 5',
            'assistant: cold',
            'user: Rome and Bari?',
            'look:1({"n":2})',
            'look:2({"n":3})',
            'look:1 gave plus 35',
            'look:2 gave plus 36',
            'assistant: warm',
            'user: And?',
            `${long}({})`,
            `${long} gave nothing`,
          ],
          protocol,
        );
      }
    },
  );
}

const extra = { extra_content: { google: { thought_signature: 'S' } } };
const details = [{ type: 'reasoning.text', text: 'hm', signature: 'R', index: 0, format: 'f' }];

/** Reasoning as servers send it, and as they want it back with the call that it led to. */
const thoughts: Readonly<Record<string, readonly [delta: Json, back: Json]>> = {
  reasoning_content: [{ reasoning_content: 'hm' }, { reasoning_content: 'hm' }],
  reasoning: [{ reasoning: 'hm' }, { reasoning: 'hm' }],
  reasoning_details: [
    { reasoning: 'hm', reasoning_details: details },
    { reasoning: 'hm', reasoning_details: details },
  ],
};

for (const [field, [delta, back]] of Object.entries(thoughts)) {
  test(`T13 · a call goes back with its ${field} and the provider's own fields, in the next turn too`, { timeout: 120_000 }, async () => {
    await using world = await World.open();
    for (const [protocol, open] of Object.entries(talks)) {
      const piece = { index: 0, id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' }, ...extra };
      world.model.enqueue(
        [sseHead, chat.delta(delta), chat.delta({ tool_calls: [piece] }), chat.finish('tool_calls'), end],
        chatAnswer('cold'),
        chatAnswer('bye'),
      );
      const talk = await open(world);
      const asked = (): unknown => (world.model.requests.at(-1)?.body as { messages: Json[] } | undefined)?.messages[1];
      const { index: _, ...made } = piece;
      const expected = { role: 'assistant', content: null, tool_calls: [made], ...back };
      await talk.say('Oslo?', ['minus 5']);
      assert.deepEqual(asked(), expected, protocol);
      await talk.say('Thanks');
      assert.deepEqual(asked(), expected, `${protocol}, in the next turn`);
    }
  });
}

/** An item that an earlier version has stored as the provider sent it. */
async function tear(world: World, item: string): Promise<void> {
  const changed = await world.database.ask(`UPDATE items SET item = replace(item, 'torn', '\\ud83d') WHERE id = ? RETURNING id`, item);
  assert.equal(changed.length, 1);
}

for (const api of apis) {
  test(
    `T13 · half a character in an old answer, and arguments that break off, go on in every protocol (${api})`,
    { timeout: 120_000 },
    async () => {
      await using world = await World.open({ api });
      world.model.enqueue(answer(api, 'so torn'), answer(api, 'a'), answer(api, 'b'), answer(api, 'c'), answer(api, 'd'));
      const conversation = await world.session();
      const { output } = await ask(world, '/v1/responses', { conversation, input: 'Hi' });
      await tear(world, String((output as Json[])[0]?.['id']));
      const { body: page } = await world.call('GET', `/v1/conversations/${conversation}/items?order=asc`);
      const items = page['data'] as Json[];
      assert.match(JSON.stringify(items), /so \\ud83d/, 'it is given out as it was');

      await ask(world, '/v1/responses', { conversation, input: 'And?' });
      assert.deepEqual(told(world), ['user: Hi', 'assistant: so \ufffd', 'user: And?']);

      const broken = { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{"city": "Os' };
      const output1 = { type: 'function_call_output', call_id: 'c1', output: 'What?' };
      const call = [String.raw`c1({"invalid_arguments":"{\"city\": \"Os"})`, 'c1 gave What?'];
      await ask(world, '/v1/responses', { input: [...items, broken, output1] });
      assert.deepEqual(told(world), ['user: Hi', 'assistant: so \ufffd', ...call]);

      await ask(world, `/v1/conversations/${conversation}/items`, { items: [broken, output1] });
      await ask(world, '/v1/responses', { conversation, input: 'Now?' });
      assert.deepEqual(told(world), ['user: Hi', 'assistant: so \ufffd', 'user: And?', 'assistant: a', ...call, 'user: Now?']);

      const messages = [
        { role: 'user', content: 'Hi' },
        {
          role: 'assistant',
          content: 'so \ud83d',
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: broken.arguments } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'What?' },
      ];
      await ask(world, '/v1/chat/completions', { model: 'scripted', messages });
      assert.deepEqual(told(world), ['user: Hi', 'assistant: so \ufffd', ...call]);
      for (const { bodyText } of world.model.requests) assert.doesNotMatch(bodyText, /\\ud83d/);
    },
  );

  test(`T13 · half of a call in an answer that failed: the conversation goes on (${api})`, { timeout: 60_000 }, async () => {
    await using world = await World.open({ api });
    const whole = calls(api, { id: 'c1', args: '{}' }, { id: 'c2', args: '{"city": "Os' });
    world.model.enqueue([...whole.slice(0, api === 'chat' ? -2 : -3), reset], answer(api, 'Sorry.'));
    const conversation = await world.session();
    const failed = await ask(world, '/v1/responses', { conversation, input: 'Oslo?', tools: [functionTool] });
    assert.deepEqual(
      [failed['status'], (failed['output'] as Json[]).map(({ status }) => status)],
      ['failed', ['incomplete', 'incomplete']],
    );
    const { status } = await ask(world, '/v1/responses', { conversation, input: 'Again.', tools: [functionTool] });
    assert.equal(status, 'completed');
    assert.deepEqual(told(world), [
      'user: Oslo?',
      'assistant: [This answer failed before it was complete: stream_interrupted.]',
      'user: Again.',
    ]);
  });
}

test('T13 · sealed reasoning goes back to the model that it came from, and to no other', { timeout: 60_000 }, async () => {
  await using world = await World.open({ api: 'responses' });
  const say = new ResponsesWriter();
  world.model.enqueue(
    [sseHead, ...say.begin(), ...say.encryptedReasoning('E', 'hm'), ...say.functionCall('c1', 'look', '{}'), ...say.completed(), end],
    answer('responses', 'a'),
    answer('responses', 'b'),
    answer('responses', 'c'),
  );
  const conversation = await world.session();
  const settings = { conversation, tools: [functionTool], include: ['reasoning.encrypted_content'] };
  const { output } = await ask(world, '/v1/responses', { ...settings, model: 'm', input: 'Hi' });
  const gave = { type: 'function_call_output', call_id: 'c1', output: 'x' };
  const past = ['user: Hi', 'c1({})', 'c1 gave x'];
  await ask(world, '/v1/responses', { ...settings, model: 'other', input: [gave] });
  assert.deepEqual(told(world), past);
  await ask(world, '/v1/responses', { ...settings, model: 'm', input: 'And?' });
  assert.deepEqual(told(world), ['user: Hi', 'sealed', 'c1({})', 'c1 gave x', 'assistant: a', 'user: And?']);
  // A client that keeps the conversation itself brings it as it was given out, or by its id.
  const kept = output as Json[];
  const bring = async (model: string, items: readonly Json[], more: Json = {}): Promise<readonly string[]> => {
    await ask(world, '/v1/responses', { model, input: [{ role: 'user', content: 'Hi' }, ...items, gave], tools: [functionTool], ...more });
    return told(world);
  };
  const asReferences = kept.map(({ id }) => ({ type: 'item_reference', id }));
  for (const items of [kept, asReferences]) {
    assert.deepEqual(await bring('other', items), past);
    assert.deepEqual(await bring('m', items), ['user: Hi', 'sealed', 'c1({})', 'c1 gave x']);
  }
  const foreign = kept.map((item) => ({ ...item, id: `rs_${'0'.repeat(52)}` }));
  assert.deepEqual(await bring('other', foreign), ['user: Hi', 'sealed', 'c1({})', 'c1 gave x'], 'not of ours: the client knows');
});

test('T13 · it is known where sealed reasoning comes from also where its response was not stored, or has been deleted', async () => {
  await using world = await World.open({ api: 'responses' });
  const script = (): Script => {
    const say = new ResponsesWriter();
    return [sseHead, ...say.begin(), ...say.encryptedReasoning('E', 'hm'), ...say.text('Hello'), ...say.completed(), end];
  };
  world.model.enqueue(script(), answer('responses', 'a'), script(), answer('responses', 'a'));
  for (const store of [false, true]) {
    const asked = { model: 'm', input: 'Hi', include: ['reasoning.encrypted_content'], store };
    const { id, output } = await ask(world, '/v1/responses', asked);
    if (store) assert.equal((await world.call('DELETE', `/v1/responses/${String(id)}`)).status, 200);
    const input = [{ role: 'user', content: 'Hi' }, ...(output as Json[]), { role: 'user', content: 'And?' }];
    await ask(world, '/v1/responses', { model: 'other', input, store: false });
    assert.deepEqual(told(world), ['user: Hi', 'assistant: Hello', 'user: And?']);
  }
});

test('a chat server that takes one message of the system gets one, and no later one', { timeout: 60_000 }, async () => {
  await using world = await World.open();
  const conversation = await world.session();
  await ask(world, '/v1/responses', {
    conversation,
    instructions: 'Be terse.',
    input: [
      { role: 'developer', content: 'a' },
      { role: 'user', content: 'Hi' },
    ],
  });
  await ask(world, '/v1/responses', {
    conversation,
    instructions: 'Be kind.',
    input: [
      { role: 'developer', content: 'b' },
      { role: 'user', content: 'So?' },
    ],
  });
  assert.deepEqual(told(world), ['system: Be kind.\n\na', 'user: Hi', 'assistant: Hello world', 'user: <system>\nb\n</system>\n\nSo?']);
});
