/** A database that is away between the booking of a request and its sending: the attempt waits for it, and the turn loses nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatAnswer, reset } from '../../src/testing/model-server/index.ts';
import { type Store, StoreBusyError } from '../../src/store/ports/store.ts';
import { sceneOf } from './support.ts';

/** Every kind of read is refused once. @param refused gets the name of each */
function busyAtFirst(store: Store, refused: string[]): Partial<Store> {
  const reads = Object.entries(store).filter(([name]) => name.startsWith('read'));
  return Object.fromEntries(
    reads.map(([name, read]: [string, (...args: unknown[]) => unknown]) => [
      name,
      async (...args: unknown[]) => {
        if (refused.includes(name)) return read(...args);
        refused.push(name);
        throw new StoreBusyError('the database is away');
      },
    ]),
  );
}

test('T3 · reads that the database refuses for a moment are asked again, and the request goes out once', async () => {
  await using scene = await sceneOf({ scripts: [[reset], chatAnswer('Hello')] });
  await assert.rejects(scene.attempt());
  scene.setWait();
  const refused: string[] = [];
  const settled = await scene.attemptElsewhere({ calls: (store) => busyAtFirst(store, refused) });
  assert.deepEqual(settled, { status: 'completed', code: null });
  for (const name of ['readTranscript', 'readInput', 'readAttempts', 'readHead']) assert.ok(refused.includes(name), name);
  assert.equal(scene.model.requests.length, 2);
  assert.deepEqual(scene.errors, []);
});
