/** The checker of campaigns finds each violation that is planted into a log in which all holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLog } from './check.ts';
import { type Entry, hashOf, type KeptTurn } from './record.ts';

const rows = ['created', 'in_progress', 'added', 'delta 0', 'delta 1', 'completed'].map(hashOf);
const body = hashOf('the response');

/** A turn of two steps with a call of each tool, asked for twice before its first token, posted twice, watched by three. */
const kept = {
  op: 'kept',
  turn: 'a',
  id: 'resp_a',
  status: 'completed',
  code: null,
  readyAtMs: 1_000,
  settledAtMs: 2_000,
  rows: rows.join(''),
  ends: [5],
  isDone: true,
  gaps: [],
  text: '1.2.0 1.2.1 2.1.0 2.1.1 ',
  openItems: 0,
  body,
  attempts: [
    { step: 1, outcome: 'failed', hasStarted: false },
    { step: 1, outcome: 'completed', hasStarted: true },
    { step: 2, outcome: 'completed', hasStarted: true },
  ],
} as const satisfies KeptTurn;

const cancelled: KeptTurn = {
  ...kept,
  turn: 'b',
  id: 'resp_b',
  status: 'cancelled',
  text: '',
  attempts: [],
  body: hashOf('cancelled'),
};

const request = { op: 'request', turn: 'a', said: ['a'], malformed: [], tokens: 2 } as const;
const tool = { op: 'tool', tool: 'once', call: 'a-1-once', key: 'resp_a/0' } as const;

const whole: readonly Entry[] = [
  { op: 'post', atMs: 1, turn: 'a', session: 'conv' },
  { op: 'accepted', atMs: 2, turn: 'a', id: 'resp_a' },
  { op: 'accepted', atMs: 3, turn: 'a', id: 'resp_a' },
  { ...request, atMs: 4, step: 1, nth: 1 },
  { ...request, atMs: 5, step: 1, nth: 2 },
  { ...request, atMs: 9, step: 2, nth: 1 },
  { ...tool, word: 'begun' },
  { ...tool, word: 'ended' },
  { op: 'viewed', atMs: 10, turn: 'a', after: -1, rows: rows.slice(0, 3).join(''), isDone: false, firstTokens: [{ step: 1, atMs: 6 }] },
  { op: 'viewed', atMs: 11, turn: 'a', after: 2, rows: rows.slice(3).join(''), isDone: true, firstTokens: [{ step: 2, atMs: 10 }] },
  { op: 'answered', atMs: 12, turn: 'a', body },
  { op: 'cancel', atMs: 13, turn: 'b' },
  { op: 'cancelled', atMs: 14, turn: 'b', answer: 'unknown' },
  { op: 'post', atMs: 15, turn: 'b', session: 'conv' },
  { op: 'accepted', atMs: 16, turn: 'b', id: 'resp_b' },
  kept,
  cancelled,
  { op: 'conversation', session: 'conv', said: ['a', 'b'] },
  { op: 'memory', process: 'serve-1', mostMb: 300 },
  { op: 'open requests', turns: [] },
  { op: 'replayed', same: 2, unseen: 0, diverged: [] },
  { op: 'quiet', tookMs: 100, left: [] },
];

/** @returns the log with `changed` in the place of the first entry that is like `like` */
function withChange(like: Partial<Entry>, changed: object): readonly Entry[] {
  const at = whole.findIndex((entry) => Object.entries(like).every(([name, value]) => entry[name as keyof Entry] === value));
  assert.notEqual(at, -1);
  return whole.with(at, { ...whole[at], ...changed } as Entry);
}

test('a log in which all holds has no violations', () => {
  assert.deepEqual(checkLog(whole), []);
});

