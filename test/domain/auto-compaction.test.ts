import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent, Compaction } from '../../src/domain/agents/agent.ts';
import { calibrated, isWorthwhile, requestToSummarise, statedContext, tokensToSummarise } from '../../src/domain/prompt/auto-compaction.ts';
import { compactionOf, isCompactionStep, mayCompact, promptRoomOf, stepsAsked } from '../../src/domain/prompt/overflow.ts';
import type { FailureCode } from '../../src/domain/failure.ts';
import { type Item, textOf, unwrittenMessage } from '../../src/domain/item.ts';
import { defaultSettings, type ResponseSettings } from '../../src/domain/response/response-settings.ts';

const agent = (compaction: Compaction): Agent => ({
  name: 'a',
  provider: 'default',
  model: 'm',
  tools: [],
  settings: {},
  limits: {},
  compaction,
});
const settings = (some: Partial<ResponseSettings>): ResponseSettings => ({ ...defaultSettings('m'), ...some });

const rules: readonly [title: string, settings: Partial<ResponseSettings>, expected: Compaction][] = [
  ['nothing is said of it', {}, 'off'],
  ['the request says so', { truncation: 'auto' }, 'auto'],
  ['the request says no more than the provider does anyway', { truncation: 'disabled' }, 'off'],
  ['the agent says so', { agent: agent('auto') }, 'auto'],
  ['the agent says not', { agent: agent('error') }, 'error'],
  ['the request comes before the agent', { agent: agent('off'), truncation: 'auto' }, 'auto'],
  ['the turn is a compaction itself', { agent: agent('auto'), compacts: true }, 'off'],
];

for (const [title, some, expected] of rules) {
  test(`${title}: ${expected}`, () => {
    assert.equal(compactionOf(settings(some)), expected);
  });
}

const row = (step: number, attempt = 1, code?: FailureCode) => ({ step, attempt, ...(code === undefined ? {} : { code }) });
const over = (step: number, attempt = 1) => row(step, attempt, 'context_length_exceeded');

test('the step behind one whose last request was too long compacts, and no other', () => {
  const booked = [row(1), row(2, 1, 'transport_failed'), over(2, 2), over(3), row(3, 2), row(4)];
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((step) => isCompactionStep(booked, step)),
    [false, false, true, false, false],
  );
  assert.equal(stepsAsked(booked, 5), 2);
  assert.equal(stepsAsked(booked, 4), 1);
});

test('a turn compacts twice at the most', () => {
  const auto = settings({ truncation: 'auto' });
  assert.equal(mayCompact(auto, [row(1), over(2), row(3)], 4), true);
  assert.equal(mayCompact(auto, [row(1), over(2), row(3), over(4), row(5)], 6), false);
  assert.equal(mayCompact(settings({}), [], 1), false);
});

const words: readonly [message: string | undefined, expected: number | undefined][] = [
  ["This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.", 8_192],
  ["This model's maximum context length is 128,000 tokens.", 128_000],
  ['the request exceeds the available context size (4096 tokens), try increasing it', 4_096],
  ['prompt is too long: 210000 tokens > 200000 maximum', 200_000],
  ['Your input exceeds the context window of this model.', undefined],
  [undefined, undefined],
];

for (const [message, expected] of words) {
  test(`the context is ${expected ?? 'not known'} by the words: ${message ?? 'none'}`, () => {
    assert.equal(statedContext(message), expected);
  });
}

test('each request for a summary shows less, and never more than the context is known to hold', () => {
  assert.deepEqual(
    [1, 2, 3].map((attempt) => tokensToSummarise(10_000, attempt, undefined)),
    [6_000, 3_000, 1_000],
  );
  assert.equal(tokensToSummarise(10_000, 1, 4_000), 2_400);
  assert.equal(tokensToSummarise(10_000, 1, 90_000), 6_000);
});

test('a summary that leaves most of the prompt is not worth its price', () => {
  assert.equal(isWorthwhile(69, 100), true);
  assert.equal(isWorthwhile(70, 100), false);
});

