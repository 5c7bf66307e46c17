/** Compaction: `POST /v1/responses/compact`, and a `compaction_trigger` at the end of a request. */
import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type { ResponseInput } from 'openai/resources/responses/responses';
import {
  chat,
  chatAnswer,
  end,
  httpError,
  httpResponse,
  type LoggedRequest,
  reset,
  responsesAnswer,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { story, type World } from '../support/world.ts';

async function post({ url }: World, path: string, body: object): Promise<Response> {
  return fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function errorOf(response: Response): Promise<{ readonly param: unknown; readonly code: unknown }> {
  return ((await response.json()) as { error: { param: unknown; code: unknown } }).error;
}

type Said = { readonly role: string; readonly content: string };

function bodyOf(request: LoggedRequest | undefined): unknown {
  assert.ok(request);
  return request.body;
}

function saidIn(request: LoggedRequest | undefined): string[] {
  const { messages, input } = bodyOf(request) as { messages?: Said[]; input?: (Said & { type: string })[] };
  return (messages ?? input ?? []).map(({ role, content }) => (typeof content === 'string' ? `${role}: ${content}` : role));
}

/** The last request that the model server has got. */
function told(world: World): string[] {
  return saidIn(world.model.requests.at(-1));
}

function onlyCompaction({ output, ...response }: { readonly output: readonly { readonly type: string }[] }) {
  const items = output.filter(({ type }) => type === 'compaction');
  assert.equal(items.length, 1, JSON.stringify({ output, ...response }));
  return items[0] as { id: string; type: 'compaction'; encrypted_content: string };
}

async function talk(client: OpenAI): Promise<string> {
  const first = await client.responses.create({ model: 'scripted', input: 'my name is Ada' });
  const { id } = await client.responses.create({ model: 'scripted', input: 'I like tea', previous_response_id: first.id });
  return id;
}

const bridge = '[My latest messages, word for word; the summary says what has been done about them:]';
const summary = `[What was said before this, in summary:]\n\nAda likes tea.\n\n${bridge}`;

story('T13 · what a chat model has summarised takes the place of what was said, by its id and as items', async (world) => {
  const { client } = world;
  const previous_response_id = await talk(client);
  world.model.enqueue(chatAnswer('Ada ', 'likes tea.'));
  const compacted = await client.responses.compact({ model: 'scripted', previous_response_id });
  const asked = told(world);
  assert.deepEqual(asked.slice(0, -1), ['user: my name is Ada', 'assistant: Hello world', 'user: I like tea', 'assistant: Hello world']);
  assert.match(asked.at(-1) ?? '', /^user: Summarise our conversation/);
  assert.equal(compacted.object, 'response.compaction');
  assert.deepEqual(
    compacted.output.map((item) => [item.type, 'role' in item ? item.role : undefined]),
    [
      ['message', 'user'],
      ['message', 'user'],
      ['compaction', undefined],
    ],
  );
  assert.equal(compacted.usage.total_tokens, 5);
  const expected = [`user: ${summary}\n\nmy name is Ada\n\nI like tea\n\nwhat do I like?`];

  await client.responses.create({ model: 'scripted', previous_response_id: compacted.id, input: 'what do I like?' });
  assert.deepEqual(told(world), expected);
  const input = [...compacted.output, { role: 'user', content: 'what do I like?' }] as ResponseInput;
  const { id } = await client.responses.create({ model: 'scripted', input });
  assert.deepEqual(told(world), expected);
  // Whoever sends all of it again, as items are appended, has it compacted all the same.
  const all = [{ role: 'assistant', content: 'long' }, ...input] as ResponseInput;
  await client.responses.create({ model: 'scripted', input: all });
  assert.deepEqual(told(world), expected);

  // And again, a compaction of a compaction.
  world.model.enqueue(chatAnswer('Ada likes tea and asks.'));
  const again = await client.responses.compact({ model: 'scripted', previous_response_id: id });
  assert.deepEqual(told(world).slice(0, 2), [...expected, 'assistant: Hello world']);
  await client.responses.create({ model: 'scripted', input: [onlyCompaction(again), { role: 'user', content: 'well?' }] });
  assert.deepEqual(told(world), ['user: [What was said before this, in summary:]\n\nAda likes tea and asks.\n\nwell?']);

  const response = await client.responses.retrieve(compacted.id);
  assert.deepEqual([response.status, response.output], ['completed', [onlyCompaction(compacted)]]);
  const { body } = await world.call('GET', `/turns/${compacted.id}`);
  assert.equal(body['status'], 'completed');
});

story(
  'a request that ends with a compaction_trigger is answered by one compaction item, whose summary nobody sees before',
  async (world) => {
    const conversation = await world.session();
    await world.hear('my name is Ada', { conversation });
    world.model.enqueue(chatAnswer('Ada ', 'is ', 'her name.'));
    const input = [{ role: 'user', content: 'I like tea' }, { type: 'compaction_trigger' }];
    const tools = [{ type: 'function', name: 'look', parameters: { type: 'object', properties: {} } }];
    const viewer = await world.hear(input as never, {
      conversation,
      tools,
      tool_choice: 'required',
      text: { format: { type: 'json_object' } },
    });
    assert.deepEqual(
      viewer.types.filter((type, index, all) => type !== all[index - 1]),
      [
        'response.created',
        'response.queued',
        'response.in_progress',
        'response.output_item.added',
        'response.compaction.compacting',
        'response.output_item.done',
        'response.completed',
      ],
    );
    assert.ok(viewer.data.slice(0, -2).every((data) => !data.includes('Ada ') && !data.includes('"encrypted_content":"t')));
    const asked = bodyOf(world.model.requests.at(-1)) as Record<string, unknown>;
    assert.deepEqual(
      ['tools', 'tool_choice', 'response_format'].map((name) => asked[name]),
      [undefined, undefined, undefined],
    );
    const item = onlyCompaction(viewer.last.response);
    assert.match(item.id, /^cmp_/);
    assert.deepEqual([viewer.last.response.output.length, Object.keys(item)], [1, ['id', 'type', 'encrypted_content']]);

    await world.hear('who am I?', { conversation });
    assert.deepEqual(told(world), [
      `user: [What was said before this, in summary:]\n\nAda is her name.\n\n${bridge}\n\nmy name is Ada\n\nI like tea\n\nwho am I?`,
    ]);

    for (const [body, param] of [
      [{ input: [{ type: 'compaction_trigger' }, { role: 'user', content: 'x' }] }, 'input[0]'],
      [{ input: [{ ...item, encrypted_content: item.encrypted_content.slice(0, -9) }] }, 'input[0].encrypted_content'],
      [{ input: [{ ...item, encrypted_content: 'gAAAAA-of-another-provider' }] }, 'input[0]'],
    ] as const) {
      const response = await post(world, '/v1/responses', body);
      assert.deepEqual([response.status, (await errorOf(response)).param], [400, param]);
    }
  },
);

story('T2, T3 · a compaction is asked for as any other step is: again before its start, never after', async (world) => {
  const input = 'a long talk';
  world.model.enqueue([reset], [sseHead, end], chatAnswer('Short.'));
  const compacted = await world.client.responses.compact({ model: 'scripted', input });
  onlyCompaction(compacted);
  assert.deepEqual(
    (await world.attempts(compacted.id)).map(({ outcome }) => outcome),
    ['failed', 'failed', 'completed'],
  );

  world.model.enqueue([sseHead, chat.content('Sho'), reset], chatAnswer('never'));
  const before = world.model.requests.length;
  const response = await post(world, '/v1/responses/compact', { input });
  assert.deepEqual([response.status, (await errorOf(response)).code], [424, 'stream_interrupted']);
  assert.equal(response.headers.get('x-should-retry'), 'false');
  assert.equal(world.model.requests.length, before + 1);
  const cut = await world.client.responses.retrieve(response.headers.get('x-turnkeep-response-id') ?? '');
  assert.equal(onlyCompaction(cut).encrypted_content, '', 'half a summary is none');
  // T13 · It is taken back, and has replaced nothing.
  await world.client.responses.create({ model: 'scripted', input: [{ role: 'user', content: 'hi' }, onlyCompaction(cut)] });
  assert.deepEqual(told(world), ['user: hi']);

  for (const [script, status, code] of [
    [httpError(400, { error: { message: 'too long', code: 'context_length_exceeded' } }), 400, 'context_length_exceeded'],
    [chatAnswer(), 424, 'empty_response'],
    [[sseHead, chat.content('Half a '), chat.finish('length'), end], 424, 'max_output_tokens'],
  ] as const) {
    world.model.enqueue(script);
    const refused = await post(world, '/v1/responses/compact', { input });
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [status, code]);
  }
  for (const body of [{}, { input: [] }, { input: 'x', stream: true }]) {
    assert.equal((await post(world, '/responses/compact', body)).status, 400);
  }
});

const theirs = { id: 'cmp_theirs', type: 'compaction', encrypted_content: 'gAAAAA-sealed-by-the-provider' };

story(
  'a provider that compacts is asked to, and its item goes back to it as it came',
  async (world) => {
    const { client } = world;
    const previous_response_id = await talk(client);
    const usage = { input_tokens: 9, output_tokens: 3, total_tokens: 12 };
    const message = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'I like tea' }] };
    world.model.enqueue(
      httpResponse(200, { id: 'resp_theirs', object: 'response.compaction', created_at: 1, output: [message, theirs], usage }),
    );
    const compacted = await client.responses.compact({ model: 'scripted', previous_response_id, instructions: 'be brief' });
    const request = world.model.requests.at(-1);
    assert.equal(request?.path, '/v1/responses/compact');
    const { input, ...rest } = request.body as { input: unknown };
    assert.deepEqual(rest, { model: 'scripted', instructions: 'be brief' });
    assert.equal((input as unknown[]).length, 4);
    assert.deepEqual([onlyCompaction(compacted), compacted.usage.total_tokens], [theirs, 12]);
    assert.equal(compacted.output.length, 3);

    await client.responses.create({ model: 'scripted', previous_response_id: compacted.id, input: 'well?' });
    const next = (bodyOf(world.model.requests.at(-1)) as { input: { type: string }[] }).input;
    assert.deepEqual(
      next.map((item) => ('content' in item ? item.content : item)),
      ['my name is Ada', 'I like tea', theirs, 'well?'],
    );
  },
  { api: 'responses' },
);

