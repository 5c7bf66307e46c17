/** Servers behind a URL: the one of the protocol's makers, and a scripted one that breaks off, says too much and redirects. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import type { McpServer } from '../../src/tools/mcp-server.ts';
import { McpConnection } from '../../src/tools/mcp/connection.ts';
import { maxMessageBytes } from '../../src/tools/mcp/message-lines.ts';
import { everythingProgram, type HeldBox, toolBox } from '../support/mcp.ts';
import { failure, output, toolContext } from '../support/tool-calls.ts';
import { within } from '../support/within.ts';

const token = 'sk-of-the-header-0123456789';

function remote(url: string): McpServer {
  return { name: 'remote', needsApproval: 'never', url, headers: { Authorization: `Bearer ${token}` } };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  return port;
}

async function startEverything(t: TestContext, port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [everythingProgram, 'streamableHttp'], {
    env: { PATH: process.env['PATH'], PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.includes('listening on port')) ready.resolve();
  });
  await within('the server to listen', ready.promise);
  return child;
}

test('a server behind a URL: lists, calls, progress, errors; killed in the middle of a call, and back in another session', async (t) => {
  const port = await freePort();
  const first = await startEverything(t, port);
  await using box = toolBox([remote(`http://127.0.0.1:${port}/mcp`)]);
  assert.deepEqual(await box.call('remote', 'echo', { message: 'hello' }), output('Echo: hello'));
  const done = await box.call('remote', 'trigger-long-running-operation', { duration: 0.02, steps: 2 });
  assert.deepEqual(done, output('Long running operation completed. Duration: 0.02 seconds, Steps: 2.'));

  const context = toolContext();
  const running = box.call('remote', 'trigger-long-running-operation', { duration: 600, steps: 10_000 }, context);
  await context.progressed;
  assert.equal(context.told[0], '1 of 10000');
  first.kill('SIGKILL');
  // Its stream could have been taken up: that is tried, and given up.
  assert.deepEqual(await running, failure('the connection ended before the answer came'));
  const echo = await box.tool('remote', 'echo');
  await assert.rejects(echo.run({ message: 'x' }, toolContext()), {
    message: 'the server "remote": it could not be reached (ECONNREFUSED)',
  });

  await startEverything(t, port);
  assert.deepEqual(await echo.run({ message: 'again' }, toolContext()), output('Echo: again'));
});

/** Speaks just enough of the protocol; what a call is answered with is the test's. */
interface Scripted {
  readonly box: HeldBox;
  readonly url: string;
  /** `initialize`, `tools/call fast`, `DELETE`, … */
  readonly seen: readonly string[];
  readonly headers: readonly IncomingMessage['headers'][];
}

interface Rpc {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly name?: string; readonly requestId?: number; readonly _meta?: { readonly progressToken?: number } };
}

type Answer = (call: Rpc, response: ServerResponse, request: IncomingMessage) => void;

async function scripted(t: TestContext, answer: Answer, path = '/mcp', get?: Answer, lostLists = 0): Promise<Scripted> {
  const seen: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  let sessions = 0;
  const server = createServer((request, response) => {
    headers.push(request.headers);
    void handle(request, response);
  });
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
    if (request.method !== 'POST') {
      seen.push(request.method ?? '');
      if (request.method === 'GET' && get !== undefined) get({ method: 'GET' }, response, request);
      else response.writeHead(405).end();
      return;
    }
    const rpc = JSON.parse(text) as Rpc;
    seen.push(rpc.params?.name === undefined ? rpc.method : `${rpc.method} ${rpc.params.name}`);
    if (rpc.method === 'initialize') {
      sessions += 1;
      response.setHeader('mcp-session-id', `session-${sessions}`);
      const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'scripted', version: '1' } };
      json(response, { id: rpc.id, result });
    } else if (rpc.method === 'tools/list' && sessions <= lostLists) response.writeHead(404).end();
    else if (rpc.method === 'tools/list')
      json(response, { id: rpc.id, result: { tools: [{ name: 'do', inputSchema: { type: 'object' } }] } });
    else answer(rpc, response, request);
  }
  const port = await listening(server);
  const url = `http://127.0.0.1:${port}${path}`;
  const box = toolBox([remote(url)]);
  t.after(async () => {
    await box[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
  });
  return { box, url, seen, headers };
}

