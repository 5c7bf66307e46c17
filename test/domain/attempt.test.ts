import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageOf } from '../../src/domain/turn/attempt.ts';
import type { Usage } from '../../src/domain/response/response.ts';
import { idempotencyKeyOf } from '../../src/domain/agents/tool-call.ts';

const tokens = (input: number, output: number): Usage => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: input / 2 },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: output / 2 },
  total_tokens: input + output,
});

const cases: readonly [title: string, attempts: readonly { readonly step: number; readonly usage?: Usage }[], expected: Usage | null][] = [
  ['nothing was asked for', [], null],
  ['a turn of one step costs what that did', [{ step: 1, usage: tokens(4, 2) }], tokens(4, 2)],
  [
    'the steps of a turn are added up',
    [
      { step: 1, usage: tokens(4, 2) },
      { step: 2, usage: tokens(8, 6) },
    ],
    tokens(12, 8),
  ],
  [
    'of a step the last request counts: it gave the answer',
    [{ step: 1, usage: tokens(100, 100) }, { step: 1, usage: tokens(4, 2) }, { step: 2 }, { step: 2, usage: tokens(8, 6) }],
    tokens(12, 8),
  ],
  ['a step of which nothing is known adds nothing', [{ step: 1, usage: tokens(4, 2) }, { step: 2 }], tokens(4, 2)],
  ['nothing is known of any', [{ step: 1 }, { step: 2 }], null],
  ['what was lost before the last request is not what that cost', [{ step: 1, usage: tokens(4, 2) }, { step: 1 }], null],
];

for (const [title, attempts, expected] of cases) {
  test(`usage · ${title}`, () => {
    assert.deepEqual(usageOf(attempts), expected);
  });
}

test('every run of a call has one key, and no other call has it', () => {
  const keys = [
    { turn: 'resp_a', number: 1 },
    { turn: 'resp_a', number: 11 },
    { turn: 'resp_a1', number: 1 },
  ].map(idempotencyKeyOf);
  assert.equal(new Set(keys).size, 3);
  assert.equal(idempotencyKeyOf({ turn: 'resp_a', number: 1 }), keys[0]);
});
