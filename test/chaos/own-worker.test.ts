/** The worker of somebody's own workflows dies in the middle of their turns: a real process, a real kill. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  hold,
  httpError,
  type LoggedRequest,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { ask, pair } from '../support/own-workflows.ts';
import { startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

async function turnsOf(url: string): Promise<readonly { readonly id: string }[]> {
  const { data } = (await (await fetch(`${url}/turns?limit=10`)).json()) as { readonly data: readonly { readonly id: string }[] };
  return data;
}

test(
  "T2 · kill -9 of one's own worker: what had started is lost and not asked again, what had not is, and the workflow goes on",
  { timeout: 120_000 },
  async () => {
    const scripts: Record<string, Script[]> = {
      started: [[sseHead, chat.content('Hel'), hold('started'), stall]],
      silent: [[sseHead, chat.role(), hold('silent'), stall], chatAnswer('at last')],
    };
    const fallback = (request: LoggedRequest): Script => scripts[asked(request)]?.shift() ?? chatAnswer('asked too often');
    await using cluster = await startCluster({ model: { fallback } });
    const { model, env } = cluster;
    const { url } = await cluster.startGateway();
    const taskQueue = `own-${env['TURNKEEP_TASK_QUEUE']}`;
    const first = await cluster.startOwnWorker(taskQueue);
    const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
    const client = new Client({ connection });
    const handle = await client.workflow.start(pair, { workflowId: taskQueue, taskQueue, args: ['started', 'silent'] });
    await Promise.all([model.reached('started'), model.reached('silent')]);
    const hasStarted = async ({ id }: { readonly id: string }): Promise<boolean> =>
      (await cluster.store.readAttempts(id)).some(({ firstEventAtMs }) => firstEventAtMs !== undefined);
    // What the model has sent is not yet what the worker has committed.
    await until(async () => (await Promise.all((await turnsOf(url)).map(hasStarted))).includes(true));
    const [listed] = (await turnsOf(url)).slice(-1);
    const viewer = await Viewer.open(`${url}/v1/responses/${listed?.id}?stream=true`);
    await first.kill();
    await cluster.startOwnWorker(taskQueue);
    const results = await handle.result();
    assert.deepEqual(
      results.map(({ status, outputText, error }) => [status, outputText, error?.code]),
      [
        ['failed', 'Hel', 'worker_lost'],
        ['completed', 'at last', undefined],
      ],
    );
    assert.deepEqual(model.requests.map(asked).toSorted(), ['silent', 'silent', 'started']);
    await viewer.ended;
    await connection.close();
  },
);

test(
  "kill -9 of one's own worker between two requests, when nobody has the turn: its workflow goes on with it on the next worker, and nothing is done twice",
  { timeout: 120_000 },
  async () => {
    await using cluster = await startCluster();
    const { model, env, store } = cluster;
    // By then the worker is dead: nothing but a timer of the workflow knows of the turn.
    const busy = httpError(429, { error: { message: 'later' } }, { 'retry-after': '3' });
    model.enqueue(chatToolCalls({ id: 'c1', name: 'note', arguments: {} }), busy, chatAnswer('Noted.'));
    const taskQueue = `own-${env['TURNKEEP_TASK_QUEUE']}`;
    const first = await cluster.startOwnWorker(taskQueue);
    const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
    const client = new Client({ connection });
    const handle = await client.workflow.start(ask, { workflowId: taskQueue, taskQueue, args: [{ agent: 'scribe', input: 'go' }] });
    await model.nextRequest(2);
    const id = (await store.listTurns('default', { filter: {}, limit: 1 }))?.[0]?.publicId ?? '';
    await until(async () => (await store.readAttempts(id)).some(({ code }) => code === 'provider_busy'));
    await first.kill();
    await cluster.startOwnWorker(taskQueue);
    const { status, outputText } = await handle.result();
    assert.deepEqual([status, outputText], ['completed', 'Noted.']);
    assert.equal(model.requests.length, 3);
    assert.deepEqual(
      (await store.readToolCalls(id, 2)).map(({ runs, outcome }) => [runs, outcome]),
      [[1, 'completed']],
    );
    await connection.close();
  },
);
