/** A short campaign with everything that a long one has: every kind of fault is met, and every law holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needFaketime } from '../support/programs.ts';
import { runCampaign } from './campaign.ts';
import { canMount, hasClock } from './machine.ts';
import { sqliteDatabase } from './sqlite.ts';

test('T1-T14 · every kind of process, link, client and model fails within a minute, and every law holds of every turn', async (context) => {
  if ((await needFaketime(context)) === undefined) return;
  const without = new Set([...((await canMount()) ? [] : ['disk']), ...(hasClock() ? [] : ['clock'])]);
  for (const kind of without) context.diagnostic(`this machine cannot have faults of its ${kind}`);
  const { violations, missing, figures, folder } = await runCampaign({
    seed: 20_261_126,
    lengthMs: 40_000,
    mostFaults: Number.POSITIVE_INFINITY,
    sessions: 5,
    isDense: false,
    weatherPerSecond: 3,
    everyMs: 1_500,
    killEveryMs: 0,
    counts: { serve: 1, gateway: 1, worker: 1 },
    hasNginx: false,
    openDatabase: sqliteDatabase,
    without,
    say: (text) => context.diagnostic(text),
    isKept: false,
  });
  for (const [figure, value] of figures) context.diagnostic(`${figure}: ${value}`);
  assert.deepEqual(violations, [], `logs and operations.jsonl are in ${folder}`);
  assert.deepEqual(missing, [], 'each kind of fault was felt');
});
