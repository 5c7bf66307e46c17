/** What stands in a conversation is what the model is asked with: items put in and taken out by hand, calls and their outputs, references. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chat, chatToolCalls, done, end, hold, responsesToolCalls, sseHead } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import { story, type World } from '../support/world.ts';

const user = (content: string) => ({ type: 'message', role: 'user', content });

function prompt(world: World): string[] {
  return messagesOf(world.model.requests.at(-1)).map(({ role, content }) => `${role}: ${content}`);
}

story('items put in while a turn runs stand behind its answer, and the next prompt shows exactly what stands there', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
  const conversation = await world.session();
  const path = `/v1/conversations/${conversation}/items`;
  const running = await world.say('one', { conversation });
  await running.untilText('Hel');
  const { body } = await world.call('POST', path, { items: [user('by hand'), user('a slip')] });
  const slip = (body['data'] as { id: string }[])[1]?.id ?? '';
  const waiting = await world.say('two', { conversation });
  assert.equal((await world.call('DELETE', `${path}/${slip}`)).status, 200);
  assert.equal((await world.call('DELETE', `${path}/${slip}`)).status, 404);
  world.model.release('go');
  await Promise.all([running.ended, waiting.ended]);
  assert.deepEqual(prompt(world), ['user: one', 'assistant: Hello', 'user: by hand', 'user: two']);
  const items = (await world.call('GET', `${path}?order=asc`)).body['data'] as { id: string; role: string }[];
  const answer = items.find(({ role }) => role === 'assistant')?.id ?? '';
  assert.equal((await world.call('DELETE', `${path}/${answer}`)).status, 200);
  await world.hear('three', { conversation });
  assert.deepEqual(prompt(world), ['user: one', 'user: by hand', 'user: two', 'assistant: Hello world', 'user: three']);
});

const tool = { type: 'function', name: 'weather', description: 'w', strict: false, parameters: { type: 'object', properties: {} } };
const calls = [
  { id: 'call_a', name: 'weather', arguments: { city: 'Bern' } },
  { id: 'call_b', name: 'weather', arguments: { city: 'Rome' } },
];
const output = (call_id: string) => ({ type: 'function_call_output', call_id, output: `sunny ${call_id}` });

/** Calls and outputs of the latest request, in their order, whichever API it came by. */
function paired(world: World): string[] {
  const body = (world.model.requests.at(-1)?.body ?? {}) as {
    messages?: { role: string; content?: string; tool_call_id?: string; tool_calls?: { id: string }[] }[];
    input?: { type?: string; call_id?: string; output?: string }[];
  };
  if (body.messages !== undefined) {
    return body.messages.flatMap((each) => [
      ...(each.tool_calls ?? []).map(({ id }) => `call ${id}`),
      ...(each.role === 'tool' ? [`${each.tool_call_id}: ${each.content}`] : []),
    ]);
  }
  return (body.input ?? []).flatMap(({ type, call_id, output: said }) =>
    type === 'function_call' ? [`call ${call_id}`] : type === 'function_call_output' ? [`${call_id}: ${said}`] : [],
  );
}

for (const api of ['chat', 'responses'] as const) {
  story(
    `a client's own tools over two turns: calls and outputs are paired, a missing output is told (${api})`,
    async (world) => {
      world.model.enqueue(api === 'chat' ? chatToolCalls(...calls) : responsesToolCalls(...calls));
      const conversation = await world.session();
      const body = { conversation, tools: [tool] };
      const asked = await world.hear('weather?', body);
      assert.deepEqual(
        asked.last.response.output.map(({ type, status }) => [type, status]),
        [
          ['function_call', 'completed'],
          ['function_call', 'completed'],
        ],
      );
      const unknown = await post(world.url, { ...body, input: [output('call_x')] });
      assert.deepEqual(errorOf(unknown), [400, 'input[0].call_id', 'unknown_call_id']);
      // Only one of the two is brought.
      const told = await post(world.url, { ...body, input: [output('call_b')] });
      assert.equal(told.json?.['status'], 'completed', told.text);
      assert.deepEqual(paired(world), ['call call_a', 'call call_b', 'call_a: [no result was given]', 'call_b: sunny call_b']);
      await post(world.url, { ...body, input: [output('call_a'), user('and now?')] });
      assert.deepEqual(paired(world), ['call call_a', 'call call_b', 'call_a: sunny call_a', 'call_b: sunny call_b']);
      const elsewhere = await post(world.url, { input: [output('call_a')], conversation: await world.session() });
      assert.deepEqual(errorOf(elsewhere), [400, 'input[0].call_id', 'unknown_call_id'], 'a call of another conversation is none');
    },
    { api },
  );
}

const tenants = ['ann', 'bob'] as const;
const apiKeys = tenants.map((name) => ({ name, hash: createHash('sha256').update(`secret of ${name}`).digest('hex') }));
const key = (tenant: 0 | 1) => ({ authorization: `Bearer secret of ${tenants[tenant]}` });

story(
  'a reference is told again as what it refers to, within its tenant; to anything else it is 404 and names its place',
  async (world) => {
    const first = await post(world.url, { input: 'private words' }, key(0));
    const said = (first.json?.['output'] as { id: string }[] | undefined)?.[0]?.id ?? '';
    const input = [user('what is this?'), { type: 'item_reference', id: said }];
    const foreign = await post(world.url, { input }, key(1));
    assert.deepEqual(errorOf(foreign).slice(0, 2), [404, 'input[1].id']);
    assert.equal((await post(world.url, { input }, key(0))).status, 200);
    assert.deepEqual(prompt(world), ['user: what is this?', 'assistant: Hello world']);
    assert.deepEqual(errorOf(await post(world.url, { input: [{ type: 'item_reference', id: 'msg_none' }] }, key(0))).slice(0, 2), [
      404,
      'input[0].id',
    ]);
    assert.equal(world.model.requests.length, 2);
  },
  { config: { apiKeys } },
);
