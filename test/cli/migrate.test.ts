/** `turnkeep migrate`: what it says, and what it changes. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { migrations } from '../../src/store/sqlite/migrations.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const target = migrations.length;

test('tables of an earlier version are brought to this one; --check tells, and changes nothing', async (context) => {
  const folder = folderOf(context);
  const path = join(folder, 'turnkeep.db');
  const migrate = (...args: readonly string[]) => turnkeep('migrate', '--data-dir', folder, ...args);
  assert.deepEqual(await migrate('--check'), {
    code: 1,
    stdout: `${path}: there is none yet; this version has schema ${target}\n`,
    stderr: '',
  });
  assert.equal(existsSync(path), false);

  const earlier = new DatabaseSync(path);
  for (const migration of migrations.slice(0, 3)) earlier.exec(migration);
  earlier.exec('PRAGMA user_version = 3');
  earlier.close();
  const behind = await migrate('--check', '--json');
  assert.deepEqual([behind.code, JSON.parse(behind.stdout)], [1, { database: path, current: 3, target, migrated: false }]);
  assert.deepEqual(await migrate(), { code: 0, stdout: `${path}: from schema 3, now schema ${target}\n`, stderr: '' });
  assert.deepEqual(await migrate(), { code: 0, stdout: `${path}: schema ${target}, that of this version\n`, stderr: '' });
  assert.equal((await migrate('--check')).code, 0);

  const newer = new DatabaseSync(path);
  newer.exec(`PRAGMA user_version = ${target + 1}`);
  newer.close();
  assert.equal((await migrate('--check')).code, 1);
  const refused = await migrate();
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, new RegExp(`cannot be migrated: the database is of a newer turnkeep \\(schema ${target + 1}`));
});

test('a database that cannot be read is told as that, with the way out', async (context) => {
  const folder = folderOf(context);
  writeFileSync(join(folder, 'turnkeep.db'), 'no database at all, but long enough to have a header of one: '.repeat(10));
  for (const database of [
    ['--data-dir', folder],
    ['--database-url', 'postgres://ann:secret@127.0.0.1:1/turnkeep'],
  ]) {
    const { code, stdout, stderr } = await turnkeep('migrate', '--check', ...database);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /the database \S+ cannot be read: .+\. See DATABASE_URL .* `turnkeep doctor` says/);
    assert.doesNotMatch(stderr, /secret/);
  }
});
