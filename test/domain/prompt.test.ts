import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Item, textOf, toolOutputText } from '../../src/domain/item.ts';
import { promptOf, type TranscriptTurn } from '../../src/domain/prompt.ts';

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
function said(turns: readonly TranscriptTurn[]): string[] {
  return promptOf(turns, [user('now')]).map((item) =>
    item.type === 'message'
      ? `${item.role}: ${textOf(item)}`
      : item.type === 'function_call_output'
        ? `output: ${toolOutputText(item)}`
        : item.type,
  );
}

test('T5 · what was cut off is told to the model, and every turn has an answer', () => {
  const turns: TranscriptTurn[] = [
    { status: 'completed', errorCode: null, items: [user('a'), assistant('b')] },
    { status: 'cancelled', errorCode: null, items: [user('c'), assistant('d', 'incomplete')] },
    { status: 'failed', errorCode: 'transport_failed', items: [user('e')] },
  ];
  assert.deepEqual(said(turns), [
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
  const call = (id: string, status: 'completed' | 'incomplete'): Item => ({
    id,
    type: 'function_call',
    status,
    call_id: id,
    name: 'f',
    arguments: '{}',
  });
  assert.deepEqual(said([{ status: 'completed', errorCode: null, items: [user('a'), call('x', 'completed'), call('y', 'incomplete')] }]), [
    'user: a',
    'function_call',
    'output: [no result was given]',
    'user: now',
  ]);
});
