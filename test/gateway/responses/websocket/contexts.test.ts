/** What a connection remembers is bounded, and let go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBudget } from '../../../../src/gateway/http/body-budget.ts';
import { Contexts, type Kept } from '../../../../src/gateway/responses/websocket/contexts.ts';

const answer = (id: string) => ({ id, output: [{ type: 'message', role: 'assistant', content: id }] });

function kept(contexts: Contexts, body: object, bytes: number): Kept {
  const request = contexts.keep(contexts.expand(body as { readonly [field: string]: unknown }, bytes));
  assert.ok(request);
  return request;
}

test('the last response of each stream is remembered, with all that was said before it', () => {
  const budget = new BodyBudget({ totalBytes: 1_000, tenantBytes: 1_000 });
  const contexts = new Contexts(budget, 'me');
  contexts.remember(answer('resp_1'), kept(contexts, { input: 'one', previous_response_id: 'resp_0' }, 100), {
    streamId: undefined,
    outputBytes: 50,
  });
  assert.equal(budget.heldBytes, 150);
  const next = contexts.expand({ input: 'two', previous_response_id: 'resp_1', model: 'm' }, 10);
  assert.deepEqual(next, {
    body: {
      model: 'm',
      previous_response_id: 'resp_0',
      input: [{ role: 'user', content: 'one' }, ...answer('resp_1').output, { role: 'user', content: 'two' }],
    },
    continues: 'resp_1',
    bytes: 160,
  });
  const unknown = { input: 'two', previous_response_id: 'resp_9' };
  assert.deepEqual(contexts.expand(unknown, 10), { body: unknown, bytes: 10 });
  const both = { input: 'two', previous_response_id: 'resp_1', conversation: 'conv_1' };
  assert.deepEqual(contexts.expand(both, 10), { body: both, bytes: 10 }, 'the schema says what is wrong with it');
  contexts.remember(answer('resp_2'), kept(contexts, { input: 'two', previous_response_id: 'resp_1' }, 10), {
    streamId: undefined,
    outputBytes: 5,
  });
  assert.equal(budget.heldBytes, 165, 'the one before is let go');
  assert.equal(contexts.expand({ previous_response_id: 'resp_1' }, 10).continues, undefined);
  contexts.forgetAll();
  assert.equal(budget.heldBytes, 0);
});

test('T14 · what is too much is not remembered, at the request’s acceptance or at its end, and holds nothing', () => {
  const budget = new BodyBudget({ totalBytes: 1_000, tenantBytes: 500 });
  const contexts = new Contexts(budget, 'me');
  assert.equal(contexts.keep(contexts.expand({ input: 'long' }, 600)), undefined);
  assert.equal(budget.heldBytes, 0);
  const request = kept(contexts, { input: 'one' }, 400);
  contexts.remember(answer('resp_1'), request, { streamId: 'main', outputBytes: 200 });
  assert.equal(budget.heldBytes, 0);
  assert.equal(contexts.expand({ previous_response_id: 'resp_1' }, 10).continues, undefined);
});