function json(response: ServerResponse, message: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', ...message }));
}
function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}
function event(message: object, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
}
const done = { content: [{ type: 'text', text: 'done' }] };

/** Calls are answered by the script, the rest is accepted. */
function onCall(answer: Answer): Answer {
  return (rpc, response, request) => {
    if (rpc.method === 'tools/call') answer(rpc, response, request);
    else response.writeHead(202).end();
  };
}

for (const [what, end] of [
  ['ends', (response: ServerResponse) => response.end()],
  ['breaks off', (response: ServerResponse) => response.destroy()],
  [
    'breaks off in the middle of an event',
    (response: ServerResponse) => response.write('data: {"jsonrpc":"2.0","i', () => response.destroy()),
  ],
] as const) {
  test(`a stream that ${what} before the answer, and cannot be taken up, ends its call at once`, async (t) => {
    const { box } = await scripted(
      t,
      onCall(({ params }, response) => {
        stream(response);
        const progress = { method: 'notifications/progress', params: { progressToken: params?._meta?.progressToken, progress: 1 } };
        response.write(event(progress), () => end(response));
      }),
    );
    assert.deepEqual(await box.call('remote', 'do'), failure('the connection ended before the answer came'));
  });
}

test('a stream that breaks off and can be taken up is: the call has its answer, and is sent once', async (t) => {
  const { box, seen } = await scripted(
    t,
    onCall((_, response) => {
      stream(response);
      response.write('id: 1\ndata: \n\n', () => response.destroy());
    }),
    '/mcp',
    (_, response, request) => {
      if (request.headers['last-event-id'] !== '1') {
        response.writeHead(405).end();
        return;
      }
      stream(response);
      response.end(event({ id: callId, result: done }));
    },
  );
  // The handshake was 0, the list 1.
  const callId = 2;
  assert.deepEqual(await box.call('remote', 'do'), output('done'));
  assert.equal(seen.filter((one) => one === 'tools/call do').length, 1);
});

test('an answer that is already there when the stream ends is the answer', async (t) => {
  const { box } = await scripted(
    t,
    onCall(({ id }, response) => {
      stream(response);
      response.end(event({ id, result: done }));
    }),
  );
  assert.deepEqual(await box.call('remote', 'do'), output('done'));
});

const big = { content: [{ type: 'text', text: 'x'.repeat(10_000_000) }] };
for (const [what, answer] of [
  ['JSON', ({ id }: Rpc, response: ServerResponse) => json(response, { id, result: big })],
  [
    'a stream',
    ({ id }: Rpc, response: ServerResponse) => {
      stream(response);
      response.end(event({ id, result: big }));
    },
  ],
  [
    'a stream that could be taken up',
    ({ id }: Rpc, response: ServerResponse) => {
      stream(response);
      response.end(`id: 1\ndata: \n\n${event({ id, result: big }, '2')}`);
    },
  ],
] as const) {
  test(`T14 · an answer of 10 MB as ${what} is refused for its call alone`, async (t) => {
    let calls = 0;
    const { box, seen } = await scripted(
      t,
      onCall((rpc, response) => {
        calls += 1;
        if (calls === 1) answer(rpc, response);
        else json(response, { id: rpc.id, result: done });
      }),
    );
    const refused = await box.call('remote', 'do');
    assert.ok(
      refused.type === 'error' && refused.message.endsWith(`the answer is longer than ${maxMessageBytes} bytes`),
      JSON.stringify(refused),
    );
    assert.deepEqual(await box.call('remote', 'do'), output('done'));
    assert.equal(seen.filter((one) => one === 'initialize').length, 1);
  });
}

