import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import OpenAI from 'openai';
import { startDemoModel } from '../../src/testing/demo-model.ts';

async function clientFor(t: TestContext): Promise<OpenAI> {
  const demo = await startDemoModel();
  t.after(() => demo.close());
  return new OpenAI({ baseURL: demo.baseUrl, apiKey: 'none', maxRetries: 0 });
}

test('the demo model says what it is, what it was shown and how to get a real one, word by word, with usage', async (t) => {
  const client = await clientFor(t);
  const stream = await client.chat.completions.create({
    model: 'demo',
    stream: true,
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'ok' },
      { role: 'user', content: [{ type: 'text', text: `remember ${'x'.repeat(200)}` }] },
    ],
  });
  const words: string[] = [];
  const finished: unknown[] = [];
  for await (const { choices, usage } of stream) {
    const [choice] = choices;
    if (choice?.delta.content) words.push(choice.delta.content);
    if (choice?.finish_reason) finished.push(choice.finish_reason);
    if (usage) finished.push(usage.completion_tokens === words.length, usage.prompt_tokens > 50);
  }
  assert.deepEqual(finished, ['stop', true, true]);
  assert.ok(words.length > 30);
  const answer = words.join('');
  for (const part of [
    "turnkeep's demo model, not a language model",
    '"remember xxx',
    'x…"',
    '4 messages',
    'OPENAI_BASE_URL and OPENAI_API_KEY',
    'Say "slow"',
  ]) {
    assert.ok(answer.includes(part), `${part} in: ${answer}`);
  }
});

test('the demo model lists itself and refuses what it cannot do', async (t) => {
  const client = await clientFor(t);
  assert.deepEqual(
    (await client.models.list()).data.map(({ id }) => id),
    ['demo'],
  );
  const messages = [{ role: 'user', content: 'hi' }] as const;
  await assert.rejects(client.chat.completions.create({ model: 'demo', messages: [...messages] }), { status: 400, param: 'stream' });
  await assert.rejects(client.chat.completions.create({ model: 'demo', messages: 'no' as never, stream: true }), {
    status: 400,
    param: 'messages',
  });
  await assert.rejects(client.responses.create({ model: 'demo', input: 'hi' }), { status: 404 });
});

test('the word "slow" slows the same answer down: its second word is not there 200 ms after the first', async (t) => {
  const client = await clientFor(t);
  const stream = await client.chat.completions.create({ model: 'demo', stream: true, messages: [{ role: 'user', content: ' Slow ' }] });
  const arrivedAt: number[] = [];
  for await (const { choices } of stream) {
    if (choices[0]?.delta.content) arrivedAt.push(performance.now());
    if (arrivedAt.length === 2) break;
  }
  const [first = 0, second = 0] = arrivedAt;
  assert.ok(second - first > 200, `${second - first} ms`);
});
