/** What the package offers, by entry point: a budget of names. Changing it is a commit of its own, with the reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { entries, exportedNames } from './entries.ts';
import budget from './exported-names.json' with { type: 'json' };

test('every entry point has its budget, and every budget an entry point', () => {
  assert.deepEqual(
    entries.map(({ specifier }) => specifier),
    Object.keys(budget),
  );
});

for (const { specifier, path } of entries) {
  test(`${specifier} exports the names of its budget, and no other`, async () => {
    const found = exportedNames(path);
    const names = (isType: boolean): string[] =>
      found
        .filter((one) => one.isType === isType)
        .map(({ name }) => name)
        .toSorted();
    assert.deepEqual({ values: names(false), types: names(true) }, budget[specifier as keyof typeof budget]);
    assert.deepEqual(names(false), Object.keys(await import(pathToFileURL(path).href)).toSorted(), 'as read, so at run time');
  });
}
