/** What Postgres reads of JSON that says what its own texts cannot hold: a client may say anything, and stops nothing by it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import { newId } from '../../../src/client/ids.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { migrations } from '../../../src/store/postgres/migrations.ts';
import { postgresStore } from '../../../src/store/postgres/open-store.ts';
import type { RetentionCursor, Store } from '../../../src/store/ports/store.ts';
import { createDatabase, needDatabase } from '../../support/postgres-server.ts';
import { needPostgres } from '../../support/programs.ts';
import { claimed, ended, inserted, newTurn, sealOf } from '../contract.ts';

interface Opened extends AsyncDisposable {
  readonly store: Store;
  readonly client: pg.Client;
}

async function open(t: TestContext): Promise<Opened | undefined> {
  const url = await needDatabase(t);
  if (url === undefined) return undefined;
  const { databaseId } = await migrate({ url });
  const store = postgresStore({ url }, databaseId);
  const client = new pg.Client(url);
  await client.connect();
  return {
    store,
    client,
    async [Symbol.asyncDispose]() {
      await client.end();
      await store.close();
    },
  };
}

/** Pairs, halves of pairs and backslashes, by themselves and as texts that look like them. */
const pieces = ['\\', '\\u', 'ud83d', '\\udc00', 'dc00', '\ud83d', '\udc00', '\0', '"', 'u0000', 'x', '\ud83d\udc00'];
const said = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(''));
/** A pair, as some clients write it: escaped. */
const document = fc
  .tuple(said, fc.boolean())
  .map(([text, isEscaped]) => [
    text,
    JSON.stringify({ a: text }).replaceAll('\ud83d\udc00', isEscaped ? '\\ud83d\\udc00' : '\ud83d\udc00'),
  ]);

test('every text is read: what no text of Postgres holds stands as U+FFFD, and all else is as it was', async (t) => {
  await using opened = await open(t);
  if (opened === undefined) return;
  await fc.assert(
    fc.asyncProperty(fc.array(document, { minLength: 100, maxLength: 200 }), async (documents) => {
      const { rows } = await opened.client.query<{ said: string; part: string }>(
        `SELECT json_text(document, '{a}') AS said, json_part(document, '{a}') AS part FROM unnest($1::text[]) WITH ORDINALITY AS one (document, at) ORDER BY at`,
        [documents.map(([, json]) => json)],
      );
      const due = documents.map(([text = '']) => text.toWellFormed().replaceAll('\0', '\uFFFD'));
      assert.deepEqual(
        rows.map(({ said }) => said),
        due,
      );
      assert.deepEqual(
        rows.map(({ part }) => JSON.parse(part) as unknown),
        due,
      );
    }),
    { numRuns: 30 },
  );
});

/** What Postgres cannot read of a client's text, as the first tables had it, and what it can read of no document. */
const unreadable = {
  'half of a pair behind a text that looks like the other half': JSON.stringify('\\ud83d\udc00'),
  'a document that is nested too deep': `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
};

for (const [what, json] of Object.entries(unreadable)) {
  test(`${what}: the list of the sessions and retention go on`, async (t) => {
    await using opened = await open(t);
    if (opened === undefined) return;
    const { store, client } = opened;
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    const [kept, next] = [newId('resp'), newId('resp')];
    const input = [`{"type":"message","id":"msg_1","role":"user","content":[{"type":"input_text","text":${json}}]}`];
    const turn = newTurn(kept, { session: 'conv_a' });
    await inserted(store, { ...turn, json: { ...turn.json, input } });
    const { epoch } = await claimed(store, kept);
    const seq = ((await store.readHead(kept))?.last ?? 0) + 1;
    const data = `{"type":"response.completed","response":{"id":"${kept}","instructions":${json}}}`;
    assert.equal((await store.seal(sealOf(kept, epoch, { rows: [{ seq, type: 'response.completed', data }] }))).type, 'sealed');
    await ended(store, next, { session: 'conv_a' });
    await ended(store, 'resp_alone');

    assert.equal((await store.listSessions('default', { limit: 10, order: 'desc' }))?.length, 1);
    // The session goes on: its turns are kept, without their journals.
    await client.query('UPDATE sessions SET touched_at = $1', [Number.MAX_SAFE_INTEGER]);
    const cut = { beforeMs: Date.now() + 10_000, atMs: Date.now() + 20_000 };
    let from: RetentionCursor | undefined;
    do {
      from = await store.expire(cut, from);
      assert.equal(from?.failed, undefined);
    } while (from !== undefined);
    for (const id of [kept, next, 'resp_alone']) assert.equal(await store.readHead(id), undefined);
    assert.deepEqual([(await store.readTurn(kept))?.erasedBy, (await store.readTurn('resp_alone'))?.erasedBy], [null, 'retention']);
  });
}

test('a database of the first version gets the functions that read all, and its processes go on beside those of this one', async (t) => {
  if ((await needPostgres(t)) === undefined) return;
  await using database = await createDatabase({ isMigrated: false });
  const { url } = database;
  await migrate({ url }, migrations.slice(0, 1));
  const client = new pg.Client(url);
  await client.connect();
  const read = async (json: string): Promise<string | null | undefined> =>
    (await client.query<{ said: string | null }>(`SELECT json_text($1, '{}') AS said`, [json])).rows[0]?.said;
  const [half, deep] = Object.values(unreadable);
  for (const json of [half, deep]) await assert.rejects(read(json ?? ''));
  await migrate({ url });
  assert.deepEqual([await read(half ?? ''), await read(deep ?? '')], ['\\ud83d\uFFFD', null]);
  assert.equal((await migrate({ url }, migrations.slice(0, 1))).to, migrations.length);
  await client.end();
});
