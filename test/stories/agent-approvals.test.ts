/** Calls that a person approves, or refuses, in the input of a later turn. */
import assert from 'node:assert/strict';
import { chat, chatAnswer, chatToolCalls, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { errorOf, post } from '../support/post.ts';
import type { FinalResponse } from '../support/viewer.ts';
import type { World } from '../support/world.ts';
import { agentStory, call, helper, itemsOf, keys, shown, told } from './agent-story.ts';

interface Asked {
  readonly id: string;
  readonly requests: readonly string[];
}

/** A turn that ends with requests for approvals of mails to these. */
async function ask(world: World, body: Record<string, unknown>, ...names: readonly string[]): Promise<Asked> {
  world.model.enqueue(chatToolCalls(...names.map((name) => call(`mail_${name}`, 'mail', name))));
  const viewer = await world.hear('write', { ...helper, ...body });
  const items = itemsOf(viewer.last.response);
  assert.deepEqual(
    items.map(({ type }) => type),
    names.map(() => 'mcp_approval_request'),
  );
  return { id: viewer.id, requests: items.map(({ id }) => id) };
}

function answerTo(id: string | undefined, approve: boolean, reason?: string): object {
  return { type: 'mcp_approval_response', approval_request_id: id, approve, ...(reason === undefined ? {} : { reason }) };
}

agentStory('approvals: one is agreed to and one refused in one input, by another gateway, in a conversation', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann', 'bob');
  assert.deepEqual(tools.runs, []);
  const elsewhere = await world.startGateway();
  world.model.enqueue(chatAnswer('one is sent'));
  const input = [answerTo(requests[0], true), answerTo(requests[1], false, 'not him')];
  const next = await post(elsewhere.url, { ...helper, conversation, input });
  assert.deepEqual([next.status, next.json?.['status']], [200, 'completed']);
  assert.deepEqual(tools.named('mail'), ['ann']);
  const outputs = told(world, 1).filter((message) => (message as string[])[0] === 'tool') as [string, string, string][];
  assert.deepEqual(outputs[0], ['tool', 'sent to ann', 'mail_ann']);
  assert.match(outputs[1]?.[1] ?? '', /refused.*not him/);
  assert.equal(outputs[1]?.[2], 'mail_bob');
  for (const approve of [true, false]) {
    const second = await post(world.url, { ...helper, conversation, input: [answerTo(requests[0], approve)] });
    assert.equal(second.status, 400, second.text);
  }
  assert.deepEqual(tools.named('mail'), ['ann'], 'an approved call runs once');
});

agentStory(
  'approvals by previous_response_id; of what was never asked for, and of another tenant, there are none',
  async (world, tools) => {
    const { id, requests } = await ask(world, {}, 'ann');
    const wrong = await post(world.url, { ...helper, previous_response_id: id, input: [answerTo('mcpr_never', true)] });
    assert.equal(wrong.status, 400);
    const alone = await post(world.url, { ...helper, input: [answerTo(requests[0], true)] });
    assert.equal(alone.status, 400);
    const other = await post(world.url, { model: 'short', previous_response_id: id, input: [answerTo(requests[0], true)] });
    assert.deepEqual(errorOf(other), [400, 'input[0].approval_request_id', 'approval_without_tool'], 'and the call is not used up');
    world.model.enqueue(chatAnswer('sent'));
    const next = await world.hear('', { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)] });
    assert.deepEqual(shown(next), [
      ['mcp_call', 'completed'],
      ['message', 'completed'],
    ]);
    assert.deepEqual(tools.named('mail'), ['ann']);
  },
);

agentStory('approvals in the history of a client that keeps its own are history: nothing is run for them', async (world, tools) => {
  const { id, requests } = await ask(world, {}, 'ann');
  world.model.enqueue(chatAnswer('sent'));
  const next = await world.hear('', { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)] });
  assert.deepEqual(tools.named('mail'), ['ann']);
  const { output } = (await world.call('GET', `/v1/responses/${id}`)).body as { readonly output: readonly object[] };
  const message = (content: string) => ({ role: 'user', content });
  const asked = [message('write'), ...output];
  const fresh = await post(world.url, { ...helper, input: [...asked, answerTo(requests[0], true)] });
  assert.equal(fresh.status, 400, 'what is agreed to now is answered where it was asked');

  world.model.enqueue(chatAnswer('you are welcome'), chatAnswer('as you wish'));
  const history = [...asked, answerTo(requests[0], true), ...itemsOf(next.last.response), message('thanks')];
  const past = await post(world.url, { ...helper, input: history });
  assert.deepEqual([past.status, past.json?.['status']], [200, 'completed'], past.text);
  assert.deepEqual(told(world, 2).slice(1), [
    ['user', 'write'],
    ['assistant', ['mail_ann']],
    ['tool', 'sent to ann', 'mail_ann'],
    ['assistant', 'sent'],
    ['user', 'thanks'],
  ]);
  const refused = await post(world.url, { ...helper, input: [...asked, answerTo(requests[0], false)] });
  assert.equal(refused.json?.['status'], 'completed', refused.text);
  assert.match(JSON.stringify(told(world, 3).at(-1)), /refused/);
  assert.deepEqual(tools.named('mail'), ['ann']);
});

