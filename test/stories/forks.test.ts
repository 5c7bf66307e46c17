/** A turn whose past another conversation shares, up to a step; and a turn that is asked again. */
import assert from 'node:assert/strict';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf } from '../support/post.ts';
import type { World } from '../support/world.ts';
import { agentStory, call, helper, told } from './agent-story.ts';

interface Item {
  readonly id: string;
  readonly type: string;
}

async function itemsOf(world: World, conversation: string): Promise<readonly Item[]> {
  const { body } = await world.call('GET', `/conversations/${conversation}/items?order=asc`);
  return body['data'] as readonly Item[];
}

async function fork(world: World, turn: string, body: object = {}): Promise<string> {
  const { status, body: made } = await world.call('POST', `/turns/${turn}/fork`, body);
  assert.equal(status, 200, JSON.stringify(made));
  return String(made['id']);
}

/** Two steps: two calls, then the answer. */
async function asked(world: World): Promise<{ readonly turn: string; readonly conversation: string }> {
  const { body } = await world.call('POST', '/conversations', { metadata: { topic: 'tea' } });
  const conversation = String(body['id']);
  world.model.enqueue(chatAnswer('Hello.'), chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'mail', 'me')), chatAnswer('All is done.'));
  await world.hear('hi', { ...helper, conversation });
  const viewer = await world.hear('go', { ...helper, conversation });
  assert.equal(viewer.last.type, 'response.completed');
  return { turn: viewer.id, conversation };
}

agentStory('a fork goes on behind the turn, and neither session sees what the other says from then on', async (world) => {
  const { turn, conversation } = await asked(world);
  const copy = await fork(world, turn);
  const before = await itemsOf(world, conversation);
  assert.deepEqual(await itemsOf(world, copy), before);
  const { body } = await world.call('GET', `/conversations/${copy}`);
  assert.deepEqual(body['metadata'], { topic: 'tea', forked_from: turn });
  world.model.enqueue(chatAnswer('Yes.'));
  await world.hear('sure?', { ...helper, conversation: copy });
  assert.deepEqual(told(world, 3).slice(0, 2), [
    ['system', 'Help.'],
    ['user', 'hi'],
  ]);
  assert.deepEqual(told(world, 3).at(-1), ['user', 'sure?']);
  assert.deepEqual(await itemsOf(world, conversation), before, 'the first one has nothing of it');
});

agentStory(
  'T1 · T13 · a fork at a step ends before its request: the turn goes on from there, and its calls are not made again',
  async (world, tools) => {
    const { turn } = await asked(world);
    const copy = await fork(world, turn, { step: 2 });
    assert.deepEqual(
      (await itemsOf(world, copy)).map(({ type }) => type),
      ['message', 'message', 'message', 'mcp_call', 'mcp_call'],
    );
    world.model.enqueue(chatAnswer('All is done, again.'));
    const viewer = await world.say('', { ...helper, conversation: copy, input: [] });
    await viewer.ended;
    assert.deepEqual(messagesOf(world.model.requests[3]), messagesOf(world.model.requests[2]), 'as the step was asked before');
    assert.equal(tools.runs.length, 2);

    const first = await fork(world, turn, { step: 1 });
    assert.deepEqual(
      (await itemsOf(world, first)).map(({ type }) => type),
      ['message', 'message', 'message'],
    );
  },
);

agentStory('an edited item takes the place of the one that has its id, of the input and of a tool', async (world) => {
  const { turn, conversation } = await asked(world);
  const items = await itemsOf(world, conversation);
  const [user, , first] = items.slice(2);
  assert.ok(user?.type === 'message' && first?.type === 'mcp_call');
  const edit = [
    { type: 'message', id: user.id, role: 'user', content: 'go on' },
    { ...items[3], output: 'another echo' },
  ];
  const copy = await fork(world, turn, { step: 2, edit });
  world.model.enqueue(chatAnswer('Well.'));
  const viewer = await world.say('', { ...helper, conversation: copy, input: [] });
  await viewer.ended;
  const lines = told(world, 3);
  assert.deepEqual(lines[3], ['user', 'go on']);
  assert.ok(JSON.stringify(lines).includes('another echo') && !JSON.stringify(lines).includes('echo of one'));
});

agentStory('what cannot be forked is told by the name of the field', async (world, tools) => {
  const { turn } = await asked(world);
  const refused = async (path: string, body: object) => {
    const { status, body: json } = await world.call('POST', path, body);
    return errorOf({ status, json });
  };
  assert.deepEqual(await refused(`/turns/${turn}/fork`, { step: 3 }), [400, 'step', 'invalid_value']);
  assert.deepEqual(await refused(`/turns/${turn}/rerun`, { from: 9 }), [400, 'from', 'invalid_value']);
  assert.deepEqual(await refused(`/turns/${turn}/rerun`, { set: { model: 'short' } }), [400, 'set.model', 'invalid_value']);
  const said = { type: 'message', role: 'user', content: 'x' };
  assert.deepEqual(await refused(`/turns/${turn}/fork`, { edit: [said] }), [400, 'edit[0].id', 'missing_required_parameter']);
  assert.deepEqual(await refused(`/turns/${turn}/fork`, { edit: [{ ...said, id: 'msg_0' }] }), [400, 'edit[0].id', 'invalid_value']);
  assert.deepEqual(await refused('/turns/resp_none/fork', {}), [404, null, 'not_found']);

  world.model.enqueue(chatToolCalls(call('c3', 'held', 'three')), chatAnswer('done'));
  const viewer = await world.say('once more', helper);
  await tools.begun('three');
  assert.deepEqual(await refused(`/turns/${viewer.id}/fork`, {}), [409, null, 'turn_not_settled']);
  tools.release('three');
  await viewer.ended;
});

agentStory(
  'a rerun asks the turn again in a conversation of its own, with other settings, and with its tools or without',
  async (world, tools) => {
    const { turn, conversation } = await asked(world);
    const before = await itemsOf(world, conversation);
    world.model.enqueue(
      chatToolCalls(call('d1', 'echo', 'one'), call('d2', 'echo', 'two')),
      chatAnswer('Done by the record.'),
      chatToolCalls(call('e1', 'echo', 'one')),
      chatAnswer('Done for good.'),
    );
    const rerun = async (body: object) => {
      const { status, body: response } = await world.call('POST', `/turns/${turn}/rerun`, body);
      assert.equal(status, 200, JSON.stringify(response));
      const viewer = await world.watch(String(response['id']));
      await viewer.ended;
      assert.equal(viewer.last.type, 'response.completed');
      return viewer;
    };
    await rerun({ tools: 'recorded', set: { model: 'stronger', instructions: 'Be brief.' } });
    assert.equal(tools.runs.length, 2, 'none of them ran');
    assert.equal((world.model.requests[3]?.body as { readonly model?: string } | undefined)?.model, 'stronger');
    assert.deepEqual(told(world, 3), [
      ['system', 'Be brief.'],
      ['user', 'hi'],
      ['assistant', 'Hello.'],
      ['user', 'go'],
    ]);
    const [one, two] = told(world, 4).slice(-2) as unknown as readonly (readonly string[])[];
    assert.equal(one?.[1], 'echo of one');
    assert.match(two?.[1] ?? '', /did not make this call/);

    await rerun({ tools: 'run' });
    assert.equal(tools.runs.length, 3);
    assert.deepEqual(await itemsOf(world, conversation), before, 'the turn and its session are as they were');
  },
);
