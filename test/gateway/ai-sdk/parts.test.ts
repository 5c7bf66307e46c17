import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readUIMessageStream, type UIMessage, type UIMessageChunk } from 'ai';
import fc from 'fast-check';
import { failureOf } from '../../../src/domain/failure.ts';
import type { ModelDelta } from '../../../src/domain/model.ts';
import type { TurnOutcome } from '../../../src/domain/turn/turn-outcome.ts';
import { callIdOf, uiParts } from '../../../src/gateway/ai-sdk/parts.ts';
import { call, completed, recorded, recordedAgent, refuse, say, think, translated } from '../recorded-turn.ts';

const start = [{ type: 'start', messageId: 'resp_ab' }, { type: 'start-step' }];
const finish = (finishReason: string): readonly unknown[] => [{ type: 'finish-step' }, { type: 'finish', finishReason }, '[DONE]'];
const cancelled: TurnOutcome = { status: 'cancelled', usage: null };

const words = (id: string, delta: string): readonly unknown[] => [
  { type: 'text-start', id },
  { type: 'text-delta', id, delta },
  { type: 'text-end', id },
];
const toolStart = { type: 'tool-input-start', toolCallId: 'call_x', toolName: 'look' };
const toolDelta = (inputTextDelta: string): object => ({ type: 'tool-input-delta', toolCallId: 'call_x', inputTextDelta });
const toolMade = (input: unknown): object => ({ type: 'tool-input-available', toolCallId: 'call_x', toolName: 'look', input });

const rows: readonly [string, readonly ModelDelta[], TurnOutcome, readonly unknown[]][] = [
  ['a text', [say('Hi')], completed, [...words('msg_ab0000:0', 'Hi'), ...finish('stop')]],
  [
    'a text and a refusal',
    [say('So'), refuse('no')],
    completed,
    [...words('msg_ab0000:0', 'So'), ...words('msg_ab0000:1', 'no'), ...finish('stop')],
  ],
  [
    'reasoning',
    [think('hm')],
    completed,
    [
      { type: 'reasoning-start', id: 'rs_ab0000:0' },
      { type: 'reasoning-delta', id: 'rs_ab0000:0', delta: 'hm' },
      { type: 'reasoning-end', id: 'rs_ab0000:0' },
      ...finish('stop'),
    ],
  ],
  ['a call', [call('x', 'look', '{"a":1}')], completed, [toolStart, toolDelta('{"a":1}'), toolMade({ a: 1 }), ...finish('tool-calls')]],
  ['a call without arguments', [call('x', 'look', '')], completed, [toolStart, toolMade({}), ...finish('tool-calls')]],
  [
    'a call that is not JSON',
    [call('x', 'look', '{"a')],
    completed,
    [
      toolStart,
      toolDelta('{"a'),
      {
        type: 'tool-input-error',
        toolCallId: 'call_x',
        toolName: 'look',
        input: '{"a',
        errorText: 'The arguments of the call are not valid JSON.',
      },
      ...finish('tool-calls'),
    ],
  ],
  [
    'T8 · a call that was cut off',
    [call('x', 'look', '{}')],
    cancelled,
    [toolStart, toolDelta('{}'), { type: 'abort', reason: 'cancelled' }, '[DONE]'],
  ],
  [
    'a limit',
    [say('Hi')],
    { status: 'incomplete', reason: 'max_output_tokens', usage: null },
    [...words('msg_ab0000:0', 'Hi'), ...finish('length')],
  ],
  ['a filter', [], { status: 'incomplete', reason: 'content_filter', usage: null }, finish('content-filter')],
  [
    'a failure',
    [say('Hi')],
    { status: 'failed', failure: failureOf('stream_interrupted', 'It broke.'), usage: null },
    [...words('msg_ab0000:0', 'Hi'), { type: 'error', errorText: 'stream_interrupted: It broke.' }, '[DONE]'],
  ],
];

for (const [name, deltas, end, expected] of rows) {
  test(`${name} in parts`, () => {
    assert.deepEqual(translated(uiParts(), recorded(deltas, end)), [...start, ...expected]);
  });
}

test('a turn that continues a message belongs to it', () => {
  const events = recorded([say('Hi')], completed);
  assert.deepEqual(translated(uiParts({ messageId: 'm1' }), events)[0], { type: 'start', messageId: 'm1' });
  assert.deepEqual(translated(uiParts({ isContinued: true }), events)[0], { type: 'start-step' });
});

