import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cutForModel, keptResult, maxToolResultBytes } from '../../src/domain/agents/tool-result.ts';

const rows: readonly (readonly [what: string, text: string, maxBytes: number, kept: string])[] = [
  ['nothing', '', 4, ''],
  ['what just fits', 'abcd', 4, 'abcd'],
  ['one more byte', 'abcde', 4, 'abcd'],
  ['two bytes a character', 'äöü', 5, 'äö'],
  ['three bytes a character', '日本語', 8, '日本'],
  ['a pair is one character', 'a😀b', 4, 'a'],
  ['a pair that just fits', '😀', 4, '😀'],
  ['half a pair counts as what it is sent as', '\uD83D!', 3, '\uD83D'],
  ['nothing fits', '😀', 3, ''],
];

for (const [what, text, maxBytes, kept] of rows) {
  test(`a result is cut at a whole character: ${what}`, () => {
    const cut = cutForModel(text, maxBytes);
    assert.equal(cut.text, kept);
    assert.equal(cut.note === undefined, text === kept);
  });
}

test('the note says how long the result was, and how much of it is shown', () => {
  const { text, note } = cutForModel(`${'x'.repeat(maxToolResultBytes - 1)}äöü`);
  assert.equal(text, 'x'.repeat(maxToolResultBytes - 1));
  assert.equal(note, '[This result is cut: it has 262149 bytes, and only its first 262143 are shown.]');
});

test('for any text and limit: the longest beginning of whole characters that fits, and a note exactly where something is missing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 64 }), (text, maxBytes) => {
      const { text: kept, note } = cutForModel(text, maxBytes);
      const bytes = (part: string): number => Buffer.byteLength(part, 'utf8');
      assert.ok(text.startsWith(kept));
      assert.ok(bytes(kept) <= maxBytes);
      assert.equal(note === undefined, kept === text);
      if (note === undefined) return;
      assert.ok(note.includes(`it has ${bytes(text)} bytes`));
      const next = String.fromCodePoint(text.codePointAt(kept.length) ?? 0);
      assert.ok(bytes(kept + next) > maxBytes);
    }),
  );
});

test('T14 · of a result that is longer than any answer may be no more is kept than fits, with a note; its bytes are not counted', (t) => {
  const text = 'é'.repeat(400_000);
  const count = t.mock.method(Buffer, 'byteLength');
  const encode = t.mock.method(TextEncoder.prototype, 'encodeInto');
  const kept = keptResult(text, 300_001);
  assert.equal(count.mock.callCount(), 0);
  assert.deepEqual(
    encode.mock.calls.map(({ arguments: [looked] }) => looked.length),
    [300_001],
  );
  assert.equal(kept.length, 400_000);
  assert.equal(kept.text, `${'é'.repeat(150_000)}\n\n[This result is cut: it has 400000 characters, and no more of it is kept.]`);
  const { text: shown, note } = cutForModel(kept.text, 262_145, kept.length);
  assert.equal(shown, 'é'.repeat(131_072));
  assert.equal(note, '[This result is cut: it has 400000 characters, and only its first 262144 bytes are shown.]');
  assert.deepEqual(keptResult(text, 800_000), { text });
});
