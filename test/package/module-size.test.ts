/** Modules of one idea: a reader opens few, and each is short. Changing a budget is a commit of its own, with the reason. */
import assert from 'node:assert/strict';
import { globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './entries.ts';

const medianLimitBytes = 4_096;
const fileLimitBytes = 12_288;
/** Smaller ones belong into the neighbour that owns their idea. */
const smallBytes = 1_024;
const smallLimit = 20;

const files = globSync('src/**/*.{ts,tsx}', { cwd: root }).map((path) => ({ path, bytes: statSync(join(root, path)).size }));
const bySize = files.toSorted((a, b) => a.bytes - b.bytes);

test(`the median of the modules has at most ${medianLimitBytes} bytes`, () => {
  const median = bySize[Math.floor(bySize.length / 2)]?.bytes ?? Infinity;
  assert.ok(median <= medianLimitBytes, `${median} bytes, of ${bySize.length} modules`);
});

test(`no module has more than ${fileLimitBytes} bytes`, () => {
  assert.deepEqual(
    bySize.filter(({ bytes }) => bytes > fileLimitBytes),
    [],
  );
});

test(`at most ${smallLimit} modules have less than ${smallBytes} bytes`, () => {
  const small = bySize.filter(({ bytes }) => bytes < smallBytes);
  assert.ok(small.length <= smallLimit, `${small.length}: ${small.map(({ path, bytes }) => `${path} (${bytes})`).join(', ')}`);
});
