/**
 * T11 · one search for everything: each word and each secret that a turn has to do with is a canary of its own, and all that turnkeep
 * lets out is searched for them. Words are found in the database, in what a client is given, and in what the provider is sent, and
 * nowhere else. Secrets are found nowhere.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import {
  chat,
  chatToolCalls,
  hold,
  httpError,
  type LoggedRequest,
  reset,
  sseHead,
  done,
  end,
} from '../../src/testing/model-server/index.ts';
import { createDataConverter } from '../../src/codec/data-converter.ts';
import { startCollector } from '../support/collector.ts';
import { Role, startCluster } from '../support/processes.ts';
import { startReceiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';

const canary = (name: string): string => `canary${name}${randomBytes(9).toString('hex')}`;

/** What is said in a turn. */
const words = {
  prompt: canary('prompt'),
  instructions: canary('instructions'),
  metadata: canary('metadata'),
  answer: canary('answer'),
  reasoning: canary('reasoning'),
  argument: canary('argument'),
  result: canary('result'),
  thrown: canary('thrown'),
  providerWords: canary('provider'),
};

/** What nobody is to learn. */
const secrets = {
  providerKey: `sk-${canary('providerkey')}`,
  clientKey: canary('clientkey'),
  toolSecret: canary('toolsecret'),
};

const agents = (folder: string): string => {
  const path = join(folder, 'turnkeep.config.ts');
  writeFileSync(
    path,
    `import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';
const look = defineTool({
  description: 'looks',
  input: z.object({ at: z.string() }),
  run({ at }) {
    if (process.env.TOOL_SECRET !== '${secrets.toolSecret}') throw new Error('no secret');
    if (at === 'nowhere') throw new Error('${words.thrown}');
    return '${words.result}';
  },
});
export default defineConfig({ tools: { look }, agents: { clerk: { model: 'scripted', tools: ['look'], instructions: '${words.instructions}' } } });
`,
  );
  return path;
};

/** By what the turn is about, whatever else asks the model meanwhile. */
function reply({ body }: LoggedRequest) {
  const { messages = [] } = body as { messages?: { role: string; content: unknown }[] };
  const about = JSON.stringify(messages.findLast(({ role }) => role === 'user')?.content);
  if (about.includes('refused'))
    return httpError(400, { error: { message: `${words.providerWords} ${words.prompt} ${secrets.providerKey}` } });
  if (about.includes('held')) return [sseHead, chat.role(), chat.content(words.answer), hold('go'), chat.finish(), done, end];
  if (about.includes('tools') && messages.at(-1)?.role !== 'tool') {
    return chatToolCalls(
      { id: 'c1', name: 'look', arguments: { at: words.argument } },
      { id: 'c2', name: 'look', arguments: { at: 'nowhere' } },
      { id: 'c3', name: 'look', arguments: { wrong: words.argument } },
    );
  }
  return [sseHead, chat.role(), chat.reasoning(words.reasoning), chat.content(words.answer), chat.finish(), done, end];
}

/** Every way in which the text may stand in another: as it is, in base64 at any offset, in hex, each of these in base64 again. */
function formsOf(text: string): readonly string[] {
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('x'.repeat(offset) + text).toString('base64');
    // The first and the last characters depend on what stands around it.
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  return [text, Buffer.from(text).toString('hex'), ...base64];
}

/** The text, and what base64 in it comes to. */
function opened(text: string, depth = 2): string {
  if (depth === 0) return text;
  const inner = Array.from(text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g), ([run]) => Buffer.from(run, 'base64').toString('latin1'));
  return inner.length === 0 ? text : `${text}\n${opened(inner.join('\n'), depth - 1)}`;
}

/** The names of those that are in it. */
function found(text: string, wanted: { readonly [name: string]: string }): readonly string[] {
  const all = opened(text);
  return Object.keys(wanted).filter((name) => formsOf(wanted[name] ?? '').some((form) => all.includes(form)));
}

