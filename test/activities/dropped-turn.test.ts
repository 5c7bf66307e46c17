/** A turn that is gone while its workflow still runs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settleTurn } from '../../src/store/settle-turn.ts';
import { sceneOf } from './support.ts';

test('T5 · a cancelled turn that was not to be stored is dropped while its worker is dead: its session goes on', async () => {
  await using at = await sceneOf({ scripts: [], settings: { store: false } });
  await settleTurn(at.store, 'resp_a', { status: 'cancelled' }, 1_000);
  assert.equal(await at.store.purgeUnstored({ deliveredBeforeMs: 2_000, settledBeforeMs: 2_000 }), 1);
  assert.deepEqual(await at.settle(), { status: 'failed', code: 'internal_error' });
});
