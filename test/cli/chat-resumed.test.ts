/** A chat that comes back to a session in which an answer is still running. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Chat } from '../../src/cli/chat/chat.ts';
import { Screen } from '../../src/cli/chat/screen.ts';
import { GatewayClient } from '../../src/http-client/calls.ts';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { ChatProcess } from './chat-process.ts';

const held = [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end];

/** A chat at a terminal whose user types nothing, and what its screen shows. */
function chatAt(world: World, session: string): { readonly chat: Chat; readonly shown: () => string } {
  let shown = '';
  const terminal = (): PassThrough & { isTTY: true; columns: number } => {
    const stream = Object.assign(new PassThrough(), { isTTY: true as const, columns: 80 });
    stream.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    return stream;
  };
  const lines = { next: async () => undefined, clear() {}, interject() {}, close() {} };
  const client = new GatewayClient({ baseUrl: `${world.url}/v1` });
  const options = { session, model: undefined, instructions: undefined };
  return {
    chat: new Chat({ client, screen: new Screen(terminal(), terminal()), lines, isTerminal: true, ...options }),
    shown: () => shown,
  };
}

test('the answer that is still running is said to be, and followed to its end', async () => {
  await using world = await World.open();
  world.model.enqueue(chatAnswer('Hi'), held);
  const conversation = await world.session();
  await world.hear('one', { conversation });
  const running = await world.say('two', { conversation });
  await running.untilText('Hel');
  const { chat: back, shown } = chatAt(world, conversation);
  const talked = back.run();
  await until(() => shown().includes('Hel'));
  world.model.release('go');
  await talked;
  assert.match(shown(), /› one\n\nHi\n\n› two\n[^]*· an answer is still running; Ctrl-C stops it\n[^]*Hello\n/);
  assert.equal(world.model.requests.length, 2);
});

test('a message that waits for another answer of its session says so', async (context) => {
  await using world = await World.open();
  world.model.enqueue(held, chatAnswer('fine'));
  const conversation = await world.session();
  const running = await world.say('one', { conversation });
  await running.untilText('Hel');
  const talk = new ChatProcess(context, ['--url', `${world.url}/v1`, '--session', conversation]).say('two');
  await talk.until(({ stderr }) => stderr.includes('· waits: another answer of the session is still running'));
  world.model.release('go');
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.equal(talk.stdout, 'fine\n');
});
