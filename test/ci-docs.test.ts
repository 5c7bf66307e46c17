/** docs/ci.md: its file is YAML that GitHub takes for a workflow, and each of its commands is one that turnkeep has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { turnkeep } from './cli/run-turnkeep.ts';

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly jobs: Readonly<Record<string, { readonly if: string; readonly 'runs-on': unknown; readonly steps: readonly Step[] }>>;
}

const text = readFileSync(join(import.meta.dirname, '../docs/ci.md'), 'utf8');
const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];

test('docs/ci.md is a workflow whose jobs export at night, compare on a pull request, and look at what runs before a deploy', () => {
  const { on, jobs } = parse(yaml) as Workflow;
  assert.deepEqual(Object.keys(on), ['schedule', 'pull_request', 'workflow_dispatch']);
  assert.deepEqual(Object.keys(jobs), ['export', 'compare', 'before-deploy']);
  for (const [name, job] of Object.entries(jobs)) {
    assert.ok(job['runs-on'] && job.if, name);
    assert.ok(
      job.steps.every(({ uses, run }) => (uses === undefined) !== (run === undefined)),
      `${name}: a step uses an action, or runs a command`,
    );
  }
});

test('every turnkeep command of docs/ci.md is one that there is, with flags that it has', async () => {
  const lines = Array.from(text.matchAll(/npx turnkeep ([a-z]+)((?: [^|`\n]+)?)/g), ([, command = '', rest = '']) => ({ command, rest }));
  assert.deepEqual(
    [...new Set(lines.map(({ command }) => command))].toSorted((one, other) => one.localeCompare(other)),
    ['export', 'replay', 'rerun'],
  );
  for (const { command, rest } of lines) {
    const { code, stdout } = await turnkeep(command, '--help');
    assert.equal(code, 0, command);
    for (const [flag] of rest.matchAll(/(?<= )--?[a-z][a-z-]*/g))
      assert.match(stdout, new RegExp(`(?:^|[ ,])${flag}(?=[ ,])`, 'm'), `${command} ${flag}`);
  }
  for (const [, name = ''] of yaml.matchAll(/^ {10}(TURNKEEP_[A-Z_]+):/gm)) {
    const { stdout } = await turnkeep(name === 'TURNKEEP_CODEC_KEYS' ? 'replay' : 'export', '--help');
    assert.ok(stdout.replaceAll(/\s+/g, ' ').includes(name), name);
  }
});
