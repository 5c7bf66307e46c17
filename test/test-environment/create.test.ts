/** `createTestEnvironment`: what an application's tests are told in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { z } from 'zod';
import { defineConfig, defineTool } from '../../src/config.ts';
import { calls, createTestEnvironment, modelStory, says } from '../../src/testing.ts';
import { research, approve } from '../support/own-workflows.ts';
import { sharedTemporalServer } from '../support/temporal-server.ts';

const options = { timeout: 120_000 };
const workflowsPath = new URL('../support/own-workflows.ts', import.meta.url).pathname;

test(
  'an agent with a tool answers over HTTP, with the scripted model in the place of its provider, and its history replays',
  options,
  async () => {
    const asked: string[] = [];
    const weather = defineTool({
      description: 'The weather of a city.',
      input: z.object({ city: z.string() }),
      run: ({ city }) => {
        asked.push(city);
        return 'snow';
      },
    });
    const config = defineConfig({
      providers: { dear: { baseUrl: 'https://model.invalid/v1', apiKey: 'sk-dear', api: 'responses' } },
      tools: { weather },
      agents: { clerk: { model: 'dear/large', tools: ['weather'] } },
    });
    const story = modelStory().whenTold('Oslo', calls({ name: 'weather', arguments: { city: 'Oslo' } }), says('It snows.'));
    await using environment = await createTestEnvironment({
      config,
      model: { fallback: story.reply },
      temporal: await sharedTemporalServer(),
    });
    const openai = new OpenAI(environment.openai);
    const response = await openai.responses.create({ model: 'clerk', input: 'How is Oslo?' });
    assert.deepEqual([response.output_text, asked], ['It snows.', ['Oslo']]);
    assert.deepEqual(
      environment.model.requests.map(({ path, headers }) => [path, headers['authorization']]),
      [
        ['/v1/responses', 'Bearer sk-test'],
        ['/v1/responses', 'Bearer sk-test'],
      ],
    );
    await environment.assertReplays(response.id);
  },
);

test("a workflow of one's own runs on a worker of the environment, and its history replays", options, async () => {
  const story = modelStory().whenTold('a', says('A')).whenTold('b', says('B')).otherwise(says('both'));
  await using environment = await createTestEnvironment({ model: { fallback: story.reply }, temporal: await sharedTemporalServer() });
  const { taskQueue } = await environment.startWorker({ workflowsPath, taskQueue: `own-${crypto.randomUUID()}` });
  const handle = await environment.temporal.workflow.start(research, { workflowId: taskQueue, taskQueue, args: [['a', 'b']] });
  await handle.signal(approve, 'now');
  const { found } = await handle.result();
  assert.deepEqual(
    found.map(({ outputText }) => outputText),
    ['A', 'B'],
  );
  await environment.assertReplays(taskQueue);
});

test('a story answers by what the user said last, in order, and has no answer to what it does not know', options, async () => {
  const story = modelStory().whenTold(/hello/, says('one'), says('two'));
  await using environment = await createTestEnvironment({ model: { fallback: story.reply }, temporal: await sharedTemporalServer() });
  const openai = new OpenAI(environment.openai);
  const said: string[] = [];
  for (let n = 0; n < 3; n += 1) said.push((await openai.responses.create({ input: 'hello' })).output_text);
  assert.deepEqual(said, ['one', 'two', 'two']);
  const { error } = await openai.responses.create({ input: 'bye' });
  assert.equal(error?.code, 'provider_rejected');
});

test('without a Temporal server of its own it starts one, and leaves nothing behind', options, async () => {
  let address = '';
  {
    await using environment = await createTestEnvironment({ scripts: [] });
    address = environment.config.temporal.address ?? '';
    assert.equal((await fetch(`${environment.url}/healthz`)).status, 200);
  }
  await assert.rejects(fetch(`http://${address}`));
});
