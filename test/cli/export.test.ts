/** `turnkeep export` and `turnkeep replay` of what it writes, at a real gateway; secrets of every kind are in no file. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { Client } from '@temporalio/client';
import { createDataConverter } from '../../src/codec/data-converter.ts';
import { createHistoryReader } from '../../src/history/read-histories.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { readBundle } from '../../src/history/bundle.ts';
import { chatAnswer, chatToolCalls, httpError, type LoggedRequest, type Script } from '../../src/testing/model-server/index.ts';
import { filesystemProgram } from '../support/mcp.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';
import { World } from '../support/world.ts';

const root = join(import.meta.dirname, '../..');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function turnkeep(env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Ended> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    const options = { cwd: root, env: { PATH, HOME, ...env }, maxBuffer: 67_108_864 };
    execFile(process.execPath, ['src/cli/main.ts', ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-export-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What one model says to each of its requests. */
function answering(answers: { readonly [model: string]: readonly Script[] }): (request: LoggedRequest) => Script {
  const counts = new Map<string, number>();
  return ({ body }) => {
    const { model } = body as { readonly model: string };
    const count = counts.get(model) ?? 0;
    counts.set(model, count + 1);
    return answers[model]?.[count] ?? chatAnswer('well');
  };
}

const lead = readAgentConfig(
  defineConfig({
    agents: { lead: { model: 'lead-model', tools: ['agent:helper'] }, helper: { model: 'helper-model', description: 'Helps.' } },
  }),
);

test('export: a directory has a file a turn, with the turns of the agents that it called; all of it is replayed offline', async (t) => {
  const calls = chatToolCalls({ id: 'c1', name: 'helper', arguments: { input: 'help' } });
  const options = {
    agents: lead,
    model: () => ({ fallback: answering({ 'lead-model': [calls, chatAnswer('done')], 'helper-model': [chatAnswer('helped')] }) }),
  };
  await using world = await World.open(options);
  const viewer = await world.hear('go', { model: 'lead' });
  await world.history(viewer.id);
  const { body } = await world.call('GET', `/turns/${viewer.id}`);
  const child =
    (body['steps'] as { calls?: { turn?: string }[] }[]).flatMap(({ calls: made = [] }) => made.map(({ turn }) => turn ?? ''))[0] ?? '';
  await world.history(child);
  const folder = folderFor(t);
  const env = { TURNKEEP_URL: `${world.url}/v1` };

  const all = await turnkeep(env, 'export', viewer.id, '-o', `${folder}/all/`, '--json');
  assert.equal(all.code, 0, all.stderr);
  assert.deepEqual(readdirSync(join(folder, 'all')).toSorted(), [`${viewer.id}.turn.json`, `${child}.turn.json`].toSorted());
  const told = all.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { id: string; bytes: number });
  assert.deepEqual(
    told.map(({ id }) => id),
    [viewer.id, child],
  );
  assert.equal((await readBundle(join(folder, `all/${child}.turn.json`))).turn.parent?.turn, viewer.id);

  const one = await turnkeep(env, 'export', viewer.id, '-o', join(folder, 'one.json'));
  assert.equal(one.code, 0);
  assert.match(one.stderr, new RegExp(`the turns of the agents that it called are not in the file \\(${child}\\)`));
  const shown = await turnkeep(env, 'export', viewer.id, '-o', '-');
  assert.equal((JSON.parse(shown.stdout) as { timeline: { id: string } }).timeline.id, viewer.id);
  const since = await turnkeep(env, 'export', '--since', '1h', '-o', join(folder, 'since/'));
  assert.deepEqual([since.code, readdirSync(join(folder, 'since')).length], [0, 2]);

  // Nothing answers there: files need neither gateway nor Temporal.
  const offline = { TURNKEEP_URL: 'http://127.0.0.1:9/v1', TEMPORAL_ADDRESS: '127.0.0.1:9' };
  const replayed = await turnkeep(offline, 'replay', join(folder, 'all'), join(folder, 'one.json'));
  assert.deepEqual([replayed.code, replayed.stdout], [0, '3 runs are the same\n'], replayed.stderr);
  const ofGateway = await turnkeep(env, 'replay', viewer.id, '--json');
  assert.deepEqual([ofGateway.code, (JSON.parse(ofGateway.stdout) as { outcome: string }).outcome], [0, 'same'], ofGateway.stderr);
});

