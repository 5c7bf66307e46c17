/** `/metrics` of a whole turnkeep, after real turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, done, end, hold, httpError, reset, sseHead } from '../../src/testing/model-server/index.ts';
import { readVersion } from '../../src/config/config.ts';
import { startCluster } from '../support/processes.ts';
import { numbersIn, seriesOf } from '../support/numbers.ts';
import { World } from '../support/world.ts';

async function metricsAt(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

test('turns by end, attempts by outcome, first-token times, requests, and what runs right now', { timeout: 60_000 }, async () => {
  await using world = await World.open();
  world.model.enqueue([reset], chatAnswer('Hello'), httpError(400), [
    sseHead,
    chat.content('Hel'),
    hold('go'),
    chat.content('lo'),
    chat.finish(),
    done,
    end,
  ]);
  await world.hear('retried once');
  await world.hear('rejected');
  const running = await world.say('held');
  await running.untilText('Hel');
  assert.equal((await world.call('GET', '/v1/responses/resp_nobody')).status, 404);
  assert.equal((await world.call('GET', '/nowhere/secret')).status, 404);

  const during = await metricsAt(world.url);
  assert.deepEqual(seriesOf(during, 'turnkeep_running_turns'), { '': 1 });
  assert.deepEqual(seriesOf(during, 'turnkeep_waiting_turns'), {});
  assert.deepEqual(seriesOf(during, 'turnkeep_viewers'), { '': 1 });
  world.model.release('go');
  await running.ended;

  const after = await metricsAt(world.url);
  assert.deepEqual(seriesOf(after, 'turnkeep_turns_accepted_total'), { '': 3 });
  assert.deepEqual(seriesOf(after, 'turnkeep_turns_total'), {
    '{status="completed",code=""}': 2,
    '{status="failed",code="provider_rejected"}': 1,
  });
  assert.deepEqual(seriesOf(after, 'turnkeep_attempts_total'), {
    '{outcome="failed",code="transport_failed"}': 1,
    '{outcome="completed",code=""}': 2,
    '{outcome="failed",code="provider_rejected"}': 1,
  });
  const completed = '{model="scripted",outcome="completed"}';
  assert.deepEqual(seriesOf(after, 'turnkeep_first_token_seconds_count'), { [completed]: 2 });
  assert.deepEqual(seriesOf(after, 'turnkeep_turn_duration_seconds_count'), {
    [completed]: 2,
    '{model="scripted",outcome="failed"}': 1,
  });
  assert.deepEqual(seriesOf(after, 'turnkeep_retries_total'), { '{reason="transport_failed"}': 1 });
  assert.deepEqual(Object.keys(seriesOf(after, 'turnkeep_build_info')), [`{version="${readVersion()}",node="${process.version}"}`]);
  assert.deepEqual(seriesOf(after, 'turnkeep_running_turns'), {});
  assert.deepEqual(seriesOf(after, 'turnkeep_http_request_duration_seconds_count'), {
    '{route="/v1/responses",method="POST",status="200",stream="true"}': 3,
    '{route="/v1/responses/:id",method="GET",status="404",stream="false"}': 1,
    '{route="unmatched",method="GET",status="404",stream="false"}': 1,
    '{route="/metrics",method="GET",status="200",stream="false"}': 1,
  });
  const numbers = numbersIn(after);
  for (const name of ['nodejs_eventloop_lag_p99_seconds', 'process_cpu_seconds_total', 'turnkeep_journal_lag_events']) {
    assert.ok(Number.isFinite(numbers.get(name)), name);
  }
  // T11: neither the ids nor the words of anybody.
  // One of their names has the word, on Postgres.
  assert.doesNotMatch(after.replaceAll('turnkeep_default_partition_rows', ''), /resp_|conv_|nowhere|secret|held|default/);
});

test('a worker on its own serves its metrics where it is told to, and nothing else', { timeout: 60_000 }, async () => {
  await using cluster = await startCluster();
  const { url } = await cluster.startGateway();
  const worker = await cluster.startWorker({ TURNKEEP_METRICS_PORT: '0' });
  const [, port = ''] = await worker.says(/serves its metrics on port (\d+)/);
  const response = await fetch(`${url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'hi' }),
  });
  assert.equal(((await response.json()) as { status: string }).status, 'completed');
  const own = `http://127.0.0.1:${port}`;
  // The worker sealed the turn, the gateway took it in: each counts what it did.
  assert.deepEqual(seriesOf(await metricsAt(own), 'turnkeep_turns_total'), { '{status="completed",code=""}': 1 });
  assert.deepEqual(seriesOf(await metricsAt(own), 'turnkeep_turns_accepted_total'), {});
  assert.deepEqual(seriesOf(await metricsAt(url), 'turnkeep_turns_accepted_total'), { '': 1 });
  assert.equal((await fetch(`${own}/healthz`)).status, 200);
  assert.equal((await fetch(`${own}/v1/models`)).status, 404);
  worker.signal('SIGTERM');
  assert.equal(await worker.ended(), 0);
});
