import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelDelta } from '../../src/domain/model.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { newTurn } from '../store/contract.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings: newTurn('x').settings, session: null, previous: null });

test('T7 · a message is whole before what begins something else, and torn before what still belongs to it', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  stream.begin();
  stream.write({ type: 'text', text: 'Hel' });
  assert.ok(stream.isTornBefore(), 'what comes is not known');
  const within: readonly ModelDelta[] = [
    { type: 'text', text: 'lo' },
    { type: 'refusal', text: 'no' },
    { type: 'annotation', text: '', annotation: { type: 'url_citation' } },
    { type: 'reasoning', text: '', providerFields: { signature: 's' } },
    { type: 'encrypted_reasoning', item: '0', text: 'sealed' },
  ];
  for (const next of within) assert.ok(stream.isTornBefore(next), next.type);
  const behind: readonly ModelDelta[] = [
    { type: 'message', text: '', item: '1', members: {} },
    { type: 'tool_call', item: '1', callId: 'c1', name: 'look', text: '' },
    { type: 'opaque', text: '', item: '1', event: {} },
    { type: 'reasoning', text: 'hm' },
  ];
  for (const next of behind) assert.ok(!stream.isTornBefore(next), next.type);
});
