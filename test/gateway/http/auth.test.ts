import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../../src/config/read-config.ts';
import { createAuthenticator } from '../../../src/gateway/http/auth.ts';
import { ApiError } from '../../../src/gateway/http/errors.ts';

const { apiKeys } = readConfig({ env: { TURNKEEP_API_KEYS: 'me:one:1,you:two,me:three' }, cwd: '/' });

for (const [authorization, tenant] of [
  ['Bearer one:1', 'me'],
  ['bearer one:1', 'me'],
  ['Bearer two', 'you'],
  ['Bearer three', 'me'],
] as const) {
  test(`"${authorization}" is ${tenant}`, () => assert.equal(createAuthenticator(apiKeys)(authorization), tenant));
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
      () => createAuthenticator(apiKeys)(authorization),
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

test('without keys everybody is the same tenant, whatever they send', () => {
  const authenticate = createAuthenticator([]);
  assert.deepEqual([authenticate(undefined), authenticate('Bearer x')], ['default', 'default']);
});
