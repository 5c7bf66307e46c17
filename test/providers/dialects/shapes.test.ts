/** What servers of OpenAI's kind really send, read by the parsers: each shape becomes what it means, in OpenAI's own events. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureRules } from '../../../src/domain/failure.ts';
import { busyWaitMs } from '../../../src/domain/turn/retry-policy.ts';
import { assertBecame, framesOf, shapes, titleOf } from '../../support/dialects.ts';
import { readShape } from '../../support/read-dialect.ts';
import { assertGrammar, shownByEvents, shownByResponse } from '../../support/response-events.ts';

test('every shape has a name of its own, says where it was seen, and is well formed', () => {
  assert.deepEqual(new Set(shapes.map(titleOf)).size, shapes.length);
  for (const shape of shapes) {
    assert.ok(shape.seen !== '' && shape.body.length > 0, titleOf(shape));
    assert.equal(shape.becomes.code !== undefined, shape.becomes.status === 'failed', titleOf(shape));
    assert.equal(shape.becomes.reason !== undefined, shape.becomes.status === 'incomplete', titleOf(shape));
  }
});

for (const shape of shapes) {
  test(`T8 · ${titleOf(shape)}`, async () => {
    const { events, failure } = await readShape(shape, framesOf(shape));
    assertGrammar(events);
    assertBecame(shape, { ...shownByEvents(events), tier: undefined });
    assertBecame(shape, { ...shownByResponse(events.at(-1)?.['response']), tier: undefined });
    // What may be asked again, is asked again: the rest of the contract is in the world's runner.
    const isAskedAgain =
      failure !== undefined &&
      (failureRules[failure.code].retryable || (failure.busy !== undefined && busyWaitMs(failure.busy, 1) !== undefined));
    const hasStarted = events.some((event) => event.type === 'response.output_item.added');
    assert.equal(isAskedAgain && !hasStarted ? 3 : 1, shape.becomes.requests ?? 1);

    const whole = Buffer.concat(framesOf(shape));
    for (const pieces of [[whole], Array.from(whole, (byte) => Uint8Array.of(byte))]) {
      const again = await readShape(shape, pieces);
      assertGrammar(again.events);
      assertBecame(shape, { ...shownByEvents(again.events), tier: undefined });
    }
  });
}
