/**
 * The cases of the official compliance suite of Open Responses (github.com/openresponses/openresponses, specification
 * of 2026-04-24), under its own ids, rewritten from the specification: each to a provider of both APIs. Where the suite
 * is content with an answer, these also look at what the model was told.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { httpResponse, type LoggedRequest, type ModelServerOptions } from '../../src/testing/model-server/index.ts';
import { assertOpenCompaction, assertOpenResponse, assertOpenStream } from '../support/open-responses.ts';
import { startCluster } from '../support/processes.ts';
import { type Answer, type Entry, scriptedModel, toolsOf } from '../support/scripted-model.ts';
import { SocketClient } from '../support/socket-client.ts';
import { within } from '../support/within.ts';
import { World } from '../support/world.ts';

type Json = Record<string, unknown>;

/** It says what the tests ask for, out of nothing but what it is told; like OpenAI's, it refuses an output that nobody asked for. */
function answerTo(entries: readonly Entry[], request: LoggedRequest): Answer {
  const calls = entries.flatMap((entry) => (entry.kind === 'call' ? [entry.callId] : []));
  const outputs = entries.flatMap((entry) => (entry.kind === 'output' ? [entry.callId] : []));
  const unknown = outputs.find((callId) => !calls.includes(callId));
  if (unknown !== undefined) return { refusal: `No tool call found for function call output with call_id ${unknown}.` };
  if (toolsOf(request).includes('get_weather') && calls.length === 0) {
    return { call: { name: 'get_weather', input: { location: 'San Francisco, CA' } } };
  }
  return { text: `I was told: ${tell(entries)}` };
}

/** A server of the Responses API compacts by itself, as OpenAI's does. */
function model(): ModelServerOptions {
  const { fallback } = scriptedModel(answerTo);
  const usage = { input_tokens: 9, output_tokens: 3, total_tokens: 12 };
  const item = { id: 'cmp_1', type: 'compaction', encrypted_content: 'sealed' };
  const compaction = { id: 'resp_1', object: 'response.compaction', created_at: 1_700_000_000, output: [item], usage };
  return {
    fallback: (request) => {
      if (request.path === '/v1/responses/compact') return httpResponse(200, compaction);
      return typeof fallback === 'function' ? fallback(request) : (fallback ?? []);
    },
  };
}

function tell(entries: readonly Entry[]): string {
  return entries.map((entry) => (entry.kind === 'message' ? `${entry.role}: ${entry.text}` : entry.kind)).join(' | ');
}

const say = (role: string, content: unknown, more: Json = {}): Json => ({ type: 'message', role, content, ...more });
const weather = {
  type: 'function',
  name: 'get_weather',
  description: 'The weather of a place.',
  parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
};
const pixel = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

