/** With codec keys nothing of ours is plain in what Temporal stores, and keys can be changed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createDataConverter } from '../../src/codec/data-converter.ts';
import { chatAnswer, httpError, reset } from '../../src/testing/model-server/index.ts';
import { Role, startCluster } from '../support/processes.ts';
import { startDevServer } from '../../src/cli/dev-server/start.ts';
import { openPage } from '../conformance/browser.ts';
import { needChromium } from '../support/programs.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { Viewer } from '../support/viewer.ts';
import { story, World } from '../support/world.ts';

const old = { id: 'old', key: randomBytes(32) };
const fresh = { id: 'fresh', key: randomBytes(32) };

interface AnyPayload {
  readonly metadata: { readonly [key: string]: Uint8Array };
  readonly data?: Uint8Array;
}

/** Every payload in a history, by the path to it. */
function payloadsOf(value: unknown, path = ''): [string, AnyPayload][] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if ('metadata' in value && typeof value.metadata === 'object' && value.metadata !== null && 'encoding' in value.metadata) {
    return [[path, value as AnyPayload]];
  }
  return Object.entries(value).flatMap(([key, inner]) => payloadsOf(inner, `${path}.${key}`));
}

story(
  'T11 · with codec keys a turn runs, fails and is retried, and its history has no plain payload and no plain message',
  async (world) => {
    world.model.enqueue([reset], chatAnswer('Hello'), httpError(429, undefined, { 'retry-after': '2' }), httpError(400));
    const said = await world.hear('secret words');
    assert.equal(said.last.response.status, 'completed');
    const failed = await world.hear('to be refused');
    assert.equal(failed.last.response.error?.code, 'provider_rejected');
    let found = 0;
    let failures = 0;
    for (const { id } of [said, failed]) {
      const history = await world.history(id);
      for (const [path, { metadata }] of payloadsOf(history)) {
        // Temporal's own book-keeping of a local activity: its number, its type, its times.
        if (path.endsWith('.markerRecordedEventAttributes.details.data.payloads.0')) continue;
        assert.equal(Buffer.from(metadata['encoding'] ?? []).toString(), 'binary/encrypted', path);
        assert.equal(Buffer.from(metadata['encryption-key-id'] ?? []).toString(), 'old', path);
        found += 1;
      }
      for (const { activityTaskFailedEventAttributes: event } of history.events ?? []) {
        if (event == null) continue;
        assert.deepEqual([event.failure?.message, event.failure?.stackTrace ?? ''], ['Encoded failure', '']);
        failures += 1;
      }
    }
    assert.ok(found >= 8 && failures === 1, `${found} payloads, ${failures} failures`);
  },
  // An attempt that has failed before Temporal asks for it leaves no event.
  { config: { codecKeys: [old], hasHeadStart: false } },
);

test('T10 · histories of an old key replay while it is still named, and without it the error says which is missing', async () => {
  await using world = await World.open({ config: { codecKeys: [old] } });
  const { id } = await world.hear('hi');
  const row = await world.store.readTurn(id);
  const histories = [{ workflowId: row?.workflowId ?? '', history: await world.history(id) }];
  const replayWith = async (codecKeys: (typeof old)[]): Promise<[isReplayed: boolean, told: string[]]> => {
    const told: string[] = [];
    const results = [];
    for await (const { error } of world.replay(
      histories,
      createDataConverter(codecKeys, (message) => told.push(message)),
    )) {
      results.push(error === undefined);
    }
    return [results.join() === 'true', told];
  };
  assert.deepEqual(await replayWith([fresh, old]), [true, []]);
  const [isReplayed, told] = await replayWith([fresh]);
  assert.equal(isReplayed, false);
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /encrypted with the key "old", which TURNKEEP_CODEC_KEYS does not have/);
});

const inEnv = (...keys: (typeof old)[]): { TURNKEEP_CODEC_KEYS: string } => ({
  TURNKEEP_CODEC_KEYS: keys.map(({ id, key }) => `${id}:${key.toString('base64')}`).join(','),
});

test(
  'a process without the key in use refuses to start and says which; keys are changed by those that have both',
  { timeout: 120_000 },
  async () => {
    await using cluster = await startCluster();
    const { url, role } = await cluster.startServe(inEnv(old));
    const refused = async (command: string, env: NodeJS.ProcessEnv): Promise<string> => {
      const process = new Role([command], { ...cluster.env, ...env });
      assert.equal(await process.ended(), 2);
      return process.output.join('\n');
    };
    for (const command of ['worker', 'gateway', 'serve']) {
      const missing = await refused(command, inEnv(fresh));
      assert.match(
        missing,
        /^turnkeep: what Temporal stores is encrypted with the key "old", and TURNKEEP_CODEC_KEYS does not have it: give it /m,
      );
    }
    assert.match(await refused('worker', {}), /encrypted with the key "old", and TURNKEEP_CODEC_KEYS is unset: give it /);
    assert.match(
      await refused('worker', inEnv({ ...old, key: fresh.key })),
      /the key "old" of TURNKEEP_CODEC_KEYS is not the key "old" that/,
    );
    const viewer = await Viewer.say(url, 'hi');
    await viewer.ended;
    assert.equal(viewer.last.response.status, 'completed', 'whoever has it goes on');
    // The new key behind the old one, then before it, then alone.
    const second = await cluster.startServe(inEnv(old, fresh));
    second.role.signal('SIGTERM');
    role.signal('SIGTERM');
    const third = await cluster.startServe(inEnv(fresh, old));
    third.role.signal('SIGTERM');
    assert.match(await refused('worker', inEnv(old)), /encrypted with the key "fresh", and TURNKEEP_CODEC_KEYS does not have it/);
    const last = await cluster.startServe(inEnv(fresh));
    assert.deepEqual(await Promise.all([role, second.role, third.role].map((each) => each.ended())), [0, 0, 0]);
    last.role.signal('SIGTERM');
    assert.equal(await last.role.ended(), 0);
    const forget = new Role(['keys', 'forget-codec'], cluster.env);
    assert.equal(await forget.ended(), 0, forget.output.join('\n'));
    await cluster.startWorker();
  },
);