const delta: fc.Arbitrary<ModelDelta> = fc.oneof(
  fc.record({ type: fc.constantFrom('text', 'refusal', 'reasoning'), text: fc.string(), item: fc.constantFrom('', 'b') }),
  fc.integer({ min: 0, max: 2 }).map((item) => call(String(item), `f${item}`, '1')),
);

test("whatever the model says, the AI SDK's own reader takes it and hears all of it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(delta, { maxLength: 20 }), async (deltas) => {
      const payloads = translated(uiParts(), recorded(deltas, completed)).slice(0, -1);
      let last: UIMessage | undefined;
      const stream = ReadableStream.from(payloads as readonly UIMessageChunk[]);
      for await (const message of readUIMessageStream({ stream, terminateOnError: true })) last = message;
      const heard = (last?.parts ?? []).flatMap((part) => (part.type === 'text' || part.type === 'reasoning' ? [part.text] : []));
      assert.equal(heard.join(''), deltas.map((each) => (each.type === 'tool_call' ? '' : each.text)).join(''));
      assert.ok((last?.parts ?? []).every((part) => !('state' in part) || part.state === 'done' || part.state === 'input-available'));
    }),
    { numRuns: 60 },
  );
});

test('T13 · a second call of one id has an id of its own for the UI, which would take it for the first', () => {
  const twice = [call('x', 'look', '{}'), { ...call('y', 'look', '{}'), callId: 'call_x' } as ModelDelta];
  const ids = (callIds: readonly string[]): unknown[] =>
    translated(uiParts({ callIds }), recorded(twice, completed)).flatMap((part) =>
      typeof part === 'object' && 'toolCallId' in part ? [[part.toolCallId, 'type' in part && part.type]] : [],
    );
  const named = (first: string): unknown[] =>
    [first, 'call_x#fc_ab0001']
      .flatMap((id) => [
        [id, 'tool-input-start'],
        [id, 'tool-input-delta'],
      ])
      .concat([first, 'call_x#fc_ab0001'].map((id) => [id, 'tool-input-available']));
  assert.deepEqual(ids([]), named('call_x'));
  assert.deepEqual(ids(['call_x']), named('call_x#fc_ab0000'));
});

test('calls of workers are dynamic tools that the provider executes, step by step, and one that waits asks for an approval', () => {
  const executed = { providerExecuted: true, dynamic: true };
  const known = { ...executed, providerMetadata: { turnkeep: { server_label: 'turnkeep' } } };
  const id = (index: number): string => `mcp_ab000${index}`;
  const parts = translated(uiParts(), recordedAgent()).filter(
    (part) => typeof part === 'string' || !('type' in part && String(part.type).startsWith('text-')),
  );
  assert.deepEqual(parts, [
    { type: 'start', messageId: 'resp_ab' },
    { type: 'start-step' },
    { type: 'tool-input-start', toolCallId: id(1), toolName: 'look', ...executed },
    { type: 'tool-input-available', toolCallId: id(1), toolName: 'look', input: { at: 'a' }, ...known },
    { type: 'tool-input-start', toolCallId: id(2), toolName: 'look', ...executed },
    { type: 'tool-input-available', toolCallId: id(2), toolName: 'look', input: { at: 'b' }, ...known },
    { type: 'tool-output-error', toolCallId: id(2), errorText: 'Not there.', ...executed },
    { type: 'tool-output-available', toolCallId: id(1), output: { is: 'there' }, ...executed },
    { type: 'finish-step' },
    { type: 'start-step' },
    { type: 'tool-input-start', toolCallId: 'mcpr_ab0004', toolName: 'drop', ...executed },
    { type: 'tool-input-available', toolCallId: 'mcpr_ab0004', toolName: 'drop', input: { at: 'c' }, ...known },
    { type: 'tool-approval-request', approvalId: 'mcpr_ab0004', toolCallId: 'mcpr_ab0004' },
    { type: 'finish-step' },
    { type: 'finish', finishReason: 'tool-calls' },
    '[DONE]',
  ]);
});

test('T13 · the way back to the call_id is the same for a call of a function and of a custom tool', () => {
  const custom = { ...call('y', 'patch', 'x'), callId: 'call_x', isCustom: true } as ModelDelta;
  const parts = translated(uiParts(), recorded([call('x', 'look', '{}'), custom], completed));
  const ids = parts.flatMap((part) => (typeof part === 'object' && 'toolCallId' in part ? [String(part.toolCallId)] : []));
  assert.deepEqual([...new Set(ids)], ['call_x', 'call_x#ctc_ab0001']);
  assert.deepEqual([...new Set(ids.map(callIdOf))], ['call_x']);
  assert.equal(callIdOf('a#fc'), 'a#fc');
});
