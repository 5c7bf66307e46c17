/** Prompts that the model's context does not hold, without a Temporal server: summarised, refused, or sent as they are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compactionContent, isCompaction } from '../../src/domain/prompt/compaction.ts';
import { type Item, unwrittenMessage } from '../../src/domain/item.ts';
import type { ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { chat, chatAnswer, done, end, httpError, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { agentScene, called, tool } from './agent-scene.ts';

const completed = { type: 'final', turn: { status: 'completed', code: null } };
const goesOn = { type: 'tool_calls' };
const tooLong = { type: 'final', turn: { status: 'failed', code: 'context_length_exceeded' } };

/** As vLLM says it. */
const overflow = (limit = 8_192): Script =>
  httpError(400, {
    error: {
      message: `This model's maximum context length is ${limit} tokens. However, you requested 9000 tokens.`,
      type: 'BadRequestError',
      param: null,
      code: 400,
    },
  });

const read = () => tool('read', async () => 'page '.repeat(4_000));
const reads = called({ id: 'c1', name: 'read', arguments: '{}' });
const auto: Partial<ResponseSettings> = { truncation: 'auto' };

interface Sent {
  readonly tool_choice?: unknown;
  readonly tools?: readonly unknown[];
  readonly messages: readonly { readonly role: string; readonly content: string | null }[];
}

function sent(request: { readonly bodyText: string } | undefined): Sent {
  assert.ok(request, 'there is no such request');
  return JSON.parse(request.bodyText) as Sent;
}

test('a prompt that is too long is summarised by the model, and the step is asked again with the summary', async () => {
  await using scene = await agentScene({
    tools: [read()],
    settings: auto,
    scripts: [reads, overflow(), chatAnswer('It read pages.'), chatAnswer('All read.')],
  });
  assert.deepEqual(await scene.step(1), goesOn);
  assert.deepEqual(await scene.step(2), goesOn);
  assert.deepEqual(await scene.step(3), goesOn);
  assert.deepEqual(await scene.step(4), completed);
  const { output, usage } = await scene.response();
  assert.deepEqual(
    output.map(({ type, status }) => [type, status]),
    [
      ['mcp_call', 'completed'],
      ['compaction', undefined],
      ['message', 'completed'],
    ],
  );
  assert.deepEqual(compactionContent(output[1] as Item), { type: 'summary', summary: 'It read pages.', keptChars: 8_192 });
  // The tokens of the summary are the turn's: 5 in the last two answers each.
  assert.equal(usage?.total_tokens, 10);
  const [, , summary, last] = scene.model.requests.map(sent);
  assert.equal(summary?.tools, undefined);
  assert.match(
    JSON.stringify(summary?.messages),
    /\[call of read\].*\[output of the call\].*characters are left out.*Summarise our conversation/,
  );
  assert.ok(JSON.stringify(summary?.messages).length < 0.7 * 20_000, 'it shows the model less than what was too long');
  assert.equal(last?.tools?.length, 1);
  assert.match(JSON.stringify(last?.messages), /What was said before this, in summary.*It read pages\..*says resp_a/);
  assert.doesNotMatch(JSON.stringify(last?.messages), /page page/);
  assert.deepEqual(
    (await scene.store.readAttempts('resp_a')).map(({ step, outcome, code }) => [step, outcome, code]),
    [
      [1, 'completed', undefined],
      [2, 'failed', 'context_length_exceeded'],
      [3, 'completed', undefined],
      [4, 'completed', undefined],
    ],
  );
  assert.equal((await scene.store.readSpending('resp_a', 5))?.turn.steps, 2);
  assert.deepEqual(scene.errors, []);
});

test('a step that was asked for in vain is over: who claims it again goes on with the compaction (T2)', async () => {
  await using scene = await agentScene({ tools: [read()], settings: auto, scripts: [reads, overflow()] });
  await scene.step(1);
  await scene.step(2);
  assert.deepEqual(await scene.step(2, scene.process()), goesOn);
  assert.equal(scene.model.requests.length, 2);
});

