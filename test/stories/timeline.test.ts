/** What is told of a turn afterwards: every attempt with its causes, who had seen what, and Temporal's events beside it. */
import assert from 'node:assert/strict';
import type { z } from 'zod';
import { turnSchema, turnTimelineSchema } from '../../src/gateway/http/turn-schemas.ts';
import { chat, chatAnswer, chatToolCalls, hold, httpError, reset, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { until } from '../support/until.ts';
import { story, type World } from '../support/world.ts';
import { agentStory, call, helper, itemsOf } from './agent-story.ts';

type Timeline = z.infer<typeof turnTimelineSchema>;
type ModelStep = Extract<Timeline['steps'][number], { attempts: unknown }>;

async function timelineOf(world: World, id: string): Promise<Timeline> {
  turnSchema.parse((await world.call('GET', `/turns/${id}`)).body);
  const { status, body } = await world.call('GET', `/turns/${id}/timeline`);
  assert.equal(status, 200);
  return turnTimelineSchema.parse(body);
}

/** A viewer is noted as gone a moment after it has seen the end. */
async function withViewersGone(world: World, id: string): Promise<Timeline> {
  let timeline = await timelineOf(world, id);
  await until(async () => {
    timeline = await timelineOf(world, id);
    return timeline.viewers.every(({ end }) => end !== 'open');
  });
  return timeline;
}

function attemptsOf({ steps }: Timeline): ModelStep['attempts'] {
  return steps.flatMap((step) => ('attempts' in step ? step.attempts : []));
}

const openings = ['accepted', 'ready', 'requested'];

story('a request that is reset, then one that is refused for a second, then an answer: each attempt keeps its own story', async (world) => {
  world.model.enqueue(
    [reset],
    httpError(429, { error: { message: 'slow down, sk-story-0123456789abcdef' } }, { 'retry-after': '1' }),
    chatAnswer('Hello'),
  );
  const { id } = await world.hear('the secret words');
  await world.history(id);
  const timeline = await withViewersGone(world, id);
  const [first, second, third] = attemptsOf(timeline);
  assert.ok(first && second && third);
  assert.deepEqual(
    [first, second, third].map(({ phase, outcome, code, detail }) => [phase, outcome, code, detail]),
    [
      ['sent', 'failed', 'transport_failed', 'ECONNRESET'],
      ['headers', 'failed', 'provider_busy', '429'],
      ['finished', 'completed', undefined, undefined],
    ],
  );
  assert.deepEqual(first.causes?.at(-1), { name: 'Error', code: 'ECONNRESET', message: 'read ECONNRESET' });
  assert.deepEqual(second.causes, [{ name: 'HttpStatusError', message: 'status 429' }]);
  assert.equal(second.message, 'slow down, [key]');
  assert.deepEqual(
    [first.retry, second.retry, third.retry],
    [
      { asked_again: true, reason: 'retry_delay', asked_by: 'turnkeep', wait_ms: 1_000, requests_left: 2 },
      { asked_again: true, reason: 'retry_after', asked_by: 'provider', wait_ms: 1_000, requests_left: 1 },
      undefined,
    ],
  );
  assert.deepEqual([first.epoch, second.epoch, third.epoch], [1, 2, 3]);
  assert.ok(third.sent_at && third.headers_at && third.first_event_at && third.finished_at && third.usage !== undefined);
  assert.deepEqual(
    timeline.viewers.map(({ viewer, protocol, from_event: from, last_event: last, end }) => [viewer, protocol, from, last, end]),
    [[1, 'sse', 0, timeline.journal?.last_event, 'saw_end']],
  );
  assert.deepEqual(first.viewers, [{ viewer: 1, from_event: 0, last_event: first.last_event }], 'the viewer had seen what there was');
  assert.deepEqual(timeline.input, [{ type: 'message', role: 'user', text: 'the secret words' }]);
  const types = timeline.events.map(({ type }) => type).filter((type) => !type.startsWith('viewer_'));
  const whole = ['sent', 'headers', 'first_event', 'finished', 'attempt_ended', 'settled'];
  assert.deepEqual(types, [...openings, 'sent', 'attempt_ended', 'requested', 'sent', 'headers', 'attempt_ended', 'requested', ...whole]);
  assert.ok('events' in timeline.temporal && timeline.temporal.complete);
  const told = timeline.temporal.events;
  assert.deepEqual([told[0]?.type, told.at(-1)?.type], ['workflow execution started', 'workflow execution completed']);
  assert.ok(told.some(({ type, activity }) => type === 'activity task scheduled' && activity === 'streamModel'));
  assert.ok(!JSON.stringify([told, timeline.events]).includes('secret words'), 'T11');
});

story('a turn that is stopped says when that was asked for, and who had seen how much', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const viewer = await world.say('hi');
  await viewer.untilText('Hel');
  const late = await world.watch(viewer.id, 2);
  await late.untilText('Hel');
  late.leave();
  await until(async () => (await timelineOf(world, viewer.id)).viewers[1]?.end === 'left');
  await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
  await viewer.ended;
  const timeline = await withViewersGone(world, viewer.id);
  const [only] = attemptsOf(timeline);
  assert.deepEqual([timeline.status, only?.outcome, only?.phase, only?.retry], ['cancelled', 'cancelled', 'started', undefined]);
  assert.ok(timeline.cancel_requested_at !== undefined && timeline.cancel_requested_at <= String(timeline.settled_at));
  const shown = only?.last_event;
  assert.deepEqual(
    timeline.viewers.map(({ from_event: from, last_event: last, end }) => [from, last, end]),
    [
      [0, timeline.journal?.last_event, 'saw_end'],
      [3, shown, 'left'],
    ],
  );
});

