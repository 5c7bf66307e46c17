import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ResponseInputItem, ResponseOutputItem, ResponseStreamEvent } from 'openai/resources/responses/responses';
import { failureOf } from '../../src/domain/failure.ts';
import { type ModelDelta, startsStep } from '../../src/domain/model.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { unsealFields } from '../../src/domain/prompt/sealed-fields.ts';
import type { TurnOutcome } from '../../src/domain/turn/turn-outcome.ts';
import { isWorkers, type OutputItem, textOf, type WorkerCallItem } from '../../src/domain/item.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { approvalAsked, callBegun, callEnded } from '../../src/domain/response/worker-call-events.ts';
import {
  cutOff,
  endedCall,
  newApprovalRequest,
  newWorkerCall,
  type WorkerCall,
  type WorkerCallEnd,
} from '../../src/domain/agents/worker-call.ts';
import { newTurn } from '../store/contract.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings: newTurn('x').settings, session: null, previous: null });

function eventsOf(deltas: readonly ModelDelta[], end?: TurnOutcome): ResponseEvent[] {
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  const events = [...opening, ...stream.begin(), ...deltas.flatMap((delta) => stream.write(delta))];
  return end === undefined ? events : [...events, ...stream.end(end, 9_000)];
}

const text = (words: string): ModelDelta => ({ type: 'text', text: words });
const completed: TurnOutcome = { status: 'completed', usage: null };
const ends: readonly TurnOutcome[] = [
  completed,
  { status: 'incomplete', reason: 'max_output_tokens', usage: null },
  { status: 'cancelled', usage: null },
  { status: 'failed', failure: failureOf('stream_interrupted'), usage: null },
];

test("a plain answer is OpenAI's own sequence of events", () => {
  assert.deepEqual(
    eventsOf([text('Hel'), text(''), text('lo')], completed).map((event) => event.type),
    [
      'response.created',
      'response.queued',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ],
  );
});

