/** `/openapi.json` taken at its word by schemathesis: what it says is accepted, and much that it forbids, is sent. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { needSchemathesis } from '../support/programs.ts';
import { World } from '../support/world.ts';

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'allow_header_conformance',
].join(',');

const seconds = '40';

async function fuzz(python: string, url: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(
    python,
    ['-m', 'schemathesis.cli', '--config-file', join(import.meta.dirname, 'schemathesis.toml')]
      .concat(['run', `${url}/openapi.json`, '--phases=coverage,fuzzing,stateful', '--mode=all', `--checks=${checks}`])
      .concat(['--seed=4', '--max-examples=40', `--max-time=${seconds}`, '--request-timeout=20'])
      .concat(['--generation-database=none', '--no-color', '--warnings=off']),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

test('a fuzz of the description finds no 5xx, and no answer that it does not promise', { timeout: 240_000 }, async (t) => {
  const python = await needSchemathesis(t);
  if (python === undefined) return;
  const errors: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => errors.push(line) });
  await using world = await World.open({ log, model: () => ({ fallback: chatAnswer('Hello', ' world') }) });
  const { code, output } = await fuzz(python, world.url);
  assert.equal(code, 0, output);
  // Thousands, where the machine has nothing else to do.
  assert.ok(Number(/(\d+) generated/.exec(output)?.[1]) > 100, output);
  assert.deepEqual(errors, []);
});

test('every door names the field of its own request that is wrong', async () => {
  await using world = await World.open();
  const param = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await world.call('POST', path, body);
    return [answer.status, (answer.body['error'] as { param: unknown }).param];
  };
  const user = { role: 'user', content: 'x' };
  assert.deepEqual(await param('/v1/responses', { input: [user, { type: 'function_call_output', call_id: 'c', output: '' }] }), [
    400,
    'input[1].call_id',
  ]);
  assert.deepEqual(await param('/v1/chat/completions', { messages: [user, { role: 'tool', tool_call_id: 'c', content: '' }] }), [
    400,
    'messages[1].tool_call_id',
  ]);
  const file = { type: 'file', mediaType: 'image/png', providerReference: { openai: 'file_1' } };
  const said = { role: 'user', parts: [{ type: 'text', text: 'x' }] };
  assert.deepEqual(await param('/api/chat', { id: 'a', messages: [said, { role: 'user', parts: [file] }] }), [400, 'messages[1].parts']);
});
