/** The operation log of a campaign has room for any number of faults. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperationLog } from './record.ts';

test('each fault is written with its time and place; those that were felt are counted by kind, and none is kept', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-record-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'operations.jsonl');
  const log = new OperationLog(path);
  const fault = { op: 'fault', overAtMs: 2, on: 'serve-1', isFelt: true } as const;
  log.add({ op: 'cancel', atMs: 1, turn: 'a' });
  for (const atMs of [2, 3]) log.add({ ...fault, atMs, kind: 'weather reset nginx' });
  log.add({ ...fault, atMs: 4, kind: 'kill serve' });
  log.add({ ...fault, atMs: 5, kind: 'reset provider', isFelt: false });
  assert.deepEqual(log.entries, [{ atMs: 1, op: 'cancel', turn: 'a' }]);
  assert.deepEqual(
    [...log.felt],
    [
      ['weather reset nginx', 2],
      ['kill serve', 1],
    ],
  );
  assert.equal(
    log.countFelt((kind) => kind.startsWith('weather ')),
    2,
  );
  assert.equal(readFileSync(path, 'utf8').trimEnd().split('\n').length, 5);
});