test('reasoning, text, refusal and calls become items in the order they came', () => {
  const events = eventsOf(
    [
      { type: 'reasoning', text: 'hm' },
      text('so'),
      { type: 'refusal', text: 'no' },
      { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{"a"' },
      { type: 'tool_call', item: '1', callId: 'c1', name: 'see', text: '' },
      { type: 'tool_call', item: '0', callId: 'c0', name: '', text: ':1}' },
    ],
    completed,
  );
  const last = events.at(-1);
  assert.ok(last?.type === 'response.completed');
  assert.deepEqual(
    last.response.output.map((item) => [item.type, item.status]),
    [
      ['reasoning', 'completed'],
      ['message', 'completed'],
      ['function_call', 'completed'],
      ['function_call', 'completed'],
    ],
  );
  const [, message, call] = last.response.output;
  assert.ok(message?.type === 'message' && call?.type === 'function_call');
  assert.deepEqual(
    message.content.map((part) => part.type),
    ['output_text', 'refusal'],
  );
  assert.equal(call.arguments, '{"a":1}');
});

test('what was shown stays: items cut off are marked incomplete and get their done events before the end', () => {
  const events = eventsOf([{ type: 'reasoning', text: 'hm' }, text('Hel')], { status: 'cancelled', usage: null });
  const last = events.at(-1);
  assert.ok(last?.type === 'response.incomplete');
  assert.deepEqual([last.response.status, last.response.incomplete_details], ['cancelled', { reason: 'cancelled' }]);
  assert.deepEqual(
    last.response.output.map((item) => item.status),
    ['completed', 'incomplete'],
  );
  assert.deepEqual(
    events.slice(-4).map((event) => event.type),
    ['response.output_text.done', 'response.content_part.done', 'response.output_item.done', 'response.incomplete'],
  );
});

test('T8 · the arguments of a call that was cut off are kept as they are, never repaired', () => {
  const call: ModelDelta = { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{"a' };
  const last = eventsOf([call], { status: 'failed', failure: failureOf('stream_interrupted'), usage: null }).at(-1);
  assert.ok(last?.type === 'response.failed');
  assert.deepEqual(
    last.response.output.map((item) => item.type === 'function_call' && [item.arguments, item.status]),
    [['{"a', 'incomplete']],
  );
});

const encrypted = (item: string, text: string): ModelDelta => ({ type: 'encrypted_reasoning', item, text });
/** The items of the answer, each by its kind, its summary or text, and what is encrypted in it. */
function output(deltas: readonly ModelDelta[], end: TurnOutcome = completed): unknown[] {
  const last = eventsOf(deltas, end).at(-1);
  assert.ok(last !== undefined && 'response' in last);
  return last.response.output.map((item) =>
    item.type === 'reasoning' ? [item.summary.map((part) => part.text), item.encrypted_content ?? null, item.status] : item.type,
  );
}

test('encrypted reasoning is kept on the item whose end it comes with', () => {
  const thought: ModelDelta = { type: 'reasoning', text: 'hm', item: 'a' };
  assert.deepEqual(output([thought, encrypted('a', 'E1'), text('so')]), [[['hm'], 'E1', 'completed'], 'message']);
  const next: ModelDelta = { type: 'reasoning', text: 'ah', item: 'b' };
  assert.deepEqual(output([thought, encrypted('a', 'E1'), next, encrypted('b', 'E2'), text('so')]), [
    [['hm'], 'E1', 'completed'],
    [['ah'], 'E2', 'completed'],
    'message',
  ]);
  assert.deepEqual(
    eventsOf([thought, encrypted('a', 'E1')])
      .slice(-3)
      .map((event) => event.type),
    ['response.reasoning_summary_text.done', 'response.reasoning_summary_part.done', 'response.output_item.done'],
  );
});

test('encrypted reasoning without a summary becomes an item of its own, in its place', () => {
  const call: ModelDelta = { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{}' };
  assert.deepEqual(output([encrypted('x', 'E1'), text('so'), encrypted('y', 'E2'), encrypted('z', 'E3'), call]), [
    [[], 'E1', 'completed'],
    'message',
    [[], 'E2', 'completed'],
    [[], 'E3', 'completed'],
    'function_call',
  ]);
  const thought: ModelDelta = { type: 'reasoning', text: 'hm', item: 'a' };
  assert.deepEqual(output([thought, encrypted('other', 'E1'), text('so')]), [
    [['hm'], null, 'completed'],
    [[], 'E1', 'completed'],
    'message',
  ]);
});

test('T13 · encrypted reasoning that comes behind the end of its item is on that item in the last event, and in every replay', () => {
  const thought: ModelDelta = { type: 'reasoning', text: 'hm', item: 'a' };
  const deltas = [thought, text('so'), encrypted('a', 'E1')];
  assert.deepEqual(output(deltas), [[['hm'], 'E1', 'completed'], 'message']);
  const events = eventsOf(deltas, completed);
  const again = ResponseStream.replay(JSON.parse(JSON.stringify(events)) as ResponseEvent[]);
  const last = events.at(-1);
  assert.ok(last !== undefined && 'response' in last);
  assert.deepEqual(again.response, last.response);
  // A step that another one follows has no last event: there it gets an item of its own, which the journal has.
  const stream = ResponseStream.replay(ResponseStream.open(response));
  for (const each of deltas) stream.write(each);
  stream.endStep();
  const kept = stream.response.output.map((item) => (item.type === 'reasoning' ? item.encrypted_content : item.type));
  assert.deepEqual(kept, [undefined, 'message', 'E1']);
});

test('T13 · reasoning that says nothing has its place before the answer where its encrypted form may come with the end', () => {
  const answer = (sealsFields: boolean): unknown[] => {
    const stream = ResponseStream.replay(ResponseStream.open(response));
    stream.sealsFields = sealsFields;
    for (const each of [encrypted('a', ''), text('so'), encrypted('a', 'E1')]) stream.write(each);
    stream.end(completed, 9_000);
    return stream.response.output.map((item) => (item.type === 'reasoning' ? item.encrypted_content : item.type));
  };
  assert.deepEqual(answer(true), ['E1', 'message']);
  assert.deepEqual(answer(false), ['message', 'E1']);
});

const phase = (item: string, members: Record<string, string>): ModelDelta => ({ type: 'message', text: '', item, members });
const said = (item: string, said: string): ModelDelta => ({ type: 'text', text: said, item: `${item} c0` });

test('a message that is announced is one of its own, and what is told of it later is told of it alone', () => {
  const hm: ModelDelta = { type: 'reasoning', text: 'hm', item: 'r s0' };
  const shown = (deltas: readonly ModelDelta[]): unknown[] => {
    const events = eventsOf(deltas, completed);
    const last = events.at(-1);
    assert.ok(last !== undefined && 'response' in last);
    assert.deepEqual(ResponseStream.replay(JSON.parse(JSON.stringify(events)) as ResponseEvent[]).response, last.response);
    return last.response.output.map((item) => (item.type === 'message' ? [textOf(item), item['phase' as never]] : item.type));
  };
  assert.deepEqual(shown([said('m0', 'a'), phase('m1', {}), said('m1', 'b')]), [
    ['a', undefined],
    ['b', undefined],
  ]);
  const late = phase('m0', { phase: 'commentary' });
  for (const deltas of [
    [said('m0', 'a'), late, hm, phase('m1', {}), said('m1', 'b')],
    [said('m0', 'a'), hm, late, phase('m1', {}), said('m1', 'b')],
    [said('m0', 'a'), hm, phase('m1', {}), said('m1', 'b'), late],
    [late, said('m0', 'a'), hm, said('m1', 'b')],
  ]) {
    assert.deepEqual(shown(deltas), [['a', 'commentary'], 'reasoning', ['b', undefined]]);
  }
  // One that says nothing is none.
  assert.deepEqual(shown([late, phase('m1', {}), said('m1', 'b')]), [['b', undefined]]);
});

test('T2 · encrypted reasoning shows and starts nothing by itself, and is not lost when the answer is cut off', () => {
  assert.deepEqual(eventsOf([encrypted('x', 'E1')]).at(-1)?.type, 'response.in_progress');
  for (const end of ends) assert.deepEqual(output([encrypted('x', 'E1')], end), []);
  assert.deepEqual(output([text('so'), encrypted('x', 'E1')], { status: 'cancelled', usage: null }), ['message', [[], 'E1', 'completed']]);
});

const delta: fc.Arbitrary<ModelDelta> = fc.oneof(
  fc.record({ type: fc.constant('encrypted_reasoning' as const), text: fc.string(), item: fc.constantFrom('', 'b', 'c') }),
  fc.record({ type: fc.constantFrom('text', 'refusal', 'reasoning'), text: fc.string(), item: fc.constantFrom('', 'b') }),
  fc.record({
    type: fc.constant('reasoning' as const),
    text: fc.constantFrom('', 'hm'),
    item: fc.constantFrom('', 'b'),
    providerFields: fc.constantFrom({ field: 'reasoning' }, { details: ['D'] }),
  }),
  fc.integer({ min: 0, max: 2 }).chain((call) =>
    fc.record({
      type: fc.constant('tool_call' as const),
      item: fc.constant(String(call)),
      callId: fc.constant(`call_${call}`),
      name: fc.constant(`f${call}`),
      text: fc.string(),
    }),
  ),
);

/** What a client makes of the events alone: items by index, from their added, delta and done events. */
function heard(events: readonly ResponseEvent[]): OutputItem[] {
  const items: OutputItem[] = [];
  for (const event of events) if (event.type === 'response.output_item.done') items[event.output_index] = event.item;
  return items;
}

/** Without what the last event alone tells of an item: it came when the item was done. */
function asHeard(events: readonly ResponseEvent[]): OutputItem[] {
  const last = events.at(-1);
  assert.ok(last !== undefined && 'response' in last);
  const done = heard(events);
  return last.response.output.map((item, index): OutputItem => {
    if (item.type !== 'reasoning' || item.encrypted_content === undefined) return item;
    const { encrypted_content: _late, ...rest } = item;
    return 'encrypted_content' in (done[index] ?? {}) ? item : rest;
  });
}

test('T7 · whatever the model says, the stream is dense, balanced, and says all of it', () => {
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 30 }), fc.constantFrom(...ends), (deltas, end) => {
      const events = eventsOf(deltas, end);
      assert.deepEqual(
        events.map((event) => event.sequence_number),
        events.map((_, index) => index),
      );
      const last = events.at(-1);
      assert.ok(last !== undefined && 'response' in last);
      assert.deepEqual(heard(events), asHeard(events));
      assert.deepEqual(ResponseStream.replay(JSON.parse(JSON.stringify(events)) as ResponseEvent[]).response, last.response);
      const shown = events.filter((event) => 'delta' in event).map((event) => event.delta);
      const isShown = (each: ModelDelta) => each.type !== 'encrypted_reasoning';
      assert.equal(
        shown.join(''),
        deltas
          .filter(isShown)
          .map((each) => each.text)
          .join(''),
      );
      const sealed = deltas.filter((each) => !isShown(each) && each.text !== '').map((each) => each.text);
      const kept = last.response.output.flatMap((item) => (item.type === 'reasoning' ? (item.encrypted_content ?? []) : []));
      assert.deepEqual(kept.toSorted(), deltas.some(startsStep) ? sealed.toSorted() : []);
      assert.equal(new Set(last.response.output.map((item) => item.id)).size, last.response.output.length);
      for (const kind of ['output_item', 'content_part', 'reasoning_summary_part']) {
        const added = events.filter((event) => event.type === `response.${kind}.added`).length;
        assert.equal(events.filter((event) => event.type === `response.${kind}.done`).length, added, kind);
      }
    }),
  );
});

test('T5, T6 · a stream taken up at any event ends the same way as one that was never left', () => {
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 20 }), fc.constantFrom(...ends), (deltas, end) => {
      const events = eventsOf(deltas);
      for (let cut = 2; cut <= events.length; cut += 1) {
        const kept = events.slice(0, cut);
        const closing = ResponseStream.replay(JSON.parse(JSON.stringify(kept)) as ResponseEvent[]).end(end, 9_000);
        const all = [...kept, ...closing];
        const last = all.at(-1);
        assert.ok(last !== undefined && 'response' in last);
        assert.deepEqual(heard(all), last.response.output);
        assert.deepEqual(
          all.map((event) => event.sequence_number),
          all.map((_, index) => index),
        );
      }
    }),
    { numRuns: 50 },
  );
});

