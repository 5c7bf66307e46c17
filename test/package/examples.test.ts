/** What the package exports is shown by examples, and the examples compile as they stand. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { entries, exportedNames, root } from './entries.ts';

const comment = /\/\*\*(?:[^*]|\*(?!\/))*\*\//g;

/** The lines below `@example`, indented by four, of every doc comment of a file. */
function examplesOf(text: string): readonly string[] {
  return [...text.matchAll(comment)].flatMap(([block]) => {
    const [, example] = block.split(/^ *\* @example\n/m);
    const lines = (example ?? '').split('\n').map((line) => line.replace(/^ *\*\/? ?/, ''));
    const end = lines.findIndex((line) => line !== '' && !line.startsWith('    '));
    const code = (end === -1 ? lines : lines.slice(0, end)).map((line) => line.slice(4)).join('\n');
    return code.trim() === '' ? [] : [code];
  });
}

test('every example compiles as it stands', (t) => {
  const folder = mkdtempSync(join(root, 'node_modules/.cache-examples-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    for (const code of examplesOf(readFileSync(join(root, file), 'utf8'))) {
      count += 1;
      writeFileSync(join(folder, `${file.replaceAll('/', '+').replace(/\.ts$/, '')}.${count}.ts`), `export {};\n${code}\n`);
    }
  }
  assert.ok(count >= 20, `${count} examples`);
  const paths = Object.fromEntries(entries.map(({ specifier, path }) => [specifier, [path]]));
  const compilerOptions = { paths, noUnusedLocals: false, rootDir: root };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'], exclude: [] }),
  );
  const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8', cwd: folder });
  assert.deepEqual([stdout, status], ['', 0]);
});

for (const { specifier, path } of entries) {
  test(`${specifier} begins with an example`, () => {
    assert.match(readFileSync(path, 'utf8'), /^\/\*\*\n(?: \*[^/].*\n| \*\n)* \* @example\n/);
  });
}

test('every function and class that an entry point exports has an example; of the testing tools, the servers have', () => {
  const wanted = entries.flatMap(({ specifier, path }) =>
    exportedNames(path).filter(({ name, isType }) => !isType && (specifier !== 'turnkeep/testing' || name.startsWith('start'))),
  );
  const missing = wanted.filter(({ path, localName }) => {
    const text = readFileSync(path, 'utf8');
    const declared = text.search(new RegExp(`^export (?:async )?(?:function|class|const) ${localName}\\b`, 'm'));
    const doc = [...text.slice(0, declared).matchAll(comment)].at(-1);
    const isDirectlyAbove = doc !== undefined && text.slice(doc.index + doc[0].length, declared).trim() === '';
    return !isDirectlyAbove || !doc[0].includes('@example');
  });
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});
