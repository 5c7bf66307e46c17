/** A client that chooses the id may cancel before its POST arrives; ids belong to a tenant. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chat, hold, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { asked, messagesOf } from '../support/cases.ts';
import { errorOf, post, read } from '../support/post.ts';
import { story, type World } from '../support/world.ts';

const named = (id: string) => ({ 'x-turnkeep-response-id': id });

async function cancelled(url: string, id: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${url}/v1/responses/${id}/cancel`, { method: 'POST', headers });
  await response.text();
  return response.status;
}

function prompt(world: World): string[] {
  return messagesOf(world.model.requests.at(-1)).map(({ role, content }) => `${role}: ${content}`);
}

story('T5 · a cancel that came first: no model call, and the words are in the conversation', async (world) => {
  const conversation = await world.session();
  assert.equal(await cancelled(world.url, 'resp_early'), 404);
  const answer = await post(world.url, { input: 'hi', conversation }, named('resp_early'));
  assert.deepEqual([answer.json?.['id'], answer.json?.['status'], answer.json?.['output']], ['resp_early', 'cancelled', []]);
  const next = await world.hear('next', { conversation });
  assert.equal(next.last.response.status, 'completed');
  assert.equal(world.model.requests.length, 1);
  assert.deepEqual(prompt(world), ['user: hi', 'assistant: [The user stopped this answer before it was complete.]', 'user: next']);
  assert.deepEqual(await world.userTexts(conversation), ['hi', 'next']);
  assert.equal(await cancelled(world.url, 'resp_early'), 200, 'again: the same answer');
});

story('T5 · cancel and POST race: an accepted cancel, or one that came first, is heard', async (world) => {
  world.model.enqueue(...Array.from({ length: 30 }, () => [sseHead, chat.role(), stall]));
  const other = (await world.startGateway()).url;
  const ids = Array.from({ length: 30 }, (_, index) => `resp_race_${index}`);
  await Promise.all(
    ids.map(async (id, index) => {
      const answer = post(world.url, { input: id }, named(id));
      for (let ticks = index % 15; ticks > 0; ticks -= 1) await new Promise((resolve) => setImmediate(resolve));
      const status = await cancelled(other, id);
      assert.ok(status === 200 || status === 404, `${id}: ${status}`);
      const { json } = await answer;
      assert.equal(json?.['status'], 'cancelled', id);
      const attempts = await world.attempts(id);
      if (status === 404) assert.deepEqual([attempts, world.model.requests.filter((each) => asked(each) === id)], [[], []], id);
    }),
  );
  for (const request of world.model.requests) await world.model.clientClosed(request.index);
});

const tenants = ['ann', 'bob'] as const;
const apiKeys = tenants.map((name) => ({ name, hash: createHash('sha256').update(`secret of ${name}`).digest('hex') }));
const key = (tenant: 0 | 1) => ({ authorization: `Bearer secret of ${tenants[tenant]}` });

story(
  'a chosen id joins with the same body, is 422 with another or with a key of another id, and is free for every other tenant',
  async (world) => {
    world.model.enqueue([sseHead, chat.content('private'), hold('go'), stall]);
    const id = named('resp_mine');
    const first = post(world.url, { input: 'hi' }, { ...id, ...key(0) });
    await world.model.reached('go');
    const joined = post(world.url, { input: 'hi' }, { ...id, ...key(0) });
    const taken = [422, 'x-turnkeep-response-id', 'response_id_taken'];
    assert.deepEqual(errorOf(await post(world.url, { input: 'ho' }, { ...id, ...key(0) })), taken);
    // Whether another tenant holds an id shows in nothing: not in a refusal, nor in an id of another form.
    const bob = await post(world.url, { input: 'hi', stream: true }, { ...id, ...key(1) });
    assert.ok(!bob.text.includes('private'));
    assert.equal(bob.headers.get('x-turnkeep-response-id'), 'resp_mine');
    assert.deepEqual([...new Set(bob.text.match(/"id":"resp_[^"]*"/g))], ['"id":"resp_mine"']);
    const look = async (path: string, tenant: 0 | 1) => read(await fetch(`${world.url}${path}`, { headers: key(tenant) }));
    assert.equal((await look('/v1/responses/resp_mine', 1)).json?.['status'], 'completed');
    assert.equal((await look('/v1/responses/resp_mine', 0)).json?.['status'], 'in_progress');
    const [mine, theirs] = [await look('/turns/resp_mine', 0), await look('/turns/resp_mine', 1)];
    assert.deepEqual([mine.json?.['id'], theirs.json?.['id']], ['resp_mine', 'resp_mine']);
    for (const { json } of [mine, theirs]) assert.match(String(json?.['workflow_id']), /^turn\/resp_[0-9a-f]{48}$/);
    const next = await post(world.url, { input: 'on', previous_response_id: 'resp_mine' }, key(1));
    assert.deepEqual([next.json?.['status'], next.json?.['previous_response_id']], ['completed', 'resp_mine']);
    assert.deepEqual(prompt(world).slice(0, 1), ['user: hi']);
    assert.equal(await cancelled(world.url, 'resp_mine', key(1)), 400, 'it has ended');
    assert.equal(await cancelled(world.url, 'resp_mine', key(0)), 200);
    assert.equal((await first).text.trim(), (await joined).text.trim());
    assert.deepEqual([(await first).json?.['status'], world.model.requests.length], ['cancelled', 3]);
    const gone = await fetch(`${world.url}/v1/responses/resp_mine`, { method: 'DELETE', headers: key(1) });
    assert.deepEqual([gone.status, (await look('/v1/responses/resp_mine', 1)).status], [200, 404]);
    assert.equal((await look('/v1/responses/resp_mine', 0)).json?.['status'], 'cancelled');

    const keyed = { ...key(0), 'idempotency-key': 'k' };
    const under = await post(world.url, { input: 'keyed' }, { ...keyed, ...named('resp_keyed') });
    assert.deepEqual(errorOf(await post(world.url, { input: 'keyed' }, { ...keyed, ...named('resp_other') })), taken);
    for (const again of [keyed, { ...keyed, ...named('resp_keyed') }]) {
      assert.equal((await post(world.url, { input: 'keyed' }, again)).text, under.text);
    }
    const streamed = await post(world.url, { input: 'keyed', stream: true }, keyed);
    assert.equal(streamed.headers.get('x-turnkeep-response-id'), 'resp_keyed', 'how the answer is shown is not part of the body');
    assert.equal(await cancelled(world.url, 'resp_later', key(1)), 404);
    const own = await post(world.url, { input: 'mine' }, { ...named('resp_later'), ...key(0) });
    assert.equal(own.json?.['status'], 'completed', "another tenant's early cancel is not this one's");
  },
  { config: { apiKeys } },
);