const planted: readonly (readonly [title: string, law: string, log: readonly Entry[]])[] = [
  ['an accepted turn is lost', 'T1', whole.filter((entry) => entry !== kept)],
  ['one key makes two turns', 'T1', withChange({ op: 'accepted', atMs: 3 }, { id: 'resp_other' })],
  ['a turn is there twice', 'T1', [...whole, { ...kept, id: 'resp_other' }]],
  ['a turn that nobody posted', 'T1', [...whole, { ...kept, turn: 'c', id: 'resp_c' }]],
  ['words are twice in a conversation', 'T1', withChange({ op: 'conversation' }, { said: ['a', 'a', 'b'] })],
  ['words are in no conversation', 'T1', withChange({ op: 'conversation' }, { said: ['b'] })],
  ['words are in a conversation of others', 'T1', [...whole, { op: 'conversation', session: 'other', said: ['a'] }]],
  ['the model is told the words twice', 'T1', withChange({ op: 'request', atMs: 4 }, { said: ['a', 'a'] })],
  ['the model is asked without the words', 'T1', withChange({ op: 'request', atMs: 4 }, { said: ['z'] })],
  ['a request behind a token that was seen', 'T2', withChange({ op: 'request', atMs: 5 }, { atMs: 7 })],
  [
    'a request behind a committed start',
    'T2',
    withChange({ op: 'kept', turn: 'a' }, { attempts: [kept.attempts[1], ...kept.attempts.slice(1)] }),
  ],
  ['a request that is not booked', 'T2', withChange({ op: 'kept', turn: 'a' }, { attempts: kept.attempts.slice(1) })],
  ['the answer of an earlier request is shown', 'T2', withChange({ op: 'kept', turn: 'a' }, { text: '1.1.0 1.1.1 2.1.0 2.1.1 ' })],
  ['an earlier step is asked for again', 'T2', withChange({ op: 'request', atMs: 4 }, { step: 2 })],
  ['a tool that may run once runs twice', 'T2', [...whole, { ...tool, word: 'begun' }]],
  ['a call has two keys', 'T2', [...whole, { ...tool, word: 'ended', key: 'resp_a/1' }]],
  ['four requests of a step', 'T3', [...whole, ...[6, 7].map((nth): Entry => ({ ...request, atMs: 5, step: 1, nth }))]],
  [
    'four requests of a step are booked',
    'T3',
    withChange({ op: 'kept', turn: 'a' }, { attempts: [kept.attempts[0], kept.attempts[0], ...kept.attempts] }),
  ],
  [
    'worker_lost before anything had started',
    'T3',
    withChange(
      { op: 'kept', turn: 'a' },
      { status: 'failed', code: 'worker_lost', text: '', attempts: [kept.attempts[0], kept.attempts[0]] },
    ),
  ],
  ['an accepted cancel does not win', 'T5', [...whole, { op: 'cancelled', atMs: 9, turn: 'a', answer: 'accepted' }]],
  [
    'a cancel that came first is forgotten',
    'T5',
    withChange({ op: 'kept', turn: 'b' }, { status: 'failed', code: 'worker_lost', attempts: [kept.attempts[1]] }),
  ],
  ['a request stays open', 'T5', withChange({ op: 'open requests' }, { turns: ['a'] })],
  ['two ends', 'T6', withChange({ op: 'kept', turn: 'a' }, { ends: [4, 5] })],
  ['an end that is not the last event', 'T6', withChange({ op: 'kept', turn: 'a' }, { ends: [4] })],
  ['no end', 'T6', withChange({ op: 'quiet' }, { left: ['resp_a'] })],
  ['an item is open behind the end', 'T6', withChange({ op: 'kept', turn: 'a' }, { openItems: 1 })],
  ['the numbers of the events have a gap', 'T7', withChange({ op: 'kept', turn: 'a' }, { gaps: ['event 3 was to come, and not 4'] })],
  ['a viewer saw other bytes', 'T7', withChange({ op: 'viewed', atMs: 10 }, { rows: [...rows.slice(0, 2), hashOf('other')].join('') })],
  ['a viewer saw an event twice', 'T7', withChange({ op: 'viewed', atMs: 11 }, { rows: rows.slice(2).join('') })],
  ['a viewer missed the last event', 'T7', withChange({ op: 'viewed', atMs: 11 }, { rows: rows.slice(3, 5).join('') })],
  ['a blocking client got another body', 'T7', withChange({ op: 'answered' }, { body: hashOf('other') })],
  ['the text of two answers is mixed', 'T7', withChange({ op: 'kept', turn: 'a' }, { text: '1.2.0 1.1.1 2.1.0 2.1.1 ' })],
  ['half an answer counts as completed', 'T8', withChange({ op: 'kept', turn: 'a' }, { text: '1.2.0 1.2.1 2.1.0 ' })],
  [
    'completed without a proved end',
    'T8',
    withChange({ op: 'kept', turn: 'a' }, { attempts: kept.attempts.map((each) => ({ ...each, outcome: 'lost' })) }),
  ],
  ['cancelled, and nobody has asked for it', 'T9', whole.filter(({ op }) => op !== 'cancel')],
  ['a history diverges', 'T10', withChange({ op: 'replayed' }, { diverged: ['resp_a'] })],
  ['no history is replayed', 'T10', withChange({ op: 'replayed' }, { same: 0 })],
  ['a secret in a log', 'T11', [...whole, { op: 'leak', place: 'serve-1' }]],
  ['a request that no provider takes', 'T13', withChange({ op: 'request', atMs: 9 }, { malformed: ['no output of a-1-once'] })],
  ['a process that grows', 'T14', withChange({ op: 'memory' }, { mostMb: 4_000 })],
  ['an end by a fault of our own', 'contract', withChange({ op: 'kept', turn: 'a' }, { status: 'failed', code: 'internal_error' })],
  ['a post that nobody takes', 'contract', whole.filter((entry) => entry.op !== 'accepted' || entry.turn !== 'b')],
  ['an answer that no client may get', 'contract', [...whole, { op: 'client saw', atMs: 3, turn: 'a', what: 'its POST was answered 500' }]],
  ['a process dies by itself', 'process', [...whole, { op: 'process ended by itself', atMs: 3, process: 'serve-1', how: 'SIGABRT' }]],
  ['nobody has looked for the ends', 'end', whole.filter(({ op }) => op !== 'quiet')],
];

for (const [title, law, log] of planted) {
  test(`${law} · ${title}`, () => {
    const laws = checkLog(log).map((violation) => violation.law);
    assert.ok(laws.includes(law), `found: ${JSON.stringify(checkLog(log))}`);
  });
}

test('a post without a key and without an answer may have made a second turn', () => {
  const twice = (readyAtMs: number): readonly Entry[] => [
    ...whole,
    { ...kept, id: 'resp_other', readyAtMs, settledAtMs: 3_000 },
    { op: 'unsure', atMs: 3, turn: 'a' },
  ];
  assert.deepEqual(checkLog(twice(2_000)), []);
  const [violation, ...others] = checkLog(twice(1_999));
  assert.deepEqual([violation?.law, others], ['T1', []], 'the first had no end yet');
});
