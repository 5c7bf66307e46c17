/** What is cancelled, fails, or is watched from anywhere in a turn of several steps. */
import assert from 'node:assert/strict';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  hold,
  httpError,
  reset,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import type { Viewer } from '../support/viewer.ts';
import { agentStory, call, helper, shown, told } from './agent-story.ts';

function assertPrefix(viewer: Viewer, whole: Viewer, from: number): void {
  assert.deepEqual(viewer.data, whole.data.slice(from));
}

agentStory(
  'T5 · a cancel while a tool runs reaches its signal, and the next turn says that its outcome is unknown',
  async (world, tools) => {
    const conversation = await world.session();
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'held', 'two')));
    const viewer = await world.say('go', { ...helper, conversation });
    const { context } = await tools.begun('two');
    await viewer.until(({ types }) => types.includes('response.mcp_call.completed'));
    const { status, body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    assert.deepEqual([status, body['status']], [200, 'cancelled']);
    assert.equal(context.signal.aborted, true);
    await viewer.ended;
    assert.deepEqual(shown(viewer), [
      ['mcp_call', 'completed'],
      ['mcp_call', 'incomplete'],
    ]);
    tools.release('two');
    world.model.enqueue(chatAnswer('I see'));
    await world.hear('and now', { ...helper, conversation });
    const outputs = told(world, 1).filter((message) => (message as string[])[0] === 'tool') as [string, string, string][];
    assert.deepEqual(
      outputs.map(([, , id]) => id),
      ['c1', 'c2'],
    );
    assert.match(outputs[1]?.[1] ?? '', /outcome is unknown/);
    assert.equal(world.model.requests.length, 2);
  },
);

agentStory('T5 · a cancel in the stream of step 2 keeps what step 1 has shown', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [sseHead, chat.content('Hel'), stall]);
  const viewer = await world.say('go', helper);
  await viewer.untilText('Hel');
  const { body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
  assert.equal(body['status'], 'cancelled');
  await viewer.ended;
  await world.model.clientClosed(2);
  assert.deepEqual(shown(viewer), [
    ['mcp_call', 'completed'],
    ['message', 'incomplete'],
  ]);
});

agentStory(
  'T3 · what goes wrong before step 2 has started is asked again, step 2 alone: a reset, then a busy provider',
  async (world, tools) => {
    const busy = httpError(429, undefined, { 'retry-after': '0' });
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [reset], busy, chatAnswer('done'));
    const viewer = await world.hear('go', helper);
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'done']);
    const attempts = await world.attempts(viewer.id);
    assert.deepEqual(
      attempts.map(({ step, attempt, outcome }) => [step, attempt, outcome]),
      [
        [1, 1, 'completed'],
        [2, 1, 'failed'],
        [2, 2, 'failed'],
        [2, 3, 'completed'],
      ],
    );
    assert.deepEqual(tools.named('echo'), ['one']);
    assert.equal(world.model.requests.length, 4);
    assert.deepEqual(world.model.requests.at(-1)?.body, world.model.requests[1]?.body, 'it is the same request');
  },
);

agentStory('T3 · three requests of step 2 that come to nothing end the turn, and what was shown stays', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [reset], [reset], [reset], chatAnswer('never'));
  const viewer = await world.hear('go', helper);
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', 'transport_failed']);
  assert.deepEqual(shown(viewer), [['mcp_call', 'completed']]);
  assert.equal(world.model.requests.length, 4);
});

agentStory('T2 · a reset after step 2 has started is never asked again, also where nothing of its call was shown', async (world, tools) => {
  const torn: Script = [sseHead, chat.toolCall(0, { id: 'c2', name: 'echo', arguments: '{"na' }), hold('torn'), reset];
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), torn, chatAnswer('never'));
  const viewer = await world.say('go', helper);
  await world.model.reached('torn');
  await world.untilStarted(viewer.id, 2);
  world.model.release('torn');
  await viewer.ended;
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', 'stream_interrupted']);
  assert.deepEqual(shown(viewer), [['mcp_call', 'completed']]);
  assert.deepEqual([tools.named('echo'), world.model.requests.length], [['one'], 2]);
});

agentStory('T7 · viewers from any point, before, during and after, see the same bytes over all steps', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')), chatToolCalls(call('c2', 'held', 'two')), chatAnswer('done'));
  const whole = await world.say('go', helper);
  const viewers: [number, Viewer][] = [];
  for (const name of ['one', 'two']) {
    await tools.begun(name);
    for (const from of [1, 2, whole.events.length]) viewers.push([from, await world.watch(whole.id, from - 1)]);
    tools.release(name);
  }
  await whole.ended;
  for (const from of [1, 5, whole.events.length - 1]) viewers.push([from, await world.watch(whole.id, from - 1)]);
  for (const [from, viewer] of viewers) {
    await viewer.ended;
    assertPrefix(viewer, whole, from);
    assert.equal(viewer.isDone, true);
  }
  assert.deepEqual(
    whole.events.map(({ sequence_number }) => sequence_number),
    whole.events.map((_, index) => index),
  );
  const { body } = await world.call('GET', `/v1/responses/${whole.id}`);
  assert.deepEqual(body['output'], whole.last.response.output);
});

agentStory('T5 · T14 · a cancel late in a turn of many steps costs no more of its history than an early one', async (world, tools) => {
  const timersOf = async (steps: number): Promise<number> => {
    const calls = Array.from({ length: steps }, (_, at) => chatToolCalls(call(`c${steps}-${at}`, 'echo')));
    world.model.enqueue(...calls, chatToolCalls(call(`h${steps}`, 'held')));
    const viewer = await world.say('go', helper);
    await tools.begun(`h${steps}`);
    await world.call('POST', `/responses/${viewer.id}/cancel`);
    await viewer.ended;
    const { events } = await world.history(viewer.id);
    return (events ?? []).filter(({ timerStartedEventAttributes: timer }) => timer != null).length;
  };
  const [few, many] = [await timersOf(1), await timersOf(6)];
  assert.ok(few > 0 && many <= 2, `${few} timers behind one step, ${many} behind six`);
});
