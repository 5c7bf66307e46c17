/** The settings of webhooks: what endpoints they make, and what is wrong with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../../src/config/config.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { endpointFor, webhookEvents } from '../../src/domain/turn/webhook.ts';

type Env = { readonly [name: string]: string };

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;
const url = 'https://app.example/hooks?token=1';

function problemsOf(env: Env): readonly string[] {
  try {
    readConfig({ env, cwd: '/' });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('one address for all tenants, with all events; of several secrets each signs', () => {
  const env = { TURNKEEP_WEBHOOK_URL: url, TURNKEEP_WEBHOOK_SECRET: `${secretOf(1)},${secretOf(2)}` };
  const { webhooks } = readConfig({ env, cwd: '/' });
  const secrets = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map((bytes) => new Uint8Array(bytes));
  assert.deepEqual(webhooks, [{ tenant: null, url, secrets, events: [...webhookEvents] }]);
  assert.equal(endpointFor(webhooks, 'anybody'), webhooks[0]);
});

test("a tenant's own address stands in the place of the common one, with its own secret", () => {
  const env = {
    TURNKEEP_API_KEYS: 'ann:a,bob:b',
    TURNKEEP_WEBHOOK_URL: `ann=https://ann.example/, ${url}`,
    TURNKEEP_WEBHOOK_SECRET: `${secretOf(1)},ann=${secretOf(2)}`,
    TURNKEEP_WEBHOOK_EVENTS: 'response.failed, response.completed',
  };
  const { webhooks } = readConfig({ env, cwd: '/' });
  const facts = (tenant: string): unknown[] => {
    const endpoint = endpointFor(webhooks, tenant);
    return [endpoint?.url, endpoint?.secrets.map((secret) => secret[0]), endpoint?.events];
  };
  const events = ['response.completed', 'response.failed'];
  assert.deepEqual(facts('ann'), ['https://ann.example/', [2], events]);
  assert.deepEqual(facts('bob'), [url, [1], events]);
  assert.equal(endpointFor(webhooks.slice(0, 1), 'bob'), undefined);
});

for (const address of [
  'http://127.0.0.1:3000/hook',
  'http://localhost:3000',
  'http://[::1]:3000',
  'http://192.168.0.7/hook',
  'http://app:3000/hook',
  'http://app.shop.svc:8080',
  'http://app.shop.svc.cluster.local',
  'http://host.docker.internal:3000/hook',
  'https://app.example/hook',
]) {
  test(`${address} is taken`, () => {
    assert.deepEqual(problemsOf({ TURNKEEP_WEBHOOK_URL: address, TURNKEEP_WEBHOOK_SECRET: secretOf(1) }), []);
  });
}

for (const address of [
  'http://app.example/hook',
  'http://8.8.8.8/hook',
  'http://localhost.example/hook',
  'https://me:hunter2@app.example/',
  'ftp://a',
  'hook',
  'https://a#b',
]) {
  test(`${address} is refused, and not repeated`, () => {
    const problems = problemsOf({ TURNKEEP_WEBHOOK_URL: address, TURNKEEP_WEBHOOK_SECRET: secretOf(1) });
    assert.match(problems.join('\n'), /^TURNKEEP_WEBHOOK_URL must be a https:\/\/ address .*; entry 1 is not$/);
    assert.ok(!problems.join('\n').includes(address));
  });
}

for (const secret of ['hunter2hunter2hunter2hunter2', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`, 'whsec_not base64, at all']) {
  test(`T11 · the secret ${secret.slice(0, 20)}… is refused, and not repeated`, () => {
    const problems = problemsOf({ TURNKEEP_WEBHOOK_URL: url, TURNKEEP_WEBHOOK_SECRET: secret });
    assert.match(problems.join('\n'), /^TURNKEEP_WEBHOOK_SECRET must be whsec_ and base64 of 24 to 64 bytes,/);
    assert.ok(!problems.join('\n').includes(secret));
  });
}

test('an address without a secret of its own is refused, a tenant without a key, two addresses of one tenant, an event that there is not', () => {
  assert.deepEqual(problemsOf({ TURNKEEP_WEBHOOK_URL: url }), [
    'TURNKEEP_WEBHOOK_SECRET has no secret for the address in TURNKEEP_WEBHOOK_URL: set it to whsec_…, which `echo whsec_$(openssl rand -base64 32)` makes',
  ]);
  const own = { TURNKEEP_WEBHOOK_URL: `ann=${url}`, TURNKEEP_WEBHOOK_SECRET: secretOf(1), TURNKEEP_API_KEYS: 'bob:b' };
  assert.deepEqual(problemsOf(own), [
    'TURNKEEP_WEBHOOK_SECRET has no secret for the address of ann in TURNKEEP_WEBHOOK_URL: set it to ann=whsec_…, which `echo whsec_$(openssl rand -base64 32)` makes',
    'TURNKEEP_WEBHOOK_URL names the tenant ann, and TURNKEEP_API_KEYS has no key of that name (with TURNKEEP_REQUIRE_KEY=on it may be one of turnkeep keys)',
  ]);
  const twice = { TURNKEEP_WEBHOOK_URL: `${url},${url}`, TURNKEEP_WEBHOOK_SECRET: secretOf(1) };
  assert.deepEqual(problemsOf(twice), [
    'TURNKEEP_WEBHOOK_URL has two addresses for one tenant, or two without a name: give each tenant one',
  ]);
  const misspelt = { TURNKEEP_WEBHOOK_EVENTS: 'response.done' };
  assert.deepEqual(problemsOf(misspelt), [
    'TURNKEEP_WEBHOOK_EVENTS must be of response.completed, response.failed, response.incomplete, response.cancelled, comma separated; it is "response.done"',
  ]);
});

test('what is missing is told beside what is wrong elsewhere, all at once', () => {
  const problems = problemsOf({ TURNKEEP_PORT: 'x', TURNKEEP_WEBHOOK_URL: url });
  assert.equal(problems.length, 2, problems.join('\n'));
});