/** JSON of anything, with bytes in base64 and numbers of any length. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner);
    // What `Buffer` makes of itself comes here as an object.
    if (typeof inner === 'object' && inner !== null && 'type' in inner && inner.type === 'Buffer' && 'data' in inner)
      return Buffer.from(inner.data as number[]).toString('base64');
    return inner instanceof Uint8Array ? Buffer.from(inner).toString('base64') : inner;
  });
}

test('the search finds what is there, in every form', () => {
  const { prompt } = words;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  for (const text of [
    `say ${prompt}.`,
    base64(prompt),
    base64(`a${prompt}b`),
    base64(`ab${prompt}cd`),
    base64(base64(`{"x":"${prompt}"}`)),
    Buffer.from(prompt).toString('hex'),
    textOf({ data: Buffer.from(`{"a":"${prompt}"}`), more: [new Uint8Array(Buffer.from(prompt))] }),
  ])
    assert.deepEqual(found(text, words), ['prompt'], text);
  assert.deepEqual(found('nothing of it', words), []);
});

for (const codecKey of [undefined, randomBytes(32)]) {
  const title = codecKey === undefined ? 'without codec keys' : 'with a codec key';
  test(`T11 · ${title}, words are in the database and in answers alone, and secrets nowhere`, { timeout: 240_000 }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'turnkeep-canaries-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    await using collector = await startCollector();
    await using receiver = await startReceiver();
    const env: NodeJS.ProcessEnv = {
      LOG_LEVEL: 'trace',
      TURNKEEP_CONFIG: agents(folder),
      TURNKEEP_API_KEYS: `ann:${secrets.clientKey}`,
      TURNKEEP_TITLES: '1',
      TURNKEEP_WEBHOOK_URL: receiver.url,
      TURNKEEP_WEBHOOK_SECRET: receiver.secret,
      OPENAI_API_KEY: secrets.providerKey,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      TOOL_SECRET: secrets.toolSecret,
      ...(codecKey === undefined ? {} : { TURNKEEP_CODEC_KEYS: `k:${codecKey.toString('base64')}` }),
    };
    await using cluster = await startCluster({ model: { fallback: reply }, env });
    const { role: gateway, url } = await cluster.startGateway();
    const worker = await cluster.startWorker({ TURNKEEP_METRICS_PORT: '0' });
    const [, metricsPort = ''] = await worker.says(/serves its metrics on port (\d+)/);

    const made = new Role(['keys', 'create', '--tenant', 'ann', '--scopes', 'read,write,export', '--json'], cluster.env);
    assert.equal(await made.ended(), 0);
    const { key } = JSON.parse(made.output.find((line) => line.startsWith('{')) ?? '{}') as { key: string };
    const all = {
      ...secrets,
      storedKey: key,
      storedKeyBits: key.slice(-43),
      webhookSecret: receiver.secret.slice('whsec_'.length),
      webhookSecretBytes: Buffer.from(receiver.secretBytes).toString('hex'),
      ...(codecKey === undefined ? {} : { codecKey: codecKey.toString('base64'), codecKeyBytes: codecKey.toString('hex') }),
    };
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const clientHeaders = { ...headers, authorization: `Bearer ${secrets.clientKey}` };
    const call = async (method: string, path: string, body?: unknown, own: Record<string, string> = headers): Promise<[number, string]> => {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: own,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return [response.status, await response.text()];
    };
    const say = async (about: string, fields: object = {}): Promise<Viewer> => {
      const input = `${about} ${words.prompt}`;
      const body = JSON.stringify({ model: 'clerk', input, stream: true, metadata: { note: words.metadata }, ...fields });
      return Viewer.open(`${url}/v1/responses`, { method: 'POST', headers, body });
    };

    // Turns of every kind: with tools, retried, refused, told to an endpoint, and one that runs while Temporal is looked at.
    const [, created] = await call('POST', '/v1/conversations', {});
    const { id: conversation } = JSON.parse(created) as { id: string };
    const tools = await say('use the tools', { conversation });
    await tools.ended;
    assert.equal(tools.last.response.status, 'completed');
    cluster.model.enqueue([reset], [reset]);
    const retried = await say('again', { previous_response_id: tools.id });
    await retried.ended;
    const refused = await say('be refused');
    await refused.ended;
    assert.equal(refused.last.response.error?.code, 'provider_rejected');
    const [, background] = await call('POST', '/v1/responses', { model: 'clerk', input: words.prompt, background: true }, clientHeaders);
    const { id: told } = JSON.parse(background) as { id: string };
    const [delivery] = await receiver.received(1);
    const held = await say('be held');
    await held.untilText(words.answer);

    const surfaces: { [name: string]: string } = { webhook: textOf(delivery) };

    // Temporal: what it tells of runs, with what they beat, and all of their histories, as it has them.
    const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = '' } = cluster.env;
    const connection = await Connection.connect({ address });
    t.after(() => connection.close());
    const temporal = new Client({
      connection,
      namespace,
      dataConverter: createDataConverter(codecKey === undefined ? [] : [{ id: 'k', key: codecKey }]),
    });
    const histories: string[] = [];
    const read = async (): Promise<number> => {
      histories.length = 0;
      for await (const { workflowId, runId } of temporal.workflow.list({
        query: `TaskQueue STARTS_WITH '${cluster.env['TURNKEEP_TASK_QUEUE']}'`,
      })) {
        const execution = { workflowId, runId };
        histories.push(textOf(await connection.workflowService.describeWorkflowExecution({ namespace, execution })));
        const { history } = await connection.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1_000 });
        histories.push(textOf(history));
      }
      return histories.length / 2;
    };
    await until(async () => (await read()) >= 5);
    surfaces['temporal, while a turn runs'] = histories.join('\n');
    cluster.model.release('go');
    await held.ended;
    for (const { id } of [tools, retried, refused, held])
      await temporal.workflow
        .getHandle(`turn/${id}`)
        .result()
        .catch(() => undefined);
    assert.ok((await read()) >= 7, 'turns, a title and a webhook');
    surfaces['temporal'] = histories.join('\n');
    assert.ok(surfaces['temporal'].includes(tools.id), 'histories were read');
    // A name within the arguments of a workflow: what is searched is open where nothing is encrypted, and only there.
    assert.deepEqual(found(surfaces['temporal'], { named: 'heartbeatTimeoutMs' }), codecKey === undefined ? ['named'] : []);

    surfaces['metrics of the gateway'] = await (await fetch(`${url}/metrics`)).text();
    surfaces['metrics of the worker'] = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();

    // What is wrong with a request is told to whoever made it, and without what he did not send.
    const errors = [
      await call('POST', '/v1/responses', { input: 1 }),
      await call('POST', '/v1/responses', { input: 'x', model: 'clerk', previous_response_id: 'resp_none' }),
      await call('GET', '/v1/responses/resp_none'),
      await call('GET', '/v1/responses', undefined, { authorization: `Bearer ${key}x` }),
      await call('GET', '/v1/conversations', undefined, { authorization: `Bearer ${secrets.clientKey}x` }),
      await call('GET', '/nowhere'),
      await call('PUT', '/v1/responses'),
    ];
    for (const [status] of errors) assert.ok(status >= 400, String(status));
    surfaces['errors'] = errors.join('\n');
    for (const path of ['/healthz', '/readyz', '/openapi.json']) surfaces[path] = (await call('GET', path)).join('\n');

    const ids = [tools.id, retried.id, refused.id, told, held.id];
    for (const id of ids) await collector.untilTrace(id);
    surfaces['traces'] = collector.said;

    // As a client has it, words are there, and with --redact they are not.
    const bundles: string[] = [];
    for (const id of ids) {
      surfaces[`redacted bundle of ${id}`] = (await call('GET', `/turns/${id}/export?redact=true`)).join('\n');
      bundles.push((await call('GET', `/turns/${id}/export`)).join('\n'));
    }
    const answers = [tools, retried, refused, held].map((viewer) => viewer.data.join('\n')).join('\n');
    for (const path of [
      `/turns/${refused.id}`,
      `/turns/${tools.id}/timeline`,
      '/turns',
      '/stats',
      '/v1/models',
      `/v1/conversations/${conversation}/items`,
    ])
      bundles.push((await call('GET', path)).join('\n'));

    for (const each of [gateway, worker]) {
      each.signal('SIGTERM');
      assert.equal(await each.ended(), 0);
    }
    surfaces['log of the gateway'] = gateway.output.join('\n');
    surfaces['log of the worker'] = worker.output.join('\n');
    assert.ok(surfaces['log of the worker'].includes('"level":10'), 'the log is at level trace');

    for (const [name, text] of Object.entries(surfaces)) assert.deepEqual([found(text, words), found(text, all)], [[], []], name);
    assert.deepEqual(found(bundles.join('\n'), words).toSorted(), Object.keys(words).toSorted(), 'whole bundles have the words');
    assert.deepEqual(found(bundles.join('\n'), all), [], 'whole bundles and lists have no secret');
    assert.deepEqual(found(answers, all), [], 'streams have no secret, also where the provider repeats it');

    // The database has the words, each where it belongs, and of keys nothing but their hashes.
    const database = new DatabaseSync(join(cluster.env['TURNKEEP_DATA_DIR'] ?? '', 'turnkeep.db'), { readOnly: true });
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const places = tables.flatMap(({ name: table }) =>
      database
        .prepare(`SELECT * FROM "${String(table)}"`)
        .all()
        .flatMap((row) =>
          Object.entries(row).flatMap(([column, value]) =>
            found(textOf(value), { ...words, ...all }).map((name) => `${String(table)}.${column}: ${name}`),
          ),
        ),
    );
    database.close();
    const allowed =
      /^(items\.item|journal\.data|turn_content\.(settings|response)|tool_calls\.(call|result|run_log)|attempts\.message|sessions\.metadata|hidden_reasoning\.\w+): /;
    assert.deepEqual(
      [...new Set(places)].filter((place) => !allowed.test(place)),
      [],
    );
    const inDatabase = new Set(places.map((place) => place.split(': ')[1]));
    for (const name of ['prompt', 'answer', 'argument', 'result', 'metadata'])
      assert.ok(inDatabase.has(name), `${name} is in the database`);
    for (const name of Object.keys(all)) assert.ok(!inDatabase.has(name), name);
    for (const file of readdirSync(cluster.env['TURNKEEP_DATA_DIR'] ?? '')) {
      const bytes = readFileSync(join(cluster.env['TURNKEEP_DATA_DIR'] ?? '', file)).toString('latin1');
      for (const [name, secret] of Object.entries(all))
        assert.ok(!formsOf(secret).some((form) => bytes.includes(form)), `${name} is in ${file}`);
    }
  });
}
