/** Who may open a WebSocket, and what becomes of other upgrades. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import type { EndedRequest } from '../../../../src/http/ended-request.ts';
import { appFor, serve } from '../../served-app.ts';

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: { readonly error: { readonly code: string; readonly param: string | null } } | undefined;
}

/** @returns what the server answers to a handshake; status 101: it was accepted, and the socket is closed again */
async function handshake(url: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const socket = new WebSocket(url.replace('http', 'ws') + path, { headers });
  const answered = Promise.withResolvers<Answer>();
  socket.on('upgrade', (response) => answered.resolve({ status: 101, headers: response.headers, body: undefined }));
  socket.on('unexpected-response', (_, response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () =>
      answered.resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: JSON.parse(Buffer.concat(chunks).toString()) as Answer['body'],
      }),
    );
  });
  socket.on('error', (error) => answered.reject(error));
  const answer = await answered.promise;
  if (answer.status === 101) {
    if (socket.readyState === socket.CONNECTING) await once(socket, 'open');
    socket.close();
    await once(socket, 'close');
  }
  return answer;
}

const keyed = { apiKeys: [{ name: 'me', hash: createHash('sha256').update('secret').digest('hex') }] };
const authorization = 'Bearer secret';

test('a handshake without a key is a 401 before the connection is a WebSocket, with OpenAI’s error; with a key it is one', async (t) => {
  const url = await serve(t, appFor(t, keyed));
  for (const path of ['/v1/responses', '/responses']) {
    const refused = await handshake(url, path);
    assert.deepEqual([refused.status, refused.body?.error.code], [401, 'invalid_api_key']);
    assert.equal(refused.headers['connection'], 'close');
    assert.match(String(refused.headers['x-request-id']), /^req_/);
    const accepted = await handshake(url, `${path}?beta=true`, { authorization, 'x-request-id': 'mine' });
    assert.deepEqual([accepted.status, accepted.headers['x-request-id']], [101, 'mine']);
    assert.equal(accepted.headers['sec-websocket-extensions'], undefined, 'nothing is compressed');
  }
  const elsewhere = await handshake(url, '/v1/nothing', { authorization });
  assert.deepEqual([elsewhere.status, elsewhere.body?.error.code], [404, 'unknown_url']);
});

test('while nobody needs a key, a page of another origin opens no WebSocket; one of a named origin does', async (t) => {
  const url = await serve(t, appFor(t, { corsOrigins: ['https://app.example'] }));
  const foreign = await handshake(url, '/v1/responses', { origin: 'https://evil.example' });
  assert.deepEqual([foreign.status, foreign.body?.error.code], [403, 'origin_not_allowed']);
  assert.equal((await handshake(url, '/v1/responses', { origin: 'https://app.example' })).status, 101);
  assert.equal((await handshake(url, '/v1/responses', { origin: url })).status, 101, 'its own page');
  const rebound = await handshake(url, '/v1/responses', { host: 'evil.example' });
  assert.deepEqual([rebound.status, rebound.body?.error.code], [403, 'host_not_allowed']);
});

test('handshakes count against the tenant’s rate, and none is accepted while the gateway drains', async (t) => {
  const limited = await serve(t, appFor(t, { ...keyed, requestsPerSecond: 1 }));
  const statuses: number[] = [];
  for (let count = 0; count < 8; count += 1) statuses.push((await handshake(limited, '/v1/responses', { authorization })).status);
  assert.ok(statuses.includes(429), String(statuses));
  const draining = await serve(t, appFor(t, { isDraining: () => true }));
  const refused = await handshake(draining, '/v1/responses');
  assert.deepEqual([refused.status, refused.body?.error.code, refused.headers['retry-after']], [503, 'draining', '1']);
});

