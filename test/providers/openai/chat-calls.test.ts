/** Which piece belongs to which call: one row for each way in which servers number and repeat them. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ModelDelta, ModelEvent } from '../../../src/domain/model.ts';
import { ChatParser } from '../../../src/providers/openai/chat-parser.ts';
import { ProviderError } from '../../../src/providers/provider.ts';

type Call = ModelDelta & { readonly type: 'tool_call' };

/** The calls of a stream, each as it was shown: `id name arguments`. A failure is its detail. Each list is one chunk. */
function callsOf(chunks: readonly (readonly object[])[], { tools = [] as string[], finish = 'tool_calls' } = {}): readonly string[] {
  const parser = new ChatParser(tools);
  const events: ModelEvent[] = [];
  try {
    for (const tool_calls of chunks) parser.read({ data: JSON.stringify({ choices: [{ delta: { tool_calls } }] }) }, events);
    parser.read({ data: JSON.stringify({ choices: [{ delta: {}, finish_reason: finish }] }) }, events);
    parser.end(true, events);
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return [error.failure.detail ?? error.failure.code];
  }
  const shown = new Map<string, Call>();
  for (const event of events) {
    if (event.type !== 'delta' || event.delta.type !== 'tool_call') continue;
    const { delta } = event;
    const before = shown.get(delta.item);
    if (before !== undefined)
      assert.deepEqual([delta.callId, delta.name], [before.callId, before.name], 'announced with its final name and id');
    const providerFields = { ...before?.providerFields, ...delta.providerFields };
    shown.set(delta.item, { ...delta, text: (before?.text ?? '') + delta.text, providerFields });
  }
  return Array.from(shown.values(), ({ callId, name, text, providerFields = {} }) =>
    [
      /^call_[\da-f]{32}$/.test(callId) ? 'ours' : callId,
      name,
      text,
      ...Object.entries(providerFields).map((each) => JSON.stringify(each)),
    ].join(' '),
  );
}

const fn = (name: string | undefined, args?: unknown): object => ({
  function: { ...(name === undefined ? {} : { name }), ...(args === undefined ? {} : { arguments: args }) },
});
const rows: Readonly<
  Record<string, readonly [chunks: readonly (readonly object[])[], expected: readonly string[], tools?: readonly string[]]>
