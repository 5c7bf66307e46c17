/** `turnkeep chat` with an agent whose tools a worker runs. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { Chat } from '../../src/cli/chat/chat.ts';
import { TerminalLines } from '../../src/cli/chat/lines.ts';
import { Screen } from '../../src/cli/chat/screen.ts';
import { GatewayClient } from '../../src/http-client/calls.ts';
import { chatAnswer, chatToolCalls } from '../../src/testing/model-server/index.ts';
import { clerk } from '../support/clerk.ts';
import { until } from '../support/until.ts';
import { ChatProcess } from './chat-process.ts';

const options = { timeout: 120_000 };
const call = (name: string, at: string) => ({ id: `call_${at}`, name, arguments: { at } });

/** A machine that is busy makes any call a long one. */
function withoutTimes(text: string): string {
  return text.replaceAll(/(?<=done|failed) after [\d.]+ s/g, '');
}

interface Terminal {
  readonly chat: Chat;
  readonly screen: () => string;
  readonly press: (keys: string) => void;
  readonly until: (text: string) => Promise<void>;
}

/** A chat at a terminal, whose keys the test presses. */
function terminalAt(url: string, session?: string): Terminal {
  let shown = '';
  const output = () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true as const, columns: 200 });
    stream.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    return stream;
  };
  const [out, err] = [output(), output()];
  const input = Object.assign(new PassThrough(), { setRawMode: () => input as never });
  const lines = new TerminalLines(input, err, { onInterrupt: (hasTyped) => void chat.interrupt(hasTyped), onEarly: () => undefined });
  const client = new GatewayClient({ baseUrl: url });
  const chat = new Chat({
    client,
    screen: new Screen(out, err),
    lines,
    isTerminal: true,
    session,
    model: undefined,
    agent: session === undefined ? 'clerk' : undefined,
    instructions: undefined,
  });
  const screen = (): string => withoutTimes(stripVTControlCharacters(shown));
  return {
    chat,
    screen,
    press: (keys) => void input.write(keys),
    until: (text) =>
      until(() => {
        if (!screen().includes(text)) return false;
        shown = screen().slice(screen().indexOf(text) + text.length);
        return true;
      }),
  };
}

test('a call of a tool is one quiet line, with its arguments and how it ended', options, async (context) => {
  const { url: origin, model } = clerk();
  const url = `${origin}/v1`;
  model.enqueue(chatToolCalls(call('look', 'home')), chatToolCalls(call('look', 'nowhere')), chatAnswer('Found it.'));
  const talk = new ChatProcess(context, ['--url', url, '--agent', 'clerk']).say('where is it?');
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.equal(talk.stdout, 'Found it.\n');
  assert.equal(
    withoutTimes(talk.notes),
    `· look({"at":"home"}) done\n· look({"at":"nowhere"}) failed: There is no such place.\n· turnkeep chat --agent clerk --session ${talk.session} goes on here\n`,
  );
});

test('in a pipe, what waits for an approval is shown with the command that answers it, and ends the chat', options, async (context) => {
  const { url: origin, model } = clerk();
  const url = `${origin}/v1`;
  model.enqueue(chatToolCalls(call('drop', "it's")), chatAnswer('Dropped.'));
  const talk = new ChatProcess(context, ['--url', url, '--agent', 'clerk']).say('drop it', 'and that');
  assert.equal(await talk.finished(), 3, talk.stderr);
  const [shown, a, b, c, why, curl = ''] = talk.notes.split('\n');
  assert.deepEqual([shown, a, b, c], ['drop waits for your approval:', '  {', '    "at": "it\'s"', '  }']);
  assert.equal(why, '· this answers it ("approve": false refuses it); what follows in the pipe is not sent');
  assert.equal(model.requests.length, 1);

  const [, address = '', , body = ''] = /^curl (\S+) -H '(.*?)' -d '(.*)'$/.exec(curl) ?? [];
  const answer = await fetch(address, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { status, output } = (await answer.json()) as { status: string; output: { type: string; output?: string }[] };
  assert.deepEqual([status, output.map((item) => item.output ?? item.type)], ['completed', ["was at it's", 'message']]);
});

test('at a terminal, several requests are asked about one after the other, and answered in one input', options, async () => {
  const { url: origin, model, outputs } = clerk();
  const url = `${origin}/v1`;
  model.enqueue(chatToolCalls(call('drop', 'a'), call('drop', 'b'), call('keep', 'c')), chatAnswer('As you wish.'));
  const { chat, press, until: seen } = terminalAt(url);
  const talked = chat.run();
  press('tidy up\r');
  await seen('1 of 3: drop waits for your approval:\n  {\n    "at": "a"\n  }');
  await seen('Allow it?');
  press('sure\r');
  await seen('· y makes the call');
  press('y\r');
  await seen('2 of 3: drop');
  await seen('Allow it?');
  press('n, b is of use\r');
  await seen('3 of 3: keep');
  await seen('Allow it?');
  press('n\r');
  await seen('· drop({"at":"a"}) done\n');
  await seen('As you wish.');
  press('\u0004');
  assert.equal(await talked, 0);
  assert.equal(model.requests.length, 2);
  assert.deepEqual(outputs(2).toSorted(), [
    'The user refused this call. It was not made.',
    'The user refused this call. It was not made. The reason given: b is of use',
    'was at a',
  ]);
});

test('all approves the rest; what was typed before a question is no answer to it', options, async () => {
  const { url: origin, model, outputs } = clerk();
  const url = `${origin}/v1`;
  model.enqueue(chatToolCalls(call('drop', 'a'), call('keep', 'b')), chatAnswer('Both.'), chatAnswer('Once more.'));
  const { chat, press, until: seen } = terminalAt(url);
  const talked = chat.run();
  press('tidy up\ry\rall');
  await seen('Allow it?');
  press('all\r');
  await seen('Both.');
  await seen('› y\n');
  await seen('Once more.');
  await seen('› all');
  press('\u0003\u0004');
  assert.equal(await talked, 0);
  assert.deepEqual(outputs(2), ['was at a', 'was at b']);
});

test('what is left open is asked again by /approve, and when the session is come back to', options, async () => {
  const { url: origin, model, outputs } = clerk();
  const url = `${origin}/v1`;
  model.enqueue(chatToolCalls(call('drop', 'a')), chatAnswer('Dropped.'));
  const first = terminalAt(url);
  const talked = first.chat.run();
  first.press('drop it\r');
  await first.until('Allow it?');
  first.press('\r');
  await first.until('· /approve asks again what you have left open');
  first.press('/approve\r');
  await first.until('Allow it?');
  first.press('\u0004');
  assert.equal(await talked, 0);
  first.chat.showSession();
  const [, session = ''] = /--agent clerk --session (\S+)/.exec(first.screen()) ?? [];

  // Without a word of the agent: who asked is known.
  const next = terminalAt(url, session);
  const back = next.chat.run();
  await next.until('· drop was to be approved');
  await next.until('Allow it?');
  next.press('yes\r');
  await next.until('Dropped.');
  next.press('/approve\r');
  await next.until('· nothing waits for your approval');
  next.press('\u0004');
  assert.equal(await back, 0);
  assert.deepEqual(outputs(2), ['was at a']);
});

test('an agent that is not there is named, with those that are', options, async (context) => {
  const { url: origin } = clerk();
  const url = `${origin}/v1`;
  const talk = new ChatProcess(context, ['--url', url, '--agent', 'clark']).say('hi');
  assert.equal(await talk.finished(), 2);
  assert.equal(talk.stderr, `turnkeep: There is no agent clark at ${url}: did you mean clerk? It has clerk.\n`);
});