story(
  'what a provider has compacted goes to the model that it came from only: another one is told what it was made of, or it is a 400',
  async (world) => {
    const { client } = world;
    const previous_response_id = await talk(client);
    world.model.enqueue(httpResponse(200, { object: 'response.compaction', output: [theirs] }));
    const compacted = await client.responses.compact({ model: 'scripted', previous_response_id });
    const item = onlyCompaction(compacted);
    const sent = () => (bodyOf(world.model.requests.at(-1)) as { input: { type: string; content?: string }[] }).input;
    const toldNow = () => sent().map(({ type, content }) => content ?? type);
    const past = ['my name is Ada', 'Hello world', 'I like tea', 'Hello world'];
    const ask = { id: item.id, type: 'item_reference' } as const;

    // By the conversation, and with the item beside what it was made of.
    await client.responses.create({ model: 'other', previous_response_id: compacted.id, input: 'well?' });
    assert.deepEqual(toldNow(), [...past, 'well?']);
    for (const brought of [item, ask]) {
      const input = [brought, { role: 'user' as const, content: 'well?' }];
      await client.responses.create({ model: 'other', previous_response_id, input });
      assert.deepEqual(toldNow(), [...past, 'well?']);
      await client.responses.create({ model: 'scripted', input });
      assert.deepEqual(toldNow(), ['compaction', 'well?']);
    }

    // By the item alone the past would be lost without a word.
    const before = world.model.requests.length;
    for (const brought of [item, ask]) {
      const input = [{ role: 'user' as const, content: 'hi' }, brought, { role: 'user' as const, content: 'well?' }];
      const asked = { model: 'other', input };
      for (const send of [() => client.responses.create(asked), () => client.responses.inputTokens.count(asked)]) {
        await assert.rejects(send, { status: 400, param: 'input[1]', code: 'foreign_compaction', message: /'scripted'/ });
      }
    }
    assert.equal(world.model.requests.length, before);

    // A conversation that began with it.
    const first = await client.responses.create({ model: 'scripted', input: [item, { role: 'user', content: 'well?' }] });
    await client.responses.create({ model: 'other', previous_response_id: first.id, input: 'and now?' });
    assert.deepEqual(toldNow().slice(1), ['well?', 'Hello world', 'and now?']);
    assert.match(toldNow()[0] ?? '', /compacted by another model/);
    // What nobody knows passes: its provider says so itself.
    await client.responses.create({ model: 'other', input: [{ ...item, id: 'cmp_unknown' }] });
    assert.deepEqual(toldNow(), ['compaction']);
  },
  { api: 'responses' },
);

