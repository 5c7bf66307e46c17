/** `turnkeep rerun --live`, at a real gateway. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chatAnswer, httpError } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { World } from '../support/world.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

interface Asked {
  readonly model?: string;
}

test('rerun --live shows the text while it comes, and says on stderr what the new turn and its session are called', async (t) => {
  await using world = await World.open();
  const turn = await world.hear('hi');
  const { PATH, HOME } = process.env;
  const answer = chatAnswer('Good ', 'morning.');
  const middle = answer.findIndex((step) => JSON.stringify(step).includes('morning'));
  world.model.enqueue([...answer.slice(0, middle), { type: 'hold', name: 'rest' }, ...answer.slice(middle)]);
  const command = spawn(process.execPath, ['bin/turnkeep.js', 'rerun', turn.id, '--live', '--url', `${world.url}/v1`], {
    cwd: join(import.meta.dirname, '../..'),
    env: { PATH, HOME },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => command.kill());
  let [text, ids] = ['', ''];
  command.stderr.setEncoding('utf8').on('data', (piece: string) => (ids += piece));
  command.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    // The rest of the answer is not sent before its beginning was shown.
    if (text === 'Good ') world.model.release('rest');
  });
  const [code] = (await once(command, 'close')) as readonly number[];
  assert.deepEqual([code, text], [0, 'Good morning.\n']);
  const [, response = '', conversation = ''] = /^(resp_\w+) in (conv_\w+), which shares the past of resp_\w+\n$/.exec(ids) ?? [];
  const { body } = await world.call('GET', `/responses/${response}`);
  assert.deepEqual((body['conversation'] as { readonly id: string }).id, conversation);
});

test('rerun --live asks with what --set, --edit and --from name, and --json prints the whole response', async (t) => {
  await using world = await World.open();
  const turn = await world.hear('hi');
  const folder = folderOf(t);
  const { body } = await world.call('GET', `/responses/${turn.id}/input_items`);
  const [said] = body['data'] as readonly { readonly id: string }[];
  const edits = join(folder, 'edits.json');
  const words = join(folder, 'words.txt');
  writeFileSync(edits, JSON.stringify([{ ...said, content: [{ type: 'input_text', text: 'ho' }] }]));
  writeFileSync(words, 'Be brief.');
  world.model.enqueue(chatAnswer('Ho.'));
  const set = ['--set', 'model=stronger', '--set', `instructions=@${words}`, '--set', 'temperature=0.5'];
  const flags = ['--live', '--from', '1', '--edit', edits, '--tools', 'recorded', '--json', '--url', `${world.url}/v1`];
  const ran = await turnkeep('rerun', turn.id, ...set, ...flags);
  assert.equal(ran.code, 0, ran.stderr);
  const response = JSON.parse(ran.stdout) as Readonly<Record<string, unknown>>;
  assert.equal(ran.stdout.trim().split('\n').length, 1);
  assert.deepEqual(
    [response['status'], response['model'], response['instructions'], response['temperature']],
    ['completed', 'stronger', 'Be brief.', 0.5],
  );
  assert.equal((world.model.requests[1]?.body as Asked | undefined)?.model, 'stronger');
  assert.deepEqual(
    messagesOf(world.model.requests[1]).map(({ content }) => content),
    ['Be brief.', 'ho'],
  );
});

test('a rerun that fails exits with 1, and one that cannot be asked for with 2, naming what is wrong', async () => {
  await using world = await World.open();
  const turn = await world.hear('hi');
  const url = ['--url', `${world.url}/v1`];
  world.model.enqueue(httpError(400));
  const failed = await turnkeep('rerun', turn.id, '--live', ...url);
  assert.equal(failed.code, 1, failed.stderr);
  assert.match(failed.stderr, /\nIt ended failed: turnkeep show resp_\w+\n$/);

  const words = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await turnkeep('rerun', ...args, ...url);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    return stderr;
  };
  assert.match(await words(turn.id, '--live', '--set', 'temperature=9'), /set\.temperature/);
  assert.match(await words(turn.id, '--live', '--set', 'speed=9'), /speed/);
  assert.match(await words(turn.id, '--live', '--set', 'tools=x'), /^turnkeep: --set tools: its value has to be JSON/);
  assert.match(await words(turn.id, '--live', '--set', 'model'), /it has to be NAME=VALUE/);
  assert.match(await words(turn.id, '--live', '--set', 'instructions=@/nowhere'), /--set instructions=@\/nowhere: ENOENT/);
  assert.match(await words(turn.id, '--live', '--from', '7'), /Invalid 'from': .* has the steps 1 to 1/);
  assert.match(await words(turn.id, 'resp_other', '--live'), /--live asks one turn again, and 2 are named/);
  assert.match(await words('odd.turn.json', '--live'), /--live needs the id of a turn/);
  assert.match(await words('resp_none', '--live'), /404.*resp_none/);
  assert.match(await words(turn.id, '--from', '1', '--set', 'model=x'), /^turnkeep: --from, --set go with --live only/);
});
