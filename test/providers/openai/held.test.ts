/** T14 · what a parser keeps of an answer and shows to nobody is bounded: the journal counts what is shown, and nothing else. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ModelEvent } from '../../../src/domain/model.ts';
import { ChatParser } from '../../../src/providers/openai/chat-parser.ts';
import { CallNames } from '../../../src/providers/openai/chat-tools.ts';
import { compact } from '../../../src/providers/openai/compact.ts';
import { ResponsesParser } from '../../../src/providers/openai/responses-parser.ts';
import type { StreamParser } from '../../../src/providers/openai/stream-parser.ts';
import { translatedCalls } from '../../../src/providers/openai/translated-calls.ts';
import { compactionContent } from '../../../src/domain/prompt/compaction.ts';
import type { NewItem } from '../../../src/domain/item.ts';
import { defaultSettings } from '../../../src/domain/response/response-settings.ts';
import { ProviderError } from '../../../src/providers/provider.ts';

const maxHeld = 10_000;
/** Far more than the bound, in pieces that are far less. */
const pieces = 1_000;
const words = 'x'.repeat(100);

/** How many of the pieces are read before it is too much; undefined: all of them. */
function readUntilHeld(parser: StreamParser, piece: (n: number) => object): number | undefined {
  const events: ModelEvent[] = [];
  for (let n = 0; n < pieces; n += 1) {
    try {
      parser.read({ data: JSON.stringify(piece(n)) }, events);
    } catch (error) {
      assert.ok(error instanceof ProviderError);
      assert.deepEqual([error.failure.code, error.failure.detail], ['output_too_large', 'not_shown']);
      return n;
    }
  }
  return undefined;
}

const chat = (delta: object): object => ({ choices: [{ delta }] });
const call = (piece: object): object => chat({ tool_calls: [piece] });

void suite('held', () => {
  const held: Readonly<Record<string, readonly [api: 'chat' | 'responses', piece: (n: number) => object]>> = {
    'reasoning details without a text': [
      'chat',
      (n) => chat({ reasoning_details: [{ type: 'reasoning.encrypted', data: words, index: n }] }),
    ],
    'calls without a name': ['chat', (n) => call({ index: n, id: `call_${n}` })],
    'the arguments of a call without a name': ['chat', () => call({ index: 0, id: 'a', function: { arguments: `"${words}` } })],
    'ids of one call, and nothing else of it': [
      'chat',
      (n) => call({ index: 0, id: `call_${n}`, ...(n === 0 ? { function: { name: 'f', arguments: '{' } } : {}) }),
    ],
    'messages that say nothing': ['responses', (n) => ({ type: 'response.output_item.added', item: { type: 'message', id: `msg_${n}` } })],
    'reasoning that says nothing': [
      'responses',
      (n) => ({ type: 'response.output_item.done', item: { type: 'reasoning', id: `rs_${n}`, summary: [] } }),
    ],
    'calls whose names do not come': [
      'responses',
      (n) => ({ type: 'response.output_item.added', item: { type: 'custom_tool_call', id: `ctc_${n}` }, output_index: n }),
    ],
    'the input of a call whose name does not come': [
      'responses',
      (n) =>
        n === 0
          ? { type: 'response.output_item.added', item: { type: 'custom_tool_call', id: 'ctc_0' }, output_index: 0 }
          : { type: 'response.custom_tool_call_input.delta', item_id: 'ctc_0', output_index: 0, delta: words },
    ],
  };
  for (const [what, [api, piece]] of Object.entries(held)) {
    void test(what, () => {
      const parser = api === 'chat' ? new ChatParser([], [], maxHeld) : new ResponsesParser(maxHeld);
      const count = readUntilHeld(parser, piece);
      assert.ok(count !== undefined && count <= maxHeld / 80, `${count}`);
    });
  }

  const shown: Readonly<Record<string, readonly [api: 'chat' | 'responses', piece: (n: number) => object]>> = {
    'a text': ['chat', () => chat({ content: words })],
    'the arguments of a call': [
      'chat',
      (n) => call({ index: 0, id: 'a', function: n === 0 ? { name: 'f', arguments: '{"a":"' } : { arguments: words } }),
    ],
    reasoning: ['responses', () => ({ type: 'response.reasoning_summary_text.delta', item_id: 'rs_0', summary_index: 0, delta: words })],
    'empty deltas, each of a part of its own': [
      'responses',
      (n) => ({ type: 'response.output_text.delta', item_id: 'msg_0', content_index: n, delta: '' }),
    ],
  };
  for (const [what, [api, piece]] of Object.entries(shown)) {
    void test(`${what}: nothing of it`, () => {
      const parser = api === 'chat' ? new ChatParser([], [], maxHeld) : new ResponsesParser(maxHeld);
      assert.equal(readUntilHeld(parser, piece), undefined);
    });
  }
});