test('export, replay: what is asked for wrongly, is not there, or cannot be looked at, is said, each with its exit code', async (t) => {
  await using world = await World.open();
  world.model.enqueue(httpError(401));
  const failed = await world.hear('hi');
  const folder = folderFor(t);
  const env = { TURNKEEP_URL: `${world.url}/v1` };
  const nothing = await turnkeep(env, 'export');
  assert.deepEqual([nothing.code, /nothing is named/.test(nothing.stderr)], [2, true]);
  const both = await turnkeep(env, 'export', failed.id, '--failed', '-o', `${folder}/`);
  assert.deepEqual([both.code, /--status names turns, and so do the ids/.test(both.stderr)], [2, true], both.stderr);
  const two = await turnkeep(env, 'export', failed.id, 'resp_other');
  assert.deepEqual([two.code, /name a directory with -o/.test(two.stderr)], [2, true]);
  const gone = await turnkeep(env, 'export', failed.id, 'resp_other', '-o', `${folder}/some/`);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /there is no turn resp_other: it never was, was deleted, or is past retention/);
  assert.deepEqual(readdirSync(join(folder, 'some')), [`${failed.id}.turn.json`], 'the others are exported');
  mkdirSync(join(folder, 'taken.json'));
  const missing = await turnkeep(env, 'export', failed.id, '-o', join(folder, 'nowhere/x.json'));
  assert.deepEqual([missing.code, /x\.json cannot be written: ENOENT/.test(missing.stderr)], [2, true], missing.stderr);
  const byFlag = await turnkeep(env, 'export', '--failed', '-o', join(folder, 'failed/'));
  assert.deepEqual([byFlag.code, readdirSync(join(folder, 'failed'))], [0, [`${failed.id}.turn.json`]]);

  writeFileSync(join(folder, 'odd.json'), '{"hello":1}');
  const bundle = JSON.parse(readFileSync(join(folder, `some/${failed.id}.turn.json`), 'utf8')) as { temporal: object };
  writeFileSync(join(folder, 'late.json'), JSON.stringify({ ...bundle, temporal: { missing: 'its retention is over' } }));
  const unseen = await turnkeep({}, 'replay', join(folder, 'odd.json'), join(folder, 'late.json'), join(folder, 'not-there.json'));
  assert.equal(unseen.code, 2);
  assert.match(unseen.stdout, /odd\.json was not replayed: .*odd\.json is no exported turn/);
  assert.match(unseen.stdout, new RegExp(`${failed.id} was not replayed: its retention is over`));
  assert.match(unseen.stdout, /not-there\.json was not replayed: .*cannot be read: ENOENT/);
  assert.match(unseen.stdout, /\n0 runs are the same, 3 could not be replayed\n$/);
  const away = await turnkeep({ TEMPORAL_ADDRESS: '127.0.0.1:9' }, 'replay', '--running');
  assert.deepEqual([away.code, /Temporal does not answer at 127\.0\.0\.1:9/.test(away.stderr)], [2, true], away.stderr);
});

