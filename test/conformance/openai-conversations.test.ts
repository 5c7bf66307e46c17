/** `openai` for Node: `conversations` and `conversations.items`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import type { ConversationItem } from 'openai/resources/conversations/items';
import { World } from '../support/world.ts';

const message = (content: string) => ({ type: 'message' as const, role: 'user' as const, content });

function textOf(item: ConversationItem): string {
  if (item.type !== 'message') return item.type;
  return item.content.map((part) => ('text' in part ? part.text : part.type)).join('');
}

test('openai: a conversation is created with items, read, updated and deleted', async () => {
  await using world = await World.open();
  const { conversations } = world.client;
  const created = await conversations.create({ metadata: { of: 'a test' }, items: [message('one'), message('two')] });
  assert.deepEqual([created.object, created.metadata], ['conversation', { of: 'a test' }]);
  assert.deepEqual(await conversations.retrieve(created.id), created);
  const updated = await conversations.update(created.id, { metadata: { of: 'another' } });
  assert.deepEqual(updated, { ...created, metadata: { of: 'another' } });
  assert.deepEqual(await conversations.retrieve(created.id), updated);
  assert.deepEqual(await conversations.delete(created.id), { id: created.id, object: 'conversation.deleted', deleted: true });
  await assert.rejects(conversations.retrieve(created.id), OpenAI.NotFoundError);
  await assert.rejects(conversations.items.list(created.id), OpenAI.NotFoundError);
});

test('openai: items are created, read, deleted, and listed by pages in both orders', async () => {
  await using world = await World.open();
  const { conversations } = world.client;
  const { id } = await conversations.create();
  const words = ['one', 'two', 'three', 'four', 'five'];
  const added = await conversations.items.create(id, { items: words.map(message) });
  assert.deepEqual([added.data.map(textOf), added.first_id, added.last_id], [words, added.data[0]?.id, added.data[4]?.id]);
  for (const order of ['asc', 'desc'] as const) {
    const listed: string[] = [];
    for await (const item of conversations.items.list(id, { order, limit: 2 })) listed.push(textOf(item));
    assert.deepEqual(listed, order === 'asc' ? words : words.toReversed());
  }
  const third = added.data[2];
  assert.ok(third?.id);
  assert.deepEqual(await conversations.items.retrieve(third.id, { conversation_id: id }), third);
  const after = await conversations.items.list(id, { order: 'asc', after: third.id });
  assert.deepEqual(after.data.map(textOf), ['four', 'five']);
  assert.equal((await conversations.items.delete(third.id, { conversation_id: id })).id, id);
  await assert.rejects(conversations.items.retrieve(third.id, { conversation_id: id }), OpenAI.NotFoundError);
  const left = await conversations.items.list(id, { order: 'asc' });
  assert.deepEqual(left.data.map(textOf), ['one', 'two', 'four', 'five']);
});

test('openai: what was put in by hand and what turns said make one prompt', async () => {
  await using world = await World.open();
  const { id } = await world.client.conversations.create({ items: [message('one')] });
  await world.client.responses.create({ model: 'scripted', input: 'two', conversation: id });
  await world.client.conversations.items.create(id, { items: [message('three')] });
  await world.client.responses.create({ model: 'scripted', input: 'four', conversation: { id } });
  const { messages } = world.model.requests[1]!.body as { messages: { role: string; content: string }[] };
  assert.deepEqual(
    messages.map(({ content }) => content),
    ['one', 'two', 'Hello world', 'three', 'four'],
  );
});
