import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validationError } from '../../../src/gateway/http/errors.ts';
import { itemsQuery } from '../../../src/gateway/http/request-fields.ts';
import { createResponse, retrieveQuery } from '../../../src/gateway/responses/schema.ts';
import { submitHeaders } from '../../../src/gateway/submit/submit-turn.ts';

const approval = { type: 'mcp_approval_response', approval_request_id: 'mcpr_1', approve: true };

const table: [unknown, string | undefined, string][] = [
  [{}, 'input', 'missing_required_parameter'],
  [{ input: '' }, 'input', 'invalid_value'],
  [{ input: 7 }, 'input', 'invalid_value'],
  [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'input[0].content[0].image_url', 'invalid_value'],
  [{ input: [{ role: 'nobody', content: 'x' }] }, 'input[0].role', 'invalid_value'],
  [{ input: 'x', temperature: 9 }, 'temperature', 'invalid_value'],
  [{ input: 'x', store: false, background: true }, 'store', 'invalid_value'],
  [{ input: 'x', conversation: 'c', previous_response_id: 'r' }, 'previous_response_id', 'mutually_exclusive_parameters'],
  [{ input: 'x', tools: [{}] }, 'tools[0].type', 'missing_required_parameter'],
  [{ input: 'x', tools: [{ type: 'no type' }] }, 'tools[0].type', 'invalid_value'],
  [{ input: 'x', tools: [{ type: 'function' }] }, 'tools[0].name', 'missing_required_parameter'],
  [
    { input: 'x', tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'custom', name: 7 }] }] },
    'tools[0].tools[0].name',
    'invalid_value',
  ],
  [{ input: 'x', tool_choice: { type: 'function' } }, 'tool_choice.name', 'missing_required_parameter'],
  [{ input: 'x', prompt: 'hi' }, 'prompt', 'invalid_value'],
  [{}, 'input', 'missing_required_parameter'],
  [{ input: [] }, 'input', 'missing_required_parameter'],
  [{ input: [{ type: 'function_call', call_id: 1, name: 'f', arguments: '' }] }, 'input[0].call_id', 'invalid_value'],
  [{ input: [{ type: 'no type' }] }, 'input[0].type', 'invalid_value'],
  [{ input: [{ type: 'computer_call', id: 7 }] }, 'input[0].id', 'invalid_value'],
  [{ input: [{ type: 'compaction' }] }, 'input[0].encrypted_content', 'missing_required_parameter'],
  // What is no clear answer to a request for an approval is none.
  [{ input: [{ ...approval, approve: undefined }] }, 'input[0].approve', 'missing_required_parameter'],
  ...['true', 1, null].map((approve): [unknown, string, string] => [
    { input: [{ ...approval, approve }] },
    'input[0].approve',
    'invalid_value',
  ]),
  ...['', 5, null, ['mcpr_1']].map((id): [unknown, string, string] => [
    { input: [{ ...approval, approval_request_id: id }] },
    'input[0].approval_request_id',
    'invalid_value',
  ]),
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

test('an unknown value of include in a query is an error that names it, alone or in a list', () => {
  for (const [schema, rest] of [
    [retrieveQuery, {}],
    [itemsQuery, { limit: '5' }],
  ] as const) {
    for (const [include, param] of [
      ['nonsense', 'include'],
      [['reasoning.encrypted_content', 'nonsense'], 'include[1]'],
    ] as const) {
      const result = schema.safeParse({ ...rest, include });
      assert.ok(!result.success);
      assert.deepEqual([validationError(result.error).fields.param, validationError(result.error).fields.code], [param, 'invalid_value']);
    }
    for (const include of ['reasoning.encrypted_content', ['reasoning.encrypted_content', 'code_interpreter_call.outputs']]) {
      assert.ok(schema.safeParse({ ...rest, include }).success);
    }
  }
});

test('bad headers get an error that names them', () => {
  for (const [name, value] of [
    ['x-turnkeep-when-busy', 'perhaps'],
    ['x-turnkeep-response-id', 'mine'],
    ['idempotency-key', ''],
  ] as const) {
    const result = submitHeaders.safeParse({ host: 'x', [name]: value });
    assert.ok(!result.success);
    assert.equal(validationError(result.error).fields.param, name);
  }
  assert.ok(submitHeaders.safeParse({ host: 'x', 'x-turnkeep-when-busy': 'reject', 'x-turnkeep-response-id': 'resp_mine-1' }).success);
});