> = {
  'OpenAI: index in each, id and name in the first': [
    [
      [{ index: 0, id: 'a', ...fn('f', '') }],
      [{ index: 0, ...fn(undefined, '{"x":') }],
      [{ index: 0, ...fn(undefined, '1}') }],
      [{ index: 1, id: 'b', ...fn('g', '') }],
      [{ index: 1, ...fn(undefined, '{}') }],
    ],
    ['a f {"x":1}', 'b g {}'],
  ],
  'the id in each, no index': [
    [[{ id: 'a', ...fn('f', '{"x"') }], [{ id: 'a', ...fn(undefined, ':1}') }], [{ id: 'b', ...fn('f', '{}') }]],
    ['a f {"x":1}', 'b f {}'],
  ],
  'the id and the name in each, no index': [[[{ id: 'a', ...fn('f', '{"x"') }], [{ id: 'a', ...fn('f', ':1}') }]], ['a f {"x":1}']],
  'neither index nor id behind the first': [[[{ id: 'a', ...fn('f', '{"x"') }], [fn(undefined, ':1}')]], ['a f {"x":1}']],
  'the name in each, under one index, without ids': [
    [[{ index: 0, ...fn('f', '{"x"') }], [{ index: 0, ...fn('f', ':1}') }]],
    ['ours f {"x":1}'],
  ],
  'a new id in each': [
    [
      [{ index: 0, id: 'a', ...fn('f', '') }],
      [{ index: 0, id: 'b', ...fn(undefined, '{"x":') }],
      [{ index: 0, id: 'c', ...fn(undefined, '{}}') }],
    ],
    ['a f {"x":{}}'],
  ],
  'a new id and the name in each, no index': [[[{ id: 'a', ...fn('f', '{"x"') }], [{ id: 'b', ...fn('f', ':1}') }]], ['a f {"x":1}']],
  'a new id and the name in each, behind an empty opener': [
    [
      [{ index: 0, id: 'a1', ...fn('f', '') }],
      [{ index: 0, id: 'a2', ...fn('f', '{"city":') }],
      [{ index: 0, id: 'a3', ...fn('f', '"Oslo"}') }],
    ],
    ['a1 f {"city":"Oslo"}'],
  ],
  'the same, no index, of an offered tool': [
    [[{ id: 'a1', ...fn('f', '') }], [{ id: 'a2', ...fn('f', '{"city":') }], [{ id: 'a3', ...fn('f', '"Oslo"}') }]],
    ['a1 f {"city":"Oslo"}'],
    ['f'],
  ],
  'whole arguments, then an empty piece with a new id and the name': [
    [[{ index: 0, id: 'a1', ...fn('f', '{"city":"Oslo"}') }], [{ index: 0, id: 'a2', ...fn('f', '') }]],
    ['a1 f {"city":"Oslo"}'],
  ],
  'the same, and it was the opener of a second call': [
    [
      [{ index: 0, id: 'a', ...fn('f', '{"x":1}') }],
      [{ index: 0, id: 'b', ...fn('f', '') }],
      [{ index: 0, ...fn(undefined, '{"x":') }],
      [{ index: 0, ...fn(undefined, '2}') }],
    ],
    ['a f {"x":1}', 'b f {"x":2}'],
  ],
  'a nested object in a piece with a new id and the name': [
    [[{ index: 0, id: 'a1', ...fn('f', '{"o":') }], [{ index: 0, id: 'a2', ...fn('f', '{"x":1}}') }]],
    ['a1 f {"o":{"x":1}}'],
  ],
  'nested objects of which none ends where its piece does, each with a new id and the name, behind an empty opener': [
    [
      [{ index: 0, id: 'a1', ...fn('f', '') }],
      [{ index: 0, id: 'a2', ...fn('f', '{"o":') }],
      [{ index: 0, id: 'a3', ...fn('f', '{"x":') }],
      [{ index: 0, id: 'a4', ...fn('f', '{') }],
      [{ index: 0, id: 'a5', ...fn('f', '') }],
      [{ index: 0, id: 'a6', ...fn('f', '}}}') }],
    ],
    ['a1 f {"o":{"x":{}}}'],
  ],
  'a brace within a text, in a piece with a new id and the name': [
    [
      [{ id: 'a1', ...fn('f', '{"s":') }],
      [{ id: 'a2', ...fn('f', '"a') }],
      [{ id: 'a3', ...fn('f', '{b') }],
      [{ id: 'a4', ...fn('f', '"}') }],
    ],
    ['a1 f {"s":"a{b"}'],
  ],
  'T8 · the same in the second piece, which may begin another call': [
    [
      [{ index: 0, id: 'a1', ...fn('f', '{"o":') }],
      [{ index: 0, id: 'a2', ...fn('f', '{"x":1') }],
      [{ index: 0, id: 'a3', ...fn('f', '}}') }],
    ],
    ['tool_call_arguments'],
  ],
  'two calls in turns, whose second pieces have their ids again': [
    [
      [{ index: 0, id: 'a', ...fn('f', '{"x":') }],
      [{ index: 0, id: 'b', ...fn('f', '{"x":') }],
      [{ index: 0, id: 'a', ...fn('f', '1}') }],
      [{ index: 0, id: 'b', ...fn('f', '2}') }],
    ],
    ['a f {"x":1}', 'b f {"x":2}'],
  ],
  'an offered tool, announced three times with new ids, and a new one with its arguments': [
    [
      [{ index: 0, id: 'a1', ...fn('f', '') }],
      [{ index: 0, id: 'a2', ...fn('f', '') }],
      [{ index: 0, id: 'a3', ...fn('f', '') }],
      [{ index: 0, id: 'a4', ...fn(undefined, '{"x":') }],
      [{ index: 0, id: 'a5', ...fn(undefined, '1}') }],
    ],
    ['a1 f {"x":1}'],
    ['f'],
  ],
  'an offered tool, announced twice, and the arguments have the second id: the first call has none': [
    [[{ id: 'a', ...fn('f', '') }], [{ id: 'b', ...fn('f', '') }], [{ id: 'b', ...fn(undefined, '{"x":1}') }]],
    ['a f {}', 'b f {"x":1}'],
    ['f'],
  ],
  'the same, and the first has its arguments last': [
    [
      [{ id: 'a', ...fn('f', '') }],
      [{ id: 'b', ...fn('f', '') }],
      [{ id: 'a', ...fn('f', '{"x":1}') }],
      [{ id: 'b', ...fn('f', '{"x":2}') }],
    ],
    ['a f {"x":1}', 'b f {"x":2}'],
    ['f'],
  ],
  'an offered tool, announced twice, and no arguments at all: two calls': [
    [[{ id: 'a', ...fn('f', '') }], [{ id: 'b', ...fn('f', '') }]],
    ['a f {}', 'b f {}'],
    ['f'],
  ],
  'an offered tool, announced twice under indexes of their own: two calls': [
    [[{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 1, id: 'b', ...fn('f', '') }], [{ index: 1, ...fn(undefined, '{"x":1}') }]],
    ['a f {}', 'b f {"x":1}'],
    ['f'],
  ],
  'an offered tool, announced twice in one chunk: two calls': [
    [
      [
        { index: 0, id: 'a', ...fn('f', '') },
        { index: 0, id: 'b', ...fn('f', '') },
      ],
      [{ index: 0, ...fn(undefined, '{"x":1}') }],
    ],
    ['a f {}', 'b f {"x":1}'],
    ['f'],
  ],
  'T8 · an offered tool, announced twice, and arguments without an id': [
    [[{ id: 'a', ...fn('f', '') }], [{ id: 'b', ...fn('f', '') }], [fn(undefined, '{"x":1}')]],
    ['call_announced_twice'],
    ['f'],
  ],
  'arguments that were encoded twice, of two calls under one index without ids': [
    [[{ index: 0, ...fn('f', '"{\\"x\\":1}"') }], [{ index: 0, ...fn('f', '"{\\"x\\":2}"') }]],
    ['ours f {"x":1}', 'ours f {"x":2}'],
  ],
  'whole arguments, and once more in a later chunk, encoded twice, with the name and without an id': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x":') }], [{ index: 0, ...fn(undefined, '1}') }], [{ index: 0, ...fn('f', '"{\\"x\\":1}"') }]],
    ['a f {"x":1}'],
  ],
  'whole arguments, an opener, and arguments that were encoded twice': [
    [[{ id: 'a', ...fn('f', '{"x":1}') }], [{ id: 'b', ...fn('f', '') }], [fn(undefined, '"{\\"x\\":2}"')]],
    ['a f {"x":1}', 'b f {"x":2}'],
  ],
  'three openers under one id, index and name': [
    [[{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 0, id: 'a', ...fn('f', '') }]],
    ['a f {}'],
  ],
  'the same, of an offered tool': [
    [[{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 0, id: 'a', ...fn('f', '') }]],
    ['a f {}'],
    ['f'],
  ],
  'the same, in one chunk': [
    [
      [
        { index: 0, id: 'a', ...fn('f', '') },
        { index: 0, id: 'a', ...fn('f', '') },
        { index: 0, id: 'a', ...fn('f', '') },
      ],
    ],
    ['a f {}'],
  ],
  'two calls of one function without arguments, by their indexes': [
    [[{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 1, id: 'b', ...fn('f', '') }]],
    ['a f {}', 'b f {}'],
  ],
  'the same, under one index, both whole': [
    [[{ index: 0, id: 'a', ...fn('f', '{}') }], [{ index: 0, id: 'b', ...fn('f', '{}') }]],
    ['a f {}', 'b f {}'],
  ],
  'two calls in one chunk, the first without arguments': [
    [
      [
        { id: 'a', ...fn('f', '') },
        { id: 'b', ...fn('f', '{"x":1}') },
      ],
    ],
    ['a f {}', 'b f {"x":1}'],
  ],
  'an index that counts pieces': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x"') }], [{ index: 1, id: 'a', ...fn(undefined, ':') }], [{ index: 2, ...fn(undefined, '1}') }]],
    ['a f {"x":1}'],
  ],
  'an index that is a text': [[[{ index: '0', id: 'a', ...fn('f', '{"x"') }], [{ index: '0', ...fn(undefined, ':1}') }]], ['a f {"x":1}']],
  'two whole calls under index 0 without ids': [
    [[{ index: 0, ...fn('f', '{"x":1}') }], [{ index: 0, ...fn('g', '{"y":2}') }]],
    ['ours f {"x":1}', 'ours g {"y":2}'],
  ],
  'the same, of one function, the second in pieces': [
    [
      [{ index: 0, ...fn('f', '{"x":1}') }],
      [{ index: 0, ...fn('f', '') }],
      [{ index: 0, ...fn(undefined, '{"x"') }],
      [{ index: 0, ...fn(undefined, ':2}') }],
    ],
    ['ours f {"x":1}', 'ours f {"x":2}'],
  ],
  'two whole calls without ids and indexes, in one chunk': [[[fn('f', '{}'), fn('f', '{}')]], ['ours f {}', 'ours f {}']],
  'two calls in turns under index 0, told apart by their ids': [
    [
      [{ index: 0, id: 'a', ...fn('f', '{"x') }],
      [{ index: 0, id: 'b', ...fn('f', '{"y') }],
      [{ index: 0, id: 'a', ...fn(undefined, '":1}') }],
      [{ index: 0, id: 'b', ...fn(undefined, '":2}') }],
    ],
    ['a f {"x":1}', 'b f {"y":2}'],
  ],
  'two calls under one id': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x":1}') }], [{ index: 1, id: 'a', ...fn('f', '{"x":2}') }]],
    ['a f {"x":1}', 'a f {"x":2}'],
  ],
  'two calls under one id, no index, in one chunk': [
    [
      [
        { id: 'a', ...fn('f', '{}') },
        { id: 'a', ...fn('f', '{}') },
      ],
    ],
    ['a f {}', 'a f {}'],
  ],
  'two calls under one id and one index': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x":1}') }], [{ index: 0, id: 'a', ...fn('f', '{"x":2}') }]],
    ['a f {"x":1}', 'a f {"x":2}'],
  ],
  'a whole call again, behind its pieces': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x"') }], [{ index: 0, ...fn(undefined, ':1}') }], [{ index: 0, id: 'a', ...fn('f', '{"x":1}') }]],
    ['a f {"x":1}'],
  ],
  'all arguments so far in each': [
    [[{ index: 0, id: 'a', ...fn('f', '{') }], [{ index: 0, ...fn(undefined, '{"x":"') }], [{ index: 0, ...fn(undefined, '{"x":"y"}') }]],
    ['a f {"x":"y"}'],
  ],
  'a nested object that begins as the outer one': [
    [[{ index: 0, id: 'a', ...fn('f', '{"x":') }], [{ index: 0, ...fn(undefined, '{"x":1}') }], [{ index: 0, ...fn(undefined, '}') }]],
    ['a f {"x":{"x":1}}'],
  ],
  'an empty object, then the arguments': [
    [[{ index: 0, id: 'a', ...fn('f', {}) }], [{ index: 0, ...fn(undefined, '{"x"') }], [{ index: 0, ...fn(undefined, ':1}') }]],
    ['a f {"x":1}'],
  ],
  'arguments as an object': [[[{ index: 0, id: 'a', ...fn('f', { x: [1] }) }]], ['a f {"x":[1]}']],
  'arguments as an empty list': [[[{ index: 0, id: 'a', ...fn('f', []) }]], ['a f {}']],
  'arguments that are null, or left out, or empty': [
    [[{ index: 0, id: 'a', ...fn('f', null) }], [{ index: 1, id: 'b', ...fn('g') }], [{ index: 2, id: 'c', ...fn('h', '') }]],
    ['a f {}', 'b g {}', 'c h {}'],
  ],
  'two calls without parameters, told apart by their ids alone': [
    [[{ id: 'a', ...fn('f', '') }], [{ id: 'b', ...fn('f', '') }]],
    ['a f {}', 'b f {}'],
  ],
  'the name in two pieces': [
    [[{ index: 0, id: 'a', ...fn('get_', '') }], [{ index: 0, ...fn('weather', '') }], [{ index: 0, ...fn(undefined, '{}') }]],
    ['a get_weather {}'],
  ],
  'the name in two pieces, the first of which is a tool too': [
    [[{ index: 0, ...fn('get', '') }], [{ index: 0, ...fn('_it', '{}') }]],
    ['ours get_it {}'],
    ['get', 'get_it'],
  ],
  'the name character by character': [
    'llama'.split('').map((name) => [{ index: 0, id: 'a', ...fn(name, '') }]),
    ['a llama {}'],
    ['llama', 'lama'],
  ],
  'two names under one index without ids': [
    [[{ index: 0, ...fn('f', '') }], [{ index: 0, ...fn('g', '{}') }]],
    ['ours f {}', 'ours g {}'],
    ['f', 'g'],
  ],
  'the name again, without arguments': [[[{ index: 0, id: 'a', ...fn('f', '') }], [{ index: 0, id: 'a', ...fn('f', '') }]], ['a f {}']],
  'the name late': [
    [[{ index: 0, id: 'a', ...fn(undefined, '{"x":') }], [{ index: 0, ...fn('f') }], [{ index: 0, ...fn(undefined, '1}') }]],
    ['a f {"x":1}'],
  ],
  'the name last': [
    [[{ index: 0, id: 'a', ...fn(undefined, '{}') }], [{ index: 1, id: 'b', ...fn('g', '{}') }], [{ index: 0, ...fn('f') }]],
    ['b g {}', 'a f {}'],
  ],
  'the id late': [[[{ index: 0, ...fn('f', '') }], [{ index: 0, id: 'a', ...fn(undefined, '{}') }]], ['a f {}']],
  'an id that is a number': [[[{ index: 0, id: 7, ...fn('f', '{}') }]], ['7 f {}']],
  'name and arguments without an object around them': [[[{ id: 'a', name: 'f', arguments: '{}' }]], ['a f {}']],
  'half a character in each of two pieces': [
    [
      [{ index: 0, id: 'a', ...fn('f\ud83d', '') }],
      [{ index: 0, ...fn('\ude00', '{"x":"\ud83d') }],
      [{ index: 0, ...fn(undefined, '\ude00"}') }],
    ],
    ['a f😀 {"x":"😀"}'],
  ],
  'T8 · two whole calls under one index, without ids, the second without a name': [
    [[{ index: 0, ...fn('f', '{"x":1}') }], [{ index: 0, ...fn(undefined, '{"x":2}') }]],
    ['tool_call_arguments'],
  ],
  'T8 · a call that another one interrupts': [
    [[{ index: 0, ...fn('f', '{"x') }], [{ index: 0, ...fn('g', '{}') }]],
    ['tool_call_arguments'],
  ],
  "fields of the provider's own": [
    [[{ index: 0, id: 'a', type: 'function', extra_content: { google: { thought_signature: 'S' } }, ...fn('f', '{}') }]],
    ['a f {} ["extra_content",{"google":{"thought_signature":"S"}}]'],
  ],
  "fields of the provider's own in a later piece, and in one of their own": [
    [
      [{ index: 0, id: 'a', ...fn('f', '{') }],
      [{ index: 0, one: 1, two: null, ...fn(undefined, '}') }],
      [{ index: 0, extra_content: 'S' }],
    ],
    ['a f {} ["one",1] ["extra_content","S"]'],
  ],
};

