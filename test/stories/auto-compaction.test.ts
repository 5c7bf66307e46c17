/** Conversations that grow past the context of the model: summarised on the way, in a turn that does not end for it. */
import assert from 'node:assert/strict';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { chatAnswer, httpError, type Script } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { story } from '../support/world.ts';

const bridge = '[My latest messages, word for word; the summary says what has been done about them:]';

const overflow: Script = httpError(400, {
  error: {
    message: "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    type: 'invalid_request_error',
    param: 'messages',
    code: 'context_length_exceeded',
  },
});

story('a turn whose conversation is too long summarises it, and the conversation goes on with the summary', async (world) => {
  const conversation = await world.session();
  world.model.enqueue(chatAnswer('Once upon a time. '.repeat(2_000)), overflow, chatAnswer('A tale was told.'), chatAnswer('They lived.'));
  await world.hear('Tell me a tale', { conversation });
  const viewer = await world.hear('How does it end?', { conversation, truncation: 'auto' });
  assert.equal(viewer.last.response.status, 'completed');
  assert.deepEqual(
    viewer.last.response.output.map(({ type }) => type),
    ['compaction', 'message'],
  );
  assert.equal(world.model.requests.length, 4);
  const { body } = await world.call('GET', `/turns/${viewer.id}`);
  assert.deepEqual(
    (body['steps'] as { kind: string; attempts: { outcome: string; code?: string }[] }[]).map(({ kind, attempts }) => [
      kind,
      ...attempts.map(({ outcome, code }) => code ?? outcome),
    ]),
    [
      ['model', 'context_length_exceeded'],
      ['compaction', 'completed'],
      ['model', 'completed'],
    ],
  );
  // The originals are still there, for people.
  assert.deepEqual(await world.userTexts(conversation), ['Tell me a tale', 'How does it end?']);
  const { body: items } = await world.call('GET', `/v1/conversations/${conversation}/items?order=asc&limit=100`);
  assert.deepEqual(
    (items['data'] as { type: string }[]).map(({ type }) => type),
    ['message', 'message', 'message', 'compaction', 'message'],
  );

  world.model.enqueue(chatAnswer('Yes.'));
  await world.hear('Happily?', { conversation });
  assert.deepEqual(
    messagesOf(world.model.requests.at(-1)).map(({ role, content }) => [role, content]),
    [
      ['user', `[What was said before this, in summary:]\n\nA tale was told.\n\n${bridge}\n\nTell me a tale\n\nHow does it end?`],
      ['assistant', 'They lived.'],
      ['user', 'Happily?'],
    ],
  );
  // At most 13 events for a turn of one step, and 6 for each round more.
  const { events } = await world.history(viewer.id);
  assert.ok((events?.length ?? 0) <= 13 + 2 * 6, `${events?.length} events`);
});

story('without it, the turn fails as it did', async (world) => {
  world.model.enqueue(overflow);
  const viewer = await world.hear('Hello', {});
  assert.deepEqual([viewer.last.response.status, viewer.last.response.error?.code], ['failed', 'context_length_exceeded']);
  assert.equal(world.model.requests.length, 1);
});

const talker = (compaction: 'auto' | 'error' | 'off') => () =>
  readAgentConfig(defineConfig({ agents: { talker: { model: 'scripted', contextTokens: 8_192, compaction } } }));
// Some 9,500 tokens, by the estimate.
const tale = chatAnswer('Once upon a time. '.repeat(2_100));

story(
  'a talk that grows past the size of its context is summarised once before it is too long: the provider has refused nothing',
  async (world) => {
    const conversation = await world.session();
    world.model.enqueue(tale, chatAnswer('A tale was told.'), chatAnswer('They lived.'), chatAnswer('Yes.'));
    await world.hear('Tell me a tale', { conversation, model: 'talker' });
    const viewer = await world.hear('How does it end?', { conversation, model: 'talker' });
    assert.deepEqual(
      viewer.last.response.output.map(({ type }) => type),
      ['compaction', 'message'],
    );
    assert.equal(world.model.requests.length, 3, 'the tale, one summary, and the end');
    await world.hear('Happily?', { conversation, model: 'talker' });
    assert.deepEqual(
      messagesOf(world.model.requests.at(-1)).map(({ role, content }) => [role, content]),
      [
        ['user', `[What was said before this, in summary:]\n\nA tale was told.\n\n${bridge}\n\nTell me a tale\n\nHow does it end?`],
        ['assistant', 'They lived.'],
        ['user', 'Happily?'],
      ],
    );
    const { body } = await world.call('GET', `/turns/${viewer.id}`);
    const kinds = (body['steps'] as { kind: string; attempts: { outcome: string; detail?: string }[] }[]).map((step) => [
      step.kind,
      ...step.attempts.map(({ outcome, detail }) => detail ?? outcome),
    ]);
    assert.deepEqual(kinds, [
      ['model', 'not_sent'],
      ['compaction', 'completed'],
      ['model', 'completed'],
    ]);
    assert.deepEqual((body['lost_usage'] as { total_tokens: number } | null)?.total_tokens, 0, 'what was not sent has cost nothing');
  },
  { agents: talker('auto') },
);

story(
  "with 'error' it fails before any request",
  async (world) => {
    const conversation = await world.session();
    world.model.enqueue(tale);
    await world.hear('Tell me a tale', { conversation, model: 'talker' });
    const viewer = await world.hear('How does it end?', { conversation, model: 'talker' });
    assert.deepEqual([viewer.last.response.status, viewer.last.response.error?.code], ['failed', 'context_length_exceeded']);
    assert.equal(world.model.requests.length, 1);
  },
  { agents: talker('error') },
);

story(
  "with 'off' it is sent as it is",
  async (world) => {
    const conversation = await world.session();
    world.model.enqueue(tale, chatAnswer('They lived.'));
    await world.hear('Tell me a tale', { conversation, model: 'talker' });
    const viewer = await world.hear('How does it end?', { conversation, model: 'talker' });
    assert.equal(viewer.last.response.status, 'completed');
    assert.equal(world.model.requests.length, 2);
    assert.ok((world.model.requests[1]?.bodyText.length ?? 0) > 37_000);
  },
  { agents: talker('off') },
);