test('what is about one response is no header of a handshake; what a busy conversation does is', async (t) => {
  const url = await serve(t, appFor(t));
  const key = await handshake(url, '/v1/responses', { 'idempotency-key': 'k' });
  assert.deepEqual([key.status, key.body?.error.param], [400, 'idempotency-key']);
  const id = await handshake(url, '/v1/responses', { 'x-turnkeep-response-id': 'resp_x' });
  assert.deepEqual([id.status, id.body?.error.param], [400, 'x-turnkeep-response-id']);
  const busy = await handshake(url, '/v1/responses', { 'x-turnkeep-when-busy': 'never' });
  assert.deepEqual([busy.status, busy.body?.error.param], [400, 'x-turnkeep-when-busy']);
  assert.equal((await handshake(url, '/v1/responses', { 'x-turnkeep-when-busy': 'reject' })).status, 101);
});

test('GET without a handshake says what it is for; other methods are told both', async (t) => {
  const url = await serve(t, appFor(t));
  const plain = await fetch(`${url}/v1/responses`);
  assert.equal(plain.status, 426);
  assert.equal(plain.headers.get('upgrade'), 'websocket');
  assert.equal(((await plain.json()) as { error: { code: string } }).error.code, 'websocket_expected');
  const put = await fetch(`${url}/v1/responses`, { method: 'PUT' });
  assert.deepEqual([put.status, put.headers.get('allow')], [405, 'POST, GET, HEAD']);
});

test('an offer of HTTP/2, as Java’s client makes it with each request, changes nothing, also for a POST', async (t) => {
  const url = await serve(t, appFor(t));
  const post = request(`${url}/v1/responses`, {
    method: 'POST',
    headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk', 'content-type': 'application/json' },
  });
  post.end('{"input":"hi","temperature":3}');
  const [response] = (await once(post, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  assert.equal(response.statusCode, 400);
  assert.match(Buffer.concat(chunks).toString(), /"param":"temperature"/);
});

test('a handshake that is none by RFC 6455 is a 400; one cut off in the midst harms nobody', async (t) => {
  const url = await serve(t, appFor(t));
  const { port } = new URL(url);
  const lines = (version: string): string =>
    `GET /v1/responses HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: ${version}\r\nsec-websocket-key: no\r\n\r\n`;
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(lines('13'));
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  await once(socket, 'close');
  assert.match(answer, /^HTTP\/1.1 400 [^]*invalid_http/);
  const gone = connect(Number(port), '127.0.0.1');
  gone.write(lines('13'));
  gone.resetAndDestroy();
  assert.equal((await handshake(url, '/v1/responses')).status, 101);
});

async function recorded(t: TestContext): Promise<{ url: string; ended: EndedRequest[]; until: (count: number) => Promise<void> }> {
  const ended: EndedRequest[] = [];
  const look = Promise.withResolvers<void>();
  let wanted = Number.POSITIVE_INFINITY;
  const onRequestEnd = (each: EndedRequest): void => {
    ended.push(each);
    if (ended.length >= wanted) look.resolve();
  };
  const url = await serve(t, appFor(t, { ...keyed, onRequestEnd }));
  const until = async (count: number): Promise<void> => {
    wanted = count;
    if (ended.length < count) await look.promise;
  };
  return { url, ended, until };
}

test('the log has one line for a connection and one for each response of it, also of those that were refused', async (t) => {
  const { url, ended, until } = await recorded(t);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/responses`, { headers: { authorization, 'x-request-id': 'mine' } });
  await once(socket, 'open');
  socket.send('{"type":"response.create","input":"hi","previous_response_id":"resp_none"}');
  await once(socket, 'message');
  socket.close();
  await until(2);
  const seen = ended.map(({ durationMs: _durationMs, ...rest }) => rest);
  assert.deepEqual(seen, [
    {
      requestId: 'mine.1',
      method: 'WEBSOCKET',
      route: '/v1/responses',
      status: 400,
      isStream: true,
      isCut: false,
      tenant: 'me',
    },
    { requestId: 'mine', method: 'GET', route: '/v1/responses', status: 101, isStream: true, isCut: false, tenant: 'me' },
  ]);
});
