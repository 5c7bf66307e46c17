/** What clients may do to the server's patience, on real sockets with short limits. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { readJson } from '../../src/gateway/http/body.ts';
import { ApiError } from '../../src/gateway/http/errors.ts';
import { createHttpServer, type HttpLimits, listen as listenOn } from '../../src/http/server.ts';
import { inTime } from '../support/in-time.ts';
import { within } from '../support/within.ts';

/** Short where a connection has done its part. */
const limits: HttpLimits = {
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 150,
  unreadTimeoutMs: 100,
  maxHeaderBytes: 2_048,
  discardBytes: 100_000_000,
  discardMs: 150,
  checkEveryMs: 10,
};
/** For clients that do not send what is waited for. */
const impatient = { headersTimeoutMs: 150, requestTimeoutMs: 150 };
/** Longer than any wait in here, each of which says what it waited for. */
const options = { timeout: 60_000 };

interface Listening extends AsyncDisposable {
  readonly server: Server;
  open(): Promise<Client>;
}

class Client {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed: Promise<void>;
  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#chunks.push(chunk));
    socket.on('error', () => undefined);
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => resolve());
    });
  }
  /** All that was read, once the other side has closed. */
  get heard(): Promise<string> {
    const read = (): string => Buffer.concat(this.#chunks).toString();
    return within('the connection to be closed', this.#closed, read)
      .then(read)
      .finally(() => this.socket.destroy());
  }
  send(text: string): void {
    this.socket.write(text);
  }
  /** Sends `text` again and again until the other side has had enough. */
  async dribble(text: string): Promise<string> {
    const { heard } = this;
    // Where the wait for the other side is over, the socket is destroyed, and the loop ends.
    heard.catch(() => undefined);
    while (!this.socket.destroyed) {
      this.send(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return heard;
  }
}

async function listen(listener: RequestListener, own: Partial<HttpLimits> = {}): Promise<Listening> {
  const server = createHttpServer(listener, { ...limits, ...own });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    async open() {
      const socket = connect(port, '127.0.0.1');
      await within('a connection', once(socket, 'connect'));
      return new Client(socket);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await within('the server to close', once(server, 'close'));
    },
  };
}

const never: RequestListener = () => assert.fail('no request is whole');

/** What matters of one whole response. */
function responseIn(heard: string): { status: number; isClosing: boolean; code: unknown } {
  const [head = '', body = ''] = heard.split('\r\n\r\n');
  const { error } = JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '') as { error: { code: unknown; type: unknown; param: unknown } };
  assert.deepEqual([error.type, error.param], ['invalid_request_error', null]);
  assert.match(head, /^HTTP\/1\.1 \d{3} /);
  return { status: Number(head.slice(9, 12)), isClosing: /^connection: close\r?$/im.test(head), code: error.code };
}

/** Reads the body as the gateway does, and responds with what it read or with its error. */
function reading(bodyTimeoutMs: number, bytes = 1_000): RequestListener {
  return (incoming, outgoing) => {
    readJson(incoming, { limits: { bytes, timeoutMs: bodyTimeoutMs } }).then(
      (json) => outgoing.end(JSON.stringify(json)),
      async (error: unknown) => {
        assert.ok(error instanceof ApiError);
        const response = error.toResponse();
        outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
      },
    );
  };
}

test('a connection that says nothing is ended', options, async () => {
  await using listening = await listen(never, impatient);
  const client = await listening.open();
  assert.deepEqual(responseIn(await client.heard), { status: 408, isClosing: true, code: 'request_timeout' });
});

test('headers that are dribbled are ended, however steadily they come', options, async () => {
  await using listening = await listen(never, { ...impatient, maxHeaderBytes: 1_000_000_000 });
  const client = await listening.open();
  client.send('GET / HTTP/1.1\r\nhost: x\r\nx: ');
  assert.deepEqual(responseIn(await client.dribble('a')), { status: 408, isClosing: true, code: 'request_timeout' });
});

test('a half-open connection, which sent its FIN in the middle of a request, is ended', options, async () => {
  await using listening = await listen(never, impatient);
  const client = await listening.open();
  client.socket.end('POST / HTTP/1.1\r\nhost: x\r\nconte');
  assert.match(await client.heard, /^(HTTP\/1\.1 400 .*"invalid_http"|$)/s);
});

test('a body that is dribbled gets a 408 as JSON, however steadily it comes', options, async () => {
  await using listening = await listen(reading(100, 1_000_000_000));
  const client = await listening.open();
  client.send('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  assert.deepEqual(responseIn(await client.dribble('1\r\n \r\n')), { status: 408, isClosing: true, code: 'request_timeout' });
});

test('a body that nobody reads is bounded all the same', options, async () => {
  await using listening = await listen(() => undefined, impatient);
  const client = await listening.open();
  client.send('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12');
  assert.deepEqual(responseIn(await client.heard), { status: 408, isClosing: true, code: 'request_timeout' });
});

test('a body over its limit gets a 413 as JSON, announced or not', options, async () => {
  await using listening = await listen(reading(60_000));
  const announced = await listening.open();
  announced.send('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n');
  assert.deepEqual(responseIn(await announced.heard), { status: 413, isClosing: false, code: 'request_too_large' });
  const chunked = await listening.open();
  chunked.send(`POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1_001)}\r\n`);
  assert.deepEqual(responseIn(await chunked.heard), { status: 413, isClosing: false, code: 'request_too_large' });
});

for (const closing of [false, true]) {
  const after = closing ? 'and its connection is closed, as it wishes' : 'and its next request an answer';
  test(`a client that sends all of a body over its limit before it reads gets the 413, ${after}`, options, async () => {
    await using listening = await listen(reading(60_000), { discardMs: 60_000, keepAliveTimeoutMs: 60_000 });
    const client = await listening.open();
    client.socket.pause();
    // More than the buffers of a socket hold.
    const body = Buffer.alloc(33_000_000, 'x');
    const isSent = Promise.withResolvers<void>();
    const connection = closing ? 'close' : 'keep-alive';
    client.send(`POST / HTTP/1.1\r\nhost: x\r\nconnection: ${connection}\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.socket.write(body, (error) => (error ? isSent.reject(error) : isSent.resolve()));
    await within('the body to be taken', isSent.promise);
    if (!closing) client.send('POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]');
    client.socket.resume();
    const heard = await client.heard;
    assert.match(
      heard,
      closing ? /^HTTP\/1\.1 413 .*"request_too_large"/s : /^HTTP\/1\.1 413 .*"request_too_large".*HTTP\/1\.1 200 .*\[\]/s,
    );
  });
}

test('what is thrown away of a body over its limit is bounded, in bytes and in time', options, async () => {
  for (const own of [{ discardBytes: 1_000_000, discardMs: 60_000 }, { discardMs: 150 }]) {
    await using listening = await listen(reading(60_000), { keepAliveTimeoutMs: 60_000, ...own });
    const client = await listening.open();
    client.send('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    await client.dribble(`400\r\n${'x'.repeat(1_024)}\r\n`);
  }
});

test('a body that is cut off is an error of the client, not one of ours', options, async () => {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  await using listening = await listen((incoming) => {
    readJson(incoming).catch(resolve);
  });
  const client = await listening.open();
  client.send('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12');
  await within('a request', once(listening.server, 'request'));
  client.socket.resetAndDestroy();
  const error = await within('the body to fail', promise);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.fields.status, error.fields.code], [400, 'request_aborted']);
});

test('headers over their limit get a 431, what is not HTTP a 400, as JSON', options, async () => {
  await using listening = await listen(never);
  const fat = await listening.open();
  fat.send(`GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(3_000)}\r\n\r\n`);
  assert.deepEqual(responseIn(await fat.heard), { status: 431, isClosing: true, code: 'headers_too_large' });
  const odd = await listening.open();
  odd.send('\u0016\u0003\u0001 is how TLS begins\r\n\r\n');
  assert.deepEqual(responseIn(await odd.heard), { status: 400, isClosing: true, code: 'invalid_http' });
});

test('a response may last longer than every limit, and no error is mixed into it', options, async () => {
  await inTime(impatient.requestTimeoutMs, async (limitMs) => {
    let isAsked = false;
    await using listening = await listen(
      (_, outgoing) => {
        isAsked = true;
        outgoing.writeHead(200, { 'content-type': 'text/plain' });
        outgoing.write('first');
        // Past each of the limits, by the server's own clock.
        setTimeout(() => outgoing.end(' last'), 4 * limitMs);
      },
      { headersTimeoutMs: limitMs, requestTimeoutMs: limitMs },
    );
    const client = await listening.open();
    client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    const heard = await client.heard;
    if (isAsked) assert.match(heard, /^HTTP\/1\.1 200 OK[^]*first[^]* last[^]*$/);
    return isAsked;
  });
});

test('nonsense sent during a response cuts it: no error is written into the middle of a stream', options, async () => {
  await using listening = await listen((_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/plain' });
    outgoing.write('first');
  });
  const client = await listening.open();
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await within('the first words', once(client.socket, 'data'));
  client.send('nonsense\r\n\r\n');
  const heard = await client.heard;
  assert.match(heard, /first/);
  assert.doesNotMatch(heard, /invalid_http/);
});

test('a connection that is kept alive and not used is closed', options, async () => {
  await using listening = await listen((_, outgoing) => outgoing.end('x'));
  const client = await listening.open();
  client.send('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  assert.match(await client.heard, /^HTTP\/1\.1 200 OK[^]*x$/);
});

test('a response that was written to its end and that nobody takes is cut, and its memory let go', options, async () => {
  const responses: ServerResponse[] = [];
  // More than the buffers of two sockets hold.
  const body = Buffer.alloc(64 * 1024 * 1024);
  await using server = await listen((_, outgoing) => {
    responses.push(outgoing);
    outgoing.end(body);
  });
  const client = await server.open();
  client.socket.pause();
  client.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await within('a request', once(server.server, 'request'));
  const [kept] = responses;
  assert.ok(kept);
  await within('the response to be cut', once(kept, 'close'));
  assert.equal(kept.writableFinished, false);
});

test('one connection that cannot be accepted, and a second, end neither the server nor the process', options, async () => {
  const server = createHttpServer((_, outgoing) => outgoing.end('fine'), limits);
  const errors: string[] = [];
  const { port } = await listenOn(server, { host: '127.0.0.1', port: 0, onError: ({ message }) => errors.push(message) });
  server.emit('error', new Error('ENOBUFS'));
  server.emit('error', new Error('ENOMEM'));
  assert.equal(
    await within(
      'a response',
      fetch(`http://127.0.0.1:${port}`).then((response) => response.text()),
    ),
    'fine',
  );
  assert.deepEqual(errors, ['ENOBUFS', 'ENOMEM']);
  await assert.rejects(
    listenOn(
      createHttpServer(() => undefined),
      { host: '127.0.0.1', port, onError: () => undefined },
    ),
    {
      code: 'EADDRINUSE',
    },
  );
  server.closeAllConnections();
  server.close();
  await within('the server to close', once(server, 'close'));
});

test('handshakes that were not accepted, and other requests that offer a WebSocket, are cut with the connections', options, async () => {
  const incoming: string[] = [];
  await using server = await listen(({ url }, outgoing) => {
    incoming.push(url ?? '');
    outgoing.write('begun');
  });
  const paths = ['/v1/responses?a=1', '/v1/responses/resp_1?stream=true'];
  const clients = await Promise.all(paths.map(() => server.open()));
  for (const [index, client] of clients.entries()) {
    client.send(`GET ${paths[index]} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`);
    await within('the response to begin', once(client.socket, 'data'));
  }
  assert.deepEqual(incoming, paths);
  server.server.closeAllConnections();
  for (const client of clients) assert.match(await client.heard, /begun/);
});
