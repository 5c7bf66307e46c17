/** Arguments that are no object in the first place: encoded twice, `null`, or something else that is shown as it came. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { ModelDelta } from '../../../src/domain/model.ts';
import { CallArguments, decodedArguments } from '../../../src/providers/openai/call-arguments.ts';

type CallDelta = ModelDelta & { readonly type: 'tool_call' };

const piece = (text: string, item = 'call 0'): CallDelta => ({ type: 'tool_call', item, callId: 'a', name: 'f', text });

function read(pieces: readonly string[], isProved = true): readonly CallDelta[] {
  const args = new CallArguments();
  return [...pieces.map((text) => args.read(piece(text))), ...args.end(isProved)];
}

const textOf = (deltas: readonly CallDelta[]): string => deltas.map(({ text }) => text).join('');

const anyPieces = (text: string): fc.Arbitrary<readonly string[]> =>
  fc.array(fc.nat({ max: text.length }), { maxLength: 5 }).map((at) => {
    const cuts = [0, ...at.toSorted((a, b) => a - b), text.length];
    return cuts.slice(1).map((end, index) => text.slice(cuts[index], end));
  });

void suite('the arguments of calls', () => {
  const rows: Readonly<Record<string, string>> = {
    '"{\\"x\\":1}"': '{"x":1}',
    ' "{\\"x\\":\\"\\\\ud83d\\\\ude00\\"}" ': '{"x":"\\ud83d\\ude00"}',
    '" {} "': ' {} ',
    null: '{}',
    ' null\n': '{}',
    '"{hello}"': '"{hello}"',
    '"[1]"': '"[1]"',
    '"null"': '"null"',
    '"text"': '"text"',
    '"{\\"x\\":1}" and more': '"{\\"x\\":1}" and more',
    '"{\\"x\\":': '"{\\"x\\":',
    nullable: 'nullable',
    '[1]': '[1]',
    3: '3',
    ' {"x":null}': ' {"x":null}',
    '': '',
    '  ': '  ',
  };
  for (const [text, shown] of Object.entries(rows)) {
    void test(`${JSON.stringify(text)} is ${JSON.stringify(shown)}, in any pieces; an answer that is not whole shows what came`, () => {
      fc.assert(
        fc.property(anyPieces(text), (pieces) => {
          assert.equal(textOf(read(pieces)), shown);
          assert.equal(textOf(read(pieces, false)), text);
        }),
      );
    });
  }

  void test('an object is shown as it comes', () =>
    assert.deepEqual(
      read(['{"x":', '"', 'y"}']).map(({ text }) => text),
      ['{"x":', '"', 'y"}'],
    ));

  void test('what is held back is a delta without a text: the model goes on, and no deadline ends it', () =>
    assert.deepEqual(
      read(['"', '{', '}', '"']).map(({ text }) => text),
      ['', '', '', '', '{}'],
    ));

  void test('two calls in turns', () => {
    const args = new CallArguments();
    for (const [text, item] of [
      ['"{', 'a'],
      ['nu', 'b'],
      ['}"', 'a'],
      ['ll', 'b'],
    ] as const)
      args.read(piece(text, item));
    assert.deepEqual(
      args.end(true).map(({ item, text }) => item + text),
      ['a{}', 'b{}'],
    );
    assert.deepEqual(args.end(true), []);
  });

  void test('any object, encoded twice, is the text of that object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.json()), (object) => {
        const text = JSON.stringify(object);
        assert.equal(decodedArguments(JSON.stringify(text)), text);
        assert.equal(decodedArguments(text), undefined);
      }),
    );
  });
});
