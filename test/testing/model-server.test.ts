import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { suite, test, type TestContext } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { Agent, fetch as undiciFetch } from 'undici';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  comment,
  done,
  end,
  event,
  fin,
  head,
  hold,
  htmlPage,
  httpError,
  type ModelServer,
  type ModelServerOptions,
  raw,
  repeat,
  reset,
  ResponsesWriter,
  responsesToolCalls,
  selfSigned,
  split,
  sseHead,
  stall,
  startModelServer,
  text,
  wait,
} from '../../src/testing/model-server/index.ts';

const post = (body = '{}', more = ''): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const plain = (framing: Parameters<typeof head>[0] = {}) => head({ headers: { 'content-type': 'text/plain' }, ...framing });

async function serverFor(t: TestContext, options?: ModelServerOptions): Promise<ModelServer> {
  const server = await startModelServer(options);
  t.after(() => server.close());
  return server;
}

interface Seen {
  readonly text: string;
  readonly endedBy: string;
}

/** What a client with nothing but a socket sees, up to the end of the connection. */
async function seen(server: ModelServer, request: string): Promise<Seen> {
  const socket = connect(server.port, '127.0.0.1');
  socket.write(request);
  const chunks: string[] = [];
  let endedBy = 'fin';
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('data', (chunk) => chunks.push(chunk.toString('latin1')));
  socket.on('error', (error: NodeJS.ErrnoException) => (endedBy = error.code ?? error.message));
  socket.on('close', () => resolve());
  await promise;
  return { text: chunks.join(''), endedBy };
}

function next(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('data', (chunk) => resolve(chunk.toString('latin1')));
  return promise;
}

function clientOf(t: TestContext, server: ModelServer, tls: { readonly ca?: string } = {}): OpenAI {
  // A foreign fetch without its own dispatcher would use the one Node has put in place.
  const dispatcher = new Agent({ connect: tls });
  t.after(() => dispatcher.destroy());
  return new OpenAI({
    baseURL: server.baseUrl,
    apiKey: 'test',
    maxRetries: 0,
    fetch: undiciFetch as never,
    fetchOptions: { dispatcher } as never,
  });
}

/** What a caller of the `openai` client sees: the pieces of text, then how it ended, as the codes down the cause chain. */
async function asked(client: OpenAI, onPiece: (piece: string) => void = () => {}): Promise<{ pieces: string[]; ended: string[] }> {
  const pieces: string[] = [];
  try {
    const stream = await client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream: true });
    for await (const chunk of stream) {
      const piece = chunk.choices[0]?.delta.content;
      if (typeof piece !== 'string' || piece === '') continue;
      pieces.push(piece);
      onPiece(piece);
    }
    return { pieces, ended: ['normally'] };
  } catch (error) {
    return { pieces, ended: causes(error) };
  }
}

function causes(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return [code ?? `${error.constructor.name}: ${error.message}`, ...causes(error.cause)];
}