const workerCall = (number: number, fields: Partial<WorkerCall> = {}): WorkerCall => ({
  serverLabel: 'files',
  name: 'read',
  arguments: `{"path":"${number}"}`,
  origin: { call_id: `call_${number}`, step: 1 },
  ...fields,
});

/** A turn of two steps with calls of workers between them, written by as many processes as `next` hands the stream on to. */
function twoSteps(
  [first, second]: readonly [readonly ModelDelta[], readonly ModelDelta[]],
  callEnds: readonly (WorkerCallEnd | undefined)[],
  end: TurnOutcome,
  {
    next,
    sealsFields = false,
  }: { readonly next: (stream: ResponseStream, events: readonly ResponseEvent[]) => ResponseStream; readonly sealsFields?: boolean },
): ResponseEvent[] {
  const events = [...ResponseStream.open(response)];
  let stream = ResponseStream.replay(events);
  const write = (...made: (readonly ResponseEvent[])[]): void => {
    for (const each of made) events.push(...each);
  };
  const handOn = (): void => {
    stream = next(stream, events);
    stream.sealsFields = sealsFields;
  };
  stream.sealsFields = sealsFields;
  write(stream.begin(), ...first.map((each) => stream.write(each)), stream.endStep());
  const from = stream.response.output.length;
  write(...callEnds.map((_, number) => stream.show((output) => callBegun(output, workerCall(number)))));
  handOn();
  for (const [number, ended] of callEnds.entries()) {
    if (ended === undefined) continue;
    const index = from + number;
    write(stream.show(({ output }) => callEnded(output[index], index, ended)));
    handOn();
  }
  write(...second.map((each) => stream.write(each)), stream.end(end, 9_000));
  return events;
}

