/** Chat Completions, with the stock client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  hold,
  httpError,
  reset,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import { until } from '../support/until.ts';
import { story, World } from '../support/world.ts';

const user = (content: string): { role: 'user'; content: string } => ({ role: 'user', content });
const hi = { model: 'scripted', messages: [user('hi')] };

/** What the provider was asked last: roles and texts. */
function lastAsked(world: World): unknown[] {
  const body = world.model.requests.at(-1)?.body as { messages: { role: string; content: unknown }[] };
  return body.messages.map(({ role, content }) => [role, content]);
}

async function failureOf(promise: PromiseLike<unknown>): Promise<APIError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof APIError, String(error));
    return error;
  }
  throw new Error('it did not fail');
}

test('a whole completion and a streamed one say the same', async () => {
  await using world = await World.open();
  const whole = await world.client.chat.completions.create(hi);
  assert.match(whole.id, /^chatcmpl-[0-9a-f]{48}$/);
  assert.deepEqual([whole.object, whole.model], ['chat.completion', 'scripted']);
  assert.deepEqual(whole.choices, [
    {
      index: 0,
      message: { role: 'assistant', content: 'Hello world', refusal: null, annotations: [] },
      logprobs: null,
      finish_reason: 'stop',
    },
  ]);
  assert.equal(whole.usage?.total_tokens, 5);

  const { data: stream, response } = await world.client.chat.completions
    .create({ ...hi, stream: true, stream_options: { include_usage: true } })
    .withResponse();
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  assert.deepEqual(
    chunks.map(({ choices, usage }) => [choices[0]?.delta, choices[0]?.finish_reason, usage?.total_tokens]),
    [
      [{ role: 'assistant', content: '' }, null, undefined],
      [{ content: 'Hello' }, null, undefined],
      [{ content: ' world' }, null, undefined],
      [{}, 'stop', undefined],
      [undefined, undefined, 5],
    ],
  );
  const id = response.headers.get('x-turnkeep-response-id') ?? '';
  assert.equal(chunks[0]?.id, `chatcmpl-${id.replace('resp_', '')}`);
  assert.ok(response.headers.get('x-request-id'));
  assert.deepEqual(lastAsked(world), [['user', 'hi']]);
});

test('the paths with and without /v1 are the same, and a wrong method is 405', async () => {
  await using world = await World.open();
  assert.equal((await world.call('POST', '/chat/completions', hi)).status, 200);
  assert.equal((await world.call('DELETE', '/v1/chat/completions')).status, 405);
});

test('an unknown field, and one that not every provider can be sent, is an error that names it', async () => {
  await using world = await World.open();
  for (const [fields, param] of [
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
    [{ logit_bias: { '1': 2 } }, 'logit_bias.1'],
    [{ max_tokens: 1, max_completion_tokens: 2 }, 'max_tokens'],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ nonsense: 1 }, 'nonsense'],
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] }, 'messages[0].content[0].type'],
    [{ messages: [{ role: 'user', content: 'x', name: 'Ann' }] }, 'messages[0].name'],
  ] as const) {
    const { status, body } = await world.call('POST', '/v1/chat/completions', { ...hi, ...fields });
    const error = body['error'] as { param: string; message: string };
    assert.deepEqual([status, error.param], [400, param], error.message);
  }
  assert.equal(world.model.requests.length, 0);
});

test('what only this API knows reaches a provider of this API, and another is not asked', async () => {
  await using world = await World.open();
  assert.equal((await world.call('POST', '/v1/chat/completions', { ...hi, stop: 'END', seed: 7 })).status, 200);
  const asked = world.model.requests.at(-1)?.body as { stop: unknown; seed: unknown } | undefined;
  assert.deepEqual([asked?.stop, asked?.seed], [['END'], 7]);
  await using other = await World.open({ api: 'responses' });
  for (const [field, value] of Object.entries({ stop: ['END'], seed: 7 })) {
    const { status, body } = await other.call('POST', '/v1/chat/completions', { ...hi, [field]: value });
    assert.deepEqual([status, (body['error'] as { param: string }).param], [400, field]);
  }
});

test('harmless defaults of other clients are accepted', async () => {
  await using world = await World.open();
  const defaults = { n: 1, stop: null, seed: null, logprobs: false, top_logprobs: 0, logit_bias: {}, modalities: ['text'], user: 'u' };
  assert.equal((await world.call('POST', '/v1/chat/completions', { ...hi, ...defaults })).status, 200);
});

test('a parsed completion comes back as an object', async () => {
  await using world = await World.open();
  world.model.enqueue(chatAnswer('{"city":', '"Oslo"}'));
  const parsed = await world.client.chat.completions.parse({
    ...hi,
    response_format: zodResponseFormat(z.object({ city: z.string() }), 'place'),
  });
  assert.deepEqual(parsed.choices[0]?.message.parsed, { city: 'Oslo' });
});

