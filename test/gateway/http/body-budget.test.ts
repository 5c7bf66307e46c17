/** T14: how much of bodies is held at once, of each tenant and in all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBudget, type BodyHold } from '../../../src/gateway/http/body-budget.ts';
import { ApiError } from '../../../src/gateway/http/errors.ts';

function isTaken(hold: BodyHold, toBytes: number): boolean {
  try {
    hold.grow(toBytes);
    return true;
  } catch (error) {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.fields.status, error.fields.code, error.fields.headers?.['retry-after']], [429, 'too_many_bytes', '1']);
    return false;
  }
}

test('a tenant has its share, all have theirs, and what is let go may be taken again', () => {
  const budget = new BodyBudget({ totalBytes: 100, tenantBytes: 60 });
  const [ann, annToo, bob, carl] = [budget.open('ann'), budget.open('ann'), budget.open('bob'), budget.open('carl')];
  assert.deepEqual([isTaken(ann, 50), isTaken(annToo, 10), isTaken(annToo, 11)], [true, true, false]);
  assert.deepEqual([isTaken(bob, 40), isTaken(carl, 1)], [true, false]);
  assert.equal(budget.heldBytes, 100);
  annToo.release();
  annToo.release();
  assert.deepEqual([budget.heldBytes, isTaken(carl, 10), isTaken(carl, 9), isTaken(carl, 11)], [90, true, true, false]);
  for (const hold of [ann, bob, carl]) hold.release();
  assert.equal(budget.heldBytes, 0);
});

test('a body that grows is counted once, and one that was refused holds what it had', () => {
  const budget = new BodyBudget({ totalBytes: 100, tenantBytes: 100 });
  const hold = budget.open('ann');
  for (const size of [10, 20, 40, 80]) assert.ok(isTaken(hold, size));
  assert.equal(budget.heldBytes, 80);
  assert.equal(isTaken(hold, 160), false);
  assert.equal(budget.heldBytes, 80);
  hold.release();
  assert.equal(budget.heldBytes, 0);
});
