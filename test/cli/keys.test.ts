/** `turnkeep keys`, and what a running gateway makes of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { post } from '../support/post.ts';
import { Role, startCluster } from '../support/processes.ts';
import { SocketClient } from '../support/socket-client.ts';
import { until } from '../support/until.ts';

const options = { timeout: 120_000 };

interface Listed {
  readonly id: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  readonly status: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly key?: string;
}

test('keys are made, used, rotated and revoked while gateways run, and the database has none of them', options, async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_REQUIRE_KEY: 'on' } });
  const keys = async (...args: readonly string[]): Promise<{ readonly code: number | null; readonly rows: readonly Listed[] }> => {
    const role = new Role(['keys', ...args, '--json'], cluster.env);
    const code = await role.ended();
    return { code, rows: role.output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Listed) };
  };
  const made = async (...args: readonly string[]): Promise<Required<Listed>> => {
    const { code, rows } = await keys(...args);
    assert.equal(code, 0);
    return rows[0] as Required<Listed>;
  };
  const { url, role } = await cluster.startServe();
  const other = await cluster.startGateway();
  const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
  const statusAt = async (gateway: string, key: string): Promise<number> => {
    const response = await fetch(`${gateway}/v1/conversations`, { headers: bearer(key) });
    await response.body?.cancel();
    return response.status;
  };

  const ann = await made('create', '--tenant', 'ann');
  assert.match(ann.key, new RegExp(`^${ann.id}_`));
  assert.deepEqual([ann.tenant, ann.scopes, ann.status, ann.expires_at], ['ann', ['read', 'write'], 'good', null]);
  const bob = await made('create', '--tenant', 'bob', '--scopes', 'read', '--expires', '90d');
  const answer = await post(url, { input: 'hi' }, bearer(ann.key));
  assert.deepEqual([answer.status, answer.json?.['status']], [200, 'completed']);
  const path = `/v1/responses/${String(answer.json?.['id'])}`;
  assert.equal((await fetch(`${other.url}${path}`, { headers: bearer(ann.key) })).status, 200);
  assert.equal((await fetch(`${other.url}${path}`, { headers: bearer(bob.key) })).status, 404, 'tenants do not see each other');
  assert.equal((await post(url, { input: 'hi' }, bearer(bob.key))).status, 403);
  assert.equal((await post(url, { input: 'hi' })).status, 401);
  await until(async () => (await keys('list', '--tenant', 'ann')).rows[0]?.last_used_at !== null);

  using socket = await SocketClient.open(new OpenAI({ baseURL: `${url}/v1`, apiKey: ann.key, maxRetries: 0 }));
  const next = await made('rotate', ann.id, '--overlap', '1h');
  assert.deepEqual([await statusAt(url, ann.key), await statusAt(url, next.key)], [200, 200], 'both are good for the overlap');
  const { rows } = await keys('list', '--tenant', 'ann');
  assert.deepEqual(
    rows.map(({ id, status, expires_at: expires }) => [id, status, expires === null]),
    [
      [next.id, 'good', true],
      [ann.id, 'good', false],
    ],
  );

  assert.equal((await keys('revoke', ann.key)).code, 0, 'a key that was found somewhere is revoked as it is');
  for (const gateway of [url, other.url]) await until(async () => (await statusAt(gateway, ann.key)) === 401);
  assert.equal(await statusAt(other.url, next.key), 200);
  socket.create('hi');
  await until(() => socket.events.some(({ type }) => type === 'error'));
  assert.match(socket.data.join(''), /This API key was revoked/, 'a connection that was open takes nothing more');
  assert.equal(await socket.closed, 1008);
  assert.equal((await keys('rotate', ann.id)).code, 1);
  assert.equal((await keys('revoke', 'tk_000000000000')).code, 1);

  const writer = await made('create', '--tenant', 'ann', '--scopes', 'write');
  const turns = new Role(['turns'], { ...cluster.env, TURNKEEP_URL: `${url}/v1`, TURNKEEP_API_KEY: writer.key });
  assert.equal(await turns.ended(), 2);
  assert.match(turns.output.join('\n'), /does not let this key do that \(TURNKEEP_API_KEY\): This needs a key with the scope 'read'/);

  const requests = role.output
    .filter((line) => line.includes('"msg":"request"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const ofBob = requests.find(({ keyId }) => keyId === bob.id);
  assert.deepEqual([ofBob?.['status'], ofBob?.['tenant']], [403, 'bob'], 'the log says by which key a request came');

  const stored = JSON.stringify(await cluster.ask('SELECT * FROM api_keys'));
  for (const { key, id } of [ann, bob, next]) {
    assert.ok(stored.includes(id));
    assert.ok(!stored.includes(key.slice(-43)));
  }
});

test('what is asked wrongly is refused with exit code 2, and a key alone is on stdout', options, async () => {
  await using cluster = await startCluster();
  const run = async (...args: readonly string[]): Promise<readonly [code: number | null, output: string]> => {
    const role = new Role(['keys', ...args], cluster.env);
    return [await role.ended(), role.output.join('\n')];
  };
  for (const [args, complaint] of [
    [['create'], /required option '--tenant <name>' not specified/],
    [['create', '--tenant', 'a b'], /letters, digits/],
    [['create', '--tenant', 'a', '--scopes', 'read,all'], /There are read, write, export/],
    [['create', '--tenant', 'a', '--expires', 'soon'], /such as 12h or 90d/],
    [['create', '--tenant', 'a', '--expires', '0s'], /has to be 1s at least/],
    [['rotate'], /missing required argument 'id'/],
    [['frobnicate'], /unknown command 'frobnicate'/],
  ] as const) {
    const [code, output] = await run(...args);
    assert.equal(code, 2, output);
    assert.match(output, complaint);
  }
  const [code, output] = await run('create', '--tenant', 'a');
  assert.equal(code, 0);
  assert.match(output, /^tk_[0-9a-f]{12}_[\w-]{43}$/m);
  assert.match(output, /gateways answer requests without a key too, until TURNKEEP_REQUIRE_KEY=on/);
});
