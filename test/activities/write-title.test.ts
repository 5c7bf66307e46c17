/** `writeTitle` against the faulty model server, without a Temporal server. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { writeTitle } from '../../src/activities/write-title.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { chatAnswer, startModelServer } from '../../src/testing/model-server/index.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const limits = { connectTimeoutMs: 1_000, firstEventTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

test('T2, T11 · a title that was answered is not asked for again, whatever fails after it, and constant words say so', async (t) => {
  await using database = temporaryDatabase();
  const store = database.open();
  await store.insertTurn(newTurn('resp_a'));
  const model = await startModelServer();
  model.enqueue(chatAnswer('A title'));
  const provider = createProvider({ baseUrl: model.baseUrl, api: 'chat', limits });
  t.after(() => Promise.all([provider.close(), model.close()]));
  const db = new DatabaseSync(database.path);
  db.exec('ALTER TABLE sessions RENAME TO broken');
  db.close();
  const titled = new MockActivityEnvironment().run(writeTitle, { store, provider }, { session: 'conv_a', turn: 'resp_a' });
  const failure = await titled.then(
    () => assert.fail('it did not fail'),
    (error: ApplicationFailure) => error,
  );
  assert.deepEqual([failure.type, failure.nonRetryable, failure.cause], ['internal_error', true, undefined]);
  assert.equal(model.requests.length, 1);
});