story('a stream that breaks off says how far its viewers had come', async (world) => {
  world.model.enqueue([sseHead, chat.content('Hel'), hold('break'), reset]);
  const viewer = await world.say('hi');
  await viewer.untilText('Hel');
  world.model.release('break');
  await viewer.ended;
  const [only] = attemptsOf(await withViewersGone(world, viewer.id));
  assert.deepEqual(
    [only?.code, only?.phase, only?.retry],
    ['stream_interrupted', 'started', { asked_again: false, reason: 'started', requests_left: 2 }],
  );
  assert.deepEqual(only?.viewers, [{ viewer: 1, from_event: 0, last_event: only?.last_event }]);
  assert.equal(only?.causes?.at(-1)?.code, 'ECONNRESET');
});

agentStory('a call shows what it was asked and what came of it, and who approved it; those who asked say so too', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('m1', 'mail', 'ann'), call('m2', 'mail', 'bob')));
  const asked = await world.hear('write', helper);
  const items = itemsOf(asked.last.response);
  const input = items.map(({ id }, index) => ({ type: 'mcp_approval_response', approval_request_id: id, approve: index === 0 }));
  world.model.enqueue(chatAnswer('sent'));
  const { json } = await post(world.url, { ...helper, previous_response_id: asked.id, input });
  const answering = String(json?.['id']);
  assert.deepEqual(tools.named('mail'), ['ann']);
  const { approvals } = await timelineOf(world, asked.id);
  assert.deepEqual(
    approvals?.map((each) => [each.id, each.name, each.arguments, each.approved, each.answered_by]),
    [
      [items[0]?.id, 'mail', '{"name":"ann"}', true, answering],
      [items[1]?.id, 'mail', '{"name":"bob"}', false, answering],
    ],
  );
  const timeline = await timelineOf(world, answering);
  const [step] = timeline.steps;
  assert.ok(step && 'calls' in step);
  const [made] = step.calls;
  assert.deepEqual(
    [
      made?.arguments,
      made?.result_preview,
      made?.result_bytes,
      made?.approval?.request_id,
      made?.approval?.asked_by,
      made?.approval?.approved,
    ],
    ['{"name":"ann"}', 'sent to ann', 11, items[0]?.id, asked.id, true],
  );
  const types = timeline.events.map(({ type }) => type);
  assert.ok(types.includes('approval_answered') && types.indexOf('tool_begun') < types.indexOf('tool_ended'));
});
