/** The documents do not promise what is not there. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { failureRules } from '../src/domain/failure.ts';

const root = join(import.meta.dirname, '..');

test('every link of the documents leads to a file', () => {
  for (const file of globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      assert.ok(existsSync(join(root, dirname(file), target)), `${file} links to ${target}`);
    }
    for (const [, target = ''] of text.matchAll(/\]\(https:\/\/github\.com\/turnkeep\/turnkeep\/(?:blob|tree)\/main\/([^)#]+)/g)) {
      assert.ok(existsSync(join(root, target)), `${file} links to ${target}`);
    }
  }
});

test('the README links as it has to where it stands alone, on the page of a registry', () => {
  assert.doesNotMatch(readFileSync(join(root, 'README.md'), 'utf8'), /\]\((?!https:)/);
});

test('the README names every way a turn can fail', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const untold = new Set(['internal_error']);
  for (const code of Object.keys(failureRules)) assert.ok(untold.has(code) || readme.includes(`\`${code}\``), code);
});

/** Every word that the given form of code gives to users in these folders, with the file that has it. */
function wordsOf(folders: string, form: RegExp): readonly (readonly [word: string, file: string])[] {
  return globSync(folders, { cwd: root }).flatMap((file) =>
    Array.from(readFileSync(join(root, file), 'utf8').matchAll(form), ([, word = '']) => [word, file] as const),
  );
}

test('docs/failures.md knows every code that an error has, and every word of `detail`', () => {
  const text = readFileSync(join(root, 'docs/failures.md'), 'utf8');
  // Of an image, as a request sends it.
  const others = new Set(['auto']);
  const words = [
    ...Object.keys(failureRules).map((code) => [code, 'src/domain/failure.ts'] as const),
    ...wordsOf('src/{gateway,http}/**/*.ts', /\bcode: '([a-z_]+)'/g),
    ...wordsOf('src/http/server.ts', /^ {2}\w+: \['\d+ [^']+', '([a-z_]+)'/gm),
    ...wordsOf('src/{providers,activities}/**/*.ts', /\b(?:protocolError\(|detail: )'([a-z_]+)'/g),
  ];
  assert.ok(words.length > 100, `${words.length} words`);
  const missing = words.filter(([word]) => !others.has(word) && !text.includes(`\`${word}\``));
  assert.deepEqual(missing, []);
});
