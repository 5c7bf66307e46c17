/** T11 · what is logged: ids and facts of every request and every turn, at no level a word of what was said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { chatAnswer, httpError, reset } from '../../src/testing/model-server/index.ts';
import { Role, startCluster } from '../support/processes.ts';
import { World } from '../support/world.ts';
import { Viewer } from '../support/viewer.ts';

const options = { timeout: 60_000 };

interface Line {
  readonly msg: string;
  readonly [field: string]: unknown;
}

function logInto(): { readonly log: pino.Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  return { log: pino({ level: 'info', base: null }, { write: (line) => lines.push(JSON.parse(line) as Line) }), lines };
}

test('one line a request and one line a turn’s end, with every id to find the one from the other', options, async () => {
  const { log, lines } = logInto();
  await using world = await World.open({ log });
  const conversation = await world.session();
  const viewer = await world.say('hi', { conversation }, { 'x-request-id': 'mine-1' });
  await viewer.ended;
  assert.equal((await world.call('GET', `/v1/responses/${viewer.id}`)).status, 200);
  assert.equal((await world.call('GET', '/v1/responses/words%20of%20a%20user')).status, 404);
  await world.call('GET', '/healthz');
  // One at a time over one door: when this is answered, the lines of those before are written.
  const told = (msg: string): Line[] => lines.filter((line) => line.msg === msg);
  const common = { tenant: 'default', isCut: false, isStream: false, method: 'GET', status: 200 };
  const without = (line: Line): object => {
    const { time, level, durationMs, msg, ...rest } = line;
    assert.deepEqual([typeof time, level, typeof durationMs, typeof msg], ['number', 30, 'number', 'string']);
    return rest;
  };
  const requests = told('request').map(without) as { requestId: string }[];
  assert.match(requests[0]?.requestId ?? '', /^req_/);
  assert.deepEqual(
    requests.map(({ requestId, ...rest }) => (requestId === 'mine-1' ? { requestId, ...rest } : rest)),
    [
      { ...common, method: 'POST', route: '/v1/conversations' },
      {
        ...common,
        method: 'POST',
        route: '/v1/responses',
        isStream: true,
        requestId: 'mine-1',
        responseId: viewer.id,
        conversationId: conversation,
      },
      { ...common, route: '/v1/responses/:id', responseId: viewer.id },
      { ...common, route: '/v1/responses/:id', status: 404 },
    ],
  );
  assert.deepEqual(told('turn ended').map(without), [
    {
      responseId: viewer.id,
      conversationId: conversation,
      workflowId: `turn/${viewer.id}`,
      tenant: 'default',
      status: 'completed',
      code: null,
      model: 'scripted',
      requests: 1,
      tokens: (viewer.last.response.usage?.input_tokens ?? 0) + (viewer.last.response.usage?.output_tokens ?? 0),
    },
  ]);
});

test('a turn that failed is a warning, with what the provider answered and after how many requests', options, async () => {
  const { log, lines } = logInto();
  await using world = await World.open({ log });
  world.model.enqueue(httpError(401, { error: { message: 'secret words', code: 'invalid_api_key' } }));
  const viewer = await world.say('hi');
  await viewer.ended;
  const line = lines.find(({ msg }) => msg === 'turn ended');
  assert.deepEqual([line?.level, line?.code, line?.detail, line?.requests], [40, 'provider_rejected', '401 invalid_api_key', 1]);
  assert.doesNotMatch(JSON.stringify(lines), /secret words/);
});

test('T11 · no prompt, answer or key is in a log line of gateway or worker, not even at trace', options, async () => {
  const key = 'tk-gateway-0123456789abcdef';
  await using cluster = await startCluster({ env: { LOG_LEVEL: 'trace', TURNKEEP_API_KEYS: `me:${key}` } });
  const { role, url } = await cluster.startGateway();
  const worker = await cluster.startWorker();
  cluster.model.enqueue(
    [reset],
    chatAnswer('secret answer'),
    httpError(400, { error: { message: 'the provider repeats: secret prompt' } }),
  );
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const say = async (body: object): Promise<Viewer> => {
    const viewer = await Viewer.open(`${url}/v1/responses`, { method: 'POST', headers, body: JSON.stringify({ stream: true, ...body }) });
    await viewer.ended;
    return viewer;
  };
  const said = await say({ input: 'secret prompt', instructions: 'secret instructions', metadata: { about: 'secret metadata' } });
  assert.equal(said.text, 'secret answer');
  const failed = await say({ input: 'secret prompt' });
  assert.equal(failed.last.response.error?.code, 'provider_rejected');
  // What is wrong with a request is told to its client, not to the log.
  for (const body of ['{"input": "secret prompt', '{"input": "x", "secret field": 1}']) {
    assert.equal((await fetch(`${url}/v1/responses`, { method: 'POST', headers, body })).status, 400);
  }
  await fetch(`${url}/v1/responses/secret-path?query=secret-query`, { headers: { ...headers, 'x-request-id': 'secret words' } });
  await fetch(`${url}/v1/models`, { headers: { authorization: 'Bearer tk-wrong-secret' } });
  for (const each of [role, worker]) {
    each.signal('SIGTERM');
    assert.equal(await each.ended(), 0);
  }
  const lines = [...role.output, ...worker.output];
  assert.ok(
    lines.some((line) => line.includes(said.id)),
    'something was logged',
  );
  assert.ok(
    lines.some((line) => line.includes('"level":10')),
    'the lines of the SDK were logged',
  );
  for (const line of lines) assert.doesNotMatch(line, /secret|tk-gateway|sk-chaos|Bearer/i);
});

test('turnkeep dev says nothing of a retry, and one line of a turn that failed', options, async () => {
  // The cluster lends the model, the database folder and Temporal; dev is gateway and worker in one.
  await using cluster = await startCluster();
  cluster.model.enqueue([reset], chatAnswer('Hello'), httpError(400), httpError(429, {}, { 'retry-after': '0' }), chatAnswer('Hello'));
  const dev = new Role(['dev'], cluster.env);
  try {
    const [, url = ''] = await dev.says(/API +(http:\S+)\/v1/);
    await dev.says(/Ctrl-C/);
    const before = dev.output.length;
    const end = async (): Promise<string> => {
      const body = JSON.stringify({ input: 'hi' });
      const response = await fetch(`${url}/v1/responses`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return ((await response.json()) as { status: string }).status;
    };
    assert.deepEqual([await end(), await end(), await end()], ['completed', 'failed', 'completed']);
    assert.equal(cluster.model.requests.length, 5);
    await dev.says(/turn ended/);
    const told = dev.output.slice(before).map((line) => JSON.parse(line) as Line);
    // Temporal's SDK warns of what a busy machine does to it.
    const ours = told.filter(({ source }) => source !== 'temporal');
    assert.deepEqual(
      ours.map(({ level, msg, status, code, detail }) => [level, msg, status, code, detail]),
      [[40, 'turn ended', 'failed', 'provider_rejected', '400']],
    );
  } finally {
    await dev.kill();
  }
});
