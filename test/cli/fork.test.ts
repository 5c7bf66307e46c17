/** `turnkeep fork`, at a real gateway. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chatAnswer } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { World } from '../support/world.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

test('fork prints the id of a session that goes on from there, with an edited item too', async (t) => {
  await using world = await World.open();
  const url = ['--url', `${world.url}/v1`];
  world.model.enqueue(chatAnswer('Hello.'), chatAnswer('Fine.'), chatAnswer('Ho!'));
  const turn = await world.hear('hi');
  const forked = await turnkeep('fork', turn.id, ...url);
  assert.deepEqual([forked.code, forked.stderr], [0, '']);
  assert.match(forked.stdout, /^conv_\w+\n$/);
  await world.hear('how are you?', { conversation: forked.stdout.trim() });
  assert.deepEqual(
    messagesOf(world.model.requests[1]).map(({ content }) => content),
    ['hi', 'Hello.', 'how are you?'],
  );

  const { body } = await world.call('GET', `/responses/${turn.id}/input_items`);
  const [said] = body['data'] as readonly { readonly id: string }[];
  const file = join(folderOf(t), 'item.json');
  writeFileSync(file, JSON.stringify({ ...said, content: [{ type: 'input_text', text: 'ho' }] }));
  const edited = await turnkeep('fork', turn.id, '--at', '1', '--edit', file, '--json', ...url);
  const conversation = JSON.parse(edited.stdout) as { readonly id: string; readonly metadata: object };
  assert.deepEqual(conversation.metadata, { forked_from: turn.id, forked_at_step: '1' });
  const viewer = await world.say('', { conversation: conversation.id, input: [] });
  await viewer.ended;
  assert.deepEqual(
    messagesOf(world.model.requests[2]).map(({ content }) => content),
    ['ho'],
  );
});

test('what fork cannot do it says in a line, and exits with 2', async (t) => {
  await using world = await World.open();
  const url = ['--url', `${world.url}/v1`];
  const turn = await world.hear('hi');
  const words = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await turnkeep('fork', ...args, ...url);
    assert.deepEqual([code, stdout], [2, '']);
    return stderr;
  };
  assert.match(await words('resp_none'), /^turnkeep: The gateway at \S+ answered 404: not_found: .*resp_none/);
  assert.match(await words(turn.id, '--at', '7'), /Invalid 'step': turn 'resp_\w+' has the steps 1 to 1\./);
  assert.match(await words(turn.id, '--at', 'two'), /It has to be the number of a step, from 1\./);
  const file = join(folderOf(t), 'item.json');
  assert.match(await words(turn.id, '--edit', file), /^turnkeep: --edit \S+item\.json: ENOENT/);
  writeFileSync(file, '{');
  assert.match(await words(turn.id, '--edit', file), /^turnkeep: --edit \S+item\.json: .*JSON/);
});