test('T11 · keys of providers, of the API, of codecs and of MCP servers are in no bundle; one without its codec key says which is missing', async (t) => {
  const secrets = ['env', 'header', 'client'].map((name) => `canary-${name}-4711`);
  const [inEnv = '', inHeader = '', ofClient = ''] = secrets;
  const [codecKey, clientKey] = [randomBytes(32), `${ofClient}-key`];
  const agents = readAgentConfig(
    defineConfig({
      providers: { other: { baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'canary-provider-4711' } },
      mcpServers: {
        files: { command: process.execPath, args: [filesystemProgram, tmpdir()], env: { TOKEN: inEnv } },
        away: { url: 'http://127.0.0.1:9/mcp', headers: { authorization: `Bearer ${inHeader}` } },
      },
      agents: { clerk: { model: 'clerk-model', tools: ['mcp:files', 'mcp:away'] }, stray: { model: 'other/m' } },
    }),
  );
  const list = chatToolCalls({ id: 'c1', name: 'list_allowed_directories', arguments: {} });
  const hash = createHash('sha256').update(clientKey).digest('hex');
  await using world = await World.open({
    agents,
    model: () => ({ fallback: answering({ 'clerk-model': [list, chatAnswer('done')] }) }),
    config: { apiKeys: [{ name: 'ann', hash }], codecKeys: [{ id: 'k', key: codecKey }] },
  });
  const say = async (body: object): Promise<Viewer> => {
    const viewer = await Viewer.open(`${world.url}/v1/responses`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
      body: JSON.stringify({ input: 'hi', stream: true, ...body }),
    });
    await viewer.ended;
    return viewer;
  };
  const clerk = await say({ model: 'clerk', metadata: { note: 'kept words' } });
  const stray = await say({ model: 'stray' });
  const folder = folderFor(t);
  const env = { TURNKEEP_URL: `${world.url}/v1`, TURNKEEP_API_KEY: clientKey };
  for (const { id } of [clerk, stray]) await until(async () => (await world.store.readTurn(id))?.isDispatched === true);
  await world.history(clerk.id);
  const done = await turnkeep(env, 'export', clerk.id, stray.id, '-o', `${folder}/all/`);
  assert.equal(done.code, 0, done.stderr);
  const redacted = await turnkeep(env, 'export', clerk.id, '--redact', '-o', join(folder, 'redacted.json'));
  assert.equal(redacted.code, 0, redacted.stderr);
  const plain = readFileSync(join(folder, `all/${clerk.id}.turn.json`), 'utf8');
  assert.ok(plain.includes('kept words') && plain.includes('list_allowed_directories'), 'what is no secret is there');
  const files = ['redacted.json', `all/${clerk.id}.turn.json`, `all/${stray.id}.turn.json`];
  const forms = (secret: string): string[] => [
    secret,
    Buffer.from(secret).toString('base64').slice(0, -4),
    Buffer.from(secret).toString('hex'),
  ];
  const looked = [
    ...secrets,
    clientKey,
    hash,
    'canary-provider-4711',
    'sk-story-0123456789abcdef',
    codecKey.toString('base64'),
    codecKey.toString('hex'),
  ];
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    const payloads = [...text.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)]
      .map(([, data = '']) => Buffer.from(data, 'base64').toString('latin1'))
      .join('\n');
    for (const secret of looked)
      for (const form of forms(secret)) assert.ok(!text.includes(form) && !payloads.includes(form), `${secret} is in ${file}`);
  }
  assert.ok(!readFileSync(join(folder, 'redacted.json'), 'utf8').includes('kept words'));
  const shown = await turnkeep({}, 'show', join(folder, 'redacted.json'));
  assert.equal(shown.code, 0, shown.stderr);

  const { temporal } = await readBundle(join(folder, `all/${clerk.id}.turn.json`));
  assert.ok(
    'histories' in temporal && !JSON.stringify(temporal).includes(Buffer.from('binary/encrypted').toString('base64')),
    'payloads are decrypted',
  );
  const replayed = await turnkeep({}, 'replay', join(folder, 'all'), join(folder, 'redacted.json'));
  assert.deepEqual([replayed.code, replayed.stdout], [0, '3 runs are the same\n'], replayed.stderr);

  const dataConverter = createDataConverter([{ id: 'other', key: randomBytes(32) }]);
  const { connection, options } = world.temporal;
  const turn = await world.store.readTurn(clerk.id);
  assert.ok(turn);
  const unread = await createHistoryReader(new Client({ connection, namespace: options.namespace, dataConverter }))(turn);
  assert.ok('missing' in unread, 'without the key there is no history');
  assert.match(
    unread.missing,
    /^its history cannot be decoded: a history was encrypted with the key "k", which TURNKEEP_CODEC_KEYS does not have/,
  );
});