test("Temporal's own command line shows a history by turnkeep codec-server, and nothing of it to whoever has no key", async () => {
  await using cluster = await startCluster({ env: { TURNKEEP_CODEC_KEYS: `old:${old.key.toString('base64')}` } });
  const { url } = await cluster.startServe();
  const viewer = await Viewer.say(url, 'hi');
  await viewer.ended;
  const server = new Role(['codec-server', '--port', '0'], { ...cluster.env, TURNKEEP_CODEC_SERVER_KEYS: 'ops:codec-caller' });
  try {
    const [, endpoint = ''] = await server.says(/codec-server listens on (http:\S+)/);
    const show = async (key: string): Promise<{ readonly stdout: string }> => {
      const { TEMPORAL_ADDRESS: address = '', TEMPORAL_NAMESPACE: namespace = '' } = cluster.env;
      const args = ['workflow', 'show', '-w', `turn/${viewer.id}`, '--output', 'json', '--address', address, '--namespace', namespace];
      const codec = ['--codec-endpoint', endpoint, '--codec-auth', `Bearer ${key}`];
      return promisify(execFile)(await testTemporalProgram(), [...args, ...codec], { env: { PATH: process.env['PATH'] } });
    };
    const shown = (await show('codec-caller')).stdout;
    // The command line decrypts, and leaves the bytes inside as they are.
    const words = (text: string): string =>
      Array.from(text.matchAll(/"data": "([^"]*)"/g), ([, data = '']) => Buffer.from(data, 'base64').toString('latin1')).join('\n');
    assert.ok(words(shown).includes(`{"turn":"${viewer.id}"`), 'the arguments of the workflow are plain');
    assert.doesNotMatch(shown, /encryption-key-id/);
    const refused = await show('wrong').then(
      ({ stdout }) => stdout,
      (error: { readonly stdout: string }) => error.stdout,
    );
    assert.ok(!words(refused).includes(viewer.id));
    server.signal('SIGTERM');
    assert.equal(await server.ended(), 0);
  } finally {
    await server.kill();
  }
});

test(
  "Temporal's own UI shows a history in a browser that has signed in at turnkeep codec-server, and without that none",
  { timeout: 120_000 },
  async (t) => {
    const chromium = await needChromium(t);
    if (chromium === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), 'turnkeep-codec-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const temporal = await startDevServer({
      program: await testTemporalProgram(),
      namespace: 'default',
      logPath: join(folder, 'server.log'),
    });
    t.after(() => temporal.stop());
    const ui = `http://127.0.0.1:${temporal.uiPort}`;
    await using cluster = await startCluster({
      env: {
        ...inEnv(old),
        TEMPORAL_ADDRESS: temporal.address,
        TEMPORAL_NAMESPACE: 'default',
        TURNKEEP_CODEC_SERVER_KEYS: 'ops:codec-caller',
      },
    });
    const { url } = await cluster.startServe();
    const viewer = await Viewer.say(url, 'hi');
    await viewer.ended;
    const codec = new Role(['codec-server', '--port', '0', '--cors-origins', ui], cluster.env);
    try {
      const [, endpoint = ''] = await codec.says(/codec-server listens on (http:\S+)/);
      await using page = await openPage(chromium);
      // What its settings write.
      await page.goto(`${ui}/`);
      const settings = { endpoint: JSON.stringify(endpoint), includeCredentials: 'true', overrideRemoteCodecConfiguration: 'true' };
      await page.evaluate(`Object.entries(${JSON.stringify(settings)}).forEach(([name, value]) => localStorage.setItem(name, value))`);
      const run = `${ui}/namespaces/default/workflows/${encodeURIComponent(`turn/${viewer.id}`)}`;
      await page.goto(run);
      await page.until('/Input\\s+"[A-Za-z0-9+/]{40}/.test(document.body.innerText)');
      assert.equal(await page.evaluate("document.body.innerText.includes('heartbeatTimeoutMs')"), false);
      await page.goto(`http://anybody:codec-caller@${new URL(endpoint).host}/`);
      await page.goto(run);
      await page.until("document.body.innerText.includes('heartbeatTimeoutMs')");
    } finally {
      await codec.kill();
    }
  },
);
