/** What a tool leaves running behind its end fails: whose streams end with it, and what the log says. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { chat, chatAnswer, chatToolCalls, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { folderOf } from '../cli/folder.ts';
import { post } from '../support/post.ts';
import { type Role, startCluster } from '../support/processes.ts';

const options = { timeout: 180_000 };

/** An agent `clerk` whose tool `leave` returns at once, and leaves this to a timer. */
function leaving(context: TestContext, later: string): NodeJS.ProcessEnv {
  const path = join(folderOf(context), 'turnkeep.config.ts');
  writeFileSync(
    path,
    `import { defineConfig, defineTool } from 'turnkeep/config';
import { z } from 'zod';
class StrayError extends Error { name = 'StrayError'; secret = 'sk-secret'; }
const leave = defineTool({
  description: 'a tool',
  input: z.object({}),
  run() {
    setTimeout(() => { ${later} }, 10);
    return 'left';
  },
});
export default defineConfig({ tools: { leave }, agents: { clerk: { model: 'scripted', tools: ['leave'] } } });
`,
  );
  return { TURNKEEP_CONFIG: path };
}

/** The line of the log with these words. */
async function logged(role: Role, words: RegExp) {
  const { input } = await role.says(new RegExp(`^\\{.*${words.source}`));
  return JSON.parse(input) as { level: number; msg: string; error: { type: string; message: string; stack?: string } };
}

const call = chatToolCalls({ id: 'call_1', name: 'leave', arguments: {} });

test(
  'a promise of a tool that is rejected behind its end is a line of the log: other streams go on, and so does its turn',
  options,
  async (context) => {
    await using cluster = await startCluster({ env: leaving(context, "Promise.reject(new StrayError('stray')); Promise.reject('bare');") });
    const { role, url } = await cluster.startServe();
    cluster.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
    const unrelated = post(url, { input: 'hi' });
    await cluster.model.reached('go');
    cluster.model.enqueue(call, chatAnswer('Done.'));
    const both = Promise.all([unrelated, post(url, { model: 'clerk', input: 'leave' })]);
    both.catch(() => undefined);
    const { level, error } = await logged(role, /StrayError/);
    assert.deepEqual([level, error.type, error.message, Object.keys(error)], [50, 'StrayError', 'stray', ['type', 'message', 'stack']]);
    assert.match(error.stack ?? '', /^StrayError: stray\n\s+at .*turnkeep\.config\.ts/);
    assert.deepEqual((await logged(role, /bare/)).error, { type: 'string', message: 'bare' });
    cluster.model.release('go');
    assert.deepEqual(
      (await both).map(({ json }) => json?.['status']),
      ['completed', 'completed'],
    );
    role.signal('SIGTERM');
    assert.equal(await role.ended(), 0);
    assert.doesNotMatch(role.output.join('\n'), /sk-secret/);
  },
);

test(
  'an error that a tool throws in a timer ends the process with exit code 1, and the log says why in one line',
  options,
  async (context) => {
    await using cluster = await startCluster({ env: leaving(context, "throw new StrayError('thrown');") });
    const { role, url } = await cluster.startServe();
    cluster.model.enqueue(call, chatAnswer('Done.'));
    post(url, { model: 'clerk', input: 'leave' }).catch(() => undefined);
    assert.equal(await role.ended(), 1);
    const { level, error } = await logged(role, /StrayError/);
    assert.deepEqual([level, error.type, error.message], [50, 'StrayError', 'thrown']);
    assert.doesNotMatch(role.output.join('\n'), /^\s+at /m);
  },
);
