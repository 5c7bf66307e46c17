import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputItem, ProviderFields } from '../../../src/domain/item.ts';
import type { ModelDelta } from '../../../src/domain/model.ts';
import type { ResponseEvent } from '../../../src/domain/response/response-event.ts';
import { failureOf } from '../../../src/domain/failure.ts';
import type { TurnOutcome } from '../../../src/domain/turn/turn-outcome.ts';
import { chatChunks } from '../../../src/gateway/chat-completions/chunks.ts';
import { toCompletion, finishOf } from '../../../src/gateway/chat-completions/completion.ts';
import { chatItems } from '../../../src/gateway/chat-completions/items.ts';
import { chatRequest } from '../../../src/gateway/chat-completions/request-schema.ts';
import type { SsePayload } from '../../../src/gateway/stream/encode.ts';
import { call, completed, recorded, recordedAgent, refuse, say, think, translated } from '../recorded-turn.ts';

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

const signature = { extra_content: { google: { thought_signature: 'S' } } };
const details = [{ type: 'reasoning.text', text: 'hm', signature: 'R' }];

/** As if the provider had said these beside OpenAI's own fields. */
function withFields(events: readonly ResponseEvent[], fields: Readonly<Record<string, ProviderFields>>): readonly ResponseEvent[] {
  const add = (item: OutputItem): OutputItem => {
    const provider_fields = fields[item.type];
    return provider_fields === undefined ? item : ({ ...item, provider_fields } as OutputItem);
  };
  return events.map((event) => {
    if ('item' in event) return { ...event, item: add(event.item) };
    return 'response' in event ? { ...event, response: { ...event.response, output: event.response.output.map(add) } } : event;
  });
}

test("T13 · what a provider wants to see again is given out, in the provider's own fields: a stateless client sends it back", () => {
  const deltas = [think('hm'), call('x', 'look', '{}')];
  const fields = { reasoning: { field: 'reasoning', details }, function_call: signature };
  const events = withFields(recorded(deltas, completed), fields);
  assert.deepEqual(short(translated(chatChunks(plain), events)), [
    role,
    { reasoning_content: 'hm', reasoning: 'hm' },
    { reasoning_details: details },
    { tool_calls: [{ index: 0, id: 'call_x', type: 'function', function: { name: 'look', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{}' } }] },
    { tool_calls: [{ ...signature, index: 0, function: { arguments: '' } }] },
    'tool_calls',
    '[DONE]',
  ]);
  const last = events.at(-1);
  assert.ok(last?.type === 'response.completed');
  const { choices } = toCompletion(last.response, 'tool_calls', false) as { choices: { message: object }[] };
  const message = {
    role: 'assistant',
    content: null,
    refusal: null,
    annotations: [],
    reasoning_content: 'hm',
    reasoning: 'hm',
    reasoning_details: details,
    tool_calls: [{ ...signature, id: 'call_x', type: 'function', function: { name: 'look', arguments: '{}' } }],
  };
  assert.deepEqual(choices[0]?.message, message);

  const { messages } = chatRequest.parse({ messages: [message, { role: 'tool', tool_call_id: 'call_x', content: 'cold' }] });
  const own = ({ id: _id, status: _status, ...item }: OutputItem): object => item;
  assert.deepEqual(
    chatItems(messages)[0]?.map(({ status: _status, ...item }) => item),
    last.response.output.map(own),
  );
});

const words = `The call drop({"at":"c"}) waits for an approval.
To make it: POST /v1/responses with {"model":"clerk","previous_response_id":"resp_ab","input":[{"type":"mcp_approval_response","approval_request_id":"mcpr_ab0004","approve":true}]}; "approve":false refuses a call.`;

test("calls of workers are not the client's: what was said around them is apart, and what waits for an approval is said in words", () => {
  const events = recordedAgent();
  assert.deepEqual(short(translated(chatChunks(plain), events)), [
    role,
    { content: 'Wait.' },
    { content: '\n\n' },
    { content: 'Found.' },
    { content: '\n\n' },
    { content: words },
    'stop',
    '[DONE]',
  ]);
  const last = events.at(-1);
  assert.ok(last?.type === 'response.completed');
  const { choices } = toCompletion(last.response, 'stop', false) as { choices: { message: object }[] };
  assert.deepEqual(choices[0]?.message, { role: 'assistant', content: `Wait.\n\nFound.\n\n${words}`, refusal: null, annotations: [] });
});

test('a completion that is not stored says that it cannot be approved', () => {
  const last = recordedAgent().at(-1);
  assert.ok(last?.type === 'response.completed');
  const { choices } = toCompletion({ ...last.response, store: false }, 'stop', false) as { choices: { message: { content: string } }[] };
  assert.match(choices[0]?.message.content ?? '', /waits for an approval\.\nThis completion is not stored, so it cannot be approved: /);
  const inSession = toCompletion({ ...last.response, conversation: { id: 'conv_1' } }, 'stop', false) as typeof last & {
    choices: { message: { content: string } }[];
  };
  assert.match(inSession.choices[0]?.message.content ?? '', /with \{"model":"clerk","conversation":"conv_1","input":/);
});
