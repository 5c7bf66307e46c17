/** An answer that its provider keeps, and that another process is to read on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttemptState } from '../../src/activities/attempt/attempt-state.ts';
import { FencedError } from '../../src/activities/attempt/journal-writer.ts';
import { passOn } from '../../src/activities/attempt/pass-on.ts';
import { claimed, inserted, newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

test('T12 · an attempt is passed on, also where the end of its recording is refused', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  await inserted(store, newTurn('resp_a'));
  const { epoch } = await claimed(store, 'resp_a');
  const key = { turn: 'resp_a', step: 1, attempt: 1 };
  assert.equal(await store.bookKeptResponse({ ...key, epoch, response: { id: 'resp_theirs', after: 2 } }), true);
  const writer = { keepRecording: () => Promise.reject(new FencedError('the turn was taken over')) };
  const result = await passOn({ store, writer, key, epoch, onReady: () => undefined } as unknown as AttemptState);
  assert.equal(result.type, 'failed');
  assert.equal((await store.readHead('resp_a'))?.lease, 'none', 'whoever comes need not wait for the lease to run out');
});
