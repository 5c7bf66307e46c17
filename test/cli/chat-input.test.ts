/** What the user types, and what it means. */
import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { actionOf, type Interrupt, type InterruptAction, type LineInput, readLine } from '../../src/cli/chat/input.ts';
import { TerminalLines } from '../../src/cli/chat/lines.ts';
import { markPastes, type PasteState, restoreNewlines } from '../../src/cli/chat/paste.ts';
import { readChoice } from '../../src/cli/chat/pick-session.ts';
import { sessionLine, sessionText, transcript } from '../../src/cli/chat/sessions.ts';

const inputs: readonly (readonly [string, LineInput])[] = [
  ['', { type: 'nothing' }],
  ['  \t', { type: 'nothing' }],
  ['hello', { type: 'message', text: 'hello' }],
  ['/help', { type: 'command', name: 'help', argument: '' }],
  ['/EXIT ', { type: 'command', name: 'quit', argument: '' }],
  ['/session  conv_1 ', { type: 'command', name: 'session', argument: 'conv_1' }],
  ['/model two words', { type: 'command', name: 'model', argument: 'two words' }],
  ['/frobnicate now', { type: 'unknown', name: 'frobnicate' }],
  ['/constructor', { type: 'unknown', name: 'constructor' }],
  ['/etc/hosts is a file', { type: 'message', text: '/etc/hosts is a file' }],
  ['/help\nof several lines', { type: 'message', text: '/help\nof several lines' }],
  ['//help', { type: 'message', text: '/help' }],
];
for (const [line, expected] of inputs) {
  test(`${JSON.stringify(line)} is read as ${expected.type}`, () => assert.deepEqual(readLine(line), expected));
}

const calm: Interrupt = { isTurnRunning: false, isSecond: false, isTerminal: true, hasTyped: false };
const interrupts: readonly (readonly [string, Partial<Interrupt>, InterruptAction])[] = [
  ['in a turn', { isTurnRunning: true }, 'stop_turn'],
  ['in a turn, in a pipe', { isTurnRunning: true, isTerminal: false }, 'stop_turn'],
  ['a second time in a turn', { isTurnRunning: true, isSecond: true }, 'leave'],
  ['after a turn that was stopped', { isSecond: true }, 'leave'],
  ['at the prompt', {}, 'warn'],
  ['with something typed', { hasTyped: true }, 'clear_line'],
  ['with something typed after a first', { hasTyped: true, isSecond: true }, 'clear_line'],
  ['between the lines of a pipe', { isTerminal: false }, 'leave'],
];
for (const [title, interrupt, expected] of interrupts) {
  test(`Ctrl-C ${title}: ${expected}`, () => assert.equal(actionOf({ ...calm, ...interrupt }), expected));
}

test('a paste of several lines stays one line, however its bytes are cut; keys around it pass as they are', () => {
  const typed = 'a\u001b[A\u001b[200~one\r\ntwo\rthree\n\u0003\tfour\u001b[201~\r\u001b';
  const whole = 'a\u001b[Aone⏎two⏎three⏎\tfour\r\u001b';
  for (let at = 1; at < typed.length; at += 1) {
    // A lone escape is a key at once, so a bracket cut right behind it is not seen.
    if (at === typed.indexOf('\u001b[200~') + 1) continue;
    let state: PasteState = { isPaste: false, held: '' };
    let text = '';
    for (const chunk of [typed.slice(0, at), typed.slice(at)]) {
      const next = markPastes(state, chunk);
      state = next.state;
      text += next.text;
    }
    assert.equal(text + state.held, whole, `cut at ${at}`);
  }
  assert.equal(restoreNewlines('one⏎two⏎'), 'one\ntwo');
});

/** A terminal without its screen. */
function terminal() {
  let screen = '';
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      screen += chunk.toString();
      done();
    },
  });
  const input = Object.assign(new PassThrough(), { setRawMode: () => input as never });
  const interrupts: boolean[] = [];
  const early: string[] = [];
  const lines = new TerminalLines(input, Object.assign(output, { columns: 80, isTTY: true }), {
    onInterrupt: (hasTyped) => interrupts.push(hasTyped),
    onEarly: (message) => early.push(message),
  });
  return { input, lines, interrupts, early, screen: () => screen };
}

