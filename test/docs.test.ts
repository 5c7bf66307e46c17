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