const sameProcess = (stream: ResponseStream): ResponseStream => stream;
const another = (_: ResponseStream, events: readonly ResponseEvent[]): ResponseStream =>
  ResponseStream.replay(JSON.parse(JSON.stringify(events)) as ResponseEvent[]);

const callEnd: fc.Arbitrary<WorkerCallEnd | undefined> = fc.constantFrom(
  undefined,
  { status: 'completed', output: 'all' } as const,
  { status: 'failed', message: 'no' } as const,
);

test('T7 · a step gone on with by other processes, behind calls that they carried out, has the bytes of one process', () => {
  const steps = fc.tuple(fc.array(delta, { maxLength: 15 }), fc.array(delta, { maxLength: 15 }));
  fc.assert(
    fc.property(steps, fc.array(callEnd, { maxLength: 4 }), fc.constantFrom(...ends), (deltas, callEnds, end) => {
      const alone = twoSteps(deltas, callEnds, end, { next: sameProcess });
      assert.equal(JSON.stringify(twoSteps(deltas, callEnds, end, { next: another })), JSON.stringify(alone));
      const last = alone.at(-1);
      assert.ok(last !== undefined && 'response' in last);
      assert.deepEqual(heard(alone), asHeard(alone));
      assert.equal(new Set(last.response.output.map(({ id }) => id)).size, last.response.output.length);
      assert.deepEqual(
        alone.map((event) => event.sequence_number),
        alone.map((_, index) => index),
      );
      for (const kind of ['added', 'done']) {
        const count = alone.filter(({ type }) => type === `response.output_item.${kind}`).length;
        assert.equal(count, last.response.output.length, 'each item begins and ends once');
      }
    }),
  );
});

