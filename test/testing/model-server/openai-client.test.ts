/** What the `openai` client makes of each fault: the facts that the providers are built on. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { APIError } from 'openai';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  end,
  fin,
  head,
  hold,
  htmlPage,
  httpError,
  raw,
  reset,
  responsesToolCalls,
  ResponsesWriter,
  sseHead,
  stall,
} from '../../../src/testing/model-server/index.ts';
import { askClient, clientOf, serverFor } from './support.ts';

suite('what the openai client makes of it', () => {
  test('reset on connect, before and amid headers; FIN before headers', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    server.onConnect('reset');
    server.enqueue([reset], [raw('HTTP/1.1 200 OK\r\ncontent-'), reset], [fin]);
    const [connection, failed] = ['APIConnectionError: Connection error.', 'TypeError: fetch failed'];
    for (const code of ['ECONNRESET', 'ECONNRESET', 'ECONNRESET', 'UND_ERR_SOCKET']) {
      assert.deepEqual(await askClient(client), { pieces: [], ended: [connection, failed, code] });
    }
    assert.equal(server.requests.length, 3);
    assert.equal(server.connections.length, 4);
  });

  test('reset and FIN after headers, with and without events: a bare TypeError', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    for (const [ending, code] of [
      [reset, 'ECONNRESET'],
      [fin, 'UND_ERR_SOCKET'],
    ] as const) {
      server.enqueue([sseHead, chat.role(), chat.content('Hel'), hold(code), ending]);
      assert.deepEqual(await askClient(client, () => server.release(code)), { pieces: ['Hel'], ended: ['TypeError: terminated', code] });
    }
  });

  test('a cut body framed by close or HTTP/1.0, an end without finish, HTML: a normal end', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    for (const framing of ['close', 'http10'] as const) {
      server.enqueue([head({ framing }), chat.content('Hel'), fin]);
      assert.deepEqual(await askClient(client), { pieces: ['Hel'], ended: ['normally'] });
    }
    server.enqueue([sseHead, chat.content('Hel'), end], htmlPage());
    assert.deepEqual(await askClient(client), { pieces: ['Hel'], ended: ['normally'] });
    assert.deepEqual(await askClient(client), { pieces: [], ended: ['normally'] });
  });

  test('an error in the stream, an HTTP error, something that is not HTTP', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    server.enqueue(
      [sseHead, chat.error('overloaded', { code: 'server_overloaded' }), end],
      httpError(429, undefined, { 'retry-after': '1' }),
      [raw('SSH-2.0-OpenSSH\r\n\r\n'), stall],
    );
    assert.deepEqual((await askClient(client)).ended, ['server_overloaded']);
    assert.deepEqual((await askClient(client)).ended, ['RateLimitError: 429 scripted 429']);
    // undici 8.12.4 sets no `HPE_*` code here (it looks a number up by its name), only the error's name.
    assert.match((await askClient(client)).ended.at(-1) ?? '', /^HPE_|^HTTPParserError: /);
  });

  test('a client that aborts has closed its connection, also while it waits for headers', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    for (const [at, script] of [[sseHead, chat.content('a'), stall], [stall]].entries()) {
      server.enqueue(script);
      const stop = new AbortController();
      const over = client.chat.completions.create({ model: 'm', messages: [], stream: true }, { signal: stop.signal }).then(
        async (stream) => {
          for await (const _ of stream);
        },
        () => {},
      );
      await server.nextRequest(at + 1);
      stop.abort();
      await server.clientClosed(at + 1);
      await over;
    }
  });

  test('a whole chat answer and a whole round of tool calls, on one connection', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    server.enqueue(
      chatAnswer('Hel', 'lo'),
      chatToolCalls({ id: 'c1', name: 'add', arguments: { a: 1 } }, { id: 'c2', name: 'now', arguments: {} }),
    );
    assert.deepEqual(await askClient(client), { pieces: ['Hel', 'lo'], ended: ['normally'] });
    const answer = await client.chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion();
    const calls = answer.choices[0]?.message.tool_calls?.map(
      (call) => call.type === 'function' && [call.id, call.function.name, call.function.arguments],
    );
    assert.deepEqual(calls, [
      ['c1', 'add', '{"a":1}'],
      ['c2', 'now', '{}'],
    ]);
    assert.equal(answer.usage?.total_tokens, 5);
    assert.deepEqual(
      server.requests.map(({ connection, endedBy }) => [connection, endedBy]),
      [
        [1, 'server'],
        [1, 'server'],
      ],
    );
  });

  test('a Responses stream with reasoning, text, refusal and a call is accepted by the strict helper', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    const writer = new ResponsesWriter();
    server.enqueue([
      sseHead,
      ...writer.begin(),
      ...writer.reasoning('th', 'ink'),
      ...writer.text('Hel'),
      ...writer.text('lo'),
      ...writer.refusal('no'),
      ...writer.functionCall('c1', 'add', '{"a"', ':1}'),
      ...writer.functionCall('c1', 'add', ' '),
      ...writer.customToolCall('c2', 'exec', '1 +', ' 1'),
      ...writer.completed(),
      end,
    ]);
    const stream = client.responses.stream({ model: 'm', input: 'hi' });
    const types: string[] = [];
    const numbers: number[] = [];
    for await (const { type, sequence_number: number } of stream) {
      types.push(type.replace('response.', ''));
      numbers.push(number);
    }
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index),
    );
    assert.deepEqual(types, [
      'created',
      'in_progress',
      'output_item.added',
      'reasoning_summary_part.added',
      'reasoning_summary_text.delta',
      'reasoning_summary_text.delta',
      'reasoning_summary_text.done',
      'reasoning_summary_part.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'content_part.added',
      'refusal.delta',
      'refusal.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'output_item.added',
      'custom_tool_call_input.delta',
      'custom_tool_call_input.delta',
      'custom_tool_call_input.done',
      'output_item.done',
      'completed',
    ]);
    const response = await stream.finalResponse();
    assert.equal(response.output_text, 'Hello');
    assert.deepEqual(
      response.output.map(({ type }) => type),
      ['reasoning', 'message', 'function_call', 'custom_tool_call'],
    );
    const call = response.output.at(-1);
    assert.equal(call?.type === 'custom_tool_call' && call.input, '1 + 1');
    assert.equal(response.usage?.total_tokens, 5);
  });

  test('the other ends of a Responses stream: incomplete, failed, both shapes of error; and events as bare as llama.cpp sends them', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    const ends = async (): Promise<unknown[]> => {
      const eventTypes: unknown[] = [];
      try {
        for await (const one of await client.responses.create({ model: 'm', input: 'hi', stream: true })) eventTypes.push(one.type);
      } catch (error) {
        eventTypes.push(error instanceof APIError ? `${error.code}` : error);
      }
      return eventTypes.slice(-2);
    };
    const writers = Array.from({ length: 4 }, () => new ResponsesWriter());
    const [one, two, three, four] = writers as [ResponsesWriter, ResponsesWriter, ResponsesWriter, ResponsesWriter];
    server.enqueue(
      [sseHead, ...one.begin(), ...one.text('a'), ...one.incomplete(), end],
      [sseHead, ...two.begin(), ...two.text('a'), ...two.failed('server_error', 'oh'), end],
      [sseHead, ...three.begin(), ...three.errorFlat('overloaded', 'oh'), end],
      [sseHead, ...four.begin(), ...four.errorNested('overloaded', 'oh'), end],
      responsesToolCalls({ id: 'c1', name: 'add', arguments: {} }),
    );
    assert.deepEqual(await ends(), ['response.output_item.done', 'response.incomplete']);
    assert.deepEqual(await ends(), ['response.output_text.delta', 'response.failed']);
    // The client throws for the nested shape only, and also for an event named `error`.
    assert.deepEqual(await ends(), ['response.in_progress', 'overloaded']);
    assert.deepEqual(await ends(), ['response.in_progress', 'overloaded']);
    assert.deepEqual(await ends(), ['response.output_item.done', 'response.completed']);
    const bare = new ResponsesWriter({ isBare: true });
    const dataOf = (steps: ReturnType<ResponsesWriter['text']>) => steps.map((step) => step.type === 'event' && step.data);
    assert.deepEqual(dataOf(bare.created()), [{ type: 'response.created', response: { id: 'resp_scripted', status: 'in_progress' } }]);
    assert.deepEqual(dataOf(bare.text('a')).at(-1), { type: 'response.output_text.delta', item_id: 'msg_0', delta: 'a', logprobs: [] });
  });
});
