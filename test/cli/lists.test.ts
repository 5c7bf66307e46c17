/** `turnkeep turns`, `turnkeep sessions` and `turnkeep stats`, at a real gateway. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { httpError } from '../../src/testing/model-server/index.ts';
import { turnText } from '../../src/cli/lists/turn-text.ts';
import { World } from '../support/world.ts';
import { turnkeep } from './run-turnkeep.ts';

test('turns: what happened lately, newest first, and what of it failed; for a program as JSON lines', async () => {
  // A request is asked again where its process stood still for longer than its lease: here it is asked once.
  await using world = await World.open({ limits: { heartbeatTimeoutMs: 30_000 } });
  const url = ['--url', `${world.url}/v1`];
  const completed = await world.hear('hi');
  world.model.enqueue(httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }));
  const failed = await world.hear('ho');

  const all = await turnkeep('turns', ...url);
  assert.deepEqual([all.code, all.stderr], [0, '']);
  const [first = '', second = '', ...more] = all.stdout.split('\n');
  assert.match(
    first,
    new RegExp(`^${failed.id}  ✗ failed: provider_rejected \\(401 invalid_api_key\\)  scripted, \\d+\\.\\d s, just now$`),
  );
  assert.match(second, new RegExp(`^${completed.id}  ✓ completed  scripted, \\d+\\.\\d s, 5 tokens, just now$`));
  assert.deepEqual(more, ['']);

  const json = await turnkeep('turns', ...url, '--status', 'failed', '--since', '1d', '--json');
  assert.deepEqual(
    json.stdout.split('\n').map((line) => (line === '' ? '' : (JSON.parse(line) as { id: string }).id)),
    [failed.id, ''],
  );
  const wrong = await turnkeep('turns', ...url, '--since', 'yesterday');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^turnkeep: The gateway at \S+ answered 400: \S+ Invalid 'since': must be a date such as/);
  const none = await turnkeep('turns', ...url, '--limit', '0');
  assert.equal(none.code, 2);
  assert.match(none.stderr, /--limit.*It has to be a whole number from 1\./);
});

test('stats: how turns ended, what retries saved, what was spent and lost; for a program as one JSON object', async () => {
  await using world = await World.open();
  const url = ['--url', `${world.url}/v1`];
  world.model.enqueue(httpError(503, {}));
  await world.hear('hi');
  world.model.enqueue(httpError(401, { error: { message: 'no' } }));
  await world.hear('ho', { model: 'larger' });

  const { code, stdout, stderr } = await turnkeep('stats', ...url, '--since', '1d');
  assert.deepEqual([code, stderr], [0, '']);
  const seconds = String.raw`\d+\.\d\d s`;
  const lines = [
    String.raw`2 turns since \S+Z`,
    '  completed                  1',
    '  failed: provider_rejected  1',
    `first token  p50 ${seconds}, p90 ${seconds}, p99 ${seconds}`,
    'retries      1 request made again, 1 turn saved by them',
    String.raw`spent        3 requests: 3 tokens in \(0 cached\), 2 out, \$0.00`,
    String.raw`lost         2 requests: 0 tokens in \(0 cached\), 0 out, \$0.00, and of 2 requests nobody knows`,
    '',
    '  model     turns  requests  in  cached  out   cost   lost',
    String.raw`  scripted      1         2   3       0    2  \$0.00  \$0.00`,
    String.raw`  larger        1         1   0       0    0  \$0.00  \$0.00`,
  ];
  assert.match(stdout, new RegExp(`^${lines.join('\n')}\n$`));

  const json = await turnkeep('stats', ...url, '--status', 'failed', '--json');
  assert.equal((JSON.parse(json.stdout) as { turns: number }).turns, 1);
  const byAgent = await turnkeep('turns', ...url, '--agent', 'larger', '--json');
  assert.equal(byAgent.stdout.trimEnd().split('\n').length, 1);
  const both = await turnkeep('stats', ...url, '--agent', 'larger', '--model', 'scripted');
  assert.equal(both.code, 2);
});

test('as many as asked for are printed, over as many pages as that takes', async () => {
  await using world = await World.open({ hasWorker: false });
  const ids = Array.from({ length: 130 }, (_, index) => `conv_${index}`);
  for (const [index, id] of ids.entries()) {
    await world.store.createSession({ id, tenant: 'default', metadata: {}, createdAtMs: Date.now() - 1_000 * index });
  }
  const printed = async (...args: readonly string[]): Promise<string[]> => {
    const { stdout, stderr } = await turnkeep('sessions', '--url', `${world.url}/v1`, ...args);
    assert.equal(stderr, '');
    return stdout.trimEnd().split('\n');
  };
  assert.deepEqual(
    (await printed('--limit', '120')).map((line) => line.split(' ')[0]),
    ids.slice(0, 120),
  );
  assert.equal((await printed()).length, 20);
  assert.deepEqual(
    (await printed('--limit', '1', '--json')).map((line) => (JSON.parse(line) as { id: string }).id),
    ['conv_0'],
  );
  const firstOf = (lines: readonly string[]) => lines[0]?.split(' ')[0];
  assert.equal(firstOf(await printed('--after', 'conv_41', '--limit', '1')), 'conv_42');
  // Made so many seconds ago.
  assert.equal(firstOf(await printed('--until', '60s', '--limit', '1'))?.replace(/\d+$/, ''), 'conv_');
  const recent = await printed('--since', '65s', '--limit', '130');
  assert.ok(recent.length > 5 && recent.length < 66, String(recent.length));
  assert.equal(firstOf(recent), 'conv_0');
});

test('in a terminal of 80 columns a turn is two lines, the id on its own', () => {
  const id = `resp_${'a'.repeat(48)}`;
  const created_at = '2026-01-31T12:00:00.000Z';
  const error = { code: 'context_length_exceeded' };
  const turn = { id, status: 'failed', model: 'gpt-4.1-mini', error, created_at, settled_at: null, requests: 3, usage: null };
  const terminal = Object.assign(new PassThrough(), { isTTY: true, getColorDepth: () => 4, hasColors: () => true });
  const text = turnText(turn, Date.parse(created_at) + 7_200_000, terminal);
  assert.ok(text.startsWith('\u001b[31m✗ failed: context_length_exceeded\u001b[39m'), JSON.stringify(text));
  assert.deepEqual(stripVTControlCharacters(text).split('\n'), [
    '✗ failed: context_length_exceeded  gpt-4.1-mini, 7200 s, 3 requests, 2 h ago',
    `  ${id}`,
  ]);
  // Clients choose the name of the model.
  assert.ok(!turnText({ ...turn, model: '\u001b[2Jm' }, Date.parse(created_at), terminal).includes('\u001b[2J'));
});
