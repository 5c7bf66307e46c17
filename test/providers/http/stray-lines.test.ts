/** Lines of an event stream that are no fields: where servers that have failed state their error. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { JsonDocumentError, type SseEvent, SseReader } from '../../../src/providers/http/sse.ts';

function read(chunks: readonly string[]): { events: SseEvent[]; words: string } {
  const events: SseEvent[] = [];
  const reader = new SseReader((event) => events.push(event));
  for (const chunk of chunks) reader.push(new TextEncoder().encode(chunk));
  reader.end();
  return { events, words: reader.strayWords };
}

const first = 'data: 1\n\n';

void suite('lines that are no fields', () => {
  const rows: Readonly<Record<string, readonly [text: string, data: readonly string[], words: string]>> = {
    'JSON in one line': [`${first}{"error":{"message":"m"}}\n\n`, ['1', '{"error":{"message":"m"}}\n'], ''],
    'JSON without an end of its line': [`${first}{"error":"m"}`, ['1', '{"error":"m"}\n'], ''],
    'JSON over several lines': [
      `${first}{\n  "error": {\n    "message": "m"\n  }\n}\n`,
      ['1', '{\n  "error": {\n    "message": "m"\n  }\n}\n'],
      '',
    ],
    'JSON that is cut off': [`${first}{"error":{"mess`, ['1'], '{"error":{"mess\n'],
    'plain words': [`${first}upstream connect error\nor reset: overflow\n`, ['1'], 'upstream connect error or reset: overflow'],
    'the beginning of a field is nothing': [`${first}dat`, ['1'], ''],
    'a field that is cut off is nothing': [`${first}data: {"x"`, ['1'], ''],
    'fields without a use, and comments': [`${first}id: 1\nretry: 5\n: hm\ndata: 2\n\n`, ['1', '2'], ''],
    "older llama.cpp's field": [`${first}error: {"code":500}\n`, ['1', '{"code":500}'], ''],
    'data without a value, and without a colon': [`data:\n\ndata\n\n`, ['', ''], ''],
    'data of several lines': [`data: a\ndata: b\n\n`, ['a\nb'], ''],
    'JSON of several lines': [`data: {"x":\ndata: {}\ndata: }\n\n`, ['{"x":\n{}\n}'], ''],
    'events without an empty line between them': [`data: {"x":1}\ndata: {"x":2}\ndata: [DONE]\n`, ['{"x":1}', '{"x":2}', '[DONE]'], ''],
    'the same, with names': [`event: a\ndata: {}\nevent: b\ndata: []\n\n`, ['{}', '[]'], ''],
    'the same, and the last line without an end': [`data: {"x":1}\n: hm\ndata: {"x":2}`, ['{"x":1}', '{"x":2}'], ''],
    'JSON right behind an event comes behind it': [`data: {"x":1}\n{"error":"m"}\n\n`, ['{"x":1}', '{"error":"m"}\n'], ''],
    "older llama.cpp's field right behind an event": [`data: {"x":1}\nerror: {"code":500}\n`, ['{"x":1}', '{"code":500}'], ''],
    'one event without its empty line': [`data: {"x":1}\n`, ['{"x":1}'], ''],
    'one that is cut off': [`data: {"x":1}\ndata: {"x`, ['{"x":1}'], ''],
  };
  for (const [name, [text, data, words]] of Object.entries(rows)) {
    void test(name, () => {
      const expected = { data, words };
      const seen = (chunks: readonly string[]): unknown => {
        const { events, words } = read(chunks);
        return { data: events.map((event) => event.data), words };
      };
      assert.deepEqual(seen([text]), expected);
      assert.deepEqual(seen(text.split('')), expected, 'however it is cut');
      assert.deepEqual(seen(text.replaceAll('\n', '\r\n').split('')), expected, 'with the other ends of lines');
      const cuts = fc.array(fc.nat(text.length), { maxLength: 4 });
      fc.assert(
        fc.property(cuts, (at) => {
          const edges = [0, ...at.toSorted((a, b) => a - b), text.length];
          assert.deepEqual(seen(edges.slice(1).map((to, index) => text.slice(edges[index], to))), expected);
        }),
        { numRuns: 20 },
      );
    });
  }
  void test('a body that begins as JSON is a document', () => {
    assert.throws(
      () => read([' {"error"']),
      (error) => error instanceof JsonDocumentError && error.beginning === ' {"error"',
    );
  });
});
