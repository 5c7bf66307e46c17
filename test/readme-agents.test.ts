/** The README's section on agents, done as it says. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { chatAnswer, chatToolCalls } from '../src/testing/model-server/index.ts';
import { folderOf } from './cli/folder.ts';
import { startCluster } from './support/processes.ts';

const section = /^## Agents\n(.*?)^## /ms.exec(readFileSync(join(import.meta.dirname, '../README.md'), 'utf8'))?.[1] ?? '';

function block(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(section)?.[1] ?? '';
}

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly output: readonly { readonly id: string; readonly type: string; readonly output?: string }[];
}

test('the agent of the README asks for an approval, and goes on once it has it', { timeout: 120_000 }, async (context) => {
  const config = join(folderOf(context), 'turnkeep.config.ts');
  writeFileSync(config, block('ts'));
  await using cluster = await startCluster({ env: { TURNKEEP_CONFIG: config } });
  const { url } = await cluster.startServe();
  const commands = block('sh').split(/\n(?=curl )/);
  assert.equal(commands.length, 2);
  const run = async (command: string): Promise<Answer> => {
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('localhost:8484', url.slice('http://'.length))]);
    return JSON.parse(stdout) as Answer;
  };

  cluster.model.enqueue(
    chatToolCalls({ id: 'call_1', name: 'refund', arguments: { order: 'A-1', cents: 6_000 } }),
    chatAnswer('Paid back.'),
  );
  const asked = await run(commands[0] ?? '');
  const [request] = asked.output;
  assert.deepEqual([asked.status, request?.type], ['completed', 'mcp_approval_request']);
  const answered = await run((commands[1] ?? '').replace('resp_…', asked.id).replace('mcpr_…', request?.id ?? ''));
  const [call, message] = answered.output;
  assert.match(call?.output ?? '', /^A-1: 6000 cents paid back \(\S+\)$/);
  assert.deepEqual([answered.status, message?.type], ['completed', 'message']);
});
