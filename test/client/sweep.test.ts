/** The sweep beside everything else that its process does. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { startSweep } from '../../src/client/sweep.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { ended } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

test('T14 · between two slices of a sweep its process does what else it has to do', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const settings = { ...defaultSettings('scripted'), store: false };
  for (let n = 0; n < 450; n++) {
    const id = `resp_${n}`;
    await ended(store, id, { settings });
  }
  const db = new DatabaseSync(database.path);
  // Long ago: their purge is due.
  db.exec('UPDATE turns SET settled_at = 1000');
  const count = db.prepare('SELECT count(*) AS n FROM turns');
  // Never connected: there is nothing to hand over.
  const { workflow: workflows } = new Client({ connection: Connection.lazy() });
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits, isEager: false });
  const errors: unknown[] = [];
  const seen = new Set<number>();
  const sweep = startSweep({ store, dispatcher, retentionDays: 30, cancel: async () => {}, onError: (error) => errors.push(error) });
  while (!seen.has(0)) {
    seen.add(Number(count.get()?.['n']));
    await nextTurnOfTheLoop();
  }
  sweep.stop();
  db.close();
  assert.deepEqual([errors, [...seen]], [[], [450, 390, 330, 270, 210, 150, 90, 30, 0]]);
});
