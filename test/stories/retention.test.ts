/** Past retention: a stream and a response are 410, and what a living session has said stays. */
import assert from 'node:assert/strict';
import type { RetentionCursor } from '../../src/store/ports/retention.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post, read } from '../support/post.ts';
import { story, type World } from '../support/world.ts';

async function expire(world: World, beforeMs: number): Promise<void> {
  let from: RetentionCursor | undefined;
  do from = await world.store.expire({ beforeMs, atMs: beforeMs }, from);
  while (from !== undefined);
}

story('past retention a response is 410, in every form; the conversation of a living session is as it was', async (world) => {
  const conversation = await world.session();
  const alone = await world.hear('alone');
  const old = await world.hear('old', { conversation });
  const gone = await world.session();
  const ended = await world.hear('ended', { conversation: gone });
  for (const { id } of [alone, old, ended]) await world.history(id);
  const settledAt = await Promise.all([alone, old, ended].map(async ({ id }) => (await world.store.readTurn(id))?.settledAtMs ?? 0));
  const cut = Math.max(...settledAt) + 1;
  while (Date.now() <= cut) await new Promise((resolve) => setImmediate(resolve));
  const young = await world.hear('young', { conversation });
  const items = await world.call('GET', `/v1/conversations/${conversation}/items`);
  await expire(world, cut);
  for (const id of [alone.id, ended.id]) {
    for (const path of ['', '?stream=true', '?stream=true&starting_after=1', '/input_items']) {
      const { status, body } = await world.call('GET', `/v1/responses/${id}${path}`);
      assert.deepEqual(errorOf({ status, json: body }).toSpliced(1, 1), [410, 'response_expired'], path);
    }
    assert.equal((await post(world.url, { input: 'on', previous_response_id: id })).status, 400);
  }
  assert.equal((await world.call('GET', `/v1/conversations/${gone}`)).status, 404);
  assert.equal((await world.call('GET', `/v1/responses/${old.id}?stream=true`)).status, 410, 'its events are past retention');
  assert.equal((await world.call('GET', `/v1/responses/${old.id}`)).status, 200, 'what it said is a living past');
  assert.deepEqual(await world.call('GET', `/v1/conversations/${conversation}/items`), items);
  const replayed = await world.watch(young.id);
  await replayed.ended;
  assert.deepEqual(replayed.data, young.data);
  await world.hear('next', { conversation });
  assert.equal(messagesOf(world.model.requests.at(-1)).length, 5);
  await expire(world, Date.now() + 60_000);
  assert.equal((await world.call('GET', `/v1/responses/${young.id}`)).status, 410);
  assert.equal((await world.call('GET', `/v1/responses/${alone.id}`)).status, 404, 'after as long again nothing says that there was one');
});

story('the same request again, past retention of the events: its answer as long as that is kept, and 410 for the events', async (world) => {
  const json = { 'content-type': 'application/json' };
  const send = async (path: string, body: object, headers: Record<string, string> = {}) =>
    read(await fetch(`${world.url}${path}`, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) }));
  const conversation = await world.session();
  const message = { id: 'msg_1', role: 'user', parts: [{ type: 'text', text: 'hi' }] };
  const asked = [
    ['/v1/responses', { input: 'hi', conversation }, { 'idempotency-key': 'one' }],
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], session_id: 'two' }, { 'idempotency-key': 'two' }],
    ['/api/chat', { id: 'three', message }, {}],
  ] as const;
  const answers = [];
  for (const [path, body, headers] of asked) answers.push(await send(path, body, headers));
  for (const answer of answers) await world.history(answer.headers.get('x-turnkeep-response-id') ?? '');
  // As retention does it where the turn itself is the past of something that is kept.
  await world.database
    .ask(`UPDATE turn_content SET response = (SELECT data -> '$.response' FROM turns JOIN journal_head ON turn = id JOIN journal USING (turn)
      WHERE turns.ordinal = turn_content.ordinal AND seq = next_seq - 1)`);
  for (const table of ['journal', 'journal_head']) await world.database.ask(`DELETE FROM ${table}`);
  for (const [index, [path, body, headers]] of asked.entries()) {
    if (path !== '/api/chat') {
      const again = await send(path, body, headers);
      assert.deepEqual([again.status, again.json], [200, answers[index]?.json], path);
    }
    const streamed = await send(path, { ...body, ...(path === '/api/chat' ? {} : { stream: true }) }, headers);
    assert.deepEqual([streamed.status, errorOf(streamed)[2]], [410, 'response_expired'], path);
  }
  assert.equal(world.model.requests.length, 3);
});
