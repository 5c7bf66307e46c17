import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validationError } from '../../src/gateway/errors.ts';
import { createHeaders, createResponse } from '../../src/gateway/schemas.ts';

const table: [unknown, string | undefined, string][] = [
  [{}, 'input', 'missing_required_parameter'],
  [{ input: '' }, 'input', 'invalid_value'],
  [{ input: 7 }, 'input', 'invalid_value'],
  [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'input[0].content[0].type', 'invalid_value'],
  [{ input: [{ role: 'nobody', content: 'x' }] }, 'input[0].role', 'invalid_value'],
  [{ input: 'x', temperature: 9 }, 'temperature', 'invalid_value'],
  [{ input: 'x', store: false }, 'store', 'invalid_value'],
  [{ input: 'x', tools: [{}] }, 'tools', 'invalid_value'],
  [{ input: 'x', nonsense: 1 }, 'nonsense', 'unknown_parameter'],
  [{ input: 'x', conversation: { id: 'c', more: 1 } }, 'conversation.more', 'unknown_parameter'],
  [[], undefined, 'invalid_value'],
];

test('bad input gets an error that names the field', () => {
  for (const [body, param, code] of table) {
    const result = createResponse.safeParse(body);
    assert.ok(!result.success, JSON.stringify(body));
    const { fields } = validationError(result.error);
    assert.deepEqual([fields.param, fields.code], [param, code], `${JSON.stringify(body)}: ${fields.message}`);
  }
});

test('a header of the contract that is not carried out yet is refused by name', () => {
  for (const [name, value] of [
    ['x-turnkeep-when-busy', 'reject'],
    ['x-turnkeep-response-id', 'resp_mine'],
  ] as const) {
    const result = createHeaders.safeParse({ host: 'x', [name]: value });
    assert.ok(!result.success);
    assert.equal(validationError(result.error).fields.param, name);
  }
  assert.ok(createHeaders.safeParse({ host: 'x', 'x-turnkeep-when-busy': 'enqueue' }).success);
});
