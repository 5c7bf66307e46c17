import assert from 'node:assert/strict';
import { test } from 'node:test';
import { childIdOf, newId } from '../../src/client/ids.ts';

/** The time that an id of a turn begins with. */
function timeOf(id: string): number {
  assert.match(id, /^resp_[0-9a-f]{48}$/);
  return Number.parseInt(id.slice(5, 17), 16);
}

test('ids of turns sort by the time they were made at, and differ in all the rest', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 1) });
  const ids = Array.from({ length: 300 }, () => {
    t.mock.timers.tick(1);
    return newId('resp');
  });
  assert.deepEqual(
    ids.map(timeOf),
    Array.from(ids, (_, at) => Date.UTC(2026, 0, 1) + at + 1),
  );
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids.map((id) => id.slice(17))).size, ids.length);
});

test('ids of other things are random throughout', () => {
  const heads = new Set(Array.from({ length: 300 }, () => newId('msg').slice(0, 8)));
  assert.ok(heads.size > 200, `${heads.size} different beginnings`);
});

test('the turn of a call has one id, with the time of the turn that calls it', () => {
  const parent = newId('resp');
  const child = childIdOf({ turn: parent, number: 0 });
  assert.equal(childIdOf({ turn: parent, number: 0 }), child);
  assert.equal(timeOf(child), timeOf(parent));
  assert.notEqual(childIdOf({ turn: parent, number: 1 }), child);
  assert.equal(timeOf(childIdOf({ turn: child, number: 0 })), timeOf(parent), 'the turns that it calls in turn');
  assert.match(childIdOf({ turn: 'resp_chosen', number: 0 }), /^resp_[0-9a-f]{48}$/);
});