void suite('what waits for the end of a message', () => {
  const text = { type: 'response.output_text.delta', item_id: 'msg_0', output_index: 0, content_index: 0, delta: 'Hello' };
  const large = words.repeat(50);
  const waiting: Readonly<Record<string, readonly [item: object, piece: object]>> = {
    'events of an item that is passed on': [
      { type: 'image_generation_call', id: 'ig_1' },
      { type: 'response.image_generation_call.partial_image', item_id: 'ig_1', output_index: 1, partial_image_b64: large },
    ],
    'sources of a text': [
      { type: 'message', id: 'msg_1' },
      { type: 'response.output_text.annotation.added', item_id: 'msg_1', output_index: 1, content_index: 0, annotation: { url: large } },
    ],
    'likelihoods of its words': [
      { type: 'message', id: 'msg_1' },
      { type: 'response.output_text.delta', item_id: 'msg_1', output_index: 1, content_index: 0, delta: 'x', logprobs: [{ token: large }] },
    ],
  };
  for (const [what, [item, piece]] of Object.entries(waiting)) {
    void test(`T14 · ${what}: all of it is counted`, () => {
      const added = { type: 'response.output_item.added', item, output_index: 1 };
      const count = readUntilHeld(new ResponsesParser(maxHeld), (n) => [text, added][n] ?? piece);
      assert.ok(count !== undefined && count <= 2 + maxHeld / large.length, `${count}`);
    });
  }
});

async function* calls(first: string, next: string): AsyncGenerator<ModelEvent> {
  for (let n = 0; n < pieces; n += 1) {
    yield { type: 'delta', delta: { type: 'tool_call', item: '0', callId: 'a', name: 'patch', text: n === 0 ? first : next } };
  }
}

async function readCalls(first: string, next: string): Promise<string> {
  let text = '';
  const names = new CallNames([{ type: 'custom', name: 'patch', description: null }]);
  for await (const event of translatedCalls(calls(first, next), names, maxHeld)) {
    if (event.type === 'delta') text += event.delta.text;
  }
  return text;
}

test('T14 · arguments of a custom tool that show no input are bounded; those that show it are not held', async () => {
  await assert.rejects(
    readCalls('{"patch":"', words),
    (error: unknown) => error instanceof ProviderError && error.failure.code === 'output_too_large',
  );
  await assert.rejects(readCalls('{"input":""', words), { name: 'ProviderError' });
  assert.equal((await readCalls('{"input":"', words)).length, (pieces - 1) * words.length);
});

test('T14 · a summary that does not stop is kept as far as it is sealed', async () => {
  async function* stream(): AsyncGenerator<ModelEvent> {
    const text = 'y'.repeat(1_000);
    for (let n = 0; n < pieces; n += 1) yield { type: 'delta', delta: { type: 'text', text } };
    yield { type: 'finish', finish: { status: 'completed' } };
  }
  const events: ModelEvent[] = [];
  for await (const event of compact({ settings: defaultSettings('m'), items: [] }, { isOpenAiHost: false, stream })) events.push(event);
  const items = events.flatMap((event) => {
    const { item } = event.type === 'delta' && event.delta.type === 'opaque' ? event.delta.event : {};
    return item === undefined ? [] : [compactionContent(item as unknown as NewItem)];
  });
  assert.deepEqual(items, [{ type: 'none' }, { type: 'summary', summary: 'y'.repeat(262_144), keptChars: 65_536 }]);
  assert.ok(events.length > pieces, 'a sign of life for each thousand characters, kept or not');
});
