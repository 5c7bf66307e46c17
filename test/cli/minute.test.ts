/** A minute with a failed turn: found, explained, forked and finished, compared and kept, by commands alone (docs/debugging.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatAnswer, chatToolCalls, reset, sseHead, wait } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { folderOf } from './folder.ts';
import { turnkeep } from './run-turnkeep.ts';

const helper = { model: 'helper' };
const call = (id: string) => chatToolCalls({ id, name: 'echo', arguments: { name: id } });

test(
  'a turn that broke in its third step is found, explained, forked, finished and compared in 8 commands',
  { timeout: 300_000 },
  async (t) => {
    const tools = new ToolBench();
    await using world = await World.open({ agents: tools.config });
    const conversation = await world.session();
    world.model.enqueue(call('tides'), call('winds'), [sseHead, chat.content('High water is'), wait(20), reset]);
    const failed = await world.hear('When do we sail?', { ...helper, conversation });
    assert.equal(failed.last.response.error?.code, 'stream_interrupted');
    await world.hear('Another turn, which went well', {});
    await world.history(failed.id);

    const folder = folderOf(t);
    let commands = 0;
    const run = async (command: string, ...args: readonly string[]): Promise<string> => {
      commands += 1;
      const isOffline = command === 'replay' || (command === 'rerun' && args[0] === folder);
      const { code, stdout, stderr } = await turnkeep(command, ...args, ...(isOffline ? [] : ['--url', `${world.url}/v1`]));
      assert.equal(code, command === 'diff' ? 1 : 0, `${command}: ${stdout}${stderr}`);
      return stdout;
    };

    const found = await run('turns', '--status', 'failed', '--since', '1h');
    const [id = ''] = /resp_\w+/.exec(found) ?? [];
    assert.deepEqual([id, found.match(/resp_\w+/g)?.length], [failed.id, 1]);

    const told = await run('show', id);
    for (const words of ['stream_interrupted', 'ECONNRESET', 'read ECONNRESET', 'step 3', 'echo'])
      assert.ok(told.includes(words), `${words}:\n${told}`);

    const session = (await run('fork', id, '--at', '3')).trim();
    world.model.enqueue(chatAnswer('High water is ', 'at nine.'));
    const { json } = await post(world.url, { ...helper, conversation: session, input: [] });
    const finished = String(json?.['id']);
    assert.equal(json?.['status'], 'completed');
    assert.equal(tools.runs.length, 2, 'no tool ran again');
    await world.history(finished);

    const parted = await run('diff', id, finished);
    assert.match(parted, /^First difference: step 3, request 1\n/, parted);

    await until(async () => (await world.store.readTurn(finished))?.isDispatched === true);
    await run('export', id, finished, '-o', `${folder}/`);
    assert.match(await run('replay', folder), /\b2\b/);
    assert.match(await run('rerun', folder), /2 turns are the same to the byte/);
    assert.match(await run('turns', '--session', session), /completed/);
    assert.equal(commands, 8);
  },
);
