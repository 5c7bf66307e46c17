/** A second start compiles nothing: neither JavaScript nor, in a checkout, TypeScript. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf } from './folder.ts';

const root = join(import.meta.dirname, '../..');

/** At the end of the process, what of Node itself was loaded, and where compiled code is kept. */
const probe = `
process.once('exit', () => {
  const isCompiler = (name) => name.startsWith('NativeModule internal/deps/amaro/');
  const hasCompiler = process.moduleLoadList.some(isCompiler);
  console.log(JSON.stringify({ hasCompiler, folder: process.env.NODE_COMPILE_CACHE ?? null }));
});
`;

function run(program: string, folder: string): { readonly hasCompiler: boolean; readonly folder: string | null } {
  const script = join(folder, 'probe.cjs');
  writeFileSync(script, probe);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', script, program, '--version'], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: '/none', HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') },
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.split('\n').at(-2) ?? '') as ReturnType<typeof run>;
}

test("the second start of a checkout does not load Node's compiler of TypeScript", (context) => {
  const folder = folderOf(context);
  const own = join(root, 'node_modules/.cache/turnkeep/compiled');
  assert.equal(run('bin/turnkeep.js', folder).folder, own);
  assert.deepEqual(run('bin/turnkeep.js', folder), { hasCompiler: false, folder: own });
});

test("compiled code is kept in the user's cache, where that is this user's alone", (context) => {
  const folder = folderOf(context);
  const kept = join(folder, 'cache/turnkeep/compiled');
  assert.deepEqual(run('src/cli/main.ts', folder), { hasCompiler: true, folder: kept });
  assert.ok(readdirSync(kept, { recursive: true }).length > 50);

  const open = folderOf(context);
  mkdirSync(join(open, 'cache/turnkeep'), { recursive: true });
  chmodSync(join(open, 'cache/turnkeep'), 0o777);
  assert.equal(run('src/cli/main.ts', open).folder, null);
  assert.ok(!existsSync(join(open, 'cache/turnkeep/compiled')));
});
