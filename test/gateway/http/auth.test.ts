import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../../src/config/read-config.ts';
import { newApiKey } from '../../../src/cli/keys/run.ts';
import { type ApiKeyRow, isApiKey, scopes } from '../../../src/domain/api-key.ts';
import { createAuthenticator, type StoredKeys } from '../../../src/gateway/http/auth.ts';
import { ApiError } from '../../../src/gateway/http/errors.ts';

const { apiKeys: keys } = readConfig({ env: { TURNKEEP_API_KEYS: 'me:one:1,you:two,me:three' }, cwd: '/' });

const noStore: StoredKeys = {
  findKey: () => assert.fail('the database is not asked'),
  noteKeyUse: () => assert.fail('the database is not asked'),
};
const ofEnvironment = { keys, store: noStore, isKeyNeeded: true };

for (const [authorization, tenant] of [
  ['Bearer one:1', 'me'],
  ['bearer one:1', 'me'],
  ['Bearer two', 'you'],
  ['Bearer three', 'me'],
] as const) {
  test(`"${authorization}" is ${tenant}`, () => assert.deepEqual(createAuthenticator(ofEnvironment)(authorization), { tenant, scopes }));
}

for (const authorization of [
  undefined,
  '',
  'Bearer',
  'Bearer ',
  'Bearer one',
  'Bearer one:1 ',
  'Bearer me',
  'Basic one:1',
  'one:1',
  'Bearer two,three',
]) {
  test(`${authorization === undefined ? 'no header' : `"${authorization}"`} is a 401 that says how to authenticate`, async () => {
    assert.throws(
      () => createAuthenticator(ofEnvironment)(authorization),
      (error) => {
        assert.ok(error instanceof ApiError);
        assert.equal(error.fields.status, 401);
        assert.equal(error.fields.code, 'invalid_api_key');
        assert.equal(error.toResponse().headers.get('www-authenticate'), 'Bearer');
        assert.ok(!error.message.includes('one:1'));
        return true;
      },
    );
  });
}

test('where no key is needed everybody is the same tenant, whatever they send that is no key of turnkeep', () => {
  const authenticate = createAuthenticator({ keys: [], store: noStore, isKeyNeeded: false });
  const anybody = { tenant: 'default', scopes };
  assert.deepEqual([authenticate(undefined), authenticate('Bearer x'), authenticate('Bearer tk_short')], [anybody, anybody, anybody]);
});

test('a new key has its id in front, the form of a key, and 256 bits of its own', () => {
  const all = Array.from({ length: 100 }, newApiKey);
  for (const { id, key } of all) assert.ok(isApiKey(key) && key.startsWith(`${id}_`));
  assert.equal(new Set(all.map(({ key }) => key.slice(-43))).size, 100);
  assert.ok(all.every(({ key }) => Buffer.from(key.slice(-43), 'base64url').length === 32));
  for (const text of ['', 'tk_', 'sk-123', `${all[0]?.key}x`, all[0]?.id ?? '']) assert.ok(!isApiKey(text), text);
});

/** One key in a database whose calls are counted, and a clock that is set by hand. */
function stored(fields: Partial<ApiKeyRow> = {}) {
  const { key, id, hash } = newApiKey();
  const row = {
    id,
    hash,
    tenant: 'ann',
    scopes: ['read' as const],
    createdAtMs: 0,
    expiresAtMs: null,
    revokedAtMs: null,
    lastUsedAtMs: null,
  };
  const state = { nowMs: 1_000_000, row: { ...row, ...fields } as ApiKeyRow | undefined, looks: 0, isAway: false, uses: [] as number[] };
  const store: StoredKeys = {
    findKey: async (wanted) => {
      state.looks += 1;
      if (state.isAway) throw new Error('away');
      return wanted === hash ? state.row : undefined;
    },
    noteKeyUse: async (_id, atMs) => void state.uses.push(atMs),
  };
  const authenticate = createAuthenticator({ keys, store, isKeyNeeded: true, now: () => state.nowMs });
  return { state, key, ask: async (secret = key) => authenticate(`Bearer ${secret}`) };
}

const message = (pattern: RegExp) => (error: unknown) =>
  error instanceof ApiError && error.fields.status === 401 && error.fields.code === 'invalid_api_key' && pattern.test(error.message);

test('a key of the database is its tenant with its scopes, and is looked at once in five seconds', async () => {
  const { state, ask } = stored();
  for (const [atMs, looks] of [
    [1_000_000, 1],
    [1_004_999, 1],
    [1_005_000, 2],
  ] as const) {
    state.nowMs = atMs;
    const { tenant, scopes: own } = await ask();
    assert.deepEqual([tenant, own, state.looks], ['ann', ['read'], looks]);
  }
  const many = stored();
  await Promise.all(Array.from({ length: 50 }, async () => many.ask()));
  assert.equal(many.state.looks, 1, 'requests at the same moment look once');
});

test('a key that is revoked is refused after five seconds at the most, one that expires at its moment', async () => {
  const { state, ask } = stored({ expiresAtMs: 1_002_000 });
  await ask();
  state.nowMs = 1_002_000;
  await assert.rejects(ask(), message(/^This API key has expired\./));
  const other = stored();
  await other.ask();
  if (other.state.row !== undefined) other.state.row = { ...other.state.row, revokedAtMs: 1_000_001 };
  other.state.nowMs = 1_005_000;
  await assert.rejects(other.ask(), message(/^This API key was revoked\./));
});

test('a key that there is not is refused, and costs one look in five seconds', async () => {
  const { state, ask } = stored();
  const { key } = newApiKey();
  for (let time = 0; time < 10; time += 1) await assert.rejects(ask(key), message(/^Unknown API key\./));
  assert.equal(state.looks, 1);
});

test('a database that is away is no answer: nobody is let in, and the next request asks again', async () => {
  const { state, ask } = stored();
  state.isAway = true;
  await assert.rejects(ask(), /away/);
  state.isAway = false;
  assert.equal((await ask()).tenant, 'ann');
});

test('the use of a key is noted once a minute, and not that of one that is refused', async () => {
  const { state, ask } = stored();
  for (const atMs of [1_000_000, 1_030_000, 1_059_999, 1_060_000]) {
    state.nowMs = atMs;
    await ask();
  }
  assert.deepEqual(state.uses, [1_000_000, 1_060_000]);
  const revoked = stored({ revokedAtMs: 1 });
  await assert.rejects(revoked.ask());
  assert.deepEqual(revoked.state.uses, []);
});