for (const streams of [false, true]) {
  test(`tools are run by the stock client until there is an answer (${streams ? 'streamed' : 'whole'})`, async () => {
    await using world = await World.open();
    world.model.enqueue(
      chatToolCalls(
        { id: 'call_a', name: 'weather', arguments: { city: 'Oslo' } },
        { id: 'call_b', name: 'weather', arguments: { city: 'Rome' } },
      ),
      chatAnswer('Cold, and warm.'),
    );
    const asked: unknown[] = [];
    const request = {
      ...hi,
      tools: [
        {
          type: 'function' as const,
          function: {
            name: 'weather',
            description: 'The weather of a city.',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
            parse: (text: string) => JSON.parse(text) as { city: string },
            function: (args: { city: string }) => {
              asked.push(args);
              return `weather of ${args.city}`;
            },
          },
        },
      ],
    };
    const runner = streams
      ? world.client.chat.completions.runTools({ ...request, stream: true })
      : world.client.chat.completions.runTools(request);
    assert.equal(await runner.finalContent(), 'Cold, and warm.');
    assert.deepEqual(asked, [{ city: 'Oslo' }, { city: 'Rome' }]);
    const sent = world.model.requests[1]?.body as { messages: { role: string; tool_call_id?: string; content: string }[] };
    assert.deepEqual(
      sent.messages.filter(({ role }) => role === 'tool').map((message) => [message.tool_call_id, message.content]),
      [
        ['call_a', 'weather of Oslo'],
        ['call_b', 'weather of Rome'],
      ],
    );
  });
}

test('reasoning is shown as chat user interfaces know it', async () => {
  await using world = await World.open();
  const script: Script = [
    sseHead,
    chat.role(),
    chat.reasoning('hm, '),
    chat.reasoning('yes'),
    chat.content('Yes.'),
    chat.finish(),
    done,
    end,
  ];
  world.model.enqueue(script, script);
  const deltas: unknown[] = [];
  for await (const { choices } of await world.client.chat.completions.create({ ...hi, stream: true })) deltas.push(choices[0]?.delta);
  assert.deepEqual(deltas, [
    { role: 'assistant', content: '' },
    { reasoning_content: 'hm, ' },
    { reasoning_content: 'yes' },
    { content: 'Yes.' },
    {},
  ]);
  const whole = await world.client.chat.completions.create(hi);
  assert.deepEqual(whole.choices[0]?.message, {
    role: 'assistant',
    content: 'Yes.',
    refusal: null,
    annotations: [],
    reasoning_content: 'hm, yes',
  });
});

test('a completion that met its limit says length', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Once'), chat.finish('length'), done, end]);
  const whole = await world.client.chat.completions.create({ ...hi, max_tokens: 1 });
  assert.deepEqual([whole.choices[0]?.finish_reason, whole.choices[0]?.message.content], ['length', 'Once']);
});

test('T2 · a whole completion that fails has an HTTP status that no stock client retries', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), hold('cut'), reset]);
  const client = new OpenAI({ baseURL: `${world.url}/v1`, apiKey: 'none', maxRetries: 2 });
  const failing = failureOf(client.chat.completions.create(hi));
  await world.model.reached('cut');
  await until(async () => (await attemptsOfAll(world)).some(({ firstEventAtMs }) => firstEventAtMs !== undefined));
  world.model.release('cut');
  const error = await failing;
  assert.deepEqual([error.status, error.code, error.type], [424, 'stream_interrupted', 'server_error']);
  assert.equal(error.headers?.get('x-should-retry'), 'false');
  assert.equal(world.model.requests.length, 1);
});

async function attemptsOfAll(world: World): Promise<readonly AttemptRow[]> {
  const { body } = await world.call('GET', '/turns');
  return (await Promise.all((body['data'] as { readonly id: string }[]).map(({ id }) => world.attempts(id)))).flat();
}

story(
  'T2 · a streamed completion that fails raises in the stock client, with what was shown before it, and is not retried',
  async (world) => {
    const client = new OpenAI({ baseURL: `${world.url}/v1`, apiKey: 'none', maxRetries: 2 });
    const stream = await client.chat.completions.create({ ...hi, stream: true });
    let text = '';
    const error = await failureOf(
      (async () => {
        for await (const { choices } of stream) {
          text += choices[0]?.delta.content ?? '';
          assert.equal(choices[0]?.finish_reason, null);
          if (text === 'Hel') world.model.release('cut');
        }
      })(),
    );
    assert.deepEqual([text, error.code, error.type], ['Hel', 'stream_interrupted', 'server_error']);
    assert.equal(world.model.requests.length, 1);
  },
  { model: () => ({ fallback: [sseHead, chat.content('Hel'), hold('cut'), reset] }) },
);

