/** The traces of turns whose processes are killed, and of turns that another process goes on with: at a collector, by OTLP. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { chat, chatAnswer, chatToolCalls, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { type CollectedSpan, startCollector, treeOf } from '../support/collector.ts';
import { post } from '../support/post.ts';
import { type Cluster, startCluster } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 180_000 };

const config = join(import.meta.dirname, '../data/traced-agents.ts');

const tracing = (url: string): NodeJS.ProcessEnv => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_BSP_SCHEDULE_DELAY: '50' });

const requestsOf = (spans: readonly CollectedSpan[]): CollectedSpan[] => spans.filter(({ name }) => name.startsWith('chat '));

test('kill -9 of the worker before the first event, and a busy provider: all is one trace, whoever recorded what', options, async () => {
  await using collector = await startCollector();
  await using cluster = await startCluster({
    env: { ...tracing(collector.url), OTEL_SERVICE_NAME: 'turns', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' },
  });
  const busy = httpError(429, { error: { message: 'later' } }, { 'retry-after': '0' });
  cluster.model.enqueue([sseHead, chat.role(), stall], busy, chatAnswer('Hello'));
  const { url } = await cluster.startGateway();
  const second = await cluster.startGateway();
  const doomed = await cluster.startWorker();
  const viewer = await Viewer.say(url, 'secret words');
  await cluster.model.nextRequest(1);
  const elsewhere = await Viewer.open(`${second.url}/v1/responses/${viewer.id}?stream=true`);
  await doomed.kill();
  await cluster.startWorker();
  await Promise.all([viewer.ended, elsewhere.ended]);
  assert.equal(viewer.text, 'Hello');
  await collector.untilTrace(viewer.id);
  await until(
    () =>
      collector.spans.filter(({ kind, attributes }) => kind === 'SERVER' && attributes['gen_ai.response.id'] === viewer.id).length === 2,
  );
  const trace = await collector.untilTrace(viewer.id);
  assert.deepEqual(
    treeOf(trace).toSorted(),
    [
      '  GET /v1/responses/:id',
      '  POST /v1/responses',
      '  RunWorkflow:agentTurn',
      '    RunActivity:streamModel',
      '      chat scripted',
      '      chat scripted',
      '      chat scripted',
      'invoke_agent scripted',
    ].toSorted(),
  );
  const requests = requestsOf(trace);
  assert.deepEqual(
    requests.map(({ attributes, hasFailed }) => [attributes['error.type'], hasFailed]),
    [
      ['worker_lost', true],
      ['provider_busy', true],
      [undefined, false],
    ],
  );
  assert.equal(new Set(requests.map(({ attributes }) => attributes['turnkeep.worker'])).size, 2, 'two processes sent them');
  const root = trace.find(({ parentId }) => parentId === '');
  assert.ok(root);
  assert.deepEqual(
    [root.attributes['gen_ai.operation.name'], root.attributes['gen_ai.provider.name'], root.attributes['turnkeep.status'], root.hasFailed],
    ['invoke_agent', 'openai', 'completed', false],
  );
  assert.equal(root.resource['service.name'], 'turns');
  assert.equal(root.resource['deployment.environment.name'], 'test');
  for (const secret of ['secret words', 'Hello', 'sk-chaos']) assert.ok(!collector.said.includes(secret), `${secret} is in no span`);
});

test(
  'an approval that another process answers: two turns, each with its trace, the second linked to the first, its call in it',
  options,
  async () => {
    await using collector = await startCollector();
    await using cluster = await startCluster({ env: { ...tracing(collector.url), TURNKEEP_CONFIG: config } });
    cluster.model.enqueue(chatToolCalls({ id: 'c1', name: 'mail', arguments: { to: 'ann' } }), chatAnswer('It is sent.'));
    const first = await cluster.startServe();
    const asked = await post(first.url, { model: 'clerk', input: 'write' });
    const [request] = (asked.json?.['output'] ?? []) as { readonly id: string }[];
    const firstId = String(asked.json?.['id']);
    const [askedRoot] = await collector.untilTrace(firstId);
    await first.role.kill();
    const { url } = await cluster.startServe();
    const input = [{ type: 'mcp_approval_response', approval_request_id: request?.id, approve: true }];
    const next = await post(url, { model: 'clerk', previous_response_id: firstId, input });
    assert.equal(next.json?.['status'], 'completed', next.text);
    const trace = await collector.untilTrace(String(next.json?.['id']));
    const root = trace.find(({ name }) => name === 'invoke_agent clerk');
    assert.ok(root && askedRoot);
    assert.notEqual(root.traceId, askedRoot.traceId);
    assert.deepEqual(
      root.links.map(({ traceId, relation }) => [traceId, relation]),
      [[askedRoot.traceId, 'previous']],
    );
    const call = trace.find(({ name }) => name === 'execute_tool mail');
    const [chat] = requestsOf(trace);
    const asking = cluster.model.requests.at(-1);
    assert.ok(asking);
    const { headers, bodyText } = asking;
    assert.equal(headers['traceparent'], `00-${chat?.traceId}-${chat?.spanId}-01`, 'what the provider does may join');
    assert.ok(bodyText.includes(`in 00-${call?.traceId}-${call?.spanId}-01`), 'what the tool asks may join');
    assert.deepEqual(
      [call?.attributes['gen_ai.tool.call.id'], call?.attributes['turnkeep.approval_request_id'], call?.hasFailed],
      ['c1', request?.id, false],
    );
  },
);

test('an agent that asks another one: each turn has its trace, with links both ways', options, async () => {
  await using collector = await startCollector();
  await using cluster = await startCluster({ env: { ...tracing(collector.url), TURNKEEP_CONFIG: config } });
  cluster.model.enqueue(chatToolCalls({ id: 'c1', name: 'helper', arguments: { input: 'go' } }), chatAnswer('helped'), chatAnswer('done'));
  const { url } = await cluster.startServe();
  const { json } = await post(url, { model: 'lead', input: 'go' });
  const trace = await collector.untilTrace(String(json?.['id']));
  const child = collector.spans.find(({ name }) => name === 'invoke_agent helper');
  const call = trace.find(({ name }) => name === 'execute_tool helper');
  const root = trace.find(({ name }) => name === 'invoke_agent lead');
  assert.ok(child && call && root);
  assert.deepEqual(call.links, [{ traceId: child.traceId, spanId: child.spanId, relation: 'child' }]);
  assert.deepEqual(child.links, [{ traceId: root.traceId, spanId: root.spanId, relation: 'parent' }]);
});

test(
  'content where it is asked for, and even then none of a turn that is not to be stored; a drain sends what waits',
  options,
  async () => {
    await using collector = await startCollector();
    await using cluster = await startCluster({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
        OTEL_BSP_SCHEDULE_DELAY: '600000',
      },
    });
    cluster.model.enqueue(chatAnswer('rhubarb'), chatAnswer('sorrel'));
    const { url, role } = await cluster.startServe();
    const kept = await post(url, { input: 'nettle', instructions: 'Be brief.' });
    const gone = await post(url, { input: 'dandelion', store: false });
    role.signal('SIGTERM');
    assert.equal(await role.ended(), 0);
    const root = (await collector.untilTrace(String(kept.json?.['id']))).find(({ name }) => name.startsWith('invoke_agent'));
    assert.deepEqual(JSON.parse(String(root?.attributes['gen_ai.input.messages'])), [
      { role: 'user', parts: [{ type: 'text', content: 'nettle' }] },
    ]);
    assert.deepEqual(JSON.parse(String(root?.attributes['gen_ai.output.messages'])), [
      { role: 'assistant', parts: [{ type: 'text', content: 'rhubarb' }], finish_reason: 'stop' },
    ]);
    assert.deepEqual(JSON.parse(String(root?.attributes['gen_ai.system_instructions'])), [{ type: 'text', content: 'Be brief.' }]);
    const unstored = await collector.untilTrace(String(gone.json?.['id']));
    assert.equal(requestsOf(unstored).length, 1, 'it has a trace');
    for (const word of ['dandelion', 'sorrel']) assert.ok(!collector.said.includes(word), `${word} is in no span`);
  },
);

test(
  'a collector that is away, and one that never answers: turns go on, one warning, and the end does not wait for it',
  options,
  async (t) => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const { port } = silent.address() as AddressInfo;
    for (const endpoint of ['http://127.0.0.1:9', `http://127.0.0.1:${port}`]) {
      await using cluster = await startCluster({
        env: { ...tracing(endpoint), OTEL_EXPORTER_OTLP_TIMEOUT: '200' },
      });
      cluster.model.enqueue(chatAnswer('one'), chatAnswer('two'));
      const { url, role } = await cluster.startServe();
      assert.equal((await post(url, { input: 'hi' })).json?.['status'], 'completed');
      await role.says(/traces could not be sent/);
      assert.equal((await post(url, { input: 'hi' })).json?.['status'], 'completed');
      role.signal('SIGTERM');
      assert.equal(await role.ended(), 0);
      assert.equal(role.output.filter((line) => line.includes('traces could not be sent')).length, 1);
      assert.deepEqual(
        role.output.filter((line) => /"level":(50|"error")/.test(line)),
        [],
      );
    }
  },
);

async function eventsOf({ env, store }: Cluster, id: string): Promise<readonly (string | number)[]> {
  const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' });
  const { workflow } = new Client({ connection, namespace: env['TEMPORAL_NAMESPACE'] ?? '' });
  const handle = workflow.getHandle((await store.readTurn(id))?.workflowId ?? '');
  await handle.result();
  const { events } = await handle.fetchHistory();
  await connection.close();
  return (events ?? []).map(({ eventType }) => eventType ?? 0);
}

test('a turn costs no further event of Temporal with traces on', options, async () => {
  await using collector = await startCollector();
  const histories: (readonly (string | number)[])[] = [];
  for (const env of [{}, tracing(collector.url)]) {
    await using cluster = await startCluster({ env: { ...env, TURNKEEP_HEAD_START: 'off' } });
    cluster.model.enqueue(chatAnswer('Hello'));
    const { url } = await cluster.startServe();
    const { json } = await post(url, { input: 'hi' });
    histories.push(await eventsOf(cluster, String(json?.['id'])));
    // The cluster's processes are killed, and with them what they have not sent.
    if ('OTEL_EXPORTER_OTLP_ENDPOINT' in env) await until(() => collector.spans.length > 0);
  }
  assert.ok((histories[0]?.length ?? 0) > 3);
  assert.deepEqual(histories[1], histories[0]);
});
