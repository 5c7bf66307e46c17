/** What becomes of the members that clients send with the items of a Responses request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toNewItem } from '../../../src/gateway/responses/items.ts';
import { conversationItem } from '../../../src/gateway/responses/item-schema.ts';

const made = (body: object): unknown => toNewItem(conversationItem.parse(body));

test("T13 · what OpenAI's client adds to an answer that it has parsed is no part of the item", () => {
  const call = { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}', namespace: 'n' };
  assert.deepEqual(made({ ...call, parsed_arguments: {} }), { ...call, status: 'completed' });
  const part = { type: 'output_text', text: '{}', annotations: [], logprobs: [] };
  const message = { type: 'message', role: 'assistant', status: 'completed' };
  assert.deepEqual(made({ ...message, content: [{ ...part, parsed: {} }] }), { ...message, content: [part] });
});