test('a failed stream ends without [DONE], so that clients which know no errors do not take it for whole', async () => {
  await using world = await World.open();
  world.model.enqueue(httpError(400));
  const response = await fetch(`${world.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...hi, stream: true }),
  });
  const lines = (await response.text()).trim().split('\n\n');
  const error = JSON.parse(lines.at(-1)?.slice('data: '.length) ?? '') as { error: { code: string; param: null } };
  assert.deepEqual([error.error.code, error.error.param], ['provider_rejected', null]);
  assert.ok(!lines.some((line) => line.includes('[DONE]') || line.includes('"finish_reason":"')));
});

test('T5 · a cancelled completion stops: what was shown is its text', async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const { data: stream, response } = await world.client.chat.completions.create({ ...hi, stream: true }).withResponse();
  const id = response.headers.get('x-turnkeep-response-id') ?? '';
  const seen: unknown[] = [];
  for await (const { choices } of stream) {
    seen.push([choices[0]?.delta.content, choices[0]?.finish_reason]);
    if (choices[0]?.delta.content === 'Hel') await world.call('POST', `/v1/responses/${id}/cancel`);
  }
  assert.deepEqual(seen, [
    ['', null],
    ['Hel', null],
    [undefined, 'stop'],
  ]);
});

story('a conversation is named by a header: only what is new is taken in, the instructions hold each time', async (world) => {
  const headers = { 'x-openwebui-chat-id': world.config.taskQueue };
  const system = { role: 'system' as const, content: 'Be brief.' };
  const first = await world.client.chat.completions.create({ ...hi, messages: [system, user('one')] }, { headers });
  const reply = { role: 'assistant' as const, content: first.choices[0]?.message.content ?? '' };
  const second = [system, user('one'), reply, user('two')];
  await world.client.chat.completions.create({ ...hi, messages: second }, { headers });
  assert.deepEqual(lastAsked(world), [
    ['system', 'Be brief.'],
    ['user', 'one'],
    ['assistant', 'Hello world'],
    ['user', 'two'],
  ]);
  // A title for the same chat, as Open WebUI asks for one: beside the conversation, not in it.
  await world.client.chat.completions.create({ ...hi, messages: [user('Make a title.')] }, { headers });
  assert.deepEqual(lastAsked(world), [['user', 'Make a title.']]);
  const thin = await world.client.chat.completions
    .create({ ...hi, messages: [user('three')] }, { headers: { 'x-turnkeep-session': world.config.taskQueue } })
    .withResponse();
  assert.deepEqual(
    lastAsked(world).filter((message) => (message as [string])[0] === 'user'),
    [
      ['user', 'one'],
      ['user', 'two'],
      ['user', 'three'],
    ],
  );
  const turn = await world.store.readTurn(thin.response.headers.get('x-turnkeep-response-id') ?? '');
  assert.ok(turn?.session);
  assert.deepEqual(await world.userTexts(turn.session), ['one', 'two', 'three']);
});

test('a chat is kept only when it is asked for, or belongs to a conversation', async () => {
  await using world = await World.open();
  const stored = async (body: object): Promise<boolean | undefined> => {
    const response = await fetch(`${world.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...hi, ...body }),
    });
    const id = response.headers.get('x-turnkeep-response-id') ?? '';
    await response.json();
    return (await world.store.readTurn(id))?.settings.store;
  };
  assert.equal(await stored({ store: true }), true);
  assert.equal(await stored({ conversation: world.config.taskQueue }), true);
  world.model.enqueue([sseHead, chat.content('Hel'), hold('look'), chat.finish(), done, end]);
  const { data: stream, response } = await world.client.chat.completions.create({ ...hi, stream: true }).withResponse();
  const turn = await world.store.readTurn(response.headers.get('x-turnkeep-response-id') ?? '');
  assert.equal(turn?.settings.store, false);
  world.model.release('look');
  for await (const _ of stream);
});

test('T1 · a first response lost at the socket and asked for again by the stock client is one turn', async () => {
  await using world = await World.open();
  let posts = 0;
  const client = new OpenAI({
    baseURL: `${world.url}/v1`,
    apiKey: 'none',
    maxRetries: 1,
    fetch: async (url, init) => {
      posts += 1;
      if (posts > 1) return fetch(url, init);
      const response = await fetch(url, init);
      await response.body?.cancel();
      throw new TypeError('fetch failed');
    },
  });
  world.model.enqueue([sseHead, chat.content('Hello'), hold('twice'), chat.finish(), done, end]);
  const stream = await client.chat.completions.create({ ...hi, stream: true });
  world.model.release('twice');
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  assert.deepEqual([text, posts, world.model.requests.length], ['Hello', 2, 1]);
});
