/** Temporal or the database away and back: a sentence each, however long it takes and however often it is tried. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { watchAvailability } from '../../src/roles/availability.ts';

test('away is told after two looks that fail, or have no answer, and back once; a single failure is nothing', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  let look = async (): Promise<void> => {};
  const told: string[] = [];
  const stop = watchAvailability({
    dependencies: [{ name: 'Temporal', meanwhile: 'turns wait', lookEveryMs: 2_500, look: () => look() }],
    onChange: (sentence) => told.push(sentence.replace(/\d+ s/, 'N s')),
  });
  const looks = async (times: number): Promise<void> => {
    for (let left = times; left > 0; left -= 1) {
      context.mock.timers.tick(2_500);
      await nextTurnOfTheLoop();
    }
  };
  const fails = async (): Promise<never> => Promise.reject(new Error('refused'));
  const works = async (): Promise<void> => {};
  await looks(2);
  look = fails;
  await looks(1);
  look = works;
  await looks(1);
  assert.deepEqual(told, []);
  look = fails;
  await looks(5);
  assert.deepEqual(told, ['Temporal is away: turns wait']);
  look = works;
  await looks(3);
  assert.deepEqual(told.splice(0), ['Temporal is away: turns wait', 'Temporal is back after N s']);
  look = async () => new Promise(() => {});
  await looks(4);
  assert.deepEqual(told.splice(0), ['Temporal is away: turns wait']);
  stop();
  look = works;
  await looks(3);
  assert.deepEqual(told, []);
});
