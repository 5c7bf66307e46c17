/** What a key of the database may do: each route asks for its scope, before it looks at anything else. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { newApiKey } from '../../../src/cli/keys/run.ts';
import { type ApiKeyRow, type Scope, scopes } from '../../../src/domain/api-key.ts';
import { appFor, serve } from '../served-app.ts';
import { temporaryDatabase } from '../../store/temporary.ts';

interface Served {
  readonly url: string;
  readonly keyOf: (own: readonly Scope[]) => Promise<string>;
}

async function served(t: TestContext): Promise<Served> {
  const database = temporaryDatabase();
  t.after(() => database[Symbol.asyncDispose]());
  const keys = database.open();
  const url = await serve(t, appFor(t, { keys, requiresKey: true }));
  return {
    url,
    async keyOf(own) {
      const { key, id, hash } = newApiKey();
      const row: ApiKeyRow = {
        id,
        hash,
        tenant: 'ann',
        scopes: own,
        createdAtMs: 1,
        expiresAtMs: null,
        revokedAtMs: null,
        lastUsedAtMs: null,
      };
      await keys.createKey(row);
      return key;
    },
  };
}

test('every route that needs a key refuses one without its scope with a 403 that names it, and lets one with it pass', async (t) => {
  const { url, keyOf } = await served(t);
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: { [path: string]: { [method: string]: { security?: { key: Scope[] }[] } } };
  };
  const asked = new Map<Scope, number>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { security }] of Object.entries(operations)) {
      const [needed] = security?.[0]?.key ?? [];
      if (needed === undefined) continue;
      asked.set(needed, (asked.get(needed) ?? 0) + 1);
      const call = async (own: readonly Scope[]): Promise<Response> =>
        fetch(`${url}${path.replaceAll(/\{[a-z]+\}/g, 'none')}`, {
          method: method.toUpperCase(),
          headers: { authorization: `Bearer ${await keyOf(own)}`, ...(method === 'get' ? {} : { 'content-type': 'application/json' }) },
          ...(method === 'post' ? { body: '{}' } : {}),
        });
      const refused = await call(scopes.filter((scope) => scope !== needed));
      const { error } = (await refused.json()) as { error: { code: string; type: string; message: string } };
      assert.deepEqual([refused.status, error.code, error.type], [403, 'insufficient_scope', 'permission_error'], `${method} ${path}`);
      assert.match(error.message, new RegExp(`'${needed}'`));
      const passed = await call([needed]);
      assert.ok(![401, 403].includes(passed.status), `${method} ${path}: ${passed.status}`);
      await passed.body?.cancel();
    }
  }
  assert.ok((asked.get('read') ?? 0) > 10 && (asked.get('write') ?? 0) > 10, JSON.stringify([...asked]));
  assert.equal(asked.get('export'), 1);
});

test('with TURNKEEP_REQUIRE_KEY nobody is served without a key, though the environment has none', async (t) => {
  const { url, keyOf } = await served(t);
  assert.equal((await fetch(`${url}/v1/conversations`)).status, 401);
  assert.equal((await fetch(`${url}/v1/conversations`, { headers: { authorization: 'Bearer anything' } })).status, 401);
  assert.equal((await fetch(`${url}/v1/conversations`, { headers: { authorization: `Bearer ${await keyOf(['read'])}` } })).status, 200);
});
