import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Item, textOf, toolOutputText } from '../../src/domain/item.ts';
import { promptOf, type TranscriptTurn } from '../../src/domain/prompt/prompt.ts';
import { cpuMsOf } from '../support/cpu-time.ts';

function user(text: string): Item {
  return { id: `msg_${text}`, type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text }] };
}
function assistant(text: string, status: 'completed' | 'incomplete' = 'completed'): Item {
  return {
    id: `msg_${text}`,
    type: 'message',
    status,
    role: 'assistant',
    content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
  };
}
function call(call_id: string, args = '{}', status: 'completed' | 'incomplete' = 'completed'): Item {
  return { id: `fc_${call_id}`, type: 'function_call', status, call_id, name: 'look', arguments: args };
}
function out(call_id: string, output: string): Item {
  return { id: `fco_${call_id}`, type: 'function_call_output', status: 'completed', call_id, output };
}
function thought(text: string, encrypted_content?: string): Item {
  const summary = [{ type: 'summary_text', text } as const];
  return { id: 'rs_1', type: 'reasoning', status: 'completed', summary, ...(encrypted_content === undefined ? {} : { encrypted_content }) };
}
const signed = (item: Item, signature: string): Item => ({ ...item, provider_fields: { signature } }) as Item;

/** A turn that completed. */
function turn(input: readonly Item[], answer: readonly Item[] = [], fields: Partial<TranscriptTurn> = {}): TranscriptTurn {
  return { status: 'completed', errorCode: null, model: 'm', items: [...input, ...answer], inputCount: input.length, ...fields };
}
const byHand = (...items: readonly Item[]): TranscriptTurn => turn(items, [], { model: null });

function shown(item: Item): string {
  switch (item.type) {
    case 'message':
      return `${item.role}: ${textOf(item)}`;
    case 'function_call':
      return `${item.call_id}(${item.arguments})${item.provider_fields === undefined ? '' : ' signed'}`;
    case 'function_call_output':
      return `${item.call_id} gave ${toolOutputText(item)}`;
    case 'reasoning':
      return `thought ${item.summary[0]?.text ?? ''}${item.encrypted_content === undefined ? '' : ' sealed'}${item.provider_fields === undefined ? '' : ' signed'}`;
    case 'custom_tool_call':
    case 'custom_tool_call_output':
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default:
      return JSON.stringify(item);
  }
}
function said(turns: readonly TranscriptTurn[], ...input: readonly Item[]): string[] {
  return promptOf(turns, input, 'm').map(shown);
}

test('T5 · what was cut off is told to the model, and every turn has an answer', () => {
  const turns: TranscriptTurn[] = [
    turn([user('a')], [assistant('b')]),
    turn([user('c')], [assistant('d', 'incomplete')], { status: 'cancelled' }),
    turn([user('e')], [], { status: 'failed', errorCode: 'transport_failed' }),
  ];
  assert.deepEqual(said(turns, user('now')), [
    'user: a',
    'assistant: b',
    'user: c',
    'assistant: d\n\n[The user stopped this answer before it was complete.]',
    'user: e',
    'assistant: [This answer failed before it was complete: transport_failed.]',
    'user: now',
  ]);
});

test('T8 · a call that was cut off was never made, and one without an output is answered', () => {
  assert.deepEqual(said([turn([user('a')], [call('x'), call('y', '{"a', 'incomplete')])], user('now')), [
    'user: a',
    'x({})',
    'x gave [no result was given]',
    'user: now',
  ]);
});

type Row = readonly [turns: readonly TranscriptTurn[], input: readonly Item[], prompt: readonly string[]];
const none = 'gave [no result was given]';

