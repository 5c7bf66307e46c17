/** Items that turnkeep does not know, in the events that viewers see and in the response that is left. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../src/domain/failure.ts';
import type { JsonObject } from '../../src/domain/item.ts';
import type { ModelDelta } from '../../src/domain/model.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import type { TurnOutcome } from '../../src/domain/turn/turn-outcome.ts';
import { newTurn } from '../store/contract.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings: newTurn('x').settings, session: null, previous: null });
const completed: TurnOutcome = { status: 'completed', usage: null };
const lost: TurnOutcome = { status: 'failed', failure: failureOf('worker_lost'), usage: null };

const text = (words: string): ModelDelta => ({ type: 'text', text: words, item: 'm' });
const opaque = (event: JsonObject, item = 'o'): ModelDelta => ({ type: 'opaque', text: '', item, event });
const search: JsonObject = { id: 'ws_1', type: 'web_search_call', status: 'in_progress' };
const found: JsonObject = { ...search, status: 'completed', action: { type: 'search', query: 'q' } };
const added = (item: JsonObject) => opaque({ type: 'response.output_item.added', output_index: 7, sequence_number: 30, item });
const done = (item: JsonObject) => opaque({ type: 'response.output_item.done', output_index: 7, item });
const searching = opaque({ type: 'response.web_search_call.searching', output_index: 7, item_id: 'ws_1', obfuscation: 'xx', more: 1 });

function streamOf(deltas: readonly ModelDelta[]): { readonly stream: ResponseStream; readonly events: ResponseEvent[] } {
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  return { stream, events: [...opening, ...stream.begin(), ...deltas.flatMap((delta) => stream.write(delta))] };
}

/** Without the lifecycle events. */
function shown(deltas: readonly ModelDelta[], outcome = completed): unknown[] {
  const { stream, events } = streamOf(deltas);
  return [...events, ...stream.end(outcome, 9_000)].slice(3, -1);
}

test('an item of any type and its events are shown as they came, numbered and placed anew', () => {
  assert.deepEqual(shown([added(search), searching, done(found)]), [
    { type: 'response.output_item.added', sequence_number: 3, output_index: 0, item: search },
    { type: 'response.web_search_call.searching', sequence_number: 4, item_id: 'ws_1', output_index: 0, more: 1 },
    { type: 'response.output_item.done', sequence_number: 5, output_index: 0, item: found },
  ]);
});

test('one that comes whole is begun first; what comes behind its end is not shown', () => {
  assert.deepEqual(
    (shown([done(found), searching, done(found)]) as { type: string }[]).map(({ type }) => type),
    ['response.output_item.added', 'response.output_item.done'],
  );
});

test('it ends the text before it, and stands in its place', () => {
  const { stream } = streamOf([text('a'), added(search), done(found), { type: 'text', text: 'b', item: 'n' }]);
  stream.end(completed, 9_000);
  assert.deepEqual(
    stream.response.output.map(({ type }) => type),
    ['message', 'web_search_call', 'message'],
  );
});

test("OpenAI's client takes no id twice, and an item without one gets one", () => {
  const { stream } = streamOf([
    added(search),
    done(found),
    opaque({ type: 'response.output_item.done', item: found }, 'p'),
    opaque({ type: 'response.output_item.done', item: { type: 'x' } }, 'q'),
  ]);
  const ids = stream.response.output.map(({ id }) => id);
  assert.equal(ids[0], 'ws_1');
  assert.deepEqual([new Set(ids).size, ids.every((id) => id !== '')], [3, true]);
});

test('T5, T6 · whoever ends the stream at any event marks what was open as incomplete, with the same bytes', () => {
  const { events } = streamOf([text('a'), added(search), searching, done(found), text('b')]);
  for (let length = 3; length <= events.length; length += 1) {
    const part = events.slice(0, length);
    const ended = ResponseStream.replay(part);
    ended.end(lost, 9_000);
    for (const item of ended.response.output) {
      const isWhole = part.some((event) => event.type === 'response.output_item.done' && event.item.id === item.id);
      assert.equal(item.status, isWhole ? 'completed' : 'incomplete');
    }
  }
  const again = ResponseStream.replay(JSON.parse(JSON.stringify(events)) as ResponseEvent[]);
  const { stream } = streamOf([text('a'), added(search), searching, done(found), text('b')]);
  assert.deepEqual(again.end(lost, 9_000), stream.end(lost, 9_000));
});

