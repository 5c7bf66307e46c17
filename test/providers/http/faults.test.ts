/** Faults of the connection and of HTTP before the step has started: one row each, on real sockets, with both APIs. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  chatAnswer,
  comment,
  done,
  end,
  event,
  fin,
  head,
  htmlPage,
  httpError,
  httpResponse,
  raw,
  reset,
  responsesAnswer,
  type Script,
  selfSigned,
  sseHead,
  stall,
  startModelServer,
  text,
} from '../../../src/testing/model-server/index.ts';
import { apis, collect, helloRequest, limits, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';

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
  'JSON without events': [httpResponse(200, { choices: [] }), 'provider_protocol', 'json'],
  'JSON that claims to be a stream': [[sseHead, text('{"error":{}}'), stall], 'provider_protocol', 'no_event_stream'],
  'lines of no event stream': [[sseHead, text('hello\nworld\n'), end], 'provider_protocol', 'no_event_stream'],
  'events of no API': [[sseHead, event({ hello: 'world' }), done, end], 'provider_protocol', 'no_event_stream'],
  'events of no API, cut off': [[sseHead, event({ hello: 'world' }), reset], 'transport_failed', 'ECONNRESET'],
  'broken JSON': [[sseHead, text('data: {"x\n\n'), stall], 'provider_protocol', 'broken_json'],
  'a compressed body': [[head({ headers: { 'content-encoding': 'gzip' } }), text('x'), stall], 'provider_protocol', 'content_encoding'],
  'a redirect': [httpResponse(307, '', { location: '/elsewhere' }), 'provider_rejected', 'redirect 307'],
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
        const result = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted));
        assert.deepEqual([outcomeOf(result), result.failure?.detail, result.hasStarted], [code, detail, false]);
        assert.equal(server.requests.length, 1, 'T4: one stream is one request');
      });
    }
  });
}

void suite('T3 · a response of the other API is a protocol failure at once, and is not requested again', () => {
  for (const [api, script, detail] of [
    ['chat', responsesAnswer('Hello'), 'speaks_responses'],
    ['responses', chatAnswer('Hello'), 'speaks_chat'],
  ] as const) {
    void test(`${detail}, where ${api} was asked for`, async (t) => {
      const server = await serverFor(t, { fallback: script });
      const result = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted));
      assert.deepEqual([outcomeOf(result), result.failure?.detail, result.hasStarted], ['provider_protocol', detail, false]);
      assert.equal(server.requests.length, 1);
    });
  }
});

void suite('T3 · without a connection', () => {
  const failureAt = (url: string) => async (t: Parameters<typeof providerFor>[0]) =>
    (await collect(providerFor(t, 'chat', url).stream(helloRequest, neverAborted))).failure;
  void test('refused is transient', async (t) => {
    const server = await startModelServer();
    await server.close();
    const failure = await failureAt(server.baseUrl)(t);
    assert.deepEqual([failure?.code, failure?.detail], ['transport_failed', 'ECONNREFUSED']);
  });
  void test('a failed name look-up is transient', async (t) => {
    assert.equal((await failureAt('http://no-such-host.invalid/v1')(t))?.code, 'transport_failed');
  });
  void test('a connection that is reset or closed at once is transient', async (t) => {
    const server = await serverFor(t);
    server.onConnect('reset', 'fin');
    for (let i = 0; i < 2; i += 1) assert.equal((await failureAt(server.baseUrl)(t))?.code, 'transport_failed');
  });
  void test('a connect timeout is transient', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    server.onConnect('stall');
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, connectTimeoutMs: 50 } });
    const { failure } = await collect(provider.stream(helloRequest, neverAborted));
    assert.deepEqual([failure?.code, failure?.detail], ['transport_failed', 'UND_ERR_CONNECT_TIMEOUT']);
  });
  void test('an untrusted certificate is rejected', async (t) => {
    const failure = await failureAt((await serverFor(t, { tls: selfSigned })).baseUrl)(t);
    assert.deepEqual([failure?.code, failure?.detail], ['provider_rejected', 'DEPTH_ZERO_SELF_SIGNED_CERT']);
  });
  void test('TLS to a plain port is rejected', async (t) => {
    const server = await serverFor(t);
    assert.equal((await failureAt(server.baseUrl.replace('http:', 'https:'))(t))?.code, 'provider_rejected');
  });
  for (const url of ['ftp://127.0.0.1/v1', 'http://127.0.0.1:99999/v1', 'nonsense', 'http://user:pass@127.0.0.1:9/v1']) {
    void test(`the address ${url} is rejected, and is in no message`, async (t) => {
      const failure = await failureAt(url)(t);
      assert.equal(failure?.code, 'provider_rejected');
      assert.doesNotMatch(JSON.stringify(failure), /pass/);
    });
  }
});