test('T3 · a summary of a prompt that is still too long is asked for with less of it, three times at the most', async () => {
  await using scene = await agentScene({
    tools: [read()],
    settings: auto,
    scripts: [reads, overflow(90_000), overflow(90_000), overflow(90_000), overflow(90_000)],
  });
  await scene.step(1);
  await scene.step(2);
  await assert.rejects(scene.step(3), { type: 'context_length_exceeded', nonRetryable: false });
  await assert.rejects(scene.step(3), { type: 'context_length_exceeded', nonRetryable: false });
  assert.deepEqual(await scene.step(3), tooLong);
  const lengths = scene.model.requests.slice(2).map(({ bodyText }) => bodyText.length);
  assert.equal(lengths.length, 3);
  assert.ok(Number(lengths[0]) > Number(lengths[1]) && Number(lengths[1]) > Number(lengths[2]), lengths.join());
  assert.equal((await scene.response()).output.length, 1);
});

test('never more than two summaries are paid for in a turn', async () => {
  const more = called({ id: 'c2', name: 'read', arguments: '{}' });
  const again = called({ id: 'c3', name: 'read', arguments: '{}' });
  await using scene = await agentScene({
    tools: [read()],
    settings: auto,
    scripts: [reads, overflow(), chatAnswer('One.'), more, overflow(), chatAnswer('Two.'), again, overflow()],
  });
  for (const step of [1, 2, 3, 4, 5, 6, 7]) assert.deepEqual(await scene.step(step), goesOn);
  assert.deepEqual(await scene.step(8), tooLong);
  assert.equal((await scene.response()).output.filter(isCompaction).length, 2);
});

test('what a summary would leave is as long as before: it is not asked for', async () => {
  await using scene = await agentScene({ tools: [], settings: auto, scripts: [overflow()] });
  assert.deepEqual(await scene.step(1), tooLong);
  assert.equal(scene.model.requests.length, 1);
});

for (const compaction of ['error', 'off'] as const) {
  test(`an agent with compaction '${compaction}' fails where its prompt is too long`, async () => {
    await using scene = await agentScene({ tools: [read()], compaction, scripts: [reads, overflow()] });
    await scene.step(1);
    assert.deepEqual(await scene.step(2), tooLong);
    assert.equal(scene.model.requests.length, 2);
  });
}

// 20,000 characters that are read come to some 5,000 tokens by the estimate.
const small = { contextTokens: 4_096 };
const kindsOf = (rows: readonly { readonly step: number; readonly code?: string; readonly detail?: string }[]) =>
  rows.map(({ step, code, detail }) => [step, code, detail]);

test('where the size of the context is known, the model summarises before a prompt is too long: no provider refuses one', async () => {
  await using scene = await agentScene({
    tools: [read()],
    ...small,
    scripts: [reads, chatAnswer('It read pages.'), chatAnswer('All read.')],
  });
  for (const step of [1, 2, 3]) assert.deepEqual(await scene.step(step), goesOn);
  assert.deepEqual(await scene.step(4), completed);
  const { output } = await scene.response();
  assert.deepEqual(
    output.map(({ type }) => type),
    ['mcp_call', 'compaction', 'message'],
  );
  assert.equal(scene.model.requests.length, 3, 'the step, one paid summary, and the step behind it');
  const [, summary, last] = scene.model.requests.map(sent);
  assert.match(JSON.stringify(summary?.messages), /Summarise our conversation/);
  assert.ok(JSON.stringify(summary?.messages).length < 4 * small.contextTokens, 'the request for the summary fits itself');
  assert.match(JSON.stringify(last?.messages), /in summary.*It read pages\..*says resp_a/);
  assert.deepEqual(kindsOf(await scene.store.readAttempts('resp_a')), [
    [1, undefined, undefined],
    [2, 'context_length_exceeded', 'not_sent'],
    [3, undefined, undefined],
    [4, undefined, undefined],
  ]);
  assert.equal((await scene.store.readSpending('resp_a', 5))?.turn.steps, 2, 'what was not sent is no step');
  assert.deepEqual(scene.errors, []);
});

