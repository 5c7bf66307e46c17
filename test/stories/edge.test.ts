/** Keys, tenants, limits and other origins, at the door of a whole turnkeep. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Viewer } from '../support/viewer.ts';
import { World, type WorldOptions } from '../support/world.ts';

const options = { timeout: 60_000 };
const json = { 'content-type': 'application/json' };
const quotas = { requestsPerSecond: 0, maxRunningTurns: 1_000, maxWaitingTurns: 100 };

function keyOf(name: string, secret: string) {
  return { name, hash: createHash('sha256').update(secret).digest('hex') };
}

async function open(config: WorldOptions['config']): Promise<World> {
  return World.open(config === undefined ? {} : { config });
}

async function post(url: string, headers: Record<string, string> = {}, body: object = { input: 'hi' }): Promise<Response> {
  return fetch(`${url}/v1/responses`, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) });
}

test('each key sees its own tenant’s turns and conversations; others’ are unknown, and without a key nothing is', options, async () => {
  await using world = await open({ apiKeys: [keyOf('me', 'one'), keyOf('you', 'two'), keyOf('me', 'three')] });
  const me = { authorization: 'Bearer one' };
  const meAgain = { authorization: 'Bearer three' };
  const you = { authorization: 'Bearer two' };
  const { id } = (await (await post(world.url, me)).json()) as { id: string };
  const conversation = (await (await fetch(`${world.url}/v1/conversations`, { method: 'POST', headers: me })).json()) as { id: string };
  const paths = [`/v1/responses/${id}`, `/v1/responses/${id}?stream=true`, `/turns/${id}`, `/v1/conversations/${conversation.id}`];
  for (const path of paths) {
    const statusWith = async (headers: Record<string, string>): Promise<number> => {
      const response = await fetch(`${world.url}${path}`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    assert.deepEqual(
      [await statusWith(me), await statusWith(meAgain), await statusWith(you), await statusWith({})],
      [200, 200, 404, 401],
      path,
    );
  }
  assert.equal((await fetch(`${world.url}/v1/responses/${id}/cancel`, { method: 'POST', headers: you })).status, 404);
  assert.equal((await post(world.url, you, { input: 'x', conversation: conversation.id })).status, 404);
  const wrong = await post(world.url, { authorization: 'Bearer four' });
  assert.equal(wrong.status, 401);
  assert.equal(wrong.headers.get('www-authenticate'), 'Bearer');
  assert.equal(((await wrong.json()) as { error: { code: string } }).error.code, 'invalid_api_key');
  for (const path of ['/healthz', '/readyz', '/metrics', '/']) assert.equal((await fetch(world.url + path)).status, 200, path);
  assert.equal(world.model.requests.length, 1);
});

test('a key that asks too often gets a 429 with retry-after, whatever it asks; another key does not', options, async () => {
  await using world = await open({
    apiKeys: [keyOf('me', 'one'), keyOf('you', 'two')],
    quotas: { ...quotas, requestsPerSecond: 1 },
  });
  const ask = async (key: string): Promise<Response> =>
    fetch(`${world.url}/v1/responses/resp_x`, { headers: { authorization: `Bearer ${key}` } });
  const startedAtMs = performance.now();
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask('one')));
  const refused = answers.filter(({ status }) => status === 429);
  const seconds = Math.ceil((performance.now() - startedAtMs) / 1_000);
  // Two at once, and one more for each second that this machine needs for all of them.
  assert.ok(answers.length - refused.length <= 2 + seconds, `${refused.length} were refused in ${seconds} s`);
  assert.equal(refused[0]?.headers.get('retry-after'), '1');
  const { error } = (await refused[0].json()) as { error: { code: string; type: string } };
  assert.deepEqual([error.code, error.type], ['rate_limit_exceeded', 'rate_limit_error']);
  assert.equal((await ask('two')).status, 404);
  assert.equal((await fetch(`${world.url}/healthz`)).status, 200);
});

test('a named origin may call everything, streams and errors too; another is told nothing', options, async () => {
  const origin = 'https://app.example';
  await using world = await open({ corsOrigins: [origin, 'http://localhost:3000'] });
  const allowedBy = (response: { headers: Headers }): (string | null)[] => [
    response.headers.get('access-control-allow-origin'),
    response.headers.get('access-control-expose-headers'),
    response.headers.get('vary'),
  ];
  const allowed = [origin, 'x-request-id, x-turnkeep-response-id, x-turnkeep-omitted, x-turnkeep-estimated, retry-after', 'Origin'];
  const streamed = await Viewer.open(`${world.url}/v1/responses`, {
    method: 'POST',
    headers: { ...json, origin },
    body: JSON.stringify({ input: 'hi', stream: true }),
  });
  assert.deepEqual(allowedBy(streamed), allowed);
  assert.match(streamed.headers.get('x-turnkeep-response-id') ?? '', /^resp_/);
  assert.match(streamed.headers.get('x-request-id') ?? '', /^req_/);
  await streamed.ended;
  assert.deepEqual(allowedBy(await post(world.url, { origin })), allowed);
  assert.deepEqual(allowedBy(await post(world.url, { origin }, { input: 7 })), allowed);
  assert.deepEqual(allowedBy(await fetch(`${world.url}/nowhere`, { headers: { origin } })), allowed);
  assert.deepEqual(allowedBy(await fetch(`${world.url}/v1/responses/resp_x`, { headers: { origin: 'https://other.example' } })), [
    null,
    null,
    'Origin',
  ]);

  const preflight = async (from: string): Promise<Response> =>
    fetch(`${world.url}/v1/responses`, {
      method: 'OPTIONS',
      headers: { origin: from, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' },
    });
  const answer = await preflight('http://localhost:3000');
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get('access-control-allow-origin'), 'http://localhost:3000');
  assert.equal(answer.headers.get('access-control-allow-headers'), 'authorization,content-type');
  assert.match(answer.headers.get('access-control-allow-methods') ?? '', /\bPOST\b.*\bDELETE\b/);
  assert.equal((await preflight('https://other.example')).status, 405);
});

test('a preflight needs no key, since browsers send none with it; * is any origin', options, async () => {
  await using world = await open({ corsOrigins: ['*'], apiKeys: [keyOf('me', 'one')] });
  const preflight = await fetch(`${world.url}/v1/responses`, {
    method: 'OPTIONS',
    headers: { origin: 'https://any.example', 'access-control-request-method': 'POST' },
  });
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*']);
  const refused = await post(world.url, { origin: 'https://any.example' });
  assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [401, '*']);
});

test('while nobody needs a key, a page of another origin can start nothing; every other client can', options, async () => {
  await using world = await open({});
  const foreign = await post(world.url, { origin: 'https://evil.example', 'content-type': 'text/plain' });
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get('access-control-allow-origin'), null);
  const { error } = (await foreign.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, 'origin_not_allowed');
  assert.match(error.message, /TURNKEEP_CORS_ORIGINS/);
  assert.equal(world.model.requests.length, 0);
  assert.equal((await post(world.url)).status, 200);
  assert.equal((await post(world.url, { origin: world.url })).status, 200);
});

test('a body over 32 MiB gets a 413 through the whole gateway, announced or not, and the next request an answer', options, async () => {
  await using world = await open({});
  const big = Buffer.alloc(33 * 1024 * 1024, 'x');
  const announced = await fetch(`${world.url}/v1/responses`, { method: 'POST', headers: json, body: big });
  assert.equal(announced.status, 413);
  const chunked = await fetch(`${world.url}/v1/responses`, {
    method: 'POST',
    headers: json,
    duplex: 'half',
    body: new Blob([big]).stream(),
  });
  assert.equal(chunked.status, 413);
  assert.equal(((await chunked.json()) as { error: { code: string } }).error.code, 'request_too_large');
  assert.equal((await post(world.url)).status, 200);
});