for (const api of ['chat', 'responses'] as const) {
  suite(`Open Responses' own cases, with a provider of ${api}`, () => {
    let world: World;
    before(async () => {
      world = await World.open({ api, model });
    });
    after(() => world[Symbol.asyncDispose]());

    const post = (path: string, body: Json): ReturnType<World['call']> => world.call('POST', `/v1${path}`, { model: 'scripted', ...body });
    async function completed(body: Json): Promise<Json> {
      const { status, body: response } = await post('/responses', body);
      assert.equal(status, 200, JSON.stringify(response));
      assertOpenResponse(response);
      assert.equal(response['status'], 'completed');
      return response;
    }
    const textOf = (response: unknown): string =>
      (response as { output: { content?: { text: string }[] }[] }).output
        .flatMap(({ content = [] }) => content.map(({ text }) => text))
        .join('');

    test('basic-response', async () => {
      assert.match(textOf(await completed({ input: [say('user', 'Say hello.')] })), /user: Say hello\./);
    });

    test('assistant-phase', async () => {
      const input = [
        say('assistant', 'I look it up.', { phase: 'commentary' }),
        say('assistant', 'It is four.', { phase: 'final_answer' }),
        say('user', 'The number alone?'),
      ];
      const text = textOf(await completed({ input }));
      assert.match(text, /I look it up\..*It is four\..*The number alone\?/s);
    });

    test('response-output-phase-schema', async () => {
      const input = [say('assistant', 'It is four.', { phase: 'final_answer' }), say('user', 'Again?')];
      const { id } = await completed({ input });
      const { body } = await world.call('GET', `/v1/responses/${String(id)}/input_items?order=asc`);
      assert.deepEqual(
        (body['data'] as Json[]).map(({ phase }) => phase),
        ['final_answer', undefined],
      );
    });

    test('streaming-response', async () => {
      const viewer = await world.hear('Count from 1 to 5.');
      assertOpenStream(viewer.events);
      assert.equal(viewer.last.response.status, 'completed');
    });

    test('system-prompt', async () => {
      const text = textOf(await completed({ input: [say('system', 'You are a pirate.'), say('user', 'Say hello.')] }));
      assert.match(text, /You are a pirate\. \| user: Say hello\./);
    });

    test('tool-calling', async () => {
      const input = [say('user', 'How is the weather in San Francisco?')];
      const { output } = await completed({ input, tools: [weather] });
      const [call] = output as { type: string; name: string; arguments: string }[];
      assert.deepEqual([call?.type, call?.name], ['function_call', 'get_weather']);
      assert.deepEqual(JSON.parse(String(call?.arguments)), { location: 'San Francisco, CA' });
    });

    test('image-input', async () => {
      await completed({
        input: [
          say('user', [
            { type: 'input_text', text: 'What is it?' },
            { type: 'input_image', image_url: pixel },
          ]),
        ],
      });
      assert.ok(world.model.requests.at(-1)?.bodyText.includes(pixel));
    });

    test('multi-turn', async () => {
      const input = [say('user', 'My name is Alice.'), say('assistant', 'Hello Alice!'), say('user', 'What is my name?')];
      assert.match(textOf(await completed({ input })), /My name is Alice\..*Hello Alice!.*What is my name\?/);
    });

    test('compact-response', async () => {
      const input = [say('user', 'We launch on Tuesday.'), say('assistant', 'Understood: on Tuesday.')];
      const { status, body } = await post('/responses/compact', { input, prompt_cache_key: 'a-test' });
      assert.equal(status, 200, JSON.stringify(body));
      assertOpenCompaction(body);
      assert.ok((body['output'] as Json[]).some(({ type }) => type === 'compaction'));
    });

    suite('over a WebSocket', () => {
      const open = (): Promise<SocketClient> => SocketClient.open(world.client);
      /** One turn to its end, which has to be a completed one. */
      async function turn(socket: SocketClient, input: unknown, fields: Json = {}): Promise<{ readonly id: string }> {
        const from = socket.events.length;
        socket.create(input, { model: 'scripted', store: false, ...fields });
        const response = await within('the end of a turn', socket.untilEnd(from), () => socket.data.slice(from).join('\n'));
        assertOpenStream(socket.events.slice(from));
        assert.equal(response.status, 'completed');
        return response;
      }
      async function failure(socket: SocketClient, input: unknown, fields: Json): Promise<string | null> {
        const from = socket.events.length;
        socket.create(input, { model: 'scripted', store: false, ...fields });
        const fails = socket.until(({ type }) => type === 'error' || type === 'response.failed', from);
        const event = await within('a failure', fails, () => socket.data.slice(from).join('\n'));
        if (event.type === 'error') return (event as unknown as { error: { code: string | null } }).error.code;
        return (event as unknown as { response: { error: { code: string } } }).response.error.code;
      }

      test('websocket-response', async () => {
        using socket = await open();
        await turn(socket, [say('user', 'Count from 1 to 3.')], { store: true });
      });

      test('websocket-sequential-responses', async () => {
        using socket = await open();
        const first = await turn(socket, 'Say one.');
        const second = await turn(socket, 'Say two.');
        assert.notEqual(first.id, second.id);
        assert.doesNotMatch(textOf(second), /Say one/);
      });

      test('websocket-continuation', async () => {
        using socket = await open();
        const { id } = await turn(socket, 'The word is cobalt.');
        assert.match(textOf(await turn(socket, 'What is the word?', { previous_response_id: id })), /cobalt.*What is the word\?/);
      });

      test('websocket-reconnect-store-false-recovery', async () => {
        const first = await open();
        const { id } = await turn(first, 'The word is copper.');
        first[Symbol.dispose]();
        using second = await open();
        assert.equal(await failure(second, 'Go on.', { previous_response_id: id }), 'previous_response_not_found');
        await turn(second, [say('user', 'Then begin anew.')]);
      });

      test('websocket-previous-response-not-found', async () => {
        using socket = await open();
        const code = await failure(socket, 'Go on.', { previous_response_id: 'resp_that_never_was' });
        assert.equal(code, 'previous_response_not_found');
      });

      test('websocket-failed-continuation-evicts-cache', async () => {
        using socket = await open();
        const { id } = await turn(socket, 'The word is ember.');
        const output = { type: 'function_call_output', call_id: 'call_that_never_was', output: 'nothing' };
        assert.notEqual(await failure(socket, [output], { previous_response_id: id }), 'previous_response_not_found');
        assert.equal(await failure(socket, 'Go on.', { previous_response_id: id }), 'previous_response_not_found');
      });

      test('websocket-compact-new-chain', async () => {
        const input = [say('user', 'The word is slate.'), say('assistant', [{ type: 'output_text', text: 'OK.' }])];
        const { body } = await post('/responses/compact', { input });
        using socket = await open();
        const response = await turn(socket, [...(body['output'] as Json[]), say('user', 'Go on.')], { tools: [] });
        assert.match(textOf(response), /Go on\./);
      });
    });
  });
}

test('Open Responses, compact-missing-model: where no model is set for requests that name none', async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_MODEL: undefined } });
  const { url } = await cluster.startServe();
  const response = await fetch(`${url}/v1/responses/compact`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: [say('user', 'Compact this.')] }),
  });
  assert.equal(response.status, 400);
  assert.equal(((await response.json()) as { error: { param: string } }).error.param, 'model');
});
