/** A turn whose past another conversation shares, up to a step; and a turn that is asked again. */
import assert from 'node:assert/strict';
import { chatAnswer, chatToolCalls, httpError } from '../../src/testing/model-server/index.ts';
import { RerunDatabase } from '../../src/history/rerun/scene.ts';
import { rerunTurn } from '../../src/history/rerun/rerun.ts';
import { bundleOf } from '../support/bundle.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import type { Viewer } from '../support/viewer.ts';
import type { World } from '../support/world.ts';
import { agentStory, call, helper, itemsOf as itemsIn, keys, told } from './agent-story.ts';

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

agentStory(
  'T13 · an approval is answered once, in the fork or in its origin; with an edited item it is asked for anew',
  async (world, tools) => {
    const conversation = await world.session();
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), chatToolCalls(call('m1', 'mail', 'ann')));
    const viewer = await world.hear('write', { ...helper, conversation });
    const requestIn = (answer: Viewer): string =>
      itemsIn(answer.last.response).find(({ type }) => type === 'mcp_approval_request')?.id ?? '';
    const agreed = (id: string) => ({ type: 'mcp_approval_response', approval_request_id: id, approve: true });
    const request = requestIn(viewer);
    const [said] = await itemsOf(world, conversation);
    const copy = await fork(world, viewer.id);
    const edited = await fork(world, viewer.id, { edit: [{ ...said, content: 'write again' }] });

    world.model.enqueue(chatAnswer('Sent.'));
    assert.equal((await post(world.url, { ...helper, conversation: copy, input: [agreed(request)] })).status, 200);
    const twice = await post(world.url, { ...helper, conversation, input: [agreed(request)] });
    assert.deepEqual(errorOf(twice), [400, 'input', 'approval_already_answered']);
    assert.deepEqual(tools.named('mail'), ['ann']);

    assert.deepEqual(
      (await itemsOf(world, edited)).map(({ type }) => type),
      ['message', 'mcp_call'],
    );
    world.model.enqueue(chatToolCalls(call('m2', 'mail', 'bob')), chatAnswer('Sent to him.'));
    const anew = await world.say('', { ...helper, conversation: edited, input: [] });
    await anew.ended;
    assert.notEqual(requestIn(anew), request);
    assert.equal((await post(world.url, { ...helper, conversation: edited, input: [agreed(requestIn(anew))] })).status, 200);
    assert.deepEqual(tools.named('mail'), ['ann', 'bob']);
  },
);

agentStory('a turn that was cancelled in a call of a tool is forked behind it, and from its beginning', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('h1', 'held', 'three')));
  const viewer = await world.say('go', helper);
  await tools.begun('three');
  await world.call('POST', `/responses/${viewer.id}/cancel`);
  await viewer.ended;
  tools.release('three');
  for (const [body, types] of [
    [{}, ['message', 'mcp_call']],
    [{ step: 1 }, ['message']],
  ] as const) {
    const copy = await fork(world, viewer.id, body);
    assert.deepEqual(
      (await itemsOf(world, copy)).map(({ type }) => type),
      types,
    );
    world.model.enqueue(chatAnswer('On we go.'));
    const next = await post(world.url, { ...helper, conversation: copy, input: 'next' });
    assert.deepEqual([next.status, next.json?.['status']], [200, 'completed'], next.text);
  }
});

agentStory(
  'neither another tenant nor a turn that is not stored can be forked or asked again',
  async (world) => {
    const [ann, bob] = ['secret of ann', 'secret of bob'];
    const asBearer = (secret: string | undefined) => ({ authorization: `Bearer ${secret}` });
    world.model.enqueue(chatAnswer('Hello.'), chatAnswer('Hello.'));
    const kept = await post(world.url, { ...helper, input: 'hi' }, asBearer(ann));
    const unkept = await post(world.url, { ...helper, input: 'hi', store: false }, asBearer(ann));
    assert.deepEqual([kept.status, unkept.status], [200, 200]);
    for (const [turn, secret] of [
      [kept.json?.['id'], bob],
      [unkept.json?.['id'], ann],
    ]) {
      for (const verb of ['fork', 'rerun']) {
        const headers = { ...asBearer(String(secret)), 'content-type': 'application/json' };
        const { status } = await fetch(`${world.url}/v1/turns/${String(turn)}/${verb}`, { method: 'POST', headers, body: '{}' });
        assert.equal(status, 404, verb);
      }
    }
    assert.equal(world.model.requests.length, 2);
  },
  { config: { apiKeys: keys } },
);

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
    const recorded = await rerun({ tools: 'recorded', set: { model: 'stronger', instructions: 'Be brief.' } });
    await using database = new RerunDatabase();
    const again = await rerunTurn(database, await bundleOf(world.store, await world.ownId(recorded.id)));
    assert.deepEqual([again.outcome, again.difference], ['same', undefined]);
    const { body: report } = await world.call('GET', `/turns/${recorded.id}`);
    assert.deepEqual([report['model'], report['asked_model']], ['helper', 'stronger']);
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

agentStory('T13 · a rerun that said nothing is asked again with what it was asked with, once', async (world) => {
  const { turn } = await asked(world);
  const rerun = async (id: string): Promise<string> => {
    const { status, body } = await world.call('POST', `/turns/${id}/rerun`, {});
    assert.equal(status, 200, JSON.stringify(body));
    const viewer = await world.watch(String(body['id']));
    await viewer.ended;
    return viewer.id;
  };
  world.model.enqueue(httpError(400), chatAnswer('Better.'));
  await rerun(await rerun(turn));
  assert.deepEqual(told(world, 4), told(world, 3));
});

agentStory('T1 · the same Idempotency-Key gives the same fork and the same rerun, which is asked and paid for once', async (world) => {
  const { turn } = await asked(world);
  const send = async (path: string, body: object, key = 'once') => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key };
    const answer = await fetch(`${world.url}/turns/${turn}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { status: answer.status, body: (await answer.json()) as { readonly id: string } };
  };
  const forks = await Promise.all([send('fork', { step: 2 }), send('fork', { step: 2 }), send('fork', {}), send('fork', {})]);
  assert.deepEqual(
    forks.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert.equal(forks[0]?.body.id, forks[1]?.body.id);
  assert.equal(forks[2]?.body.id, forks[3]?.body.id);
  assert.notEqual(forks[0]?.body.id, forks[2]?.body.id);
  const itemsOf = async (id = ''): Promise<number> =>
    ((await world.call('GET', `/v1/conversations/${id}/items`)).body['data'] as readonly unknown[]).length;
  assert.equal(await itemsOf(forks[0]?.body.id), await itemsOf((await send('fork', { step: 2 }, 'another')).body.id));
  world.model.enqueue(chatAnswer('Again.'));
  const reruns = await Promise.all([send('rerun', { from: 2 }), send('rerun', { from: 2 })]);
  assert.deepEqual([reruns[0]?.status, reruns[0]?.body.id], [200, reruns[1]?.body.id]);
  const viewer = await world.watch(reruns[0]?.body.id ?? '');
  await viewer.ended;
  assert.equal(world.model.requests.length, 4);
  assert.equal((await send('rerun', { from: 1 })).status, 422);
});
