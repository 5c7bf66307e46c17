/** Scripts as bytes, and requests as they are logged. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { suite, test } from 'node:test';
import {
  comment,
  done,
  end,
  event,
  fin,
  head,
  hold,
  httpError,
  raw,
  reset,
  split,
  sseHead,
  text,
  wait,
} from '../../../src/testing/model-server/index.ts';
import { nextChunk, plain, post, receive, serverFor } from './support.ts';

suite('bytes on the wire', () => {
  test('a head and a body in each framing, and whether the connection stays', async (t) => {
    const server = await serverFor(t);
    server.enqueue(
      [plain(), text('ab'), text('c'), end],
      [plain({ framing: { length: 3 } }), text('abc'), end],
      [plain({ status: 429, framing: 'close' }), text('abc'), end],
      [plain({ framing: 'http10' }), text('abc'), end],
    );
    assert.deepEqual(await receive(server, post() + post() + post()), {
      text: [
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n',
        'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-type: text/plain\r\n\r\nabc',
        'HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\nabc',
      ].join(''),
      endedBy: 'fin',
    });
    assert.deepEqual(await receive(server, post()), { text: 'HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nabc', endedBy: 'fin' });
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

  test('events, comments, [DONE] and raw bytes are written as they are, and counted', async (t) => {
    const server = await serverFor(t);
    server.enqueue([head({ framing: 'close' }), event({ a: 1 }), event({ b: 2 }, 'named'), comment('still here'), done, raw('junk'), fin]);
    const { text: all } = await receive(server, post());
    const [, body] = all.split('\r\n\r\n');
    assert.equal(body, 'data: {"a":1}\n\nevent: named\ndata: {"b":2}\n\n: still here\n\ndata: [DONE]\n\njunk');
    assert.equal(server.requests[0]?.bytesSent, all.length);
  });

  test('the connection closes after `end` when a header or a wrong length forbids another response', async (t) => {
    const server = await serverFor(t);
    server.enqueue([plain({ headers: { Connection: 'close' } }), end], [plain({ framing: { length: 5 } }), text('abc'), end]);
    for (const body of ['0\r\n\r\n', 'abc']) {
      const { text: all, endedBy } = await receive(server, post());
      assert.ok(all.endsWith(`\r\n\r\n${body}`));
      assert.equal(endedBy, 'fin');
    }
  });

  test('an interim head comes before the real one, without framing', async (t) => {
    const server = await serverFor(t);
    server.enqueue([head({ status: 103, headers: {} }), plain({ framing: 'close' }), text('x'), end]);
    assert.match((await receive(server, post())).text, /^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });

  test('split: each piece is a write of its own, the framing cut as well', async (t) => {
    const server = await serverFor(t);
    server.enqueue([plain(), hold('head shown'), split(2), text('äö'), split(0), text('whole'), fin]);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    await nextChunk(socket);
    const pieces: string[] = [];
    socket.on('data', (chunk) => pieces.push(chunk.toString('latin1')));
    server.release('head shown');
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    await promise;
    assert.equal(pieces.join(''), '4\r\nÃ¤Ã¶\r\n5\r\nwhole\r\n');
    assert.ok(pieces.length >= 4, `${pieces.length} pieces`);
  });

  test('wait takes its time, and no more', async (t) => {
    const server = await serverFor(t);
    server.enqueue([wait(30), plain(), wait(30), end]);
    await receive(server, post('{}', 'connection: close\r\n'));
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
    await receive(server, post('not json') + chunked);
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
    const { text: all } = await receive(server, post(body, 'expect: 100-continue\r\nconnection: close\r\n'));
    assert.ok(all.startsWith('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n'));
    assert.equal(server.requests[0]?.bodyText.length, body.length);
  });

  test('take the scripts in order, then the fallback; GET /v1/models takes none', async (t) => {
    const server = await serverFor(t, { fallback: ({ index }) => httpError(500, `fallback for ${index}`) });
    server.enqueue(httpError(401), ({ body }) => httpError(402, body));
    const get = 'GET /v1/models?limit=1 HTTP/1.1\r\nhost: x\r\n\r\n';
    const { text: all } = await receive(server, get + post() + post('{"echo":1}') + post('{}', 'connection: close\r\n'));
    assert.deepEqual(all.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 402', 'HTTP/1.1 500']);
    assert.ok(all.includes('"id":"scripted"') && all.includes('{"echo":1}') && all.includes('fallback for 4'));
  });

  test('that are no HTTP, and replies that throw, are answered 500 with the reason', async (t) => {
    const server = await serverFor(t, { fallback: () => [end] });
    assert.match((await receive(server, 'SSH-2.0-x\r\n\r\n')).text, /^HTTP\/1\.1 500 [^]*not an HTTP\/1 request/);
    assert.match((await receive(server, post())).text, /^HTTP\/1\.1 500 [^]*needs a head/);
  });
});

test('a script that cannot be played is rejected by enqueue', async (t) => {
  const server = await serverFor(t);
  assert.throws(() => server.enqueue([]), /empty script/);
  assert.throws(() => server.enqueue([sseHead]), /step 0 \(head\): a script ends with/);
  assert.throws(() => server.enqueue([sseHead, end, reset]), /step 1 \(end\) ends the script/);
  assert.throws(() => server.enqueue([done, fin]), /step 0 \(done\) needs a head/);
  assert.throws(() => server.enqueue([head({ status: 100 }), end]), /step 1 \(end\) needs a head/);
});
