/** What tools say of how far they are, as the database is told of it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { ProgressNotes } from '../../src/activities/attempt/progress-notes.ts';

function notesOf(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const written: string[] = [];
  return { written, notes: new ProgressNotes(async (words) => void written.push(words)) };
}

test('T14 · of the words that a tool says in a quarter of a second the first and the newest are written', async (t) => {
  const { written, notes } = notesOf(t);
  for (let done = 1; done <= 1_000; done += 1) notes.note(`${done} of 1000`);
  await nextTurnOfTheLoop();
  assert.deepEqual(written, ['1 of 1000']);
  t.mock.timers.tick(250);
  assert.deepEqual(written, ['1 of 1000', '1000 of 1000']);
  await nextTurnOfTheLoop();
  t.mock.timers.tick(10_000);
  assert.equal(written.length, 2);
});

test('T14 · one write is under way at a time, however long it takes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const written: string[] = [];
  const first = Promise.withResolvers<void>();
  const notes = new ProgressNotes(async (words) => {
    written.push(words);
    await first.promise;
  });
  for (const words of ['a', 'b']) notes.note(words);
  t.mock.timers.tick(1_000);
  notes.note('c');
  assert.deepEqual(written, ['a']);
  first.resolve();
  await nextTurnOfTheLoop();
  assert.deepEqual(written, ['a', 'c']);
});

test('the last word of a tool is written before the end of its call, and none behind it', async (t) => {
  const { written, notes } = notesOf(t);
  for (const words of ['1', '2', '3']) notes.note(words);
  await notes.close();
  notes.note('4');
  t.mock.timers.tick(10_000);
  await nextTurnOfTheLoop();
  assert.deepEqual(written, ['1', '3']);
});

test('T14 · a word of any length is cut to 500 characters', async (t) => {
  const { written, notes } = notesOf(t);
  notes.note('x'.repeat(100_000));
  await notes.close();
  assert.deepEqual(written, [`${'x'.repeat(499)}…`]);
});