test('T13 · also where encrypted reasoning was asked for: what a step sealed is not sealed again behind it', () => {
  const call: ModelDelta = { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{}', providerFields: { signature: 'S' } };
  const steps = [[call], [text('so')]] as const;
  const callEnds = [{ status: 'completed', output: 'all' } as const];
  const alone = twoSteps(steps, callEnds, completed, { next: sameProcess, sealsFields: true });
  assert.deepEqual(
    heard(alone).map(({ type }) => type),
    ['function_call', 'reasoning', 'mcp_call', 'message'],
  );
  assert.deepEqual(twoSteps(steps, callEnds, completed, { next: another, sealsFields: true }), alone);
});

test('T6 · a stream that was read on as its journal grew ends as one that was read at once', () => {
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 20 }), fc.constantFrom(...ends), fc.integer({ min: 1, max: 9 }), (deltas, end, pageLength) => {
      const events = eventsOf(deltas);
      const stream = ResponseStream.replay([]);
      for (let from = 0; from < events.length; from += pageLength) stream.readOn(events.slice(from, from + pageLength));
      assert.equal(stream.nextSeq, events.length);
      assert.deepEqual(stream.end(end, 9_000), ResponseStream.replay(events).end(end, 9_000));
    }),
    { numRuns: 50 },
  );
});

test('a call of a worker begins with its arguments, and ends with what came of it', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  const approved = workerCall(0, { approvalRequestId: 'mcpr_1', origin: { call_id: 'call_0', step: 0, function: 'files_read' } });
  const begun = [...stream.begin(), ...stream.show((output) => callBegun(output, approved))];
  assert.deepEqual(
    begun.map(({ type }) => type),
    [
      'response.in_progress',
      'response.output_item.added',
      'response.mcp_call.in_progress',
      'response.mcp_call_arguments.delta',
      'response.mcp_call_arguments.done',
    ],
  );
  const item = {
    id: 'mcp_ab120000',
    type: 'mcp_call',
    status: 'in_progress',
    server_label: 'files',
    name: 'read',
    arguments: '{"path":"0"}',
    output: null,
    error: null,
    approval_request_id: 'mcpr_1',
    turnkeep: { call_id: 'call_0', step: 0, function: 'files_read' },
  };
  assert.deepEqual(stream.response.output, [item]);
  const end = (of: WorkerCallEnd): readonly ResponseEvent[] => stream.show(({ output }) => callEnded(output[0], 0, of));
  assert.deepEqual(
    end({ status: 'failed', message: 'no such file' }).map(({ type }) => type),
    ['response.mcp_call.failed', 'response.output_item.done'],
  );
  const error = { type: 'mcp_tool_execution_error', content: [{ type: 'text', text: 'no such file' }] };
  assert.deepEqual(stream.response.output, [{ ...item, status: 'failed', error }]);
  assert.deepEqual(
    stream.show((output) => callEnded(output.output[7], 7, { status: 'incomplete' })),
    [],
    'there is no such call',
  );
  const bare = stream.show((output) => callBegun(output, workerCall(1, { arguments: '' })));
  assert.deepEqual(
    bare.map(({ type }) => type),
    ['response.output_item.added', 'response.mcp_call.in_progress', 'response.mcp_call_arguments.done'],
    'without arguments there is nothing to add to them',
  );
});

