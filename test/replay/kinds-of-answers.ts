/** Turns of one step: every way to an answer, and every way to none. */
import { workflowIdOf } from '../../src/contract/workflows.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  fin,
  hold,
  htmlPage,
  httpError,
  KeptAnswers,
  reset,
  responsesAnswer,
  ResponsesWriter,
  type Script,
  sseHead,
  stall,
  wait,
} from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { post } from '../support/post.ts';
import { SocketClient } from '../support/socket-client.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';
import type { WorldOptions } from '../support/world.ts';
import { inWorld, type Kind, read } from './kind.ts';

const said: Script = [sseHead, chat.role(), chat.content('Hel'), wait(20)];
const stalled: Script = [sseHead, chat.content('Hel'), stall];
const overflow = httpError(400, {
  error: {
    message: "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    type: 'invalid_request_error',
    param: 'messages',
    code: 'context_length_exceeded',
  },
});

/** One turn, and the answers to its requests. */
function turn(
  name: string,
  scripts: readonly Script[],
  { body = {}, ...options }: WorldOptions & { readonly body?: Record<string, unknown> } = {},
): Kind {
  return inWorld(
    name,
    async (world) => {
      world.model.enqueue(...scripts);
      await world.hear('hi', body);
    },
    options,
  );
}

const reasoning = new ResponsesWriter();
const weather = { type: 'function', name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } };
const city = {
  type: 'json_schema',
  name: 'city',
  strict: true,
  schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};

const answered: readonly Kind[] = [
  turn('plain', [chatAnswer('Hel', 'lo', ' world')]),
  turn('plain-responses', [responsesAnswer('Hel', 'lo', ' world')], { api: 'responses' }),
  turn('settings', [chatAnswer('Hello')], { body: { instructions: 'Be kind.', metadata: { of: 'a test' }, temperature: 0.5 } }),
  turn('reasoning', [
    [sseHead, chat.reasoning('Let me '), chat.reasoning('see.'), chat.content('4'), chat.finish(), chat.usage(), done, end],
  ]),
  turn(
    'reasoning-responses',
    [
      [
        sseHead,
        ...reasoning.begin(),
        ...reasoning.encryptedReasoning('c2VhbGVk', 'Let me ', 'see.'),
        ...reasoning.text('4'),
        ...reasoning.completed(),
        end,
      ],
    ],
    { api: 'responses', body: { include: ['reasoning.encrypted_content'] } },
  ),
  turn('structured', [chatAnswer('{"city":', '"Oslo"}')], { body: { text: { format: city } } }),
  turn('refusal', [[sseHead, chat.refusal('I can'), chat.refusal('not.'), chat.finish(), chat.usage(), done, end]]),
  turn('function-calls', [chatToolCalls({ id: 'call_1', name: 'weather', arguments: { city: 'Oslo' } })], { body: { tools: [weather] } }),
  turn('incomplete', [[...said, chat.finish('length'), chat.usage(), done, end]]),
  turn('retried-reset', [[reset], chatAnswer('Hello')]),
  turn('retried-busy', [httpError(429, undefined, { 'retry-after': '1' }), chatAnswer('Hello')]),
  turn('retried-reset-and-busy', [[sseHead, reset], httpError(503), chatAnswer('Hello')]),
  inWorld('conversation', async (world) => {
    const conversation = await world.session();
    world.model.enqueue([...said, hold('go'), chat.finish(), chat.usage(), done, end], chatAnswer('second'), chatAnswer('third'));
    const first = await world.say('one', { conversation });
    await first.untilText('Hel');
    const second = await world.say('two', { conversation });
    world.model.release('go');
    await Promise.all([first.ended, second.ended]);
    await world.hear('three', { conversation });
  }),
  inWorld('compaction-by-hand', async (world) => {
    world.model.enqueue(chatAnswer('Once upon a time.'), chatAnswer('A tale was told.'));
    const { id } = await world.hear('Tell me a tale');
    await world.client.responses.compact({ model: 'scripted', previous_response_id: id });
  }),
  inWorld('background', async (world) => {
    world.model.enqueue(chatAnswer('Hello'));
    await post(world.url, { input: 'hi', background: true });
  }),
  inWorld(
    'kept-answer',
    async (world) => {
      await world.hear('hi');
    },
    {
      api: 'responses',
      reattach: true,
      model: () => {
        const writer = new ResponsesWriter({ id: 'resp_kept' });
        const steps = [...writer.begin(), ...writer.text('one ', 'two ', 'three ', 'four'), ...writer.completed()];
        return { fallback: new KeptAnswers({ steps, breaks: [{ before: 6, by: [wait(50), reset] }] }).reply };
      },
    },
  ),
];

