import assert from 'node:assert/strict';
import { test } from 'node:test';
import { promptOf } from '../../src/domain/prompt/prompt.ts';
import { toNewItem } from '../../src/gateway/responses/items.ts';

type Body = Parameters<typeof toNewItem>[0];

const call = {
  id: 'mcp_1',
  type: 'mcp_call',
  status: 'completed',
  server_label: 'turnkeep',
  name: 'weather',
  arguments: '{"city":"Graz"}',
  output: '12 degrees',
  error: null,
  approval_request_id: null,
  turnkeep: { call_id: 'c1', step: 2 },
};

test('T13 · a call of a worker’s tool comes back as it was given out', () => {
  assert.deepEqual(toNewItem(call as Body), call);
  const { status: _none, ...asked } = { ...call, id: 'mcpr_1', type: 'mcp_approval_request' };
  const { output: _output, error: _error, approval_request_id: _approval, ...request } = asked;
  assert.deepEqual(toNewItem(request as Body), request);
});

test('a provider’s own call is passed on as it came', () => {
  const { turnkeep: _ours, ...theirs } = call;
  const { error: _null, approval_request_id: _none, ...expected } = theirs;
  assert.deepEqual(toNewItem(theirs as Body), expected);
});

test('T13 · whatever a client makes of it, a prompt is made that a provider takes', () => {
  for (const turnkeep of [
    null,
    1,
    'c1',
    [],
    {},
    { call_id: 7 },
    { call_id: 'c1', step: 'x' },
    { call_id: 'c1', function: 1, provider_fields: [] },
  ]) {
    for (const change of [
      {},
      { name: 1 },
      { arguments: { city: 'Graz' } },
      { output: 1 },
      { error: 'no' },
      { error: { content: [1, { text: 2 }] } },
    ]) {
      for (const type of ['mcp_call', 'mcp_approval_request']) {
        const item = { ...toNewItem({ ...call, ...change, type, turnkeep }), id: 'x' };
        const prompt = promptOf([], [item], 'm');
        for (const told of prompt) {
          if (told.type === 'function_call') assert.equal(typeof told.arguments, 'string');
          if (told.type === 'function_call_output') assert.equal(typeof told.output, 'string');
        }
      }
    }
  }
});
