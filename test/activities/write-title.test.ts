/** `writeTitle` against the faulty model server, without a Temporal server. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { writeTitle } from '../../src/activities/write-title.ts';
import { createProvider } from '../../src/providers/create-provider.ts';
import { chatAnswer, httpError, type ModelServer, reset, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { startPatientModel } from '../support/patient-model.ts';

const limits = { connectTimeoutMs: 1_000, firstEventTimeoutMs: 5_000, idleTimeoutMs: 5_000 };

interface Titles {
  readonly model: ModelServer;
  readonly path: string;
  readonly store: Store;
  /** One run of the activity, in a process of its own as far as the database can tell. */
  run(): Promise<{ hasTitle: boolean }>;
}

async function titlesOf(context: TestContext, ...scripts: readonly Script[]): Promise<Titles> {
  const database = temporaryDatabase();
  const store = database.open();
  await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
  await store.insertTurn(newTurn('resp_a', { session: 'conv_a', wantsTitle: true }));
  const model = await startPatientModel();
  model.enqueue(...scripts);
  const provider = createProvider({ baseUrl: model.baseUrl, api: 'chat', limits });
  context.after(async () => {
    await Promise.all([provider.close(), model.close()]);
    await database[Symbol.asyncDispose]();
  });
  return {
    model,
    path: database.path,
    store,
    run: () => new MockActivityEnvironment().run(writeTitle, { store: database.open(), provider }, { session: 'conv_a', turn: 'resp_a' }),
  };
}

async function failureOf(run: Promise<unknown>): Promise<ApplicationFailure> {
  const failure = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof ApplicationFailure);
  return failure;
}

test('T2, T11 · a title that was answered is not asked for again, whatever fails after it, and constant words say so', async (context) => {
  const titles = await titlesOf(context, chatAnswer('A title'));
  const db = new DatabaseSync(titles.path);
  db.exec(`CREATE TRIGGER broken BEFORE UPDATE OF metadata ON sessions BEGIN SELECT RAISE(ABORT, 'secret words'); END`);
  db.close();
  const failure = await failureOf(titles.run());
  assert.deepEqual([failure.type, failure.nonRetryable, failure.cause], ['internal_error', true, undefined]);
  assert.deepEqual(await titles.run(), { hasTitle: false });
  assert.equal(titles.model.requests.length, 1);
});

test('T2 · a worker that is killed while it asks for a title: another one does not ask', async (context) => {
  const titles = await titlesOf(context, [sseHead, stall], chatAnswer('A second title'));
  // It never ends, like that of a killed worker: the next run comes when Temporal has given it up.
  const killed = titles.run();
  killed.catch(() => {});
  await titles.model.nextRequest(1);
  assert.deepEqual(await titles.run(), { hasTitle: false });
  assert.equal(titles.model.requests.length, 1);
});

for (const [what, refusal] of [
  ['a provider that is busy', httpError(503)],
  ['a connection that breaks before anything is answered', [reset]],
] as const satisfies readonly (readonly [string, Script])[]) {
  test(`T3 · after ${what} the title is asked for again, when Temporal runs the activity again`, async (context) => {
    const titles = await titlesOf(context, refusal, chatAnswer('A title'));
    assert.equal((await failureOf(titles.run())).nonRetryable, false);
    assert.deepEqual(await titles.run(), { hasTitle: true });
    assert.equal(titles.model.requests.length, 2);
    assert.deepEqual((await titles.store.readSession('default', 'conv_a'))?.metadata, { title: 'A title' });
  });
}