void suite('which piece belongs to which call', () => {
  for (const [name, [chunks, expected, tools]] of Object.entries(rows)) {
    void test(name, () => assert.deepEqual(callsOf(chunks, { tools: [...(tools ?? [])] }), expected));
  }
});

void test('a call is shown with the first piece of its arguments, with what comes of another item, or at the finish', () => {
  const parser = new ChatParser();
  const shown = (...deltas: readonly object[]): number => {
    const events: ModelEvent[] = [];
    for (const each of deltas) parser.read({ data: JSON.stringify({ choices: [{ delta: each }] }) }, events);
    return events.filter((event) => event.type === 'delta' && event.delta.type === 'tool_call').length;
  };
  assert.equal(shown({ tool_calls: [{ index: 0, id: 'a', ...fn('f', '') }] }), 0);
  assert.equal(shown({ tool_calls: [{ index: 0, ...fn(undefined, '{') }] }), 1);
  assert.equal(shown({ tool_calls: [{ index: 1, id: 'b', ...fn('f', '') }] }, { content: '' }), 0);
  assert.equal(shown({ content: 'so' }), 1);
  assert.equal(shown({ tool_calls: [{ index: 2, id: 'c', ...fn('f', '') }] }), 0);
  assert.equal(shown({ tool_calls: [{ index: 3, id: 'd', ...fn('f', '') }] }), 1);
  const events: ModelEvent[] = [];
  parser.end(false, events);
  assert.equal(events.length, 1, 'also where the connection breaks: what was accepted is shown');
});

