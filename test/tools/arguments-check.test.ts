import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import type { JsonObject } from '../../src/domain/item.ts';
import { argumentsCheck } from '../../src/tools/arguments-check.ts';

const path = { type: 'object', properties: { path: { type: 'string' }, depth: { type: 'integer', default: 3 } }, required: ['path'] };

const rows: readonly (readonly [what: string, schema: JsonObject, args: JsonObject, mistake: string | undefined])[] = [
  ['what fits', path, { path: 'a', depth: 1 }, undefined],
  ['a member that is missing', path, { depth: 1 }, "the arguments must have required property 'path'"],
  ['a number in a string is not coerced', path, { path: 'a', depth: '1' }, 'depth must be integer'],
  [
    'a member that is not allowed is named',
    { ...path, additionalProperties: false },
    { path: 'a', pth: 'b' },
    'the arguments must NOT have additional properties: "pth"',
  ],
  [
    'the values that may be',
    { type: 'object', properties: { unit: { enum: ['C', 'F'] } } },
    { unit: 'K' },
    'unit must be equal to one of the allowed values: ["C","F"]',
  ],
  [
    'the place of a mistake further in',
    { type: 'object', properties: { edits: { type: 'array', items: { type: 'object', required: ['to'] } } } },
    { edits: [{ to: 1 }, {}] },
    "edits.1 must have required property 'to'",
  ],
  [
    'a reference within the schema',
    { type: 'object', properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { type: 'string' } } },
    { a: 1 },
    'a must be string',
  ],
  [
    'a schema that names 2020-12',
    { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', properties: { p: { prefixItems: [{ type: 'string' }] } } },
    { p: [1] },
    'p.0 must be string',
  ],
  [
    'a schema that names draft 7',
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object', properties: { p: { items: [{ type: 'string' }] } } },
    { p: [1] },
    'p.0 must be string',
  ],
  [
    'the older form of `items`, in a schema that names none',
    { type: 'object', properties: { p: { type: 'array', items: [{ type: 'string' }] } } },
    { p: [1] },
    'p.0 must be string',
  ],
  ['keywords of others', { type: 'object', 'x-order': 1, properties: { a: { type: 'string', format: 'x-path' } } }, { a: 'b' }, undefined],
  ['a schema that cannot be compiled', { type: 'objekt' }, { a: 1 }, undefined],
  ['a pattern that is none', { type: 'object', properties: { a: { pattern: '(' } } }, { a: 'b' }, undefined],
  ['a reference that leads nowhere', { type: 'object', properties: { a: { $ref: '#/$defs/a' } } }, { a: 1 }, undefined],
  ['no schema to speak of', {}, { a: 1 }, undefined],
];

for (const [what, schema, args, mistake] of rows) {
  test(`arguments are judged as they are: ${what}`, () => {
    const check = argumentsCheck(schema);
    const before = structuredClone(args);
    assert.equal(check(args), mistake);
    assert.equal(check(args), mistake);
    assert.deepEqual(args, before);
  });
}

test('two schemas with one `$id` are two', () => {
  const of = (type: string) => argumentsCheck({ $id: 'https://example.com/a', type: 'object', properties: { a: { type } } });
  const [first, second] = [of('string'), of('number')];
  assert.equal(first({ a: 'x' }), undefined);
  assert.equal(second({ a: 1 }), undefined);
  assert.equal(second({ a: 'x' }), 'a must be number');
});

test('many mistakes are told in few words', () => {
  const properties = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`m${index}`, { type: 'string' }]));
  const args = Object.fromEntries(Object.keys(properties).map((name) => [name, 1]));
  const mistake = argumentsCheck({ type: 'object', properties })(args) ?? '';
  assert.match(mistake, /^m0 must be string; m1 must be string; .*; and 95 more$/);
});

test('a reference to another place is not fetched: such a schema accepts everything', async (t) => {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end('{}');
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const check = argumentsCheck({ type: 'object', properties: { a: { $ref: `http://127.0.0.1:${port}/schema.json` } } });
  assert.equal(check({ a: 1 }), undefined);
  assert.deepEqual(requests, []);
});