async function shown(items: readonly Item[], tokens: number, pause: () => Promise<unknown> = async () => undefined): Promise<string> {
  const request = await requestToSummarise({ settings: settings({ max_output_tokens: 5 }), items }, tokens, pause);
  assert.deepEqual([request.settings.compacts, request.settings.max_output_tokens, request.items.length], ['in_words', null, 1]);
  return textOf(request.items[0] as ReturnType<typeof unwrittenMessage>);
}

test('what is to be summarised is told in words, whoever said it', async () => {
  const call = { id: 'f', type: 'function_call', status: 'completed', call_id: 'c', name: 'look', arguments: '{"at":"sea"}' } as const;
  const output = { id: 'o', type: 'function_call_output', status: 'completed', call_id: 'c', output: 'waves' } as const;
  const text = await shown([unwrittenMessage('user', 'Look'), call, output, unwrittenMessage('assistant', 'Waves.')], 1_000);
  assert.equal(
    text,
    [
      '[Our conversation so far, in words:]',
      '[user]\nLook',
      '[call of look]\n{"at":"sea"}',
      '[output of the call]\nwaves',
      '[assistant]\nWaves.',
    ].join('\n\n'),
  );
});

test('of what is too long the middles are left out, then the oldest but the first; what is newest stays', async () => {
  const items = Array.from({ length: 50 }, (_, index) => unwrittenMessage('user', `${index} ${'x'.repeat(5_000)} end ${index}`));
  const text = await shown(items, 5_000);
  assert.ok(Buffer.byteLength(text) < 5_000 * 4.2);
  assert.match(text, /\n0 x+\n\[… \d+ characters are left out …\]\nx* end 0/);
  assert.match(text, /Parts of the conversation are left out here/);
  assert.match(text, /end 49$/);
  assert.ok(Buffer.byteLength(await shown(items, 1)) < 2_000, 'however little there is room for');
});

test('T14 · a long prompt is put in words piece by piece: others have the event loop in between', async () => {
  const items = Array.from({ length: 1_000 }, () => unwrittenMessage('user', 'x'.repeat(5_000)));
  let pauses = 0;
  await shown(items, 5_000, async () => {
    pauses += 1;
  });
  assert.ok(pauses >= 5_000_000 / 300_000, `${pauses}`);
});

test('a prompt has room where the size of the context is known, beside the answer that was asked for', () => {
  const sized = (contextTokens: number | undefined, max_output_tokens: number | null = null) =>
    promptRoomOf(settings({ agent: { ...agent('auto'), ...(contextTokens === undefined ? {} : { contextTokens }) }, max_output_tokens }));
  assert.equal(sized(undefined), undefined);
  assert.equal(promptRoomOf(settings({})), undefined);
  assert.deepEqual(sized(8_000), { most: 8_000, nearlyFull: 7_200 });
  assert.deepEqual(sized(8_000, 2_000), { most: 6_000, nearlyFull: 5_400 });
  assert.deepEqual(sized(8_000, 100_000), { most: 4_000, nearlyFull: 3_600 });
});

test('an estimate is held against what the provider counted last, as far as that can be believed', () => {
  assert.equal(calibrated(5_000, undefined), 5_000);
  assert.equal(calibrated(5_000, { estimated: 4_000, counted: 8_000 }), 10_000);
  assert.equal(calibrated(5_000, { estimated: 4_000, counted: 3_000 }), 3_750);
  // Of a short prompt most is the provider's own frame, which does not grow.
  assert.equal(calibrated(5_000, { estimated: 100, counted: 200 }), 5_100);
  // What it counts as more than three times as much, or less than half, is something else.
  assert.equal(calibrated(4_000, { estimated: 4_000, counted: 90_000 }), 12_000);
  assert.equal(calibrated(4_000, { estimated: 4_000, counted: 3 }), 2_000);
  // Compacted since.
  assert.equal(calibrated(1_000, { estimated: 4_000, counted: 8_000 }), 2_000);
});
