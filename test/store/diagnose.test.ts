/** What `diagnoseSqlite` sees of files in every state, and that it changes none of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Finding } from '../../src/store/ports/diagnosis.ts';
import { diagnoseSqlite } from '../../src/store/sqlite/diagnose.ts';
import { migrateSqlite, readSchemaVersions } from '../../src/store/sqlite/migrate.ts';
import { migrations } from '../../src/store/sqlite/migrations.ts';
import { folderOf } from '../cli/folder.ts';

const statusesOf = (findings: readonly Finding[]): string[] => findings.map(({ check, status }) => `${check}: ${status}`);

/** Every finding that is not well has a way out. */
async function diagnosed(path: string): Promise<readonly Finding[]> {
  const findings = await diagnoseSqlite(path)();
  for (const finding of findings)
    assert.equal(finding.mend !== undefined, finding.status === 'warning' || finding.status === 'fault', finding.check);
  return findings;
}

test('a database as it should be; one that is not there yet is no fault, and is not made', async (context) => {
  const path = join(folderOf(context), 'turnkeep.db');
  assert.deepEqual(statusesOf(await diagnosed(path)), ['database: ok', 'database disk: ok']);
  assert.equal(existsSync(path), false);
  migrateSqlite(path);
  assert.deepEqual(statusesOf(await diagnosed(path)), ['database: ok', 'database schema: ok', 'database writes: ok', 'database disk: ok']);
});

test('tables of an older version are a warning, and stay as they are; those of a newer one are a fault', async (context) => {
  const path = join(folderOf(context), 'turnkeep.db');
  const db = new DatabaseSync(path);
  for (const migration of migrations.slice(0, 3)) db.exec(migration);
  db.exec('PRAGMA user_version = 3');
  const older = (await diagnosed(path))[1];
  assert.deepEqual([older?.status, older?.seen], ['warning', `3, and this version of turnkeep has ${migrations.length}`]);
  assert.deepEqual(readSchemaVersions(path), { current: 3, target: migrations.length });

  db.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  db.close();
  assert.equal((await diagnosed(path))[1]?.status, 'fault');
  assert.throws(() => migrateSqlite(path), /of a newer turnkeep/);
});

test('a migration that commits while the diagnosis waits for its lock is not undone', async (context) => {
  const path = join(folderOf(context), 'turnkeep.db');
  const older = new DatabaseSync(path);
  older.exec('PRAGMA journal_mode = WAL');
  for (const migration of migrations.slice(0, 3)) older.exec(migration);
  older.exec('PRAGMA user_version = 3');
  older.close();
  // A diagnosis stands still while it waits: the migration is in another thread.
  const migrating = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
    const { parentPort, workerData } = require('node:worker_threads');
    const db = new DatabaseSync(workerData.path);
    db.exec('BEGIN IMMEDIATE');
    parentPort.postMessage('locked');
    setTimeout(() => {
      db.exec('PRAGMA user_version = ' + workerData.target + '; COMMIT');
      db.close();
    }, 500);`,
    { eval: true, workerData: { path, target: migrations.length } },
  );
  const exited = once(migrating, 'exit');
  await once(migrating, 'message');
  await diagnosed(path);
  await exited;
  assert.equal(readSchemaVersions(path).current, migrations.length);
});

test('a lock that another process holds, a file that is no database, and a directory in its place are faults', async (context) => {
  const folder = folderOf(context);
  const path = join(folder, 'turnkeep.db');
  migrateSqlite(path);
  const holder = new DatabaseSync(path);
  holder.exec('BEGIN IMMEDIATE');
  const held = (await diagnosed(path)).find(({ check }) => check === 'database writes');
  assert.deepEqual([held?.status, held?.seen], ['fault', 'another process holds the lock for more than 2 s']);
  holder.exec('ROLLBACK');
  holder.close();

  const text = join(folder, 'notes.txt');
  writeFileSync(text, 'a shopping list that is longer than the header of a database, so that nobody takes it for an empty one'.repeat(9));
  const before = readFileSync(text);
  assert.match((await diagnosed(text))[0]?.seen ?? '', /cannot be opened: file is not a database/);
  assert.deepEqual(readFileSync(text), before);
  mkdirSync(join(folder, 'directory'));
  assert.equal((await diagnosed(join(folder, 'directory')))[0]?.status, 'fault');
});
