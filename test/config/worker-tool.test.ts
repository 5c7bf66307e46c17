/** A tool of the configuration as a worker runs it: arguments as they are, what the model is told, who must agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { defineTool, type ToolDefinition, type ToolInput } from '../../src/config/define-tool.ts';
import { toWorkerTool } from '../../src/config/worker-tool.ts';
import type { ToolContext } from '../../src/tools/tool.ts';

const context: ToolContext = {
  signal: new AbortController().signal,
  idempotencyKey: 'k',
  turn: { id: 't', tenant: 'default', step: 1, call: 'c' },
  log() {},
  progress() {},
};

const toolOf = <Input extends ToolInput>(tool: ToolDefinition<Input>) => toWorkerTool('tool', defineTool(tool));

test('what the model is shown is the input side of the schema, what run gets the output side', async () => {
  const seen: unknown[] = [];
  const tool = toolOf({
    description: 'Books.',
    input: z.object({ day: z.iso.date().transform((day) => new Date(day)), seats: z.int().default(2).describe('How many.') }),
    run: (args, { idempotencyKey }) => seen.push(args, idempotencyKey),
  });
  assert.deepEqual(
    { ...tool, inputSchema: { ...tool.inputSchema, properties: Object.keys(tool.inputSchema['properties'] ?? {}) } },
    {
      ...tool,
      name: 'tool',
      serverLabel: 'turnkeep',
      description: 'Books.',
      attempts: 1,
      timeoutMs: 300_000,
      inputSchema: { type: 'object', properties: ['day', 'seats'], required: ['day'] },
    },
  );
  assert.equal(tool.check({ day: '2026-01-02' }), undefined);
  assert.deepEqual(await tool.run({ day: '2026-01-02' }, context), { type: 'output', text: '2' });
  assert.deepEqual(seen, [{ day: new Date('2026-01-02'), seats: 2 }, 'k']);
});

test('arguments are never mended: what is wrong with them is told, all of it', () => {
  const tool = toolOf({
    description: 'x',
    input: z.object({ count: z.number(), list: z.array(z.object({ a: z.string() })) }),
    run: () => 1,
  });
  assert.equal(
    tool.check({ count: '7', list: [{ a: 'x' }, {}] }),
    'count: Invalid input: expected number, received string; list.1.a: Invalid input: expected string, received undefined',
  );
});

for (const [returned, text] of [
  ['as it is', 'as it is'],
  [undefined, ''],
  [null, 'null'],
  [{ a: [1] }, '{"a":[1]}'],
  [Promise.resolve('later'), 'later'],
] as const) {
  test(`what run returns is told: ${JSON.stringify(returned) ?? 'nothing'}`, async () => {
    const tool = toolOf({ description: 'x', input: z.object({}), run: () => returned });
    assert.deepEqual(await tool.run({}, context), { type: 'output', text });
  });
}

test('what run throws is thrown', async () => {
  const tool = toolOf({
    description: 'x',
    input: z.object({}),
    run() {
      throw new Error('no');
    },
  });
  await assert.rejects(tool.run({}, context), { message: 'no' });
});

test('only a clear no needs nobody to agree', () => {
  const input = z.object({ path: z.string() });
  const asks = (needsApproval: unknown, args: { readonly [name: string]: string } = { path: '/tmp' }): boolean =>
    toolOf({ description: 'x', input, run: () => 1, needsApproval: needsApproval as boolean }).needsApproval(args);
  assert.deepEqual([asks(undefined), asks(false), asks(true)], [false, false, true]);
  const isOutside = ({ path }: { path: string }): boolean => !path.startsWith('/tmp');
  assert.deepEqual([asks(isOutside), asks(isOutside, { path: '/etc' }), asks(isOutside, {})], [false, true, true]);
  assert.equal(
    asks(async () => false),
    true,
    'a promise is no answer',
  );
  assert.equal(
    asks(() => undefined),
    true,
  );
  assert.equal(
    asks(() => {
      throw new Error('cannot say');
    }),
    true,
  );
});

test('a schema that has to wait is asked when the tool runs', async () => {
  const input = z.object({ a: z.string().refine(async (a) => a === 'x', { error: 'is not x' }) });
  const tool = toolOf({ description: 'x', input, run: ({ a }) => a, needsApproval: () => false });
  assert.equal(tool.check({ a: 'y' }), undefined);
  assert.equal(tool.needsApproval({ a: 'y' }), true);
  assert.deepEqual(await tool.run({ a: 'y' }, context), {
    type: 'error',
    message: "The arguments do not fit the tool's schema: a: is not x.",
  });
  assert.deepEqual(await tool.run({ a: 'x' }, context), { type: 'output', text: 'x' });
});

test('a schema of another library, or of an older zod 4, is taken for what it can do', () => {
  const validate = (value: unknown) => ({ value });
  const jsonSchema = { input: () => ({ $schema: 'x', type: 'object' }) };
  const foreign = { '~standard': { version: 1 as const, vendor: 'own', validate, jsonSchema } };
  assert.deepEqual(toolOf({ description: 'x', input: foreign, run: () => 1 }).inputSchema, { type: 'object' });

  const { _zod, '~standard': standard } = z.object({ a: z.string() });
  const older = { _zod, '~standard': { version: 1 as const, vendor: 'zod', validate: standard.validate } };
  assert.deepEqual(toolOf({ description: 'x', input: older, run: () => 1 }).inputSchema['required'], ['a']);

  const zod3 = { '~standard': { version: 1 as const, vendor: 'zod', validate } };
  assert.throws(() => toolOf({ description: 'x', input: zod3, run: () => 1 }), /a schema of zod 3 has no JSON Schema: zod 4 has/);
});
