/** The configurations of docs/agents.md compile, and load. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LoadedAgents, loadAgentConfig } from '../../src/config/load-agent-config.ts';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/agents.md'), 'utf8');
const examples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);

test('every configuration of docs/agents.md compiles and loads', async (t) => {
  const folder = mkdtempSync(join(root, 'node_modules/.cache-agents-'));
  // Node strips no types below node_modules.
  const elsewhere = mkdtempSync(join(tmpdir(), 'turnkeep-agents-'));
  t.after(() => {
    for (const each of [folder, elsewhere]) rmSync(each, { recursive: true, force: true });
  });
  const loaded: (LoadedAgents | undefined)[] = [];
  for (const [index, code] of examples.entries()) {
    for (const each of [folder, elsewhere]) writeFileSync(join(each, `example-${index}.mts`), code);
    loaded.push(await loadAgentConfig({ path: join(elsewhere, `example-${index}.mts`), cwd: elsewhere }));
  }
  assert.deepEqual(
    loaded.map((one) => [...(one?.agents.agents.keys() ?? [])]),
    [['clerk'], ['reader', 'support'], ['writer']],
  );
  assert.deepEqual(loaded[1]?.agents.agents.get('support')?.model, 'anthropic/claude-sonnet-4.5');

  const paths = { 'turnkeep/config': [join(root, 'src/config.ts')] };
  const tsconfig = { extends: join(root, 'tsconfig.json'), compilerOptions: { paths, rootDir: root }, include: ['*.mts'], exclude: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
  const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8', cwd: folder });
  assert.deepEqual([stdout, status], ['', 0]);
});

test('docs/agents.md names every member that there is', () => {
  for (const name of ['attempts', 'timeoutMs', 'needsApproval', 'compaction', 'cachedInput', 'toolCalls', 'outputTokens', 'wallTimeMs']) {
    assert.ok(text.includes(name), name);
  }
});
