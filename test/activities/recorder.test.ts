/** What is kept of an attempt, so that its turn can be run again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import type { RecordingEntry } from '../../src/domain/turn/recording.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { decodeRecordings, type RecordedRun } from '../../src/store/recordings/decode.ts';
import { chat, chatAnswer, end, hold, httpError, reset, sseHead, text, wait } from '../../src/testing/model-server/index.ts';
import { scene, sceneOf } from './support.ts';

async function recorded(store: Store): Promise<readonly RecordedRun[]> {
  return decodeRecordings(await store.readRecordings('resp_a'));
}

function typesOf({ entries }: RecordedRun): readonly string[] {
  return entries.map((entry) => (entry.type === 'end' ? `${entry.type} ${entry.how}` : entry.type));
}

function wireOf(runs: readonly RecordedRun[]): string {
  const chunks = runs.flatMap(({ entries }) => entries.flatMap((entry) => (entry.type === 'chunk' ? [entry.bytes] : [])));
  return Buffer.concat(chunks).toString();
}

function only<T extends RecordingEntry['type']>(runs: readonly RecordedRun[], type: T): Extract<RecordingEntry, { type: T }> {
  const all = runs.flatMap(({ entries }) => entries.filter((entry) => entry.type === type));
  assert.equal(all.length, 1, type);
  return all[0] as Extract<RecordingEntry, { type: T }>;
}

test('the bytes of an answer are kept as they came, with its head, its end, and where its deltas were cut', async () => {
  await using s = await scene([sseHead, chat.role(), chat.content('Hel'), hold('first'), chat.content('lo'), chat.finish(), end]);
  const running = s.attempt();
  await s.shown();
  s.model.release('first');
  assert.equal((await running).status, 'completed');
  const runs = await recorded(s.store);
  assert.deepEqual(
    runs.map(({ step, attempt, epoch }) => [step, attempt, epoch]),
    [[1, 1, 1]],
  );
  const events = wireOf(runs).trim().split('\n\n');
  assert.deepEqual(
    events.map(
      (event) => (JSON.parse(event.replace(/^data: /, '')) as { choices: [{ delta: { content?: string } }] }).choices[0].delta.content,
    ),
    ['', 'Hel', 'lo', undefined],
  );
  const { entries } = runs[0] as RecordedRun;
  assert.deepEqual([entries[0]?.type, entries.at(-1)?.type], ['begin', 'done']);
  const { status, headers } = only(runs, 'head');
  assert.deepEqual([status, headers['content-type']], [200, 'text/event-stream']);
  assert.equal(only(runs, 'end').how, 'ended');
  assert.ok(entries.some(({ type }) => type === 'flush'));
  assert.equal(new URL(only(runs, 'request').url).pathname, '/v1/chat/completions');
});

test('each attempt has its own recording, with the error that broke its connection', async () => {
  await using s = await scene([sseHead, reset], chatAnswer('Hi'));
  await assert.rejects(s.attempt());
  s.setWait();
  await s.attempt();
  const runs = await recorded(s.store);
  assert.deepEqual(
    runs.map(({ attempt }) => attempt),
    [1, 2],
  );
  const broken = (runs[0] as RecordedRun).entries.find((entry) => entry.type === 'end');
  assert.ok(broken?.type === 'end' && broken.how === 'broken', JSON.stringify(broken));
  assert.match(JSON.stringify(broken.cause), /ECONNRESET|UND_ERR_SOCKET/);
});

test('a cancel is kept with its place, and a run without an end is one that was lost', async () => {
  await using s = await scene([sseHead, chat.content('Hel'), hold('never'), end]);
  const environment = new MockActivityEnvironment();
  const running = s.attempt(environment);
  await s.shown();
  const before = await recorded(s.store);
  assert.deepEqual(typesOf(before[0] as RecordedRun).slice(0, 5), ['begin', 'asked', 'request', 'head', 'chunk']);
  assert.ok(!typesOf(before[0] as RecordedRun).includes('done'));
  // The delta is in the journal, and its writer is to learn of that.
  for (let turns = 0; turns < 50; turns += 1) await nextTurnOfTheLoop();
  s.attempts.get('resp_a')?.abort('cancelled');
  assert.equal((await running).status, 'cancelled');
  const runs = await recorded(s.store);
  const { reason, is_writing, chunk } = only(runs, 'abort');
  assert.deepEqual([reason, is_writing, chunk > 0], ['cancelled', false, true]);
  assert.equal(only(runs, 'end').how, 'aborted');
});

test('T11 · no key is kept, also where the provider echoes it, in one piece or in several', async () => {
  const apiKey = 'sk-canary-0123456789abcdef';
  const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${apiKey}.`, code: 'invalid_api_key' } });
  await using s = await sceneOf({ scripts: [httpError(401, body, { 'x-request-id': apiKey })], apiKey });
  await s.attempt();
  const runs = await recorded(s.store);
  assert.ok(!JSON.stringify(runs).includes(apiKey) && !wireOf(runs).includes(apiKey));
  assert.match(wireOf(runs), /Incorrect API key provided: \u007f{26}\./);
  for (const cut of [1, 9, apiKey.length - 1]) {
    const pieces = [`data: {"error":{"message":"no ${apiKey.slice(0, cut)}`, `${apiKey.slice(cut)} here"}}\n\n`];
    await using other = await sceneOf({ scripts: [[sseHead, text(pieces[0] ?? ''), wait(30), text(pieces[1] ?? ''), end]], apiKey });
    await other.attempt();
    const wire = wireOf(await recorded(other.store));
    assert.equal(wire, pieces.join('').replace(apiKey, '\u007f'.repeat(apiKey.length)));
  }
});

test('with answers what was read is kept and no bytes; with off nothing at all', async () => {
  await using answers = await sceneOf({ scripts: [chatAnswer('Hel', 'lo')], record: 'answers' });
  await answers.attempt();
  const runs = await recorded(answers.store);
  assert.equal(wireOf(runs), '');
  const said = (runs[0] as RecordedRun).entries.flatMap((entry) =>
    entry.type === 'event' && entry.event.type === 'delta' ? [entry.event.delta.text] : [],
  );
  assert.equal(said.join(''), 'Hello');
  await using off = await sceneOf({ scripts: [chatAnswer('Hi')], record: 'off' });
  await off.attempt();
  assert.deepEqual(await recorded(off.store), []);
});

test('T14 · a recording is bounded: past four times the longest answer it says that it was cut, and the answer goes on', async () => {
  const comment = text(`: ${'x'.repeat(1_000)}\n\n`);
  const script = [sseHead, chat.content('a'), ...Array.from({ length: 50 }, () => comment), chat.content('b'), chat.finish(), end];
  await using s = await sceneOf({ scripts: [script], maxOutputBytes: 2_000 });
  assert.equal((await s.attempt()).status, 'completed');
  const runs = await recorded(s.store);
  assert.ok(wireOf(runs).length <= 8_000);
  only(runs, 'cut');
  assert.equal(only(runs, 'end').how, 'ended');
});
