import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { failureOf } from '../../src/domain/failure.ts';
import { type ModelDelta, startsStep } from '../../src/domain/model.ts';
import type { ResponseEvent } from '../../src/domain/response-event.ts';
import { ResponseStream } from '../../src/domain/response-stream.ts';
import { unsealFields } from '../../src/domain/sealed-fields.ts';
import type { StreamSnapshot } from '../../src/domain/stream-state.ts';
import type { TurnOutcome } from '../../src/domain/turn-outcome.ts';
import type { OutputItem } from '../../src/domain/item.ts';
import { newResponse } from '../../src/domain/response.ts';
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
      assert.deepEqual(heard(events), last.response.output);
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

test('a stream taken up from its snapshot between two steps goes on as one that was never left', () => {
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 15 }), fc.array(delta, { maxLength: 15 }), fc.constantFrom(...ends), (first, second, end) => {
      const opening = ResponseStream.open(response);
      const stream = ResponseStream.replay(opening);
      const firstStep = [...opening, ...stream.begin(), ...first.flatMap((each) => stream.write(each)), ...stream.endStep()];
      const resumed = ResponseStream.resume(JSON.parse(JSON.stringify(stream.snapshot())) as StreamSnapshot);
      const secondStep = (of: ResponseStream) => [...second.flatMap((each) => of.write(each)), ...of.end(end, 9_000)];
      const expected = secondStep(stream);
      assert.deepEqual(secondStep(resumed), expected);
      const all = [...firstStep, ...expected];
      const last = all.at(-1);
      assert.ok(last !== undefined && 'response' in last);
      assert.deepEqual(heard(all), last.response.output);
      assert.deepEqual(
        all.map((event) => event.sequence_number),
        all.map((_, index) => index),
      );
    }),
  );
});

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

test('no snapshot is taken in the middle of a step', () => {
  const stream = ResponseStream.replay(ResponseStream.open(response));
  stream.write(text('Hel'));
  assert.throws(() => stream.snapshot(), /no item open/);
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
