/** openai-python, sync: each program of `python/` says what it saw as JSON lines. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { test } from 'node:test';
import { webhookEvents } from '../../src/domain/turn/webhook.ts';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { startReceiver } from '../support/receiver.ts';
import { needOpenaiPython } from '../support/programs.ts';
import { World } from '../support/world.ts';

type Line = Record<string, unknown>;

/** @param onLine is told each line as it comes. */
async function tell(
  python: string,
  world: World,
  script: string,
  onLine: (line: Line) => void = () => undefined,
  env: NodeJS.ProcessEnv = {},
): Promise<Line[]> {
  const child = spawn(python, [join(import.meta.dirname, 'python', script)], {
    env: { PATH: process.env['PATH'], OPENAI_BASE_URL: `${world.url}/v1`, OPENAI_API_KEY: 'none', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    onLine(line);
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  assert.equal(code, 0, errors);
  return lines;
}

test('openai-python: blocking, streamed, and a chain of turns', async (t) => {
  const python = await needOpenaiPython(t);
  if (python === undefined) return;
  await using world = await World.open({ model: () => ({ fallback: chatAnswer('Hello', ' world') }) });
  const [blocking, streamed, chained] = await tell(python, world, 'turns.py');
  assert.deepEqual(blocking, { status: 'completed', text: 'Hello world', tokens: 5 });
  const { types } = await world.hear('hi');
  assert.deepEqual(streamed, { id: streamed?.['id'], deltas: ['Hello', ' world'], types, status: 'completed' });
  assert.deepEqual(chained, { text: 'Hello world', messages: 1 });
  assert.deepEqual(
    world.model.requests.map((request) => (request.body as { messages: unknown[] }).messages.length),
    [1, 1, 3, 1],
  );
});

test('openai-python: a stream that is left is taken up again where it was left', async (t) => {
  const python = await needOpenaiPython(t);
  if (python === undefined) return;
  await using world = await World.open({
    model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end] }),
  });
  const lines = await tell(python, world, 'resume.py', (line) => {
    if (line['left_after'] !== undefined) world.model.release('go');
  });
  assert.deepEqual(lines[1], { deltas: ['lo'], dense: true, status: 'completed' });
  assert.equal(world.model.requests.length, 1);
});

test('openai-python: a conversation keeps its turns, and its items are listed by pages', async (t) => {
  const python = await needOpenaiPython(t);
  if (python === undefined) return;
  await using world = await World.open({ model: () => ({ fallback: chatAnswer('fine') }) });
  const [created, listed] = await tell(python, world, 'conversation.py');
  assert.deepEqual(created, { metadata: { of: 'a test' } });
  assert.deepEqual(listed, { roles: ['user', 'assistant', 'user', 'assistant', 'user', 'assistant'] });
});

test('openai-python: a webhook is unwrapped, and one that was changed is not', async (t) => {
  const python = await needOpenaiPython(t);
  if (python === undefined) return;
  await using receiver = await startReceiver();
  const webhooks = [{ tenant: null, url: receiver.url, secrets: [receiver.secretBytes], events: webhookEvents }];
  await using world = await World.open({ config: { webhooks }, model: () => ({ fallback: () => chatAnswer('Hello') }) });
  const { id } = await world.client.responses.create({ input: 'hi', background: true });
  const [delivery] = await receiver.received(1);
  const env = { OPENAI_WEBHOOK_SECRET: receiver.secret, DELIVERY: JSON.stringify(delivery) };
  const lines = await tell(python, world, 'webhooks.py', undefined, env);
  assert.deepEqual(lines, [{ type: 'response.completed', id: delivery?.id, response: id }, { changed: 'refused' }]);
});
