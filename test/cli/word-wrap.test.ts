/** Text that comes in pieces is broken between words, wherever the pieces begin and end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WordWrap } from '../../src/cli/chat/word-wrap.ts';

/** What a terminal of so many columns shows: it knows of "back" and "erase to the end of the line". */
function wrapped(pieces: readonly string[], columns: number): string {
  const wrap = new WordWrap(() => columns);
  const written = pieces.map((piece) => wrap.add(piece)).join('');
  const lines = [''];
  // oxlint-disable-next-line no-control-regex -- the terminal's own
  for (const [, back, char = ''] of written.matchAll(/\u001b\[(\d+)D\u001b\[K|([^])/gu)) {
    const line = lines.pop() ?? '';
    if (back !== undefined) lines.push(Array.from(line).slice(0, -Number(back)).join('').trimEnd());
    else if (char === '\n') lines.push(line, '');
    else lines.push(line + char);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}

for (const [title, text, expected] of [
  ['a word that does not fit begins the next line', 'one two three', 'one two\nthree'],
  ['lines of the text stay', 'one\n\n two', 'one\n\n two'],
  ['a word that just fits stays', 'one four', 'one four'],
  ['a longer word than a line is broken by the terminal', 'a abcdefghijkl b', 'a\nabcdefghijkl b'],
  ['East Asian text breaks between any two characters, of two columns', '一二三四五', '一二三四\n五'],
  ['a combining mark takes no column', 'e\u0301\u0301\u0301\u0301\u0301 sevenn', 'e\u0301\u0301\u0301\u0301\u0301 sevenn'],
] as const) {
  test(title, () => {
    for (const pieces of [[text], Array.from(text), text.split(/(?<= )/)]) assert.equal(wrapped(pieces, 8), expected);
  });
}

test('whatever the pieces are, only spaces at the ends of lines are lost, and no line is longer than it may be', () => {
  const words = fc.array(fc.stringMatching(/^[a-z]{1,8}[ \n]{1,2}$/), { maxLength: 30 });
  fc.assert(
    fc.property(words, fc.integer({ min: 8, max: 30 }), (pieces, columns) => {
      const out = wrapped(pieces, columns);
      assert.equal(out.replaceAll(/\s/g, ''), pieces.join('').replaceAll(/\s/g, ''));
      const longest = Math.max(
        ...pieces
          .join('')
          .split(/\s/)
          .map((word) => word.length),
      );
      for (const line of out.split('\n')) assert.ok(line.trim().length <= Math.max(columns, longest), JSON.stringify(line));
    }),
  );
});
