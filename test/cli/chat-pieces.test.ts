/** What is shown of a turn's events, and where it goes. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { type Layout, layOut } from '../../src/cli/chat/layout.ts';
import { noticeOfComment, type Piece, piecesOf } from '../../src/cli/chat/pieces.ts';
import { printable, Screen } from '../../src/cli/chat/screen.ts';
import { readEvent } from '../../src/http-client/events.ts';

const notice = (text: string): Piece => ({ kind: 'notice', text });
const say = (text: string): Piece => ({ kind: 'answer', text });
const think = (text: string): Piece => ({ kind: 'reasoning', text });
const paragraph: Piece = { kind: 'paragraph' };
const end: Piece = { kind: 'end' };

const table: readonly (readonly [string, object, readonly Piece[]])[] = [
  ['text', { type: 'response.output_text.delta', delta: 'Hel' }, [say('Hel')]],
  ['a refusal', { type: 'response.refusal.delta', delta: 'No.' }, [say('No.')]],
  ['a summary of reasoning', { type: 'response.reasoning_summary_text.delta', delta: 'Hm' }, [think('Hm')]],
  ['reasoning itself', { type: 'response.reasoning_text.delta', delta: 'Hm' }, [think('Hm')]],
  ['a second part of reasoning', { type: 'response.reasoning_summary_part.added', summary_index: 1 }, [think('\n\n')]],
  ['another message', { type: 'response.output_item.added', item: { type: 'message' } }, [paragraph]],
  ['another part of a message', { type: 'response.content_part.added', content_index: 1 }, [paragraph]],
  [
    'a call',
    { type: 'response.output_item.done', item: { type: 'function_call', name: 'look', arguments: `"${'x'.repeat(90)}"` } },
    [notice(`calls look("${'x'.repeat(79)}…)`)],
  ],
  ['the same text, whole', { type: 'response.output_text.done', text: 'Hello' }, []],
  ['a type nobody knows', { type: 'response.sang', delta: 'la' }, []],
  ['completed', { type: 'response.completed', response: { status: 'completed' } }, [end]],
  [
    'cut off by a limit',
    { type: 'response.incomplete', response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } } },
    [end, notice('incomplete: max_output_tokens')],
  ],
  [
    'cancelled',
    { type: 'response.incomplete', response: { status: 'cancelled', incomplete_details: { reason: 'cancelled' } } },
    [end, notice('stopped; what was said is kept')],
  ],
  [
    'failed',
    { type: 'response.failed', response: { status: 'failed', error: { code: 'worker_lost', message: 'It\nwas  lost.' } } },
    [end, notice('failed: worker_lost: It was lost.')],
  ],
  ['a failure without a word', { type: 'response.failed' }, [end, notice('failed: unknown: the gateway does not say why')]],
  [
    'a stream that cannot go on',
    { type: 'error', code: 'flat', message: 'Flat.', error: { code: 'nested', message: 'Nested.' } },
    [end, notice('failed: nested: Nested.')],
  ],
];
for (const [title, event, expected] of table) {
  test(`shown of ${title}: ${expected.map(({ kind }) => kind).join(', ') || 'nothing'}`, () => {
    assert.deepEqual(piecesOf(readEvent(JSON.stringify(event))!), expected);
  });
}

test('of the comments, retries are shown', () => {
  assert.deepEqual(noticeOfComment('retry 2 of 3 in 1000 ms: transport_failed'), notice('retry 2 of 3 in 1000 ms: transport_failed'));
  assert.equal(noticeOfComment('keep-alive'), undefined);
});

function written(isOneScreen: boolean, pieces: readonly Piece[]): { readonly out: string; readonly err: string; readonly both: string } {
  let layout: Layout = { isOneScreen, isAnswerOpen: false, isReasoningOpen: false };
  const seen = { out: '', err: '', both: '' };
  for (const piece of pieces) {
    const next = layOut(layout, piece);
    layout = next.layout;
    for (const { to, text } of next.writes) {
      seen[to] += text;
      seen.both += text;
    }
  }
  return seen;
}

const turn = [think('Hm.'), say('Hel'), notice('away'), say('lo'), paragraph, say('Bye.\n'), end, notice('failed')];

test('on one terminal nothing shares a line with something else', () => {
  assert.equal(written(true, turn).both, 'Hm.\n\nHel\n· away\nlo\n\nBye.\n· failed\n');
});

test('in a pipe the answer has not a byte that is not its own, but for the newline at its end', () => {
  const { out, err } = written(false, turn);
  assert.deepEqual([out, err], ['Hello\n\nBye.\n', 'Hm.\n· away\n· failed\n']);
  assert.equal(written(false, [say('Hel'), end, end]).out, 'Hel\n');
  assert.equal(written(false, [paragraph, say(''), think(''), end]).out, '');
});

function stream(isTTY: boolean) {
  let text = '';
  const writable = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return Object.assign(writable, { isTTY, seen: () => text });
}

test('what a model says cannot steer the terminal; in a pipe it passes as it is', () => {
  assert.equal(printable('a\u001b[2Jb\r\u0007c\td\ne\u009b1m'), 'a[2Jbc\td\ne1m');
  const [terminal, pipe] = [stream(true), stream(false)];
  for (const out of [terminal, pipe]) new Screen(out, stream(false)).show(say('\u001b[2Jx'));
  assert.deepEqual([terminal.seen(), pipe.seen()], ['[2Jx', '\u001b[2Jx']);
});