for (const end of ends) {
  test(`T5, T6 · a call that runs when its turn ends (${end.status}) is closed with it, as incomplete`, () => {
    const events = twoSteps([[text('Let me see')], []], [{ status: 'completed', output: 'all' }, undefined], end, { next: another });
    const last = events.at(-1);
    assert.ok(last !== undefined && 'response' in last);
    assert.deepEqual(
      events.slice(-3, -1).map((event) => [event.type, 'output_index' in event && event.output_index]),
      [
        ['response.mcp_call.failed', 2],
        ['response.output_item.done', 2],
      ],
    );
    const [, whole, open] = last.response.output;
    assert.ok(whole?.type === 'mcp_call' && isWorkers(whole) && open?.type === 'mcp_call' && isWorkers(open));
    assert.deepEqual([whole.status, whole.output, whole.error], ['completed', 'all', null]);
    assert.deepEqual([open.status, open.output, open.error?.content[0]?.text], ['incomplete', null, cutOff]);
    assert.equal(open.arguments, '{"path":"1"}');
  });
}

test('what is shown by itself ends the prose before it, and an approval is asked for by an item that is whole at once', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  stream.begin();
  stream.write(text('May I?'));
  const asked = stream.show((output) => approvalAsked(output, workerCall(0)));
  assert.deepEqual(
    asked.map(({ type }) => type),
    [
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.output_item.done',
    ],
  );
  assert.equal(stream.nextSeq, (asked.at(-1)?.sequence_number ?? 0) + 1);
  const [, request] = stream.response.output;
  assert.deepEqual(request, {
    id: 'mcpr_ab120001',
    type: 'mcp_approval_request',
    server_label: 'files',
    name: 'read',
    arguments: '{"path":"0"}',
    turnkeep: { call_id: 'call_0', step: 1 },
  });
});

test('the items and events of workers’ calls are of OpenAI’s own types', () => {
  const item = newWorkerCall('resp_ab12', 0, workerCall(0));
  const items: readonly WorkerCallItem[] = [
    item,
    endedCall(item, { status: 'completed', output: 'all' }),
    endedCall(item, { status: 'failed', message: 'no' }),
    endedCall(item, { status: 'incomplete' }),
  ];
  // Checked by the compiler: as items of an answer, and of the next request.
  const told: readonly (ResponseOutputItem.McpCall & ResponseInputItem.McpCall)[] = items.map(openAis);
  const asks = newApprovalRequest('resp_ab12', 0, workerCall(0));
  const asked: ResponseOutputItem.McpApprovalRequest & ResponseInputItem.McpApprovalRequest = { ...asks };
  assert.deepEqual([told, asked], [items, asks]);
  type WorkerEvent = Extract<ResponseEvent, { readonly type: `response.mcp_call${string}` }>;
  type OpenAis = Extract<ResponseStreamEvent, { type: `response.mcp_call${string}` }>;
  const isOpenAis: WorkerEvent extends OpenAis ? (OpenAis['type'] extends WorkerEvent['type'] ? true : false) : false = true;
  assert.ok(isOpenAis);
});

/** OpenAI's lists may be changed, ours may not. */
function openAis(item: WorkerCallItem): ResponseOutputItem.McpCall & ResponseInputItem.McpCall {
  const { error } = item;
  return { ...item, error: error && { ...error, content: error.content.map((part) => ({ ...part })) } };
}

test('a call of one name in each of two steps is two calls', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  const call: ModelDelta = { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{}' };
  stream.begin();
  stream.write(call);
  stream.endStep();
  stream.write({ ...call, callId: 'c1' });
  assert.deepEqual(
    stream.response.output.map((item) => item.type === 'function_call' && [item.call_id, item.arguments, item.status]),
    [
      ['c0', '{}', 'completed'],
      ['c1', '{}', 'in_progress'],
    ],
  );
});

