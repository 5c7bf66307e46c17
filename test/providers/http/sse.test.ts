import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { recorded } from '../recorded.ts';
import { apis, readBytes, type StreamResult } from '../support.ts';

function cutAt(bytes: Uint8Array, offsets: readonly number[]): readonly Uint8Array[] {
  const edges = [0, ...offsets.toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((to, index) => bytes.subarray(edges[index], to));
}

for (const api of apis) {
  for (const newline of ['\n', '\r\n', '\r']) {
    const { text, deltas } = recorded[api];
    const bytes = new TextEncoder().encode(text.replaceAll('\n', newline));
    const title = `${api}, lines ended by ${JSON.stringify(newline)}`;

    void test(`T8 · the same events, wherever the bytes are cut: ${title}`, () => {
      const whole = readBytes(api, [bytes]);
      assert.equal(whole.text, deltas);
      assert.equal(whole.finishes, 1);
      assert.equal(whole.events.at(-1)?.type, 'usage');
      const same = (chunks: readonly Uint8Array[]): void => assert.deepEqual<StreamResult>(readBytes(api, chunks), whole);
      for (let at = 0; at <= bytes.length; at += 1) same(cutAt(bytes, [at]));
      same([...bytes].map((byte) => Uint8Array.of(byte)));
      const offsets = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 });
      fc.assert(fc.property(offsets, (at) => same(cutAt(bytes, at))));
    });
  }

  void test(`T8 · bytes that are no UTF-8 crash nothing: ${api}`, () => {
    const { text } = recorded[api];
    const bytes = new TextEncoder().encode(text);
    const spoiled = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0x80, max: 0xff })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(spoiled, (changes) => {
        const broken = bytes.slice();
        for (const [at, byte] of changes) broken[at] = byte;
        const { failure } = readBytes(api, [broken]);
        assert.ok(failure === undefined || !failure.code.startsWith('transport'), 'parsing is no failure of the transport');
      }),
    );
  });

  void test(`any JSON at all is parsed or rejected as a ProviderError: ${api}`, () => {
    const words = fc.constantFrom(
      'choices',
      'delta',
      'error',
      'type',
      'item',
      'response',
      'tool_calls',
      'content',
      'index',
      'output',
      'function',
    );
    const types = fc.constantFrom(
      'response.completed',
      'response.output_item.added',
      'response.output_text.delta',
      'error',
      'response.failed',
    );
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, 0, true, ''),
        types,
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(words, tie('json'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(fc.array(json, { maxLength: 4 }), (events) => {
        readBytes(api, [new TextEncoder().encode(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))]);
      }),
      { numRuns: 500 },
    );
  });
}
