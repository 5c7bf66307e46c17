/** Every event and every response of turns of all ends, against the Open Responses specification. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chat,
  chatAnswer,
  done,
  end,
  fin,
  hold,
  httpError,
  responsesAnswer,
  ResponsesWriter,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { type Case, caseModel } from '../support/cases.ts';
import { assertOpenEvent, assertOpenItem, assertOpenResponse, assertOpenStream } from '../support/open-responses.ts';
import { World } from '../support/world.ts';

interface Ending extends Case {
  readonly status: string;
  readonly body?: Record<string, unknown>;
  readonly cancelsAt?: string;
}

const say = (): ResponsesWriter => new ResponsesWriter();
function whole(tell: (writer: ResponsesWriter) => Script): Script {
  const writer = say();
  return [sseHead, ...writer.begin(), ...tell(writer), end];
}

const overChat: readonly Ending[] = [
  { name: 'a text', scripts: [chatAnswer('Hello', ' world')], status: 'completed' },
  {
    name: 'reasoning, then a text',
    scripts: [[sseHead, chat.role(), chat.reasoning('Let'), chat.reasoning(' me'), chat.content('Yes'), chat.finish(), done, end]],
    status: 'completed',
  },
  {
    name: 'a refusal',
    scripts: [[sseHead, chat.role(), chat.refusal('I can'), chat.refusal('not'), chat.finish(), done, end]],
    status: 'completed',
  },
  { name: 'too long', scripts: [[sseHead, chat.content('Once'), chat.finish('length'), done, end]], status: 'incomplete' },
  { name: 'filtered', scripts: [[sseHead, chat.finish('content_filter'), done, end]], status: 'incomplete' },
  { name: 'stopped by the user', scripts: [[sseHead, chat.content('Hel'), stall]], status: 'cancelled', cancelsAt: 'Hel' },
  { name: 'rejected', scripts: [httpError(400)], status: 'failed' },
  { name: 'cut off', scripts: [[sseHead, chat.content('Hel'), fin]], status: 'failed' },
  {
    name: 'settings of all kinds',
    scripts: [chatAnswer('fine')],
    status: 'completed',
    body: { instructions: 'be brief', temperature: 0.5, top_p: 0.9, max_output_tokens: 100, metadata: { of: 'a test' }, user: 'somebody' },
  },
  { name: 'in the background', scripts: [chatAnswer('later')], status: 'completed', body: { background: true } },
];

const overResponses: readonly Ending[] = [
  { name: 'a text', scripts: [responsesAnswer('Hello', ' world')], status: 'completed' },
  {
    name: 'reasoning, then a text',
    scripts: [whole((writer) => [...writer.reasoning('Let', ' me'), ...writer.text('Yes'), ...writer.completed()])],
    status: 'completed',
  },
  { name: 'a refusal', scripts: [whole((writer) => [...writer.refusal('I can', 'not'), ...writer.completed()])], status: 'completed' },
  { name: 'too long', scripts: [whole((writer) => [...writer.text('Once'), ...writer.incomplete()])], status: 'incomplete' },
  { name: 'failed', scripts: [whole((writer) => [...writer.text('On'), ...writer.failed('server_error', 'broken')])], status: 'failed' },
];

for (const [api, endings] of [
  ['chat', overChat],
  ['responses', overResponses],
] as const) {
  for (const ending of endings) checkEnding(api, ending);
}

function checkEnding(api: 'chat' | 'responses', ending: Ending): void {
  test(`Open Responses knows every event and response of ${ending.name} (${api})`, async () => {
    await using world = await World.open({ api, model: caseModel([ending]) });
    const conversation = await world.session();
    const viewer = await world.say(ending.name, { ...ending.body, conversation });
    if (ending.cancelsAt !== undefined) {
      await viewer.untilText(ending.cancelsAt);
      const { body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
      assertOpenResponse(body);
    }
    await viewer.ended;
    assert.equal(viewer.last.response.status, ending.status);
    assertOpenStream(viewer.events);
    const { body } = await world.call('GET', `/v1/responses/${viewer.id}`);
    assertOpenResponse(body);
    assert.deepEqual(body, viewer.last.response, 'what is fetched is what was streamed last');
    const { body: list } = await world.call('GET', `/v1/conversations/${conversation}/items`);
    for (const item of list['data'] as unknown[]) assertOpenItem(item);
  });
}

test('Open Responses knows a response that still waits or runs, and a blocking one', async () => {
  await using world = await World.open({
    model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end] }),
  });
  const { body: queued } = await world.call('POST', '/v1/responses', { input: 'hi', background: true });
  assert.equal(queued['status'], 'queued');
  assertOpenResponse(queued);
  const viewer = await world.watch(String(queued['id']));
  await viewer.untilText('Hel');
  const { body: running } = await world.call('GET', `/v1/responses/${viewer.id}`);
  assert.equal(running['status'], 'in_progress');
  assertOpenResponse(running);
  world.model.release('go');
  const { body: blocking } = await world.call('POST', '/v1/responses', { input: 'hi' });
  assert.equal(blocking['status'], 'completed');
  assertOpenResponse(blocking);
});

test('the check itself refuses what the specification refuses', async () => {
  await using world = await World.open();
  const viewer = await world.hear('hi');
  const { safety_identifier: _, ...short } = viewer.last.response as unknown as Record<string, unknown>;
  assert.throws(() => assertOpenResponse(short), /safety_identifier/);
  assert.throws(() => assertOpenResponse({ ...viewer.last.response, top_p: null }), /top_p/);
  assert.throws(() => assertOpenEvent({ ...viewer.events[4], type: 'response.reasoning_text.delta' }), /no event of Open Responses/);
  assert.throws(() => assertOpenStream(viewer.events.slice(0, -1)));
  assert.throws(() => assertOpenStream(viewer.events.toSpliced(4, 1)));
});