test('what the provider wants to see again is kept on its item, whenever it comes', () => {
  const call = (text: string, providerFields?: Record<string, string>): ModelDelta => ({
    type: 'tool_call',
    item: '0',
    callId: 'c0',
    name: 'look',
    text,
    ...(providerFields === undefined ? {} : { providerFields }),
  });
  const thought: ModelDelta = { type: 'reasoning', text: 'hm', providerFields: { field: 'reasoning' } };
  const details: ModelDelta = { type: 'reasoning', text: '', providerFields: { field: 'reasoning_details', details: ['D'] } };
  const events = eventsOf([thought, details, text('so'), details, call('{', { one: '1' }), call('}'), call('', { two: '2' })], completed);
  const added = events.flatMap((event) => (event.type === 'response.output_item.added' ? [fieldsOf(event.item)] : []));
  assert.deepEqual(added, [{ field: 'reasoning' }, undefined, { field: 'reasoning_details', details: ['D'] }, { one: '1' }]);
  const last = events.at(-1);
  assert.ok(last !== undefined && 'response' in last);
  assert.deepEqual(last.response.output.map(fieldsOf), [
    { field: 'reasoning_details', details: ['D'] },
    undefined,
    { field: 'reasoning_details', details: ['D'] },
    { one: '1', two: '2' },
  ]);
  assert.deepEqual(heard(events), last.response.output);
});

test('T2 · fields alone show and start nothing', () => {
  const details: ModelDelta = { type: 'reasoning', text: '', providerFields: { field: 'reasoning_details' } };
  assert.equal(startsStep(details), false);
  assert.equal(eventsOf([details]).at(-1)?.type, 'response.in_progress');
  for (const end of ends) assert.deepEqual(output([details], end), []);
});

test('the tier that served the request is in the last event', () => {
  const last = eventsOf([text('so')], { ...completed, serviceTier: 'flex' }).at(-1);
  assert.ok(last !== undefined && 'response' in last);
  assert.equal(last.response['service_tier'], 'flex');
});

function fieldsOf(item: OutputItem): unknown {
  return 'provider_fields' in item ? item.provider_fields : undefined;
}

test('T13 · where encrypted reasoning was asked for, it carries what a chat provider wants to see again', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  stream.sealsFields = true;
  stream.begin();
  const signature = { extra_content: { signature: 'S' } };
  const deltas: readonly ModelDelta[] = [
    { type: 'reasoning', text: 'hm', providerFields: { field: 'reasoning' } },
    { type: 'reasoning', text: '', providerFields: { field: 'reasoning_details', details: [1] } },
    { type: 'tool_call', item: '0', callId: 'c0', name: 'look', text: '{}' },
    { type: 'tool_call', item: '1', callId: 'c1', name: 'look', text: '{}', providerFields: signature },
  ];
  for (const delta of deltas) stream.write(delta);
  stream.end(completed, 9_000);
  assert.deepEqual(
    stream.response.output.map((item) => [item.type, item.type === 'reasoning' ? unsealFields(item.encrypted_content) : item.status]),
    [
      ['reasoning', { field: 'reasoning_details', details: [1] }],
      ['function_call', 'completed'],
      ['function_call', 'completed'],
      ['reasoning', { calls: [null, signature] }],
    ],
  );
});

test('what a provider has sealed is not read, and what was cut off on its way says nothing', () => {
  assert.equal(unsealFields(undefined), undefined);
  assert.equal(unsealFields('gAAAAB'), undefined);
  for (const rest of ['', 'e30', 'W10', '%%%', 'eyJmaWVsZCI6']) assert.deepEqual(unsealFields(`turnkeep:1:${rest}`), {});
});

test('T8 · a message that was cut off is incomplete, also where something is kept for the provider behind it', () => {
  const fields = { field: 'reasoning_details', details: [{ type: 'reasoning.encrypted', data: 'x' }] };
  const deltas: ModelDelta[] = [text('Hel'), { type: 'reasoning', text: '', providerFields: fields }];
  for (const end of ends) {
    const last = eventsOf(deltas, end).at(-1);
    assert.ok(last !== undefined && 'response' in last);
    const status = end.status === 'completed' ? 'completed' : 'incomplete';
    assert.deepEqual(
      last.response.output.map((item) => [item.type, 'status' in item ? item.status : undefined]),
      [
        ['message', status],
        ['reasoning', 'completed'],
      ],
    );
  }
});

test('T14 · any number of logprobs may come with one text', () => {
  const logprobs = Array.from({ length: 200_000 }, (_, at) => at);
  const last = eventsOf([{ type: 'text', text: 'a', logprobs }], completed).at(-1);
  assert.ok(last !== undefined && 'response' in last);
  const [item] = last.response.output;
  assert.deepEqual(item?.type === 'message' && item.content[0], { type: 'output_text', text: 'a', annotations: [], logprobs });
});