suite('bytes on the wire', () => {
  test('a head and a body in each framing, and whether the connection stays', async (t) => {
    const server = await serverFor(t);
    server.enqueue(
      [plain(), text('ab'), text('c'), end],
      [plain({ framing: { length: 3 } }), text('abc'), end],
      [plain({ status: 429, framing: 'close' }), text('abc'), end],
      [plain({ framing: 'http10' }), text('abc'), end],
    );
    assert.deepEqual(await seen(server, post() + post() + post()), {
      text: [
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
        'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-type: text/plain\r\n\r\nabc',
        'HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\nabc',
      ].join(''),
      endedBy: 'fin',
    });
    assert.deepEqual(await seen(server, post()), { text: 'HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nabc', endedBy: 'fin' });
    assert.deepEqual(
      server.requests.map(({ index, connection, endedBy }) => [index, connection, endedBy]),
      [
        [1, 1, 'server'],
        [2, 1, 'server'],
        [3, 1, 'server'],
        [4, 2, 'server'],
      ],
    );
  });

  test('events, comments, [DONE] and raw bytes are written as told, and counted', async (t) => {
    const server = await serverFor(t);
    server.enqueue([head({ framing: 'close' }), event({ a: 1 }), event({ b: 2 }, 'named'), comment('still here'), done, raw('junk'), fin]);
    const { text: all } = await seen(server, post());
    const [, body] = all.split('\r\n\r\n');
    assert.equal(body, 'data: {"a":1}\n\nevent: named\ndata: {"b":2}\n\n: still here\n\ndata: [DONE]\n\njunk');
    assert.equal(server.requests[0]?.bytesSent, all.length);
  });

  test('the connection closes after `end` when a header or a wrong length forbids another answer', async (t) => {
    const server = await serverFor(t);
    server.enqueue([plain({ headers: { Connection: 'close' } }), end], [plain({ framing: { length: 5 } }), text('abc'), end]);
    for (const body of ['0\r\n\r\n', 'abc']) {
      const { text: all, endedBy } = await seen(server, post());
      assert.ok(all.endsWith(`\r\n\r\n${body}`));
      assert.equal(endedBy, 'fin');
    }
  });

  test('an interim head comes before the real one, without framing', async (t) => {
    const server = await serverFor(t);
    server.enqueue([head({ status: 103, headers: {} }), plain({ framing: 'close' }), text('x'), end]);
    assert.match((await seen(server, post())).text, /^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test('split: each piece is a write of its own, the framing cut as well', async (t) => {
    const server = await serverFor(t);
    server.enqueue([plain(), hold('head shown'), split(2), text('äö'), split(0), text('whole'), fin]);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    await next(socket);
    const pieces: string[] = [];
    socket.on('data', (chunk) => pieces.push(chunk.toString('latin1')));
    server.release('head shown');
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    await promise;
    assert.equal(pieces.join(''), '4\r\nÃ¤Ã¶\r\n5\r\nwhole\r\n');
    assert.ok(pieces.length >= 4, `told apart: ${pieces.length}`);
  });

  test('wait passes time, and only as much as it says', async (t) => {
    const server = await serverFor(t);
    server.enqueue([wait(30), plain(), wait(30), end]);
    await seen(server, post('{}', 'connection: close\r\n'));
    const [request] = server.requests;
    const took = (request?.endedAtMs ?? 0) - (request?.arrivedAtMs ?? 0);
    assert.ok(took >= 58, `${took} ms`);
  });
});

suite('requests', () => {
  test('are logged with their headers and their JSON, chunked or with a length, one by one', async (t) => {
    const server = await serverFor(t);
    const chunked =
      'POST /v1/responses?x=1 HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n4;ext\r\n{"a"\r\n3\r\n:1}\r\n0\r\ntrailer: x\r\n\r\n';
    await seen(server, post('not json') + chunked);
    const [first, second] = server.requests;
    assert.deepEqual([first?.body, first?.bodyText], [undefined, 'not json']);
    assert.deepEqual([second?.method, second?.path, second?.headers['x-a'], second?.body], ['POST', '/v1/responses?x=1', '1, 2', { a: 1 }]);
    assert.ok((first?.arrivedAtMs ?? 0) <= (second?.arrivedAtMs ?? 0));
  });

  test('arriving a byte at a time are the same', async (t) => {
    const server = await serverFor(t);
    const socket = connect(server.port, '127.0.0.1').setNoDelay(true);
    const answered = buffer(socket);
    for (const byte of post('{"a":1}', 'connection: close\r\n')) socket.write(byte);
    assert.deepEqual((await server.nextRequest(1)).body, { a: 1 });
    assert.match((await answered).toString(), /\[DONE\]/);
  });

  test('of 20 MB are taken, `expect: 100-continue` answered', async (t) => {
    const server = await serverFor(t);
    const body = JSON.stringify({ a: 'x'.repeat(20_000_000) });
    const { text: all } = await seen(server, post(body, 'expect: 100-continue\r\nconnection: close\r\n'));
    assert.ok(all.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n'));
    assert.equal(server.requests[0]?.bodyText.length, body.length);
  });

  test('take the scripts in order, then the fallback; GET /v1/models takes none', async (t) => {
    const server = await serverFor(t, { fallback: ({ index }) => httpError(500, `fallback for ${index}`) });
    server.enqueue(httpError(401), ({ body }) => httpError(402, body));
    const get = 'GET /v1/models?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n';
    const { text: all } = await seen(server, get + post() + post('{"echo":1}') + post('{}', 'connection: close\r\n'));
    assert.deepEqual(all.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 402', 'HTTP/1.1 500']);
    assert.ok(all.includes('"id":"scripted"') && all.includes('{"echo":1}') && all.includes('fallback for 4'));
  });

  test('that are no HTTP, and replies that throw, are answered 500 with the reason', async (t) => {
    const server = await serverFor(t, { fallback: () => [end] });
    assert.match((await seen(server, 'SSH-2.0-x\r\n\r\n')).text, /^HTTP\/1\.1 500 [^]*not an HTTP\/1 request/);
    assert.match((await seen(server, post())).text, /^HTTP\/1\.1 500 [^]*needs a head/);
  });
});

test('a script that cannot be played is refused where it is written', async (t) => {
  const server = await serverFor(t);
  assert.throws(() => server.enqueue([]), /empty script/);
  assert.throws(() => server.enqueue([sseHead]), /step 0 \(head\): a script ends with/);
  assert.throws(() => server.enqueue([sseHead, end, reset]), /step 1 \(end\) ends the script/);
  assert.throws(() => server.enqueue([done, fin]), /step 0 \(done\) needs a head/);
  assert.throws(() => server.enqueue([head({ status: 100 }), end]), /step 1 \(end\) needs a head/);
});

suite('time by hand', () => {
  test('hold waits for release, a release before counts, and reached tells that all before was sent', async (t) => {
    const server = await serverFor(t);
    server.release('open already');
    server.enqueue([plain({ framing: 'close' }), hold('open already'), text('a'), hold('gate'), text('b'), end]);
    const all = seen(server, post());
    await server.reached('gate');
    const sent = server.requests[0]?.bytesSent ?? 0;
    server.release('gate');
    assert.equal((await all).text.length, sent + 1);
  });

  test('a client that hangs up is told at once, with the time, and the script stops', async (t) => {
    const server = await serverFor(t);
    const endings = [[hold('never'), end], [wait(3_600_000), end], [stall]] as const;
    for (const [at, ending] of endings.entries()) {
      server.enqueue([sseHead, chat.content('a'), ...ending]);
      const socket = connect(server.port, '127.0.0.1');
      socket.write(post());
      await next(socket);
      socket.destroy();
      const request = await server.hungUp(at + 1);
      assert.equal(request.endedBy, 'client');
      assert.ok((request.endedAtMs ?? 0) >= request.arrivedAtMs);
    }
  });

  test('hungUp rejects where the script ended first, and everything waited for when the server closes', async (t) => {
    const server = await serverFor(t);
    await seen(server, post('{}', 'connection: close\r\n'));
    await assert.rejects(server.hungUp(1), /ended by its script/);
    const second = server.nextRequest(2);
    await server.close();
    await assert.rejects(second, /closed/);
  });

  test('repeat goes at the pace of the reader and stops when it is gone', async (t) => {
    const server = await serverFor(t);
    const line = [sseHead, text('data: '), repeat(200_000_000, 'x'), stall];
    server.enqueue(line);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    await next(socket);
    socket.pause().destroy();
    const { bytesSent } = await server.hungUp(1);
    assert.ok(bytesSent < 50_000_000, `${bytesSent} bytes sent`);
    server.enqueue([head({ framing: 'close' }), repeat(30_001, 'abc'), end]);
    const { text: all } = await seen(server, post());
    assert.equal(all.split('\r\n\r\n')[1], 'abc'.repeat(30_001));
  });
});

suite('connections', () => {
  test('are reset, ended or left alone before a byte is read, as told, and counted', async (t) => {
    const server = await serverFor(t);
    server.onConnect('reset', 'fin', 'accept');
    assert.deepEqual(await seen(server, post()), { text: '', endedBy: 'ECONNRESET' });
    assert.deepEqual(await seen(server, post()), { text: '', endedBy: 'fin' });
    assert.match((await seen(server, post('{}', 'connection: close\r\n'))).text, /Hello/);
    assert.deepEqual(
      server.connections.map(({ index }) => index),
      [1, 2, 3],
    );
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [3],
    );
  });

  test('reset after the request was read, and in the middle of the head', async (t) => {
    const server = await serverFor(t);
    server.enqueue([reset], [raw('HTTP/1.1 200 O'), hold('seen'), reset]);
    assert.deepEqual(await seen(server, post()), { text: '', endedBy: 'ECONNRESET' });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    assert.equal(await next(socket), 'HTTP/1.1 200 O');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.once('error', resolve);
    server.release('seen');
    assert.equal(causes(await promise)[0], 'ECONNRESET');
  });

  test('stop resets them and refuses new ones, start takes the same port, the queue stays', async (t) => {
    const server = await serverFor(t);
    const { port } = server;
    server.enqueue([sseHead, stall], httpError(418));
    server.onConnect('accept', 'stall');
    const open = [seen(server, post()), seen(server, post())];
    await server.nextRequest(1);
    await server.stop();
    assert.equal((await open[0])?.endedBy, 'ECONNRESET');
    assert.equal((await open[1])?.endedBy, 'ECONNRESET');
    assert.equal(server.requests[0]?.endedBy, 'server');
    assert.equal((await seen(server, post())).endedBy, 'ECONNREFUSED');
    await server.start();
    assert.equal(server.port, port);
    assert.match((await seen(server, post('{}', 'connection: close\r\n'))).text, /^HTTP\/1\.1 418/);
  });
});

suite('what the openai client sees (facts.md)', () => {
  test('reset on connect, before and amid headers; FIN before headers', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    server.onConnect('reset');
    server.enqueue([reset], [raw('HTTP/1.1 200 OK\r\ncontent-'), reset], [fin]);
    const [connection, failed] = ['APIConnectionError: Connection error.', 'TypeError: fetch failed'];
    for (const code of ['ECONNRESET', 'ECONNRESET', 'ECONNRESET', 'UND_ERR_SOCKET']) {
      assert.deepEqual(await asked(client), { pieces: [], ended: [connection, failed, code] });
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
      assert.deepEqual(await asked(client, () => server.release(code)), { pieces: ['Hel'], ended: ['TypeError: terminated', code] });
    }
  });

  test('a cut body framed by close or HTTP/1.0, an end without finish, HTML: a normal end', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    for (const framing of ['close', 'http10'] as const) {
      server.enqueue([head({ framing }), chat.content('Hel'), fin]);
      assert.deepEqual(await asked(client), { pieces: ['Hel'], ended: ['normally'] });
    }
    server.enqueue([sseHead, chat.content('Hel'), end], htmlPage());
    assert.deepEqual(await asked(client), { pieces: ['Hel'], ended: ['normally'] });
    assert.deepEqual(await asked(client), { pieces: [], ended: ['normally'] });
  });

  test('an in-band error, an HTTP error, something that is not HTTP', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    server.enqueue(
      [sseHead, chat.error('overloaded', { code: 'server_overloaded' }), end],
      httpError(429, undefined, { 'retry-after': '1' }),
      [raw('SSH-2.0-OpenSSH\r\n\r\n'), stall],
    );
    assert.deepEqual((await asked(client)).ended, ['server_overloaded']);
    assert.deepEqual((await asked(client)).ended, ['RateLimitError: 429 scripted 429']);
    // facts.md expects an `HPE_*` code: undici 8.12.4 has none (it looks a number up by its name), only the error's name.
    assert.match((await asked(client)).ended.at(-1) ?? '', /^HPE_|^HTTPParserError: /);
  });

  test('a client that aborts has hung up, and so has one that was cut off while it waited for headers', async (t) => {
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
      await server.hungUp(at + 1);
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
    assert.deepEqual(await asked(client), { pieces: ['Hel', 'lo'], ended: ['normally'] });
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
    const say = new ResponsesWriter();
    server.enqueue([
      sseHead,
      ...say.begin(),
      ...say.reasoning('th', 'ink'),
      ...say.text('Hel'),
      ...say.text('lo'),
      ...say.refusal('no'),
      ...say.functionCall('c1', 'add', '{"a"', ':1}'),
      ...say.functionCall('c1', 'add', ' '),
      ...say.completed(),
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
      'completed',
    ]);
    const response = await stream.finalResponse();
    assert.equal(response.output_text, 'Hello');
    assert.deepEqual(
      response.output.map(({ type }) => type),
      ['reasoning', 'message', 'function_call'],
    );
    assert.equal(response.usage?.total_tokens, 5);
  });

  test('the other ends of a Responses stream: incomplete, failed, both shapes of error; and events as bare as llama.cpp sends them', async (t) => {
    const server = await serverFor(t);
    const client = clientOf(t, server);
    const ends = async (): Promise<unknown[]> => {
      const seenEvents: unknown[] = [];
      try {
        for await (const one of await client.responses.create({ model: 'm', input: 'hi', stream: true })) seenEvents.push(one.type);
      } catch (error) {
        seenEvents.push(error instanceof APIError ? `${error.code}` : error);
      }
      return seenEvents.slice(-2);
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

suite('TLS', () => {
  test('an untrusted certificate is refused, a trusted one is not, and a reset is a real reset there too', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    assert.match(server.baseUrl, /^https:\/\/127\.0\.0\.1:\d+\/v1$/);
    assert.deepEqual((await asked(clientOf(t, server))).ended.at(-1), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    // A client of its own each, so that none finds a connection to use again.
    const trusting = () => clientOf(t, server, { ca: selfSigned.cert });
    assert.deepEqual(await asked(trusting()), { pieces: ['Hello', ' world'], ended: ['normally'] });
    server.enqueue([sseHead, chat.content('Hel'), hold('seen'), reset]);
    assert.deepEqual(await asked(trusting(), () => server.release('seen')), {
      pieces: ['Hel'],
      ended: ['TypeError: terminated', 'ECONNRESET'],
    });
    server.onConnect('reset');
    assert.deepEqual((await asked(trusting())).ended.at(-1), 'ECONNRESET');
  });

  test('TLS spoken to a plain port', async (t) => {
    const server = await serverFor(t);
    const dispatcher = new Agent();
    t.after(() => dispatcher.destroy());
    const error = await undiciFetch(server.baseUrl.replace('http:', 'https:'), { dispatcher }).catch((caught: unknown) => caught);
    assert.match(causes(error).at(-1) ?? '', /^ERR_SSL_/);
  });
});
