/** What the wire does to a request, and what the provider makes of it: one row a fault, real sockets, both APIs. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  answer,
  chat,
  chatAnswer,
  comment,
  done,
  end,
  event,
  fin,
  head,
  hold,
  htmlPage,
  httpError,
  raw,
  repeat,
  reset,
  responsesAnswer,
  type Script,
  selfSigned,
  sseHead,
  stall,
  startModelServer,
  text,
} from '../../../src/testing/model-server/index.ts';
import { apis, endOf, follow, hello, limits, never, providerFor, serverFor } from '../support.ts';

const faults: Readonly<Record<string, readonly [script: Script, end: string, detail?: string]>> = {
  'a reset before the head': [[reset], 'transport_failed', 'ECONNRESET'],
  'a FIN before the head': [[fin], 'transport_failed', 'UND_ERR_SOCKET'],
  'a reset amid the head': [[raw('HTTP/1.1 200 OK\r\ncont'), reset], 'transport_failed', 'ECONNRESET'],
  'a FIN amid the head': [[raw('HTTP/1.1 200 OK\r\ncont'), fin], 'transport_failed', 'UND_ERR_SOCKET'],
  'a reset after the head': [[sseHead, reset], 'transport_failed', 'ECONNRESET'],
  'a FIN after the head': [[sseHead, fin], 'transport_failed', 'UND_ERR_SOCKET'],
  'an end without an event': [[sseHead, end], 'transport_failed', 'end_of_stream'],
  'comments and then the end': [[sseHead, comment('a'), comment('b'), end], 'transport_failed', 'end_of_stream'],
  '[DONE] alone': [[sseHead, done, end], 'transport_failed', 'end_of_stream'],
  'a FIN amid chunks of a connection that was to be closed': [
    [head({ headers: { connection: 'close' } }), comment('a'), fin],
    'transport_failed',
    'HPE_INVALID_EOF_STATE',
  ],
  'a length that is not kept, HTTP/1.0': [
    [raw('HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n: a\n\n'), fin],
    'transport_failed',
    'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  ],
  'a reset of an HTTP/1.0 body': [[head({ framing: 'http10' }), comment('a'), reset], 'transport_failed', 'ECONNRESET'],
  'another protocol': [[raw('220 mail.test ESMTP\r\n'), fin], 'provider_protocol', 'not_http'],
  'an upgrade': [[raw('HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'), stall], 'provider_protocol', 'bad_upgrade'],
  'a head past all limits': [
    [raw(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(200_000)}\r\n\r\n`), stall],
    'provider_protocol',
    'UND_ERR_HEADERS_OVERFLOW',
  ],
  'a page': [htmlPage(), 'provider_protocol', 'html'],
  'a page that claims to be a stream': [[sseHead, text('\n <!doctype html>'), stall], 'provider_protocol', 'no_event_stream'],
  'JSON without events': [answer(200, { choices: [] }), 'provider_protocol', 'json'],
  'JSON that claims to be a stream': [[sseHead, text('{"error":{}}'), stall], 'provider_protocol', 'no_event_stream'],
  'lines of no event stream': [[sseHead, text('hello\nworld\n'), end], 'provider_protocol', 'no_event_stream'],
  'events of no API': [[sseHead, event({ hello: 'world' }), done, end], 'provider_protocol', 'no_event_stream'],
  'events of no API, cut off': [[sseHead, event({ hello: 'world' }), reset], 'transport_failed', 'ECONNRESET'],
  'broken JSON': [[sseHead, text('data: {"x\n\n'), stall], 'provider_protocol', 'broken_json'],
  'a compressed body': [[head({ headers: { 'content-encoding': 'gzip' } }), text('x'), stall], 'provider_protocol', 'content_encoding'],
  'a redirect': [answer(307, '', { location: '/elsewhere' }), 'provider_rejected', 'redirect 307'],
  400: [httpError(400), 'provider_rejected', '400'],
  401: [httpError(401, undefined, { 'www-authenticate': 'Basic' }), 'provider_rejected', '401'],
  407: [httpError(407), 'provider_rejected', '407'],
  408: [httpError(408), 'provider_busy', '408'],
  421: [httpError(421), 'provider_rejected', '421'],
  429: [httpError(429), 'provider_busy', '429'],
  '500 in compressed words': [httpError(500, 'gibberish', { 'content-encoding': 'gzip' }), 'provider_busy', '500'],
  '503 whose body is reset': [[head({ status: 503 }), text('{"error"'), reset], 'provider_busy', '503'],
  '529, a page': [htmlPage(529), 'provider_busy', '529'],
  'early hints, then 200 and an end': [[head({ status: 103 }), sseHead, end], 'transport_failed', 'end_of_stream'],
};

for (const api of apis) {
  void suite(`T3 · before the step has started, ${api}`, () => {
    for (const [name, [script, code, detail]] of Object.entries(faults)) {
      void test(`${name}: ${code}`, async (t) => {
        const server = await serverFor(t, { fallback: script });
        const seen = await follow(providerFor(t, api, server.baseUrl).stream(hello, never));
        assert.deepEqual([endOf(seen), seen.failure?.detail, seen.hasStarted], [code, detail, false]);
        assert.equal(server.requests.length, 1, 'T4: one stream is one request');
      });
    }
  });
}

void suite('T3 · the other API: a whole answer of it proves nothing here, and it is not paid for again', () => {
  for (const [api, script, detail] of [
    ['chat', responsesAnswer('Hello'), 'speaks_responses'],
    ['responses', chatAnswer('Hello'), 'speaks_chat'],
  ] as const) {
    void test(`${detail}, where ${api} was asked for`, async (t) => {
      const server = await serverFor(t, { fallback: script });
      const seen = await follow(providerFor(t, api, server.baseUrl).stream(hello, never));
      assert.deepEqual([endOf(seen), seen.failure?.detail, seen.hasStarted], ['provider_protocol', detail, false]);
      assert.equal(server.requests.length, 1);
    });
  }
});

void suite('T3 · no connection', () => {
  const at = (url: string) => async (t: Parameters<typeof providerFor>[0]) =>
    (await follow(providerFor(t, 'chat', url).stream(hello, never))).failure;
  void test('refused is transient', async (t) => {
    const server = await startModelServer();
    await server.close();
    const failure = await at(server.baseUrl)(t);
    assert.deepEqual([failure?.code, failure?.detail], ['transport_failed', 'ECONNREFUSED']);
  });
  void test('a failed name look-up is transient', async (t) => {
    assert.equal((await at('http://no-such-host.invalid/v1')(t))?.code, 'transport_failed');
  });
  void test('a connection that is reset or closed at once is transient', async (t) => {
    const server = await serverFor(t);
    server.onConnect('reset', 'fin');
    for (let i = 0; i < 2; i += 1) assert.equal((await at(server.baseUrl)(t))?.code, 'transport_failed');
  });
  void test('a connect timeout is transient', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    server.onConnect('stall');
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, connectTimeoutMs: 50 } });
    const { failure } = await follow(provider.stream(hello, never));
    assert.deepEqual([failure?.code, failure?.detail], ['transport_failed', 'UND_ERR_CONNECT_TIMEOUT']);
  });
  void test('a certificate nobody trusts is rejected', async (t) => {
    const failure = await at((await serverFor(t, { tls: selfSigned })).baseUrl)(t);
    assert.deepEqual([failure?.code, failure?.detail], ['provider_rejected', 'DEPTH_ZERO_SELF_SIGNED_CERT']);
  });
  void test('TLS to a plain port is rejected', async (t) => {
    const server = await serverFor(t);
    assert.equal((await at(server.baseUrl.replace('http:', 'https:'))(t))?.code, 'provider_rejected');
  });
  for (const url of [
    'http://127.0.0.1:22/v1',
    'ftp://127.0.0.1/v1',
    'http://127.0.0.1:99999/v1',
    'nonsense',
    'http://user:pass@127.0.0.1:9/v1',
  ]) {
    void test(`the address ${url} is rejected, and not told`, async (t) => {
      const failure = await at(url)(t);
      assert.equal(failure?.code, 'provider_rejected');
      assert.doesNotMatch(JSON.stringify(failure), /pass/);
    });
  }
});

void suite('T8 · after the proof the wire changes nothing', () => {
  const shown = [sseHead, chat.role(), chat.content('Hello'), chat.finish()];
  const tails: Readonly<Record<string, Script>> = {
    'a reset': [hold('proof'), reset],
    'a FIN': [fin],
    'garbage in the framing': [raw('zzz\r\n'), stall],
    'broken JSON': [text('data: {\n\n'), stall],
    'an error event': [chat.error('late'), stall],
    'an endless line': [text('data: '), repeat(200_000, 'x'.repeat(64)), stall],
    'the end': [done, end],
  };
  for (const [name, tail] of Object.entries(tails)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: [...shown, ...tail] });
      const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never), ({ type }) => {
        if (type === 'proof') server.release('proof');
      });
      assert.deepEqual([endOf(seen), seen.text], ['proved', 'Hello']);
    });
  }

  void test('usage is waited for 2 s at most', async (t) => {
    const server = await serverFor(t, { fallback: [...shown, stall] });
    const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never));
    assert.deepEqual(
      seen.events.map(({ type }) => type),
      ['delta', 'proof'],
    );
    const { arrivedAtMs, endedAtMs } = await server.hungUp(1);
    assert.ok((endedAtMs ?? 0) - arrivedAtMs < 3_500);
  });

  void test('what had arrived before a reset is told, however slowly the caller takes it', async (t) => {
    const pieces = Array.from({ length: 50 }, (_, index) => chat.content(`${index} `));
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('first '), hold('go'), ...pieces, chat.finish(), hold('sent'), reset],
    });
    const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never), async (each) => {
      if (each.type !== 'delta' || each.delta.text !== 'first ') return;
      server.release('go');
      await server.reached('sent');
      // The kernel hands over what it has before it tells of the reset, if it is asked in time.
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      server.release('sent');
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    });
    assert.equal(endOf(seen), 'proved');
    assert.equal(seen.events.filter(({ type }) => type === 'delta').length, 51);
  });

  void test('a connection whose answer was read to its end is used again', async (t) => {
    const server = await serverFor(t);
    for (const api of apis) {
      const provider = providerFor(t, api, server.baseUrl);
      for (let i = 0; i < 3; i += 1) {
        assert.equal(endOf(await follow(provider.stream(hello, never))), 'proved');
        // undici wants to see one turn of the event loop before it trusts a connection again.
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      }
    }
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [1, 1, 1, 2, 2, 2],
    );
  });
});

void suite('limits', () => {
  const protocol = (detail: string) => ['provider_protocol', detail];
  void test('a line of 100 MB is cut off early, with flat memory', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.content('a'), text('data: '), repeat(1_600_000, 'x'.repeat(64)), end] });
    const before = process.memoryUsage().rss;
    const { text: shown, failure } = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never));
    assert.deepEqual([shown, failure?.code, failure?.detail], ['a', ...protocol('event_too_long')]);
    const { bytesSent } = await server.hungUp(1);
    assert.ok(bytesSent < 24 * 1_024 * 1_024, `${bytesSent} bytes were taken`);
    assert.ok(process.memoryUsage().rss - before < 150 * 1_024 * 1_024);
  });
  void test('an event of endlessly many lines too', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, repeat(1_600_000, `data: ${'x'.repeat(58)}\n`), end] });
    const { failure } = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never));
    assert.deepEqual([failure?.code, failure?.detail], protocol('event_too_long'));
  });
  void test('an endless body of an error is left after 64 KiB', async (t) => {
    const server = await serverFor(t, { fallback: [head({ status: 500 }), repeat(1_600_000, 'x'.repeat(64)), end] });
    const { failure } = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never));
    assert.equal(failure?.code, 'provider_busy');
    const { bytesSent } = await server.hungUp(1);
    assert.ok(bytesSent < 16 * 1_024 * 1_024);
  });
  void test('a caller that does not read stops the server, not our memory', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, repeat(1_000_000, 'data: {"choices":[{"delta":{"content":"aaaaaaaa"}}]}\n\n'), end],
    });
    const stream = providerFor(t, 'chat', server.baseUrl).stream(hello, never)[Symbol.asyncIterator]();
    await stream.next();
    const sent = async (): Promise<number> => {
      for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
      return server.requests[0]?.bytesSent ?? 0;
    };
    let last = -1;
    while ((await sent()) !== last) last = await sent();
    assert.ok(last < 16 * 1_024 * 1_024, `${last} bytes were taken unread`);
    await stream.return?.();
    await server.hungUp(1);
  });
});

void suite('T11 · what is sent, and what is told', () => {
  void test('the key, no other header than needed, and nothing of the environment', async (t) => {
    const env = {
      OPENAI_API_KEY: 'env-key',
      OPENAI_ORG_ID: 'env-org',
      OPENAI_PROJECT_ID: 'env-project',
      OPENAI_CUSTOM_HEADERS: 'x-env: 1',
      OPENAI_LOG: 'debug',
      OPENAI_BASE_URL: 'http://env.invalid',
    };
    const before = { ...process.env };
    Object.assign(process.env, env);
    t.after(() => {
      for (const name of Object.keys(env)) delete process.env[name];
      Object.assign(process.env, before);
    });
    const printed: unknown[] = [];
    for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const)
      t.mock.method(console, method, (...args: unknown[]) => printed.push(args));
    const server = await serverFor(t);
    for (const apiKey of ['secret-key', undefined]) {
      assert.equal(endOf(await follow(providerFor(t, 'chat', server.baseUrl, { apiKey }).stream(hello, never))), 'proved');
    }
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['authorization']),
      ['Bearer secret-key', 'Bearer none'],
    );
    assert.doesNotMatch(JSON.stringify(server.requests), /env-|x-env|openai-organization/);
    assert.deepEqual(printed, []);
  });

  void test('the provider repeating the key does not spread it', async (t) => {
    const server = await serverFor(t, {
      fallback: httpError(401, { error: { message: 'Bad key secret-key-123', code: 'invalid_api_key' } }),
    });
    const { failure } = await follow(providerFor(t, 'chat', server.baseUrl, { apiKey: 'secret-key-123' }).stream(hello, never));
    assert.deepEqual(failure, {
      code: 'provider_rejected',
      message: 'The model provider rejected the request (401 invalid_api_key).',
      detail: '401 invalid_api_key',
      providerMessage: 'Bad key [key]',
    });
  });

  void test("the provider's id of the request is noted, of refused ones too", async (t) => {
    const server = await serverFor(t);
    const ids: string[] = [];
    const notes = { onRequestId: (id: string) => ids.push(id) };
    server.enqueue(
      [head({ headers: { 'x-request-id': 'req_1' } }), ...chatAnswer('a').slice(1)],
      httpError(500, undefined, { 'x-request-id': 'req_2' }),
    );
    const provider = providerFor(t, 'chat', server.baseUrl);
    await follow(provider.stream(hello, never, notes));
    await follow(provider.stream(hello, never, notes));
    assert.deepEqual(ids, ['req_1', 'req_2']);
  });

  void test('an overload after the step has started is busy for good', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('a'), chat.error('overloaded', { type: 'overloaded_error' }), end],
    });
    const { failure, text: shown } = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never));
    assert.deepEqual([shown, failure?.code, failure?.busy], ['a', 'provider_busy', { final: true }]);
  });

  void test('older llama.cpp tells errors in a field of their own', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, text('error: {"code":500,"message":"m"}\n\n'), end] });
    assert.equal(endOf(await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never))), 'provider_busy');
  });
});

void suite('the list of models', () => {
  void test('is their ids', async (t) => {
    assert.deepEqual(await providerFor(t, 'chat', (await serverFor(t)).baseUrl).listModels(never), ['scripted']);
  });
  const rows: readonly (readonly [Script, string])[] = [
    [httpError(401), 'provider_rejected'],
    [httpError(503), 'provider_busy'],
    [[reset], 'transport_failed'],
    [htmlPage(), 'provider_protocol'],
    [answer(200, { models: [] }), 'provider_protocol'],
    [answer(200, '[1'), 'provider_protocol'],
  ];
  rows.forEach(([models, code], row) => {
    void test(`fails as an answer does, row ${row}: ${code}`, async (t) => {
      const provider = providerFor(t, 'responses', (await serverFor(t, { models })).baseUrl);
      await assert.rejects(provider.listModels(never), (error: { failure?: { code: string } }) => error.failure?.code === code);
    });
  });
  void test('a list that does not come is a model_timeout', async (t) => {
    const server = await serverFor(t, { models: [head({ headers: { 'content-type': 'application/json' } }), text('{"data":['), stall] });
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, firstEventTimeoutMs: 50 } });
    await assert.rejects(provider.listModels(never), (error: { failure?: { code: string } }) => error.failure?.code === 'model_timeout');
  });
});

void test('real events: both APIs stream whole answers', async (t) => {
  const server = await serverFor(t);
  server.enqueue(chatAnswer('Hel', 'lo'), responsesAnswer('Hel', 'lo'), [sseHead, event({ object: 'odd' }), ...chatAnswer('a').slice(1)]);
  for (const [api, said] of [
    ['chat', 'Hello'],
    ['responses', 'Hello'],
    ['chat', 'a'],
  ] as const) {
    const seen = await follow(providerFor(t, api, server.baseUrl).stream(hello, never));
    assert.deepEqual([endOf(seen), seen.text, seen.events.at(-1)?.type], ['proved', said, 'usage']);
  }
});
