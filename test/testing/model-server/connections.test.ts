/** Gates, clients that close, connections and TLS. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { suite, test } from 'node:test';
import { Agent, fetch as undiciFetch } from 'undici';
import {
  chat,
  end,
  head,
  hold,
  httpError,
  raw,
  repeat,
  reset,
  selfSigned,
  sseHead,
  stall,
  text,
  wait,
} from '../../../src/testing/model-server/index.ts';
import { askClient, causesOf, clientOf, nextChunk, plain, post, receive, serverFor } from './support.ts';

suite('gates, and clients that close', () => {
  test('hold waits for release, also for an earlier one, and reached resolves when all before the hold is sent', async (t) => {
    const server = await serverFor(t);
    server.release('open already');
    server.enqueue([plain({ framing: 'close' }), hold('open already'), text('a'), hold('gate'), text('b'), end]);
    const all = receive(server, post());
    await server.reached('gate');
    const sent = server.requests[0]?.bytesSent ?? 0;
    server.release('gate');
    assert.equal((await all).text.length, sent + 1);
  });

  test('a client that closes is logged at once, with the time, and the script stops', async (t) => {
    const server = await serverFor(t);
    const endings = [[hold('never'), end], [wait(3_600_000), end], [stall]] as const;
    for (const [at, ending] of endings.entries()) {
      server.enqueue([sseHead, chat.content('a'), ...ending]);
      const socket = connect(server.port, '127.0.0.1');
      socket.write(post());
      await nextChunk(socket);
      socket.destroy();
      const request = await server.clientClosed(at + 1);
      assert.equal(request.endedBy, 'client');
      assert.ok((request.endedAtMs ?? 0) >= request.arrivedAtMs);
    }
  });

  test('clientClosed rejects if the script ended first, and all that is waited for when the server closes', async (t) => {
    const server = await serverFor(t);
    await receive(server, post('{}', 'connection: close\r\n'));
    await assert.rejects(server.clientClosed(1), /ended by its script/);
    const second = server.nextRequest(2);
    await server.close();
    await assert.rejects(second, /closed/);
  });

  test('repeat is as fast as the client reads, and stops when it closes', async (t) => {
    const server = await serverFor(t);
    const line = [sseHead, text('data: '), repeat(200_000_000, 'x'), stall];
    server.enqueue(line);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    await nextChunk(socket);
    socket.pause().destroy();
    const { bytesSent } = await server.clientClosed(1);
    assert.ok(bytesSent < 50_000_000, `${bytesSent} bytes sent`);
    server.enqueue([head({ framing: 'close' }), repeat(30_001, 'abc'), end]);
    const { text: all } = await receive(server, post());
    assert.equal(all.split('\r\n\r\n')[1], 'abc'.repeat(30_001));
  });
});

suite('connections', () => {
  test('are reset, ended or stalled before a byte is read, in the order of onConnect, and counted', async (t) => {
    const server = await serverFor(t);
    server.onConnect('reset', 'fin', 'accept');
    assert.deepEqual(await receive(server, post()), { text: '', endedBy: 'ECONNRESET' });
    assert.deepEqual(await receive(server, post()), { text: '', endedBy: 'fin' });
    assert.match((await receive(server, post('{}', 'connection: close\r\n'))).text, /Hello/);
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
    server.enqueue([reset], [raw('HTTP/1.1 200 O'), hold('read'), reset]);
    assert.deepEqual(await receive(server, post()), { text: '', endedBy: 'ECONNRESET' });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(post());
    assert.equal(await nextChunk(socket), 'HTTP/1.1 200 O');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    socket.once('error', resolve);
    server.release('read');
    assert.equal(causesOf(await promise)[0], 'ECONNRESET');
  });

  test('stop resets them and accepts no new ones, start takes the same port, the queue stays', async (t) => {
    const server = await serverFor(t);
    const { port } = server;
    server.enqueue([sseHead, stall], httpError(418));
    server.onConnect('accept', 'stall');
    const open = [receive(server, post()), receive(server, post())];
    await server.nextRequest(1);
    await server.stop();
    assert.equal((await open[0])?.endedBy, 'ECONNRESET');
    assert.equal((await open[1])?.endedBy, 'ECONNRESET');
    assert.equal(server.requests[0]?.endedBy, 'server');
    assert.equal((await receive(server, post())).endedBy, 'ECONNREFUSED');
    await server.start();
    assert.equal(server.port, port);
    assert.match((await receive(server, post('{}', 'connection: close\r\n'))).text, /^HTTP\/1\.1 418/);
  });
});

suite('TLS', () => {
  test('an untrusted certificate is refused, a trusted one is not, and a reset is a real reset there too', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    assert.match(server.baseUrl, /^https:\/\/127\.0\.0\.1:\d+\/v1$/);
    assert.deepEqual((await askClient(clientOf(t, server))).ended.at(-1), 'DEPTH_ZERO_SELF_SIGNED_CERT');
    // A client of its own each, so that none finds a connection to use again.
    const trusting = () => clientOf(t, server, { ca: selfSigned.cert });
    assert.deepEqual(await askClient(trusting()), { pieces: ['Hello', ' world'], ended: ['normally'] });
    server.enqueue([sseHead, chat.content('Hel'), hold('read'), reset]);
    assert.deepEqual(await askClient(trusting(), () => server.release('read')), {
      pieces: ['Hel'],
      ended: ['TypeError: terminated', 'ECONNRESET'],
    });
    server.onConnect('reset');
    assert.deepEqual((await askClient(trusting())).ended.at(-1), 'ECONNRESET');
  });

  test('a TLS client at a plain port', async (t) => {
    const server = await serverFor(t);
    const dispatcher = new Agent();
    t.after(() => dispatcher.destroy());
    const error = await undiciFetch(server.baseUrl.replace('http:', 'https:'), { dispatcher }).catch((caught: unknown) => caught);
    assert.match(causesOf(error).at(-1) ?? '', /^ERR_SSL_/);
  });
});