test('T5 · a cancel is told to the server, and the request of the call is ended', async (t) => {
  const closed = Promise.withResolvers<void>();
  const told = Promise.withResolvers<Rpc>();
  const { box } = await scripted(t, (rpc, response) => {
    if (rpc.method === 'notifications/cancelled') told.resolve(rpc);
    if (rpc.method !== 'tools/call') {
      response.writeHead(202).end();
      return;
    }
    stream(response);
    response.once('close', closed.resolve);
    const progress = { method: 'notifications/progress', params: { progressToken: rpc.params?._meta?.progressToken, progress: 1 } };
    response.write(event(progress, '1'));
  });
  const context = toolContext();
  const running = box.call('remote', 'do', {}, context);
  await context.progressed;
  context.controller.abort(new Error('stop'));
  await assert.rejects(running, /^Error: stop$/);
  assert.equal((await within('the cancel', told.promise)).params?.requestId, 2);
  await within('the end of the request', closed.promise);
});

for (const [status, body] of [
  [404, 'Not found'],
  [400, 'Bad Request: No valid session ID provided'],
] as const) {
  test(`a server that no longer knows the session (${status}) has not run the call: it is sent once more in a new one`, async (t) => {
    const { box, seen, headers } = await scripted(
      t,
      onCall(({ id }, response, request) => {
        if (request.headers['mcp-session-id'] === 'session-1') response.writeHead(status).end(body);
        else json(response, { id, result: done });
      }),
    );
    assert.deepEqual(await box.call('remote', 'do'), output('done'));
    assert.equal(seen.filter((one) => one === 'initialize').length, 2);
    assert.equal(seen.filter((one) => one === 'tools/call do').length, 2);
    assert.ok(headers.every(({ authorization }) => authorization === `Bearer ${token}`));
  });
}

test('a session that is lost before the list is asked for in another one, once', async (t) => {
  const answered = onCall(({ id }, response) => json(response, { id, result: done }));
  const first = await scripted(t, answered, '/mcp', undefined, 1);
  assert.deepEqual(await first.box.call('remote', 'do'), output('done'));
  const always = await scripted(t, answered, '/mcp', undefined, 9);
  assert.equal((await always.box.list('remote')).error, 'the server "remote": it answered with HTTP status 404');
});

test('T11 · what a server answers with a status is not repeated, nor are headers and address', async (t) => {
  const { box } = await scripted(
    t,
    onCall((_, response, request) => response.writeHead(500).end(`you sent ${request.headers.authorization}`)),
    '/mcp?key=sk-in-the-address',
  );
  assert.deepEqual(await box.call('remote', 'do'), failure('the server "remote": it answered with HTTP status 500'));
  await using closed = toolBox([remote('http://user:sk-in-the-address@127.0.0.1:9/mcp')]);
  const { error = '' } = await closed.list('remote');
  assert.match(error, /^the server "remote" could not be reached: /);
  assert.doesNotMatch(error + closed.log.join('') + box.log.join(''), /sk-/);
});

test('T11 · a redirect to another origin is not followed: it would get the headers', async (t) => {
  const strangers: string[] = [];
  const stranger = createServer((request, response) => {
    strangers.push(request.url ?? '');
    response.end();
  });
  const port = await listening(stranger);
  t.after(() => stranger.close());
  const { box } = await scripted(
    t,
    onCall((_, response) => response.writeHead(307, { location: `http://127.0.0.1:${port}/mcp` }).end()),
  );
  const result = await box.call('remote', 'do');
  assert.equal(result.type, 'error');
  assert.deepEqual(strangers, []);
});

test('the end of a tool box ends the session at the server', async (t) => {
  const { box, seen } = await scripted(
    t,
    onCall(({ id }, response) => json(response, { id, result: done })),
  );
  await box.call('remote', 'do');
  await box[Symbol.asyncDispose]();
  assert.equal(seen.at(-1), 'DELETE');
});

test('a server that takes the handshake and never answers its end is given up in time, and holds up no close', async (t) => {
  let asked = Promise.withResolvers<void>();
  const { box, url } = await scripted(t, () => {
    asked.resolve();
  });
  const events = { onEnd: () => {}, onListChanged: () => {} };
  const opening = McpConnection.open(remote(url), '0', events, new AbortController().signal, 200);
  await assert.rejects(opening, { message: 'could not be reached: it did not answer in time' });

  asked = Promise.withResolvers();
  const listed = box.list('remote');
  await within('the handshake', asked.promise);
  await within('the close', Promise.resolve(box[Symbol.asyncDispose]()));
  assert.equal((await listed).error, 'the server "remote" is being closed');
});
