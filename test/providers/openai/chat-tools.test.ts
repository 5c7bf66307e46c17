/** Tools that Chat Completions does not know are functions there, and calls of them come back as what they are. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { Item } from '../../../src/domain/item.ts';
import type { ModelDelta, ModelEvent } from '../../../src/domain/model.ts';
import { unsupportedItem } from '../../../src/domain/provider-capabilities.ts';
import { defaultSettings, type Tool } from '../../../src/domain/response/response-settings.ts';
import { demandedOmitted, unknownChoice, withToolsInForce } from '../../../src/domain/agents/tools.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { CallNames } from '../../../src/providers/openai/chat-tools.ts';
import { translatedCalls } from '../../../src/providers/openai/translated-calls.ts';

const named = { description: null, parameters: null, strict: null };
const look: Tool = { type: 'function', name: 'look', ...named };
const patch: Tool = { type: 'custom', name: 'patch', description: 'Patches files.' };
const grammar: Tool = { ...patch, name: 'lark', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } };
const agents: Tool = { type: 'namespace', name: 'agents', description: 'For sub-agents.', tools: [look, patch] };

const message: Item = {
  id: 'msg_1',
  type: 'message',
  status: 'completed',
  role: 'user',
  content: [{ type: 'input_text', text: 'hi' }],
};

const functionsOf = (...tools: readonly Tool[]) =>
  new CallNames(tools).tools().map((tool) => (tool.type === 'function' ? tool.function : undefined));

void suite('tools as functions', () => {
  void test('a function is itself', () => assert.deepEqual(functionsOf(look), [{ name: 'look' }]));
  void test('a custom tool has one text', () => {
    const [shape] = functionsOf(patch);
    assert.deepEqual([shape?.name, shape?.description, shape?.parameters?.['required']], ['patch', 'Patches files.', ['input']]);
    assert.deepEqual(Object.keys(shape?.parameters?.['properties'] as object), ['input']);
  });
  void test('a grammar is told in words', () => assert.match(functionsOf(grammar)[0]?.description ?? '', /Patches files\.[^]*start: "x"/));
  void test('tools of a namespace have both names, and say what it is for', () => {
    const shapes = functionsOf(look, agents);
    assert.deepEqual(
      shapes.map((shape) => [shape?.name, shape?.description]),
      [
        ['look', undefined],
        ['agents__look', 'For sub-agents.'],
        ['agents__patch', 'For sub-agents.\n\nPatches files.'],
      ],
    );
  });
  void test('names are such as OpenAI takes, and none stands for two tools', () => {
    const tools: Tool[] = [
      { ...look, name: 'agents__look' },
      agents,
      { ...agents, name: 'ag.ents', tools: [look] },
      { ...agents, name: 'n'.repeat(70), tools: [look, patch] },
    ];
    const all = new CallNames(tools).all;
    assert.equal(new Set(all).size, 6);
    for (const name of all) assert.match(name, /^[\w-]{1,64}$/);
  });
  void test('what is offered twice is one', () => assert.deepEqual(new CallNames([look, agents, agents, look]).all.length, 3));
  void test('items of the input bring tools, of kinds that a chat provider can have, and the newest of a name counts', () => {
    const item = (...tools: readonly unknown[]): Item =>
      ({ id: 'at_1', type: 'additional_tools', role: 'developer', tools }) as unknown as Item;
    const older = item({ ...look, description: 'old' }, agents, { type: 'web_search' }, { type: 'function' }, null, 'x');
    const newer = item({ type: 'function', name: 'look', description: 'new', parameters: { type: 'object' } });
    const settings = { ...defaultSettings('m'), tools: [patch] };
    const { tools, messages } = chatRequest({ settings, items: [older, newer, message] }, false);
    assert.deepEqual(
      tools?.map((tool) => tool.type === 'function' && [tool.function.name, tool.function.description]),
      [
        ['patch', 'Patches files.'],
        ['look', 'new'],
        ['agents__look', 'For sub-agents.'],
        ['agents__patch', 'For sub-agents.\n\nPatches files.'],
      ],
    );
    assert.deepEqual(messages, [{ role: 'user', content: 'hi' }]);
    const rules = { ...message, role: 'developer' } as Item;
    assert.deepEqual(
      chatRequest({ settings, items: [older, rules, message] }, false).messages.map(({ role }) => role),
      ['system', 'user'],
    );
    assert.equal(
      demandedOmitted({ ...withToolsInForce('chat', { ...settings, tools: [] }, [older]), tool_choice: 'required' }, [older]),
      undefined,
    );
    const given = withToolsInForce('chat', settings, [{ type: 'message' }, older]);
    assert.deepEqual(given.omitted_tools, [{ param: 'input[1].tools[2]', type: 'web_search' }]);
    assert.equal(unknownChoice({ ...settings, tool_choice: { type: 'function', name: 'look' } }, [older]), undefined);
    assert.equal(unsupportedItem('chat', [newer], 'input'), undefined);
  });
  void test('a choice names the function', () => {
    const names = new CallNames([look, patch, agents]);
    const choice = (reference: { type: string; name: string; namespace?: string }) => names.choice(reference);
    assert.deepEqual(choice({ type: 'custom', name: 'patch' }), { type: 'function', function: { name: 'patch' } });
    assert.deepEqual(choice({ type: 'function', name: 'look', namespace: 'agents' }), {
      type: 'function',
      function: { name: 'agents__look' },
    });
    const both = [{ type: 'function', function: { name: 'agents__look' } }].concat({
      type: 'function',
      function: { name: 'agents__patch' },
    });
    assert.deepEqual(names.choice({ type: 'namespace', name: 'agents' }), {
      type: 'allowed_tools',
      allowed_tools: { mode: 'required', tools: both },
    });
    assert.deepEqual(names.choice({ type: 'allowed_tools', mode: 'auto', tools: [{ type: 'custom', name: 'patch' }] }), {
      type: 'allowed_tools',
      allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'patch' } }] },
    });
  });
});

const piece = (name: string, text: string, item = 'call 0'): ModelEvent => ({
  type: 'delta',
  delta: { type: 'tool_call', item, callId: `id of ${item}`, name, text },
});
const finish: ModelEvent = { type: 'finish', finish: { status: 'completed' } };

async function* from(events: readonly ModelEvent[]): AsyncGenerator<ModelEvent> {
  for (const event of events) yield await Promise.resolve(event);
}

async function translated(...events: readonly ModelEvent[]): Promise<(ModelDelta & { type: 'tool_call' })[]> {
  const deltas: (ModelDelta & { type: 'tool_call' })[] = [];
  for await (const event of translatedCalls(from(events), new CallNames([look, patch, agents]))) {
    if (event.type === 'delta' && event.delta.type === 'tool_call') deltas.push(event.delta);
  }
  return deltas;
}
const inputOf = async (...pieces: readonly string[]): Promise<string> =>
  (await translated(piece('patch', ''), ...pieces.map((text) => piece('patch', text)), finish)).map(({ text }) => text).join('');

void suite('calls as what they are', () => {
  void test('of a function: as they came', async () =>
    assert.deepEqual(await translated(piece('look', '{}')), [(piece('look', '{}') as { delta: unknown }).delta]));
  void test('of a namespace: with its name, and that of the tool', async () => {
    const [call] = await translated(piece('agents__look', '{"a":'), piece('agents__look', '1}'), finish);
    assert.deepEqual([call?.name, call?.members, call?.isCustom, call?.text], ['look', { namespace: 'agents' }, undefined, '{"a":']);
  });
  void test('of a custom tool: the input, as it comes', async () => {
    const calls = await translated(
      piece('patch', ''),
      piece('patch', '{"inp'),
      piece('patch', 'ut": "a\\'),
      piece('patch', 'nb'),
      piece('patch', '"}'),
      finish,
    );
    assert.ok(calls.every(({ isCustom, name }) => isCustom === true && name === 'patch'));
    assert.deepEqual(
      calls.map(({ text }) => text),
      ['', 'a', '\nb'],
    );
  });
  void test('two at once, in turns', async () => {
    const calls = await translated(
      piece('patch', '{"input":"1', 'a'),
      piece('patch', '{"input":"2', 'b'),
      piece('patch', '1"}', 'a'),
      piece('patch', '2"}', 'b'),
      finish,
    );
    assert.deepEqual(
      calls.map(({ item, text }) => item + text),
      ['a1', 'b2', 'a1', 'b2'],
    );
  });
  for (const [what, text, input] of [
    ['a member of another name', '{"patch":"x"}', 'x'],
    ['another member first', '{"why":"so","input":"x"}', 'x'],
    ['the bare text', '*** Begin Patch', '*** Begin Patch'],
    ['the text as JSON', '"x"', 'x'],
    ['an object', '{"a":1,"b":2}', '{"a":1,"b":2}'],
    ['an empty object', '{}', ''],
    ['no JSON', '{"input":"a" b}', 'a'],
    ['nothing', '', ''],
  ] as const) {
    void test(`${what} is not lost`, async () => assert.equal(await inputOf(text), input));
  }
  void test('what is missing is told once, however often a finish is stated', async () => {
    const calls = await translated(piece('patch', '{"patch":"x"}'), finish, finish);
    assert.deepEqual(
      calls.map(({ text }) => text),
      ['', 'x'],
    );
  });
  for (const doc of ['{"patch":"a\\nb"}', '"a\\nb"', ' {"why":1,"input":"a\\nb"}', 'a\nb', '{"input":"a\\nb"}']) {
    void test(`a finish in the middle of ${doc}, and its rest behind it: the input, and nothing of its form`, async () => {
      for (const status of ['completed', 'incomplete'] as const) {
        for (let cut = 0; cut <= doc.length; cut += 1) {
          const [one, other] = [piece('patch', doc.slice(0, cut)), piece('patch', doc.slice(cut))];
          const calls = await translated(one, { type: 'finish', finish: { status } }, other, finish);
          assert.equal(calls.map(({ text }) => text).join(''), 'a\nb', `${status} at ${cut}`);
        }
      }
    });
  }
  for (const [what, text, shown] of [
    ['half of its JSON is none', '{"inp', ''],
    ['half of the text as JSON neither', '"*** Beg', ''],
    ['the beginning of the bare text is one', '*** Beg', '*** Beg'],
  ] as const) {
    void test(`of an input that was cut off, ${what}`, async () => {
      const calls = await translated(piece('patch', text), { type: 'finish', finish: { status: 'incomplete' } });
      assert.equal(calls.map((call) => call.text).join(''), shown);
    });
  }
  void test('any text, in any pieces, however it is escaped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.boolean(),
        fc.array(fc.nat(60), { maxLength: 6 }),
        async (input, isAscii, cuts) => {
          const json = JSON.stringify({ input });
          const text = isAscii
            ? json.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
            : json;
          const places = [0, ...cuts.filter((cut) => cut < text.length).toSorted((one, other) => one - other), text.length];
          const pieces = places.slice(1).map((end, at) => text.slice(places[at], end));
          const whole = pieces.every((each) => each.isWellFormed()) ? pieces : [text];
          assert.equal(await inputOf(...whole), input.toWellFormed());
        },
      ),
    );
  });
});