test('a text keeps its sources, its log probabilities and the phase of its message', () => {
  const source = { type: 'url_citation', url: 'https://a.test' };
  const probable = { token: 'a', logprob: -1 };
  const { stream, events } = streamOf([
    { type: 'message', text: '', item: 'm', members: { phase: 'commentary' } },
    { type: 'text', text: 'a', item: 'm', logprobs: [probable] },
    { type: 'annotation', text: '', item: 'm', annotation: source },
    { type: 'text', text: 'b', item: 'm', logprobs: [probable] },
    { type: 'message', text: '', item: 'n', members: { phase: 'final_answer' } },
    { type: 'text', text: 'c', item: 'n' },
  ]);
  const ended = [...events, ...stream.end(completed, 9_000)];
  const annotated = ended.find(({ type }) => type === 'response.output_text.annotation.added');
  assert.deepEqual(annotated, {
    type: 'response.output_text.annotation.added',
    sequence_number: 6,
    item_id: 'msg_ab120000',
    output_index: 0,
    content_index: 0,
    annotation_index: 0,
    annotation: source,
  });
  const part = (words: string, annotations: unknown[], logprobs: unknown[]) => ({
    type: 'output_text',
    text: words,
    annotations,
    logprobs,
  });
  const common = { type: 'message', status: 'completed', role: 'assistant' };
  assert.deepEqual(ResponseStream.replay(ended).response.output, [
    { id: 'msg_ab120000', ...common, content: [part('ab', [source], [probable, probable])], phase: 'commentary' },
    { id: 'msg_ab120001', ...common, content: [part('c', [], [])], phase: 'final_answer' },
  ]);
});

test('what came with the end of an item, or behind it, is on that item in the last event, and never on the next one', () => {
  const call = { type: 'tool_call', item: 'c', callId: 'a', name: 'f' } as const;
  const { stream, events } = streamOf([
    { type: 'text', text: 'a', item: 'message 0 c0' },
    { type: 'message', text: '', item: 'message 0', members: { phase: 'commentary' } },
    { ...call, text: '{}' },
    { ...call, text: '', members: { namespace: 'n' } },
    // The message has ended by now.
    { type: 'message', text: '', item: 'message 0', members: { phase: 'final_answer' } },
    { type: 'text', text: 'b', item: 'message 1 c0' },
  ]);
  const ended = [...events, ...stream.end(completed, 9_000)];
  const output = ResponseStream.replay(ended).response.output as readonly { phase?: string; namespace?: string }[];
  assert.deepEqual(
    output.map(({ phase, namespace }) => phase ?? namespace),
    ['final_answer', 'n', undefined],
  );
});

test('a call of a custom tool has its own events', () => {
  const call = { type: 'tool_call', item: 'c', callId: 'a', name: 'patch', isCustom: true, members: { namespace: 'n' } } as const;
  const id = 'ctc_ab120000';
  const item = { id, status: 'in_progress', call_id: 'a', name: 'patch', type: 'custom_tool_call', input: '', namespace: 'n' };
  assert.deepEqual(shown([{ ...call, text: 'x' }]), [
    { type: 'response.output_item.added', sequence_number: 3, output_index: 0, item },
    { type: 'response.custom_tool_call_input.delta', sequence_number: 4, item_id: id, output_index: 0, delta: 'x' },
    { type: 'response.custom_tool_call_input.done', sequence_number: 5, item_id: id, output_index: 0, input: 'x' },
    { type: 'response.output_item.done', sequence_number: 6, output_index: 0, item: { ...item, status: 'completed', input: 'x' } },
  ]);
});