void suite('T2 · a call of an offered tool is shown as soon as its name has come', () => {
  const named = { index: 0, id: 'a' };
  const rows: Readonly<Record<string, readonly [tools: readonly string[], pieces: readonly object[], isShown: boolean]>> = {
    'its name is whole': [['get', 'put'], [{ ...named, ...fn('get', '') }], true],
    'its name came in two pieces': [
      ['get_it'],
      [
        { ...named, ...fn('get_') },
        { index: 0, ...fn('it') },
      ],
      true,
    ],
    "another's name begins with it": [['get', 'get_it'], [{ ...named, ...fn('get', '') }], false],
    'the longer one of the two': [['get', 'get_it'], [{ ...named, ...fn('get_it', '') }], true],
    'no tool has this name': [['put'], [{ ...named, ...fn('get', '') }], false],
    'no tools are known': [[], [{ ...named, ...fn('get', '') }], false],
    'its id may come': [['get'], [{ index: 0, ...fn('get', '') }], false],
    'an empty object may stand for its arguments': [['get'], [{ ...named, ...fn('get', '{}') }], false],
  };
  for (const [name, [tools, pieces, isShown]] of Object.entries(rows)) {
    void test(name, () => {
      const parser = new ChatParser(tools);
      const events: ModelEvent[] = [];
      for (const piece of pieces) parser.read({ data: JSON.stringify({ choices: [{ delta: { tool_calls: [piece] } }] }) }, events);
      assert.equal(events.length > 0, isShown);
    });
  }
});

void suite('T14 · the cost of a piece does not grow with what came before it', () => {
  const timeOf = (chunks: readonly (readonly object[])[]): number => {
    // Of this process, whatever else the machine is at.
    const before = process.cpuUsage();
    callsOf(chunks);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  const rows: Readonly<Record<string, (count: number) => readonly (readonly object[])[]>> = {
    'calls in one chunk': (count) => [Array.from({ length: count }, () => fn('f', '{}'))],
    'calls without a name': (count) => [Array.from({ length: count }, (_, index) => ({ index, id: `${index}`, ...fn(undefined, '{}') }))],
    'white space behind long arguments': (count) => [
      [fn('f', `{"x":"${'x'.repeat(200_000)}"}`)],
      ...Array.from({ length: count }, () => [fn(undefined, ' ')]),
    ],
  };
  for (const [name, chunksOf] of Object.entries(rows)) {
    void test(name, () => {
      timeOf(chunksOf(1_000));
      const ms = timeOf(chunksOf(40_000));
      assert.ok(ms < 2_000, `${ms} ms`);
    });
  }
});
