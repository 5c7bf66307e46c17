import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelDelta } from '../../../src/domain/model.ts';
import { failureOf } from '../../../src/domain/failure.ts';
import type { TurnOutcome } from '../../../src/domain/turn-outcome.ts';
import { chatChunks } from '../../../src/gateway/chat-completions/chunks.ts';
import { toCompletion, finishOf } from '../../../src/gateway/chat-completions/completion.ts';
import type { SsePayload } from '../../../src/gateway/stream/encode.ts';
import { call, completed, recorded, refuse, say, think, translated } from '../recorded-turn.ts';

interface Chunk {
  readonly choices: readonly { readonly delta: object; readonly finish_reason: string | null }[];
  readonly usage?: object | null;
}

const cancelled: TurnOutcome = { status: 'cancelled', usage: null };
const role = { role: 'assistant', content: '' };

/** Deltas and finish reasons alone; whatever else there is, whole. */
function short(payloads: readonly SsePayload[]): unknown[] {
  return payloads.map((payload) => {
    const choice = typeof payload === 'object' && 'choices' in payload ? (payload as Chunk).choices[0] : undefined;
    return choice === undefined ? payload : choice.finish_reason === null ? choice.delta : choice.finish_reason;
  });
}

const plain = { includesUsage: false, isLegacy: false };
const failed: TurnOutcome = { status: 'failed', failure: failureOf('stream_interrupted', 'It broke.'), usage: null };
const error = (code: string, message: string): object => ({ error: { message, type: 'server_error', param: null, code } });
const tooLong: TurnOutcome = { status: 'failed', failure: failureOf('context_length_exceeded', 'Too long.'), usage: null };

const rows: readonly [string, readonly ModelDelta[], TurnOutcome, readonly unknown[]][] = [
  ['a text', [say('Hel'), say('lo')], completed, [role, { content: 'Hel' }, { content: 'lo' }, 'stop', '[DONE]']],
  ['a refusal', [refuse('No.')], completed, [role, { refusal: 'No.' }, 'stop', '[DONE]']],
  [
    'reasoning in paragraphs',
    [think('a', '1'), think('b', '2'), say('c')],
    completed,
    [role, { reasoning_content: 'a' }, { reasoning_content: '\n\n' }, { reasoning_content: 'b' }, { content: 'c' }, 'stop', '[DONE]'],
  ],
  [
    'calls in turns',
    [say('so'), call('x', 'look', '{"a"'), call('y', 'see', '{}'), call('x', '', ':1}')],
    completed,
    [
      role,
      { content: 'so' },
      { tool_calls: [{ index: 0, id: 'call_x', type: 'function', function: { name: 'look', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] },
      { tool_calls: [{ index: 1, id: 'call_y', type: 'function', function: { name: 'see', arguments: '' } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
      'tool_calls',
      '[DONE]',
    ],
  ],
  [
    'a limit',
    [say('Hel')],
    { status: 'incomplete', reason: 'max_output_tokens', usage: null },
    [role, { content: 'Hel' }, 'length', '[DONE]'],
  ],
  ['a filter', [], { status: 'incomplete', reason: 'content_filter', usage: null }, [role, 'content_filter', '[DONE]']],
  ['a cancel', [say('Hel')], cancelled, [role, { content: 'Hel' }, 'stop', '[DONE]']],
  [
    'a cancel in a call',
    [call('x', 'look', '{')],
    cancelled,
    [
      role,
      { tool_calls: [{ index: 0, id: 'call_x', type: 'function', function: { name: 'look', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{' } }] },
      error('cancelled', 'The turn was cancelled in the middle of a tool call.'),
    ],
  ],
  ['a failure', [say('Hel')], failed, [role, { content: 'Hel' }, error('stream_interrupted', 'It broke.')]],
  [
    'a prompt too long',
    [],
    tooLong,
    [role, { error: { message: 'Too long.', type: 'invalid_request_error', param: null, code: 'context_length_exceeded' } }],
  ],
];

for (const [name, deltas, end, expected] of rows) {
  test(`${name} in chunks`, () => {
    assert.deepEqual(short(translated(chatChunks(plain), recorded(deltas, end))), expected);
  });
}

test('every chunk has the same head, and usage comes last where it was asked for', () => {
  const payloads = translated(chatChunks({ includesUsage: true, isLegacy: false }), recorded([say('Hi')], completed));
  const head = { id: 'chatcmpl-ab', object: 'chat.completion.chunk', created: 5, model: 'm' };
  const usage = {
    prompt_tokens: 3,
    completion_tokens: 2,
    total_tokens: 5,
    prompt_tokens_details: { cached_tokens: 1 },
    completion_tokens_details: { reasoning_tokens: 1 },
  };
  const chunk = (delta: object, finish_reason: string | null = null): object => ({
    ...head,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    usage: null,
  });
  assert.deepEqual(payloads, [chunk(role), chunk({ content: 'Hi' }), chunk({}, 'stop'), { ...head, choices: [], usage }, '[DONE]']);
});

test('a request with `functions` gets its call as `function_call`: one, without an id', () => {
  const events = recorded([call('x', 'look', '{}'), call('y', 'see', '{}')], completed);
  assert.deepEqual(short(translated(chatChunks({ includesUsage: false, isLegacy: true }), events)), [
    role,
    { function_call: { name: 'look', arguments: '' } },
    { function_call: { arguments: '{}' } },
    'function_call',
    '[DONE]',
  ]);
});

test('a whole completion says what its chunks say', () => {
  const last = recorded([think('a', '1'), think('b', '2'), say('so'), call('x', 'look', '{}')], completed).at(-1);
  assert.ok(last?.type === 'response.completed');
  const finish = finishOf(last.response, false);
  assert.deepEqual(finish, { type: 'reason', reason: 'tool_calls' });
  const { choices } = toCompletion(last.response, 'tool_calls', false) as { choices: { message: object }[] };
  assert.deepEqual(choices[0]?.message, {
    role: 'assistant',
    content: 'so',
    refusal: null,
    annotations: [],
    reasoning_content: 'a\n\nb',
    tool_calls: [{ id: 'call_x', type: 'function', function: { name: 'look', arguments: '{}' } }],
  });
});
