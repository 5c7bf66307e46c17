/** T11 · errors that nobody foresaw: their words are for the log alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { Store } from '../../src/store/ports/store.ts';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { story, World } from '../support/world.ts';

/** What must not be in a history; `replayAll` looks for the first two words of it everywhere in there. */
const words = 'secret words sk-foreign-0123456789 /home/x/turnkeep.db';

/** Throws at the first claim, and has no turns for the watcher: its claim, which no history knows of, could come first. */
function brokenOnce(store: Store, thrown: Error): Store {
  let isBroken = true;
  return {
    ...store,
    listOverdue: async () => [],
    async claim(request) {
      if (!isBroken) return store.claim(request);
      isBroken = false;
      throw thrown;
    },
  };
}

story(
  'T11 · a store that throws leaves its class and code in the history, no text, no stack and no cause, and the turn runs at the next attempt',
  async (world) => {
    world.model.enqueue(chatAnswer('Hello'));
    const thrown = Object.assign(new TypeError(words, { cause: new Error(words) }), { code: 'ERR_SQLITE_ERROR' });
    await world.startWorker(brokenOnce(world.openStore(), thrown));
    const viewer = await world.hear('hi');
    assert.deepEqual([viewer.last.response.status, world.model.requests.length], ['completed', 1]);
    const history = await world.history(viewer.id);
    const failures = (history.events ?? []).flatMap(({ activityTaskStartedEventAttributes: event }) => event?.lastFailure ?? []);
    assert.deepEqual(
      failures.map(({ message, stackTrace, cause, applicationFailureInfo: info }) => [message, stackTrace, cause ?? null, info?.type]),
      [["an error of our own (ERR_SQLITE_ERROR): the worker's log has it", '', null, 'TypeError']],
    );
    assert.doesNotMatch(JSON.stringify(history), /secret|sk-foreign|home/);
  },
  { hasWorker: false },
);

test('what a store has thrown is in the log of the worker, words and all', { timeout: 60_000 }, async () => {
  const lines: { msg: string; err?: { message: string } }[] = [];
  const log = pino({ level: 'error', base: null }, { write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]) });
  await using world = await World.open({ hasWorker: false, log });
  world.model.enqueue(chatAnswer('Hello'));
  await world.startWorker(brokenOnce(world.openStore(), new Error(words)));
  await world.hear('hi');
  assert.deepEqual(
    lines.map(({ msg, err }) => [msg, err?.message]),
    [['an activity ended in an error of our own', words]],
  );
});
