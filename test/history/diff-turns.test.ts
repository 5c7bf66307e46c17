/** Two turns, compared place by place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../src/history/bundle.ts';
import { comparedTurns, isDifferent } from '../../src/history/diff-turns.ts';
import { diffText } from '../../src/cli/diff/text.ts';

interface Told {
  readonly settings?: object;
  readonly past?: readonly object[];
  readonly input?: readonly object[];
  readonly attempts?: readonly object[];
  readonly output?: readonly object[];
  readonly status?: string;
  readonly code?: string;
}

function turn({ settings = {}, past = [], input = [said('user', 'go')], attempts, output = [], status = 'completed', code }: Told): Bundle {
  const bundle = {
    timeline: { id: 'resp_a', status, output },
    turn: { settings: { model: 'm', store: true, ...settings }, error_code: code ?? null, usage: null },
    transcript: past.length === 0 ? [] : [{ items: past }],
    input,
    attempts: attempts ?? [{ step: 1, attempt: 1, outcome: 'completed' }],
  };
  return bundle as unknown as Bundle;
}

function said(role: string, text: string, id = 'msg_1'): object {
  return { id, type: 'message', role, content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }] };
}

function called(step: number, name: string, args: string, output: string): object {
  const call = { id: `mcp_${name}`, type: 'mcp_call', server_label: 'turnkeep', name, arguments: args, output, error: null };
  return { ...call, turnkeep: { call_id: `${name}-${step}`, step } };
}

function differences(left: Told, right: Told): readonly unknown[] {
  return comparedTurns(turn(left), turn(right))
    .filter(isDifferent)
    .map((place) => [place.at, place.left, place.right]);
}

test('ids are no difference, nor is how an answer is handed out', () => {
  const one = { input: [said('user', 'go', 'msg_1')], output: [said('assistant', 'Done.', 'msg_a')], settings: { background: true } };
  const other = { input: [said('user', 'go', 'msg_2')], output: [said('assistant', 'Done.', 'msg_b')], settings: { store: false } };
  assert.deepEqual(differences(one, other), []);
});

test('what an agent asks with is compared member by member', () => {
  const agent = { name: 'clerk', model: 'small', tools: ['search'] };
  assert.deepEqual(differences({ settings: { agent } }, { settings: { agent: { ...agent, model: 'large' } } }), [
    ['request, model of the agent', 'small', 'large'],
  ]);
});

test('differences come in the order of a turn: request, past, input, steps, end', () => {
  const left = {
    settings: { instructions: 'Be brief.' },
    past: [said('user', 'hi')],
    output: [called(1, 'search', '{"q":"tea"}', 'green'), said('assistant', 'Green.')],
    attempts: [
      { step: 1, attempt: 1, outcome: 'completed' },
      { step: 2, attempt: 1, outcome: 'completed' },
    ],
  };
  const right = {
    settings: { instructions: 'Be kind.' },
    past: [said('user', 'ho')],
    input: [said('user', 'stay')],
    output: [called(1, 'search', '{"q":"coffee"}', 'black'), said('assistant', 'Black.')],
    attempts: [
      { step: 1, attempt: 1, outcome: 'completed' },
      { step: 2, attempt: 1, outcome: 'failed', code: 'stream_interrupted', detail: 'ECONNRESET' },
    ],
    status: 'failed',
    code: 'stream_interrupted',
  };
  assert.deepEqual(differences(left, right), [
    ['request, instructions', 'Be brief.', 'Be kind.'],
    ['past, turn 1, user message', 'hi', 'ho'],
    ['input, user message', 'go', 'stay'],
    ['step 1, call of search', '{"q":"tea"}', '{"q":"coffee"}'],
    ['step 1, result of search', 'green', 'black'],
    ['step 2, request 1', 'completed', 'failed stream_interrupted ECONNRESET'],
    ['step 2, answer', 'Green.', 'Black.'],
    ['end, status', 'completed', 'failed: stream_interrupted'],
  ]);
});

test('what only one of them did has no counterpart, and what follows is compared all the same', () => {
  const left = { output: [called(1, 'search', '{}', 'a'), called(1, 'read', '{}', 'b'), said('assistant', 'So.')] };
  const right = { output: [called(1, 'read', '{}', 'b'), said('assistant', 'Thus.')] };
  assert.deepEqual(differences(left, right), [
    ['step 1, call of search', '{}', undefined],
    ['step 1, result of search', 'a', undefined],
    ['step 2, answer', 'So.', 'Thus.'],
  ]);
  assert.deepEqual(differences(right, left)[0], ['step 1, call of search', undefined, '{}']);
});

test('the same call, made twice in a step, is two places', () => {
  const left = { output: [called(1, 'poll', '{}', 'no'), called(1, 'poll', '{}', 'yes')] };
  const right = { output: [called(1, 'poll', '{}', 'no'), called(1, 'poll', '{}', 'no')] };
  assert.deepEqual(differences(left, right), [['step 1, result of poll #2', 'yes', 'no']]);
});

test('shown: the first difference first, from where it begins, then both side by side', () => {
  const long = 'word '.repeat(40);
  const left = turn({ input: [said('user', `${long}tea`)], output: [said('assistant', 'Green.')] });
  const right = turn({ input: [said('user', `${long}cake`)], output: [said('assistant', 'Green.')] });
  const text = diffText(comparedTurns(left, right), { columns: 60, isWhole: false, names: ['resp_a', 'other.turn.json'] });
  assert.deepEqual(text.split('\n'), [
    'First difference: input, user message',
    '  from character 201 on',
    '',
    '  resp_a',
    '    …word word word word word word word word tea',
    '',
    '  other.turn.json',
    '    …word word word word word word word word cake',
    '',
    'resp_a                         other.turn.json',
    '─'.repeat(59),
    '  = 1 place the same',
    '≠ input, user message',
    '…word word word word word wo │ …word word word word word wo',
    'rd word word tea             │ rd word word cake',
    '  = 3 places the same',
    '',
  ]);
  assert.equal(diffText(comparedTurns(left, left), { columns: 60, isWhole: false, names: ['a', 'b'] }), 'The same in all 5 places.\n');
});