test("with compaction 'error' a prompt that is too long is not sent, and the turn says why", async () => {
  await using scene = await agentScene({ tools: [read()], compaction: 'error', ...small, scripts: [reads] });
  assert.deepEqual(await scene.step(1), goesOn);
  assert.deepEqual(await scene.step(2), tooLong);
  assert.equal(scene.model.requests.length, 1);
  assert.match((await scene.response()).error?.message ?? '', /an estimated 5\d{3} tokens.*room for 4096 .*was not sent/);
});

test("with compaction 'off' it is sent as it is", async () => {
  await using scene = await agentScene({ tools: [read()], compaction: 'off', ...small, scripts: [reads, chatAnswer('Read.')] });
  assert.deepEqual(await scene.step(1), goesOn);
  assert.deepEqual(await scene.step(2), completed);
  assert.equal(scene.model.requests.length, 2);
});

test('never more than two summaries are paid for, whether the prompt was found to be too long or was refused; then it is sent', async () => {
  const again = (id: string) => called({ id, name: 'read', arguments: '{}' });
  await using scene = await agentScene({
    tools: [read()],
    ...small,
    scripts: [reads, chatAnswer('One.'), overflow(3_000), chatAnswer('Two.'), again('c2'), overflow(3_000)],
  });
  for (const step of [1, 2, 3, 4]) assert.deepEqual(await scene.step(step), step === 4 ? tooLong : goesOn);
  assert.equal(scene.model.requests.length, 3, 'a summary would leave as much as there is: no second one is asked for');

  await using other = await agentScene({
    tools: [read()],
    ...small,
    scripts: [reads, chatAnswer('One.'), again('c2'), chatAnswer('Two.'), again('c3'), overflow(3_000)],
  });
  for (const step of [1, 2, 3, 4, 5, 6, 7]) assert.deepEqual(await other.step(step), goesOn);
  assert.deepEqual(await other.step(8), tooLong);
  assert.equal((await other.response()).output.filter(isCompaction).length, 2);
  assert.equal(other.model.requests.length, 6);
});

test('what the provider has counted of the last prompt stands over the estimate of the next', async () => {
  const counts = (tokens: number): Script => [
    sseHead,
    chat.toolCall(0, { id: 'c2', name: 'read', arguments: '{}' }),
    chat.finish('tool_calls'),
    chat.usage(tokens, 5),
    done,
    end,
  ];
  // Of other languages tokens are shorter: the same pages come to twice as many.
  for (const [counted, requests] of [
    [10_200, 4],
    [5_100, 3],
  ] as const) {
    await using scene = await agentScene({
      tools: [read()],
      contextTokens: 16_384,
      scripts: [reads, counts(counted), chatAnswer('Pages.'), chatAnswer('Read.')],
    });
    for (const step of [1, 2]) assert.deepEqual(await scene.step(step), goesOn);
    assert.deepEqual(await scene.step(3), counted > 10_000 ? goesOn : completed);
    if (counted > 10_000) for (const step of [4, 5]) await scene.step(step);
    assert.equal(scene.model.requests.length, requests);
  }
});

test("a call that is demanded is demanded once: tool_choice 'required' holds for the first request that the model answers", async () => {
  const choicesOf = (scene: Awaited<ReturnType<typeof agentScene>>) => scene.model.requests.map((request) => sent(request).tool_choice);
  const required: Partial<ResponseSettings> = { ...auto, tool_choice: 'required' };
  await using scene = await agentScene({ tools: [read()], settings: required, scripts: [reads, chatAnswer('Read.')] });
  assert.deepEqual(await scene.step(1), goesOn);
  assert.deepEqual(await scene.step(2), completed);
  assert.deepEqual(choicesOf(scene), ['required', 'auto']);

  const input = ['1', '2', '3'].map((id) => ({ ...unwrittenMessage('assistant', 'word '.repeat(2_000)), id: `msg_${id}` }));
  await using full = await agentScene({ tools: [read()], settings: required, input, scripts: [overflow(), chatAnswer('Words.'), reads] });
  for (const step of [1, 2, 3]) assert.deepEqual(await full.step(step), goesOn);
  assert.deepEqual(choicesOf(full), ['required', undefined, 'required'], 'the step that was summarised has demanded nothing yet');
});