void suite('T13 · each call has its own output, by place', () => {
  const rows: Readonly<Record<string, Row>> = {
    'ids that start again with each message': [
      [turn([user('1')], [call('look:0')]), turn([out('look:0', '-5')], [assistant('cold')]), turn([user('2')], [call('look:0')])],
      [out('look:0', '+35')],
      ['user: 1', 'look:0({})', 'look:0 gave -5', 'assistant: cold', 'user: 2', 'look:1({})', 'look:1 gave +35'],
    ],
    'two calls of one id in an answer': [
      [turn([user('1')], [call('x', '1'), call('x', '2')])],
      [out('x', 'one'), out('x', 'two')],
      ['user: 1', 'x(1)', 'x_2(2)', 'x gave one', 'x_2 gave two'],
    ],
    'of two calls of one id in an answer the first has an output, and the second gets it later': [
      [turn([user('1')], [call('x', '1'), call('x', '2')]), turn([out('x', 'one')], [assistant('a')])],
      [out('x', 'two')],
      ['user: 1', 'x(1)', 'x_2(2)', 'x gave one', 'x_2 gave two', 'assistant: a'],
    ],
    'a call that was never answered, and a later one of its id': [
      [turn([user('1')], [call('x', '1')]), turn([user('2')], [call('x', '2')])],
      [out('x', 'two')],
      ['user: 1', 'x(1)', `x ${none}`, 'user: 2', 'x_2(2)', 'x_2 gave two'],
    ],
    'the outputs of two turns at once are in the order of the calls': [
      [turn([user('1')], [call('x', '1')]), turn([user('2')], [call('x', '2')])],
      [out('x', 'one'), out('x', 'two')],
      ['user: 1', 'x(1)', 'x gave one', 'user: 2', 'x_2(2)', 'x_2 gave two'],
    ],
    'a whole loop in one input, ids that start again': [
      [],
      [user('1'), call('x', '1'), out('x', 'one'), call('x', '2'), out('x', 'two')],
      ['user: 1', 'x(1)', 'x gave one', 'x_2(2)', 'x_2 gave two'],
    ],
    'an output before its call, in one input': [[], [out('x', 'one'), call('x', '1')], ['x(1)', 'x gave one']],
    'an output whose call is gone is no output of a later answer’s': [
      [byHand(out('x', 'old')), turn([user('1')], [call('x', '1')])],
      [user('2')],
      ['user: old', 'user: 1', 'x(1)', `x ${none}`, 'user: 2'],
    ],
    'outputs in another order than their calls': [
      [turn([user('1')], [call('x'), call('y')])],
      [out('y', 'two'), out('x', 'one')],
      ['user: 1', 'x({})', 'y({})', 'x gave one', 'y gave two'],
    ],
    'an output that comes late stands behind its call': [
      [turn([user('1')], [call('x')]), turn([user('2')], [assistant('wait')])],
      [out('x', 'one'), user('3')],
      ['user: 1', 'x({})', 'x gave one', 'user: 2', 'assistant: wait', 'user: 3'],
    ],
    'a second output of a call is told as words, once': [
      [turn([user('1')], [call('x')]), turn([out('x', 'one')], [assistant('a')]), turn([out('x', 'more')], [assistant('b')])],
      [out('x', 'more'), out('x', 'one')],
      ['user: 1', 'x({})', 'x gave one', 'assistant: a', 'user: more', 'assistant: b'],
    ],
    'a number that is taken is counted past': [
      [],
      [call('f:1'), out('f:1', 'a'), call('f:2'), out('f:2', 'b'), call('f:1'), out('f:1', 'c'), call('f:3'), out('f:3', 'd')],
      ['f:1({})', 'f:1 gave a', 'f:2({})', 'f:2 gave b', 'f:3({})', 'f:3 gave c', 'f:4({})', 'f:4 gave d'],
    ],
    'reasoning between the calls of an answer stays there': [
      [turn([user('1')], [thought('a', 'E'), call('x'), thought('b', 'F'), call('y')])],
      [out('x', 'one'), out('y', 'two')],
      ['user: 1', 'thought a sealed', 'x({})', 'thought b sealed', 'y({})', 'x gave one', 'y gave two'],
    ],
    'a call of the client’s own is not of the answer before it': [
      [turn([user('1')], [call('x')])],
      [call('y'), out('x', 'one'), out('y', 'two')],
      ['user: 1', 'x({})', 'x gave one', 'y({})', 'y gave two'],
    ],
  };
  for (const [name, [turns, input, prompt]] of Object.entries(rows)) {
    void test(name, () => assert.deepEqual(said(turns, ...input), prompt));
  }
});

