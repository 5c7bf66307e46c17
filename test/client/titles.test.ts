/** Which workflows are started for titles, and when. Temporal is not there: its client only counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { startTitles } from '../../src/client/titles.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { titleType } from '../../src/contract/workflows.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const sessions = Array.from({ length: 50 }, (_, index) => `conv_${index}`);

test('fifty first turns at once start fifty titles, each its own; what was left behind is left to the sweep', async (context) => {
  await using database = temporaryDatabase();
  const store = database.open();
  const { workflow: workflows } = new Client({ connection: Connection.lazy() });
  const started: string[] = [];
  context.mock.method(workflows, 'start', async (type: string, { workflowId }: { workflowId: string }) => {
    if (type === titleType) started.push(workflowId);
    return { firstExecutionRunId: 'run' };
  });
  const limits = { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 };
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits, isEager: false });
  const turnkeep = new Turnkeep({ store, dispatcher, hasTitles: true });
  for (const id of [...sessions, 'conv_left']) await store.createSession({ id, tenant: 'default', metadata: {}, createdAtMs: 1 });
  // A gateway that was killed had taken it in.
  await store.insertTurn(newTurn('resp_left', { session: 'conv_left', wantsTitle: true }));

  const submit = async (session: string, text: string): Promise<void> => {
    const result = await turnkeep.submit({
      tenant: 'default',
      settings: defaultSettings('scripted'),
      input: [{ type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text }] }],
      session,
      previous: null,
      idempotencyKey: null,
      isResend: false,
      receivedAtMs: 1,
    });
    assert.equal(result.type, 'accepted');
  };
  await Promise.all(sessions.map((session) => submit(session, 'first')));
  await Promise.all(sessions.map((session) => submit(session, 'second')));
  assert.deepEqual(started.toSorted(), sessions.map((session) => `title/${session}`).toSorted());

  await startTitles(store, dispatcher);
  assert.equal(started.filter((id) => id === 'title/conv_left').length, 1);
  await startTitles(store, dispatcher);
  assert.equal(started.length, new Set(started).size, 'none is started twice');
});