const failed: readonly Kind[] = [
  turn('failed-transport_failed', [[reset], [reset], [reset]]),
  turn('failed-stream_interrupted', [[...said, reset]]),
  turn('failed-stream_truncated', [[...said, end]]),
  turn('failed-stream_interrupted-fin', [[...said, fin]]),
  turn('failed-provider_rejected', [
    httpError(401, { error: { message: 'no such key', type: 'invalid_request_error', code: 'invalid_api_key' } }),
  ]),
  turn('failed-provider_busy', [httpError(429, undefined, { 'retry-after': '7200' })]),
  turn('failed-model_timeout', [stalled], { limits: { idleTimeoutMs: 500 } }),
  turn('failed-empty_response', [[sseHead, chat.role(), chat.finish(), chat.usage(), done, end]]),
  turn('failed-provider_protocol', [htmlPage()]),
  turn(
    'failed-output_too_large',
    [[sseHead, ...Array.from({ length: 40 }, () => chat.content('x'.repeat(400))), chat.finish(), done, end]],
    { limits: { maxOutputBytes: 10_000 } },
  ),
  turn('failed-context_length_exceeded', [overflow]),
  turn('failed-turn_timeout', [stalled], { limits: { turnTimeoutMs: 2_000 } }),
];

/** Whether a cancel finds an activity of the workflow is no question of time. */
const withoutHeadStart: WorldOptions = { config: { hasHeadStart: false } };

const stopped: readonly Kind[] = [
  inWorld(
    'cancelled',
    async (world) => {
      world.model.enqueue(stalled);
      const viewer = await world.say('hi');
      await viewer.untilText('Hel');
      await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
      await viewer.ended;
    },
    withoutHeadStart,
  ),
  inWorld(
    'cancelled-while-it-waits',
    async (world) => {
      world.model.enqueue(httpError(429, undefined, { 'retry-after': '30' }));
      const { json } = await post(world.url, { input: 'hi', background: true });
      const id = String(json?.['id']);
      const handle = world.temporal.workflow.getHandle(workflowIdOf(id));
      await world.model.nextRequest(1);
      await until(async () => (await handle.fetchHistory()).events?.some((event) => event.timerStartedEventAttributes != null) === true);
      await world.call('POST', `/v1/responses/${id}/cancel`);
    },
    withoutHeadStart,
  ),
  inWorld('interrupted', async (world) => {
    world.model.enqueue(stalled, chatAnswer('new'));
    const conversation = await world.session();
    const running = await world.say('first', { conversation });
    await running.untilText('Hel');
    const next = await world.say('second', { conversation }, { 'x-turnkeep-when-busy': 'interrupt' });
    await Promise.all([running.ended, next.ended]);
  }),
  inWorld('steered', async (world) => {
    world.model.enqueue([sseHead, chat.role(), stall], chatAnswer('shorter'));
    using socket = await SocketClient.open(world.client);
    socket.create('plan');
    await world.model.nextRequest(1);
    const { response } = await socket.untilType('response.created');
    socket.sdk.send({ type: 'response.steer', previous_response_id: response.id, input: 'keep it short' });
    await socket.untilType('response.steer.accepted');
    await socket.untilEnd();
    await socket.untilEnd(socket.types.indexOf('response.incomplete') + 1);
  }),
];

/** The worker of a turn is killed, and another one comes. */
function lost(name: string, ...scripts: readonly Script[]): Kind {
  return {
    name,
    play: async () => {
      await using cluster = await startCluster();
      const [first = stalled] = scripts;
      cluster.model.enqueue(first, ...scripts.slice(1));
      const { url } = await cluster.startGateway();
      const doomed = await cluster.startWorker();
      const viewer = await Viewer.say(url, 'hi');
      await cluster.model.reached('lost');
      if (scripts.length === 1) await viewer.untilText('Hel');
      await doomed.kill();
      await cluster.startWorker();
      await viewer.ended;
      return await read({
        url,
        address: String(cluster.env['TEMPORAL_ADDRESS']),
        taskQueues: [String(cluster.env['TURNKEEP_TASK_QUEUE'])],
      });
    },
  };
}

const taken: readonly Kind[] = [
  lost('failed-worker_lost', [sseHead, chat.content('Hel'), hold('lost'), stall]),
  lost('retried-worker_lost', [sseHead, chat.role(), hold('lost'), stall], chatAnswer('Hello')),
];

export const kindsOfAnswers: readonly Kind[] = [...answered, ...failed, ...stopped, ...taken];