agentStory('a request that is answered twice in one input is a 400 that names the second answer', async (world, tools) => {
  const { id, requests } = await ask(world, {}, 'ann');
  for (const second of [true, false]) {
    const input = [answerTo(requests[0], true), answerTo(requests[0], second)];
    const answer = await post(world.url, { ...helper, previous_response_id: id, input });
    assert.deepEqual(errorOf(answer), [400, 'input[1].approval_request_id', 'approval_answered_twice'], answer.text);
  }
  world.model.enqueue(chatAnswer('sent'));
  const body = { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)], tool_choice: 'none' };
  assert.equal((await post(world.url, body)).json?.['status'], 'completed', 'nothing was used up');
  assert.deepEqual(tools.named('mail'), ['ann'], 'tool_choice is of what the model may call: this it has called before');
});

agentStory('T5 · an approval that was taken back before its call began can be given again', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann');
  const body = { ...helper, conversation, input: [answerTo(requests[0], true)] };
  await world.call('POST', '/v1/responses/resp_early/cancel');
  const early = await post(world.url, body, { 'x-turnkeep-response-id': 'resp_early' });
  assert.deepEqual([early.status, early.json?.['status'], tools.runs], [200, 'cancelled', []], early.text);

  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const running = await world.say('one', { ...helper, conversation });
  await running.untilText('Hel');
  const waiting = await world.say('', body);
  for (const { id } of [waiting, running]) await world.call('POST', `/v1/responses/${id}/cancel`);
  await Promise.all([waiting.ended, running.ended]);
  assert.deepEqual([waiting.last.response.status, tools.runs], ['cancelled', []]);

  world.model.enqueue(chatAnswer('sent at last'));
  const last = await post(world.url, body);
  assert.deepEqual([last.status, last.json?.['status'], tools.named('mail')], [200, 'completed', ['ann']], last.text);
  const outputs = told(world, 2).flatMap((message) => ((message as string[])[0] === 'tool' ? [(message as string[])[1]] : []));
  assert.equal(outputs.at(-1), 'sent to ann');
});

agentStory('approvals that nobody answers: the talk goes on, and the model is told', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann');
  world.model.enqueue(chatAnswer('never mind'));
  const next = await world.hear('something else', { ...helper, conversation });
  assert.equal(next.last.response.status, 'completed');
  assert.deepEqual(
    told(world, 1)
      .slice(2)
      .map((message) => (message as string[])[0]),
    ['assistant', 'tool', 'user'],
  );
  world.model.enqueue(chatAnswer('sent late'));
  const late = await world.hear('', { ...helper, conversation, input: [answerTo(requests[0], true)] });
  assert.equal(late.last.response.status, 'completed');
  assert.deepEqual(tools.named('mail'), ['ann'], 'it may be answered turns later');
  assert.ok(
    told(world, 2).some((message) => (message as string[])[1] === 'sent to ann'),
    JSON.stringify(told(world, 2)),
  );
});

agentStory(
  'nobody answers for another tenant',
  async (world, tools) => {
    const of = (name: string) => ({ authorization: `Bearer secret of ${name}` });
    world.model.enqueue(chatToolCalls(call('c1', 'mail', 'carl')), chatAnswer('sent'));
    const first = await post(world.url, { ...helper, input: 'write' }, of('ann'));
    const { id, output } = first.json as unknown as FinalResponse;
    const answer = { ...helper, previous_response_id: id, input: [answerTo(itemsOf({ output } as FinalResponse)[0]?.id, true)] };
    assert.equal((await post(world.url, answer, of('bob'))).status, 400);
    const alone = await post(world.url, { ...helper, input: answer.input }, of('bob'));
    assert.deepEqual(errorOf(alone), [400, 'input[0].approval_request_id', 'unknown_approval_request']);
    assert.deepEqual(tools.runs, []);
    assert.equal((await post(world.url, answer, of('ann'))).json?.['status'], 'completed');
    assert.deepEqual(tools.named('mail'), ['carl']);
  },
  { config: { apiKeys: keys } },
);
