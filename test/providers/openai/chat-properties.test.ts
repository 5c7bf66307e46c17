/**
 * T8 · whatever a chat provider sends, an answer that is `completed` has calls whose arguments are JSON, shows all that was said,
 * and tears no character: the parser and the stream of the response together, over sequences of chunks and over bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ModelEvent, ModelFinish } from '../../../src/domain/model.ts';
import type { ResponseEvent } from '../../../src/domain/response/response-event.ts';
import { newResponse, type ResponseObject } from '../../../src/domain/response/response.ts';
import { ResponseStream } from '../../../src/domain/response/response-stream.ts';
import type { TurnOutcome } from '../../../src/domain/turn/turn-outcome.ts';
import { failureOf } from '../../../src/domain/failure.ts';
import { SseReader } from '../../../src/providers/http/sse.ts';
import { ChatParser } from '../../../src/providers/openai/chat-parser.ts';
import { ProviderError } from '../../../src/providers/provider.ts';
import { settings } from '../support.ts';

const response = newResponse({ id: 'resp_ab12', createdAtMs: 5_000, settings, session: null, previous: null });

/** As an attempt writes it. */
function answerTo(
  body: Uint8Array,
  isCutAt: readonly number[],
  endsProperly: boolean,
): { response: ResponseObject; events: readonly ResponseEvent[] } {
  const parser = new ChatParser(['get', 'get_it']);
  const events: ModelEvent[] = [];
  let failure: ProviderError | undefined;
  try {
    try {
      const sse = new SseReader((event) => {
        if (!parser.isOver) parser.read(event, events);
      });
      const edges = [0, ...isCutAt.map((at) => at % (body.length + 1)).toSorted((a, b) => a - b), body.length];
      for (const [at, to] of edges.slice(1).entries()) sse.push(body.subarray(edges[at], to));
      if (!parser.isOver && endsProperly) sse.end();
      parser.end(endsProperly || parser.isOver, events);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      failure = error;
      parser.end(false, events);
    }
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    failure = error;
  }
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  const shown: ResponseEvent[] = [...opening, ...stream.begin()];
  let finish: ModelFinish | undefined;
  for (const event of events) {
    if (event.type === 'delta') shown.push(...stream.write(event.delta));
    else if (event.type === 'finish') finish = event.finish;
  }
  assert.ok(!parser.hasFinish || finish !== undefined);
  const { code } = failure?.failure ?? failureOf('stream_truncated');
  const outcome: TurnOutcome =
    !parser.hasFinish || finish === undefined
      ? { status: 'failed', failure: failureOf(code), usage: null }
      : finish.status === 'completed'
        ? { status: 'completed', usage: null }
        : { status: 'incomplete', reason: finish.reason ?? '', usage: null };
  shown.push(...stream.end(outcome, 9_000));
  return { response: stream.response, events: shown };
}

function assertSound({ response, events }: ReturnType<typeof answerTo>): void {
  const shown = new Map<number, string>();
  for (const event of events) {
    assert.ok(JSON.stringify(event).isWellFormed());
    assert.doesNotMatch(JSON.stringify(event), /\\ud[89a-f]/i, 'no torn character');
    if ('delta' in event) shown.set(event.output_index, (shown.get(event.output_index) ?? '') + event.delta);
  }
  response.output.forEach((item, index) => {
    const text =
      item.type === 'function_call'
        ? item.arguments
        : item.type === 'reasoning'
          ? item.summary.map((part) => part.text).join('')
          : item.type === 'message'
            ? item.content.map((part) => (part.type === 'refusal' ? part.refusal : part.text)).join('')
            : '';
    assert.equal(text, shown.get(index) ?? '', 'what an item has was shown');
    if (item.type !== 'function_call') return;
    assert.notEqual(item.name, '');
    if (response.status === 'completed') assert.doesNotThrow(() => JSON.parse(item.arguments), item.arguments);
  });
}

const text = fc.constantFrom('', 'a', ' ', 'Grüße', '😀', '\ud83d', '\ude00', 'b\ud83d');
const args = fc.constantFrom(
  '',
  '{',
  '}',
  '{}',
  '{"x":1}',
  '{"x"',
  ':1}',
  ':{"x":1}',
  '{"x":{"x":1}}',
  '[]',
  'null',
  '"\ud83d',
  '\ude00"',
  'oops',
);
const sometimes = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> => fc.option(fc.option(value), { nil: undefined });
const call = fc.record(
  {
    index: sometimes(fc.constantFrom<unknown>(0, 1, 2, '0')),
    id: sometimes(fc.constantFrom<unknown>('a', 'b', '', 7)),
    function: fc.record(
      {
        name: sometimes(fc.constantFrom('get', '_it', 'get_it', '')),
        arguments: sometimes(fc.oneof(args, fc.constantFrom<unknown>({}, { x: 1 }, [], 3))),
      },
      { requiredKeys: [] },
    ),
    extra_content: sometimes(fc.constant('S')),
  },
  { requiredKeys: [] },
);
const detail = fc.constantFrom({ type: 'reasoning.text', text: 'hm', index: 0 }, { type: 'reasoning.encrypted', data: 'E' });
const delta = fc.record(
  {
    content: sometimes(
      fc.oneof(
        text,
        fc.array(text.map((each) => ({ type: 'text', text: each }))),
        text.map((each) => [{ type: 'thinking', thinking: [{ type: 'text', text: each }] }]),
      ),
    ),
    reasoning: sometimes(text),
    reasoning_details: sometimes(fc.array(detail, { maxLength: 2 })),
    refusal: sometimes(text),
    tool_calls: sometimes(fc.oneof(fc.array(call, { maxLength: 2 }), call)),
  },
  { requiredKeys: [] },
);
const finishReason = fc.option(fc.constantFrom('stop', 'tool_calls', 'length', 'because', ''), { freq: 1 });
/** Of the last chunk: most answers state their end. */
const lastReason = fc.constantFrom('stop', 'stop', 'tool_calls', 'tool_calls', 'because', 'length', null);
const mostly = fc.nat(4).map((value) => value > 0);
const chunk = fc
  .record({ delta, finish_reason: finishReason, index: fc.nat(2), message: sometimes(delta) }, { requiredKeys: ['delta'] })
  .map((choice) => `data: ${JSON.stringify({ choices: [choice] })}\n\n`);
const line = fc.oneof(
  { weight: 12, arbitrary: chunk },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'data:\n\n',
      'data: [DONE]\n\n',
      '{"error":{"message":"m"}}\n',
      'words\n',
      ': hm\n\n',
      'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
    ),
  },
);

test('T8 · over chunks', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), lastReason, mostly, (lines, last, endsProperly) => {
      const end = last === null ? '' : `data: ${JSON.stringify({ choices: [{ delta: {}, finish_reason: last }] })}\n\n`;
      assertSound(answerTo(new TextEncoder().encode(lines.join('') + end), [], endsProperly));
    }),
    { numRuns: 3_000 },
  );
});

test('T8 · over bytes, spoiled and cut anywhere', () => {
  const spoiled = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 6 }),
      spoiled,
      fc.array(fc.nat(), { maxLength: 5 }),
      fc.boolean(),
      (lines, changes, cuts, ends) => {
        const bytes = new TextEncoder().encode(`${lines.join('')}data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n`);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        assertSound(answerTo(bytes, cuts, ends));
      },
    ),
    { numRuns: 2_000 },
  );
});
