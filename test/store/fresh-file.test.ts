/** A new data folder that several processes open at once: gateway and worker started together. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OpenOrder } from './open-together.ts';

const leadMs = 20;

test('a fresh database that four processes open in the same millisecond is opened by all of them, 30 times', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-fresh-'));
  const processes = Array.from({ length: 4 }, () => fork(join(import.meta.dirname, 'open-together.ts')));
  t.after(() => {
    for (const child of processes) child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  await Promise.all(processes.map(answer));
  for (let file = 0; file < 30; file += 1) {
    const order: OpenOrder = { path: join(folder, String(file), 'turnkeep.db'), atMs: Date.now() + leadMs };
    const failures = await Promise.all(
      processes.map(async (child) => {
        child.send(order);
        return answer(child);
      }),
    );
    assert.deepEqual(failures, [null, null, null, null]);
  }
});

async function answer(child: ChildProcess): Promise<unknown> {
  const [message] = (await once(child, 'message')) as unknown[];
  return message;
}
