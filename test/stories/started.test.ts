/** The law of retries, second half: what has started is never asked for again, and what was shown stays. */
import assert from 'node:assert/strict';
import {
  chat,
  done,
  end,
  type Framing,
  fin,
  head,
  hold,
  reset,
  ResponsesWriter,
  type Script,
  sseHead,
} from '../../src/testing/model-server/index.ts';
import { type Case, caseModel, runCase } from '../support/cases.ts';
import { story } from '../support/world.ts';

interface Broken extends Case {
  readonly code: 'stream_interrupted' | 'stream_truncated';
  readonly item: 'message' | 'reasoning' | 'function_call';
}

const ends = { reset, fin, end } as const;

/** @param say the first delta, behind a head. */
function broken(name: string, item: Broken['item'], say: (framing: Framing) => Script, framing: Framing, last: keyof typeof ends): Broken {
  // Without a length and without chunks a polite end of the socket is the end of the body.
  const isEndOfBody = last === 'end' || (last === 'fin' && (framing === 'close' || framing === 'http10'));
  const title = `${last} after the first ${name}, framed by ${JSON.stringify(framing)}`;
  return {
    name: title,
    item,
    code: isEndOfBody ? 'stream_truncated' : 'stream_interrupted',
    scripts: [[...say(framing), hold(title), ends[last]]],
  };
}

const chatDeltas: [string, Broken['item'], Script][] = [
  ['content', 'message', [chat.content('Hel')]],
  ['white space', 'message', [chat.content(' ')]],
  ['reasoning', 'reasoning', [chat.reasoning('hm')]],
  ['refusal', 'message', [chat.refusal('I will not')]],
  ['tool call', 'function_call', [chat.toolCall(0, { id: 'call_1', name: 'look', arguments: '{"a' })]],
];

const chatCases = (Object.keys(ends) as (keyof typeof ends)[]).flatMap((last) => [
  ...chatDeltas.map(([name, item, delta]) => broken(name, item, (framing) => [head({ framing }), chat.role(), ...delta], 'chunked', last)),
  ...(['close', 'http10', { length: 10_000 }] as const)
    .filter((framing) => last !== 'end' || typeof framing === 'string')
    .map((framing) => broken('content', 'message', (of) => [head({ framing: of }), chat.content('Hel')], framing, last)),
]);

function responsesCases(): Broken[] {
  const deltas: [string, Broken['item'], (say: ResponsesWriter) => Script][] = [
    ['content', 'message', (say) => say.text('Hel')],
    ['reasoning', 'reasoning', (say) => say.reasoning('hm')],
    ['tool call', 'function_call', (say) => say.functionCall('call_1', 'look', '{"a')],
  ];
  return (Object.keys(ends) as (keyof typeof ends)[]).flatMap((last) =>
    deltas.map(([name, item, delta]) => {
      const say = new ResponsesWriter();
      return broken(name, item, (framing) => [head({ framing }), ...say.begin(), ...delta(say)], 'chunked', last);
    }),
  );
}

function tell(title: string, api: 'chat' | 'responses', cases: readonly Broken[]): void {
  story(
    title,
    async (world) => {
      await Promise.all(
        cases.map(async (each) => {
          const { viewer, requests, attempts } = await runCase(world, each, async (seen) => {
            await seen.until(({ events }) => events.some((event) => 'delta' in event || event.type === 'response.output_item.added'));
            world.model.release(each.name);
          });
          assert.equal(requests.length, 1, `${each.name}: T2`);
          assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', each.code], each.name);
          assert.deepEqual(
            viewer.last.response.output.map((item) => [item.type, item.status]),
            [[each.item, 'incomplete']],
          );
          assert.deepEqual(
            attempts.map(({ outcome, code, waitMs }) => [outcome, code, waitMs]),
            [['failed', each.code, undefined]],
          );
          assert.ok(viewer.types.includes('response.output_item.done'), 'items cut off get their done events');
        }),
      );
    },
    { api, model: caseModel(cases) },
  );
}

tell('T2 · a break after the first delta fails the turn and sends nothing again (chat)', 'chat', chatCases);
tell('T2 · a break after the first delta fails the turn and sends nothing again (responses)', 'responses', responsesCases());

const proved: Case[] = [
  {
    name: 'reset after the finish reason',
    scripts: [[sseHead, chat.content('Hello'), chat.finish(), hold('reset after the finish reason'), reset]],
  },
  {
    name: 'fin after the finish reason',
    scripts: [[sseHead, chat.content('Hello'), chat.finish(), hold('fin after the finish reason'), fin]],
  },
  { name: 'end after the finish reason', scripts: [[sseHead, chat.content('Hello'), chat.finish(), end]] },
  { name: 'silence after the finish reason', scripts: [[sseHead, chat.content('Hello'), chat.finish(), { type: 'stall' }]] },
];

story(
  'T8 · the proof of the end wins over what the wire does after it',
  async (world) => {
    await Promise.all(
      proved.map(async (each) => {
        const { viewer, requests } = await runCase(world, each, async (seen) => {
          await seen.untilText('Hello');
          world.model.release(each.name);
        });
        assert.deepEqual([viewer.last.response.status, viewer.text, requests.length], ['completed', 'Hello', 1], each.name);
      }),
    );
  },
  { model: caseModel(proved) },
);

const ended: (Case & { status: string; code: string | null; reason: string | null })[] = [
  {
    name: 'length',
    scripts: [[sseHead, chat.content('Hel'), chat.finish('length'), chat.usage(), done, end]],
    status: 'incomplete',
    code: null,
    reason: 'max_output_tokens',
  },
  {
    name: 'length without output',
    scripts: [[sseHead, chat.finish('length'), done, end]],
    status: 'incomplete',
    code: null,
    reason: 'max_output_tokens',
  },
  {
    name: 'filtered',
    scripts: [[sseHead, chat.content('Hel'), chat.finish('content_filter'), done, end]],
    status: 'incomplete',
    code: null,
    reason: 'content_filter',
  },
  {
    name: 'nothing said',
    scripts: [[sseHead, chat.role(), chat.finish(), done, end]],
    status: 'failed',
    code: 'empty_response',
    reason: null,
  },
  {
    name: '[DONE] without a finish reason',
    scripts: [[sseHead, chat.content('Hel'), done, end]],
    status: 'failed',
    code: 'stream_truncated',
    reason: null,
  },
];

story(
  'T8 · how a turn ends is what the provider proved',
  async (world) => {
    await Promise.all(
      ended.map(async (each) => {
        const { viewer, requests } = await runCase(world, each);
        const { status, error, incomplete_details: details } = viewer.last.response;
        assert.deepEqual([status, error?.code ?? null, details?.reason ?? null], [each.status, each.code, each.reason], each.name);
        assert.equal(requests.length, 1);
      }),
    );
  },
  { model: caseModel(ended) },
);
