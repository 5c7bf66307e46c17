/** A public MCP server from npm at work for an agent: files that a model reads, and one that it writes once a person agrees. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { ChatProcess } from './chat-process.ts';
import { folderOf } from './folder.ts';

const server = join(import.meta.dirname, '../../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');

test('@modelcontextprotocol/server-filesystem reads at once, and writes once it was approved', { timeout: 120_000 }, async (context) => {
  const [folder, config] = [realpathSync(folderOf(context)), join(folderOf(context), 'turnkeep.config.ts')];
  const [source, target] = [join(folder, 'in.txt'), join(folder, 'out.txt')];
  writeFileSync(source, 'three lines');
  const files = { command: process.execPath, args: [server, folder], needsApproval: ['write_file'] };
  const agents = { writer: { model: 'scripted', tools: ['mcp:files'] } };
  writeFileSync(
    config,
    `import { defineConfig } from 'turnkeep/config';\nexport default defineConfig(${JSON.stringify({ mcpServers: { files }, agents })});\n`,
  );
  await using cluster = await startCluster({ env: { TURNKEEP_CONFIG: config } });
  const { url } = await cluster.startServe();
  cluster.model.enqueue(
    chatToolCalls({ id: 'call_1', name: 'read_text_file', arguments: { path: source } }),
    chatToolCalls({ id: 'call_2', name: 'write_file', arguments: { path: target, content: 'THREE LINES' } }),
    chatToolCalls({ id: 'call_3', name: 'read_text_file', arguments: { path: '/etc/passwd' } }),
    chatAnswer('Written.'),
  );
  const talk = new ChatProcess(context, ['--url', `${url}/v1`, '--agent', 'writer']).say('in capitals, please');
  assert.equal(await talk.finished(), 3, talk.stderr);
  const shown = talk.stderr.replace(/(?<=done) after [\d.]+ s/, '');
  assert.ok(shown.startsWith(`· files: read_text_file({"path":"${source}"}) done\nwrite_file of the server files waits for your`), shown);
  assert.equal(existsSync(target), false);

  const [, body = ''] = / -d '(\{.*\})'$/m.exec(talk.stderr) ?? [];
  const answer = await fetch(`${url}/v1/responses`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { output } = (await answer.json()) as {
    output: { type: string; status: string; output?: string | null; error?: { content: { text: string }[] } | null }[];
  };
  assert.equal(readFileSync(target, 'utf8'), 'THREE LINES');
  assert.deepEqual(
    output.map(({ type, status }) => [type, status]),
    [
      ['mcp_call', 'completed'],
      ['mcp_call', 'failed'],
      ['message', 'completed'],
    ],
  );
  // The server's own words go to the model.
  assert.match(output[1]?.error?.content[0]?.text ?? '', /Access denied/);
});