story(
  'a provider of the Responses API that has no such endpoint is asked for a summary, in the same attempt',
  async (world) => {
    const input = [{ role: 'user', content: 'a long talk' }, { type: 'compaction_trigger' }];
    const lmStudio = httpResponse(200, { error: 'Unexpected endpoint or method. (POST /v1/responses/compact)' });
    for (const none of [httpError(404), httpError(405), httpError(501), httpError(400), lmStudio]) {
      world.model.enqueue(none, responsesAnswer('Short.'));
      const viewer = await world.hear(input as never);
      const item = onlyCompaction(viewer.last.response);
      assert.equal((await world.attempts(viewer.id)).length, 1);
      await world.hear([item, { role: 'user', content: 'well?' }] as never);
      assert.deepEqual(told(world), ['user: [What was said before this, in summary:]\n\nShort.', 'user: well?']);
    }
    assert.deepEqual(
      world.model.requests.slice(0, 3).map(({ path }) => path),
      ['/v1/responses/compact', '/v1/responses', '/v1/responses'],
    );
    // T3 · A connection that breaks before the answer is whole has asked for nothing that was accepted.
    world.model.enqueue([reset], httpResponse(200, { object: 'response.compaction', output: [theirs] }));
    const viewer = await world.hear(input as never);
    assert.deepEqual(onlyCompaction(viewer.last.response), theirs);
    assert.deepEqual(
      (await world.attempts(viewer.id)).map(({ outcome }) => outcome),
      ['failed', 'completed'],
    );
  },
  { api: 'responses' },
);

story('T5 · a compaction that is cancelled has replaced nothing', async (world) => {
  const conversation = await world.session();
  await world.hear('my name is Ada', { conversation });
  world.model.enqueue([sseHead, chat.content('Ad'), stall]);
  const viewer = await world.say([{ type: 'compaction_trigger' }] as never, { conversation });
  await viewer.until(({ types }) => types.includes('response.compaction.compacting'));
  await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
  await viewer.ended;
  assert.equal(viewer.last.response.status, 'cancelled');
  await world.hear('who am I?', { conversation });
  assert.match(told(world).join('\n'), /^user: my name is Ada\nassistant: Hello world.*stopped.*\nuser: who am I\?$/s);
});