test('at a terminal, a backslash goes on with the next line, a paste is one message, the arrow brings back the last', async () => {
  const { input, lines } = terminal();
  const first = lines.next('> ');
  input.write('one \\\rtwo\r');
  assert.equal(await first, 'one \ntwo');
  const second = lines.next('> ');
  input.write('see: \u001b[200~a\nb\n\u001b[201~');
  input.write('\r');
  assert.equal(await second, 'see: a\nb');
  const third = lines.next('> ');
  input.write('\u001b[A');
  input.write('\r');
  assert.equal(await third, 'see: a\nb');
  lines.close();
  assert.equal(await lines.next('> '), undefined);
});

test('what is typed while an answer streams is not shown until it is its turn', async () => {
  const { input, lines, screen, interrupts, early } = terminal();
  input.write('sent early\rbegun');
  input.write('\u0003');
  assert.ok(!screen().includes('early'));
  assert.deepEqual(early, ['sent early'], 'whoever shows the answer says that it waits');
  assert.deepEqual(interrupts, [false], 'Ctrl-C is for the answer, not for what was begun unseen');
  assert.equal(await lines.next('> '), 'sent early');
  assert.ok(screen().includes('> sent early\n') && !screen().includes('begun'));
  const next = lines.next('> ');
  assert.ok(screen().endsWith('begun'));
  input.write('\u0003');
  assert.deepEqual(interrupts, [false, true]);
  lines.clear();
  input.write('instead\r');
  assert.equal(await next, 'instead');
  const last = lines.next('> ');
  input.write('\u0004');
  assert.equal(await last, undefined);
});

test('a session is picked by its number', () => {
  const answers = ['', ' ', '1', '20', 'm', 'M', '0', '21', '-1', '1.5', 'x'];
  assert.deepEqual(
    answers.map((answer) => readChoice(answer, 20)),
    ['none', 'none', 1, 20, 'more', 'more', 'nonsense', 'nonsense', 'nonsense', 'nonsense', 'nonsense'],
  );
});

test('a session is listed with its age and its title', () => {
  const line = (secondsAgo: number, metadata: Record<string, unknown> | null) =>
    sessionLine({ id: 'conv_1', created_at: 1_000_000 - secondsAgo, metadata }, 1_000_000_000);
  assert.deepEqual(
    [line(5, { title: 'Two\nlines' }), line(3_599, null), line(7_200, {}), line(200_000, { title: 7 })],
    [
      'conv_1  just now    Two lines',
      'conv_1  59 min ago  (nothing said yet)',
      'conv_1  2 h ago     (nothing said yet)',
      'conv_1  2 d ago     (nothing said yet)',
    ],
  );
});

test('in a terminal a session is two lines that fit into it', () => {
  const text = (columns: number): string =>
    stripVTControlCharacters(
      sessionText(
        { id: 'conv_1', created_at: 999_995, preview: 'Tell me a long story', metadata: null },
        1_000_000_000,
        Object.assign(new PassThrough(), { columns }),
      ),
    );
  assert.equal(text(80), '“Tell me a long story”  just now\n  conv_1');
  assert.equal(text(25), '“Tell me a lon…  just now\n  conv_1');
});

test('a transcript has what was said, and says what was cut off', () => {
  const message = (role: string, text: string, status = 'completed') => ({ type: 'message', role, status, content: [{ text }] });
  assert.equal(
    transcript(
      [
        message('system', 'Be brief.'),
        message('user', 'hi'),
        { type: 'reasoning', content: [{ text: 'Hm.' }] },
        { type: 'function_call', name: 'look' },
        { type: 'function_call_output' },
        message('assistant', 'Hel', 'incomplete'),
      ],
      true,
    ),
    '· earlier messages are not shown\n\nsystem: Be brief.\n\n› hi\n\n· calls look\n\nHel\n· cut off',
  );
  assert.equal(transcript([], false), '· nothing was said yet');
});