void suite('T13 · what a client sends again beside its output is told once', () => {
  const first = turn([user('1')], [thought('hm', 'E'), assistant('Looking.'), call('x', '{"a":1,"b":{"c":2}}')]);
  const told = ['user: 1', 'thought hm sealed', 'assistant: Looking.', 'x({"a":1,"b":{"c":2}})', 'x gave one'];
  const rows: Readonly<Record<string, Row>> = {
    'the call': [[first], [call('x', '{"a":1,"b":{"c":2}}'), out('x', 'one')], told],
    'the call, written anew': [[first], [call('x', '{ "b": {"c": 2}, "a": 1 }'), out('x', 'one')], told],
    'the answer with it': [
      [first],
      [thought('hm', 'E'), assistant('Looking.'), call('x', '{"a":1,"b":{"c":2}}'), out('x', 'one'), user('2')],
      [...told, 'user: 2'],
    ],
    'the whole loop, in its second step': [
      [first, turn([out('x', 'one')], [call('y')])],
      [call('x', '{"a":1,"b":{"c":2}}'), out('x', 'one'), call('y'), out('y', 'two')],
      [...told, 'y({})', 'y gave two'],
    ],
    'the whole loop, of one id': [
      [turn([user('1')], [call('x', '1')]), turn([out('x', 'one')], [call('x', '2')])],
      [call('x', '1'), out('x', 'one'), call('x', '2'), out('x', 'two')],
      ['user: 1', 'x(1)', 'x gave one', 'x_2(2)', 'x_2 gave two'],
    ],
    'an empty text for no arguments': [
      [turn([user('1')], [call('x', '')])],
      [call('x', '{}'), out('x', 'one')],
      ['user: 1', 'x()', 'x gave one'],
    ],
    'but not a call with other arguments': [
      [turn([user('1')], [call('x', '1')])],
      [call('x', '2'), out('x', 'two')],
      ['user: 1', 'x(1)', `x ${none}`, 'x_2(2)', 'x_2 gave two'],
    ],
    'nor calls that were put in by hand': [
      [byHand(call('x'), out('x', 'one')), byHand(call('x'), out('x', 'two'))],
      [user('3')],
      ['x({})', 'x gave one', 'x_2({})', 'x_2 gave two', 'user: 3'],
    ],
    'nor words without a call': [
      [turn([user('1')], [assistant('a')])],
      [assistant('a'), user('2')],
      ['user: 1', 'assistant: a', 'assistant: a', 'user: 2'],
    ],
  };
  for (const [name, [turns, input, prompt]] of Object.entries(rows)) {
    void test(name, () => assert.deepEqual(said(turns, ...input), prompt));
  }
});

void suite('T13 · what a model has sealed or signed goes back to the model that was asked', () => {
  const answer = [thought('hm', 'E'), signed(call('x'), 'S')];
  const rows: Readonly<Record<string, Row>> = {
    'the same model': [[turn([user('1')], answer)], [out('x', 'one')], ['user: 1', 'thought hm sealed', 'x({}) signed', 'x gave one']],
    'another model': [[turn([user('1')], answer, { model: 'other' })], [out('x', 'one')], ['user: 1', 'thought hm', 'x({})', 'x gave one']],
    'what a client gave to another model, in an earlier turn': [
      [turn([signed(thought('hm'), 'S'), user('1')], [assistant('a')], { model: 'other' })],
      [user('2')],
      ['thought hm', 'user: 1', 'assistant: a', 'user: 2'],
    ],
    'what a client gives itself, now or by hand': [
      [byHand(...answer, out('x', 'one'))],
      [thought('mine', 'F'), assistant('a'), user('2')],
      ['thought hm sealed', 'x({}) signed', 'x gave one', 'thought mine sealed', 'assistant: a', 'user: 2'],
    ],
    'not if what it led to was never said': [
      [
        turn([user('1')], [assistant('a'), thought('hm', 'E'), call('x', '{"', 'incomplete')], {
          status: 'failed',
          errorCode: 'worker_lost',
        }),
      ],
      [user('2')],
      ['user: 1', 'assistant: a\n\n[This answer failed before it was complete: worker_lost.]', 'user: 2'],
    ],
  };
  for (const [name, [turns, input, prompt]] of Object.entries(rows)) {
    void test(name, () => assert.deepEqual(said(turns, ...input), prompt));
  }
});

test('T13 · an item that was cut off is not told, also where the client sends it', () => {
  const search = (id: string, status: string): Item => ({ id, type: 'web_search_call', status }) as Item;
  assert.deepEqual(
    promptOf([], [user('a'), search('ws_1', 'incomplete'), search('ws_2', 'completed'), user('b')], 'm').map(({ id }) => id),
    ['msg_a', 'ws_2', 'msg_b'],
  );
});

test('reasoning that came behind the calls of its answer is told with them, before their outputs', () => {
  const items = [user('q'), thought('a'), call('1'), thought('b'), out('1', 'x'), thought('c'), call('2'), out('2', 'y')];
  const expected = ['user: q', 'thought a', '1({})', 'thought b', '1 gave x', 'thought c', '2({})', '2 gave y'];
  assert.deepEqual(said([], ...items), expected);
  assert.deepEqual(
    said([turn(items.slice(0, 1), items.slice(1, 4)), turn(items.slice(4, 5), items.slice(5, 7))], ...items.slice(7)),
    expected,
  );
  // It leads to the words behind it.
  assert.deepEqual(said([turn([user('q')], [call('1'), thought('b'), assistant('w')])], out('1', 'x')), [
    'user: q',
    '1({})',
    '1 gave x',
    'thought b',
    'assistant: w',
  ]);
});

test('T14 · long arguments that a client repeats are compared as they are', () => {
  const long = `{"a":[${'[],'.repeat(1_000_000)}[]]}`;
  const cpuMs = cpuMsOf(() => {
    assert.equal(said([turn([user('a')], [call('1', long)])], call('1', long), out('1', 'x')).length, 3);
  });
  assert.ok(cpuMs < 150, `${cpuMs} ms`);
});
