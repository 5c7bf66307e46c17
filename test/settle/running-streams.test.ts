/** Running streams are folded once, however often they are asked for, and what is kept of them is bounded (T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { JsonObject } from '../../src/domain/item.ts';
import { type JournalRow, journalRowOf } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { pageRows, readStream } from '../../src/settle/read-stream.ts';
import { RunningStreams } from '../../src/settle/running-streams.ts';

/** Journals in memory that count what is read of them. */
class Journals {
  readonly #streams = new Map<string, ResponseStream>();
  readonly rows = new Map<string, JournalRow[]>();
  rowsRead = 0;
  largestRead = 0;

  open(id: string): void {
    const opening = ResponseStream.open(
      newResponse({ id, createdAtMs: 1_000, settings: defaultSettings('m'), session: null, previous: null }),
    );
    const stream = ResponseStream.replay(opening);
    this.#streams.set(id, stream);
    this.rows.set(id, [...opening, ...stream.begin()].map(journalRowOf));
  }

  say(id: string, ...texts: readonly string[]): void {
    for (const text of texts) this.rows.get(id)?.push(...(this.#streams.get(id)?.write({ type: 'text', text }) ?? []).map(journalRowOf));
  }

  pass(id: string, event: JsonObject): void {
    const delta = { type: 'opaque', item: 'o', text: '', event } as const;
    this.rows.get(id)?.push(...(this.#streams.get(id)?.write(delta) ?? []).map(journalRowOf));
  }

  end(id: string): void {
    this.rows.get(id)?.push(...(this.#streams.get(id)?.end({ status: 'completed', usage: null }, 2_000) ?? []).map(journalRowOf));
  }

  readonly readJournal = async (id: string, { after = -1, limit = Infinity } = {}): Promise<readonly JournalRow[]> => {
    const rows = (this.rows.get(id) ?? []).slice(after + 1, after + 1 + limit);
    this.rowsRead += rows.length;
    this.largestRead = Math.max(this.largestRead, rows.length);
    return rows;
  };
}

function textOf({ output }: { readonly output: readonly unknown[] }): unknown {
  return (output[0] as { content: { text: string }[] } | undefined)?.content[0]?.text;
}

const words = (count: number): string[] => Array.from({ length: count }, (_, index) => `w${index} `);

test('T14 · a poll of a running turn reads the rows behind the last poll, and the first reads in pages', async () => {
  const journals = new Journals();
  const streams = new RunningStreams(journals);
  journals.open('a');
  journals.say('a', ...words(40_000));
  let pauses = 0;
  const others = setInterval(() => (pauses += 1), 0);
  assert.equal(textOf(await streams.response('a')), words(40_000).join(''));
  clearInterval(others);
  assert.ok(pauses > 10, `others ran ${pauses} times meanwhile`);
  const { length } = journals.rows.get('a')!;
  assert.deepEqual([journals.rowsRead, journals.largestRead], [length, pageRows]);
  for (let poll = 0; poll < 20; poll += 1) {
    journals.say('a', 'more ');
    const { status, ...response } = await streams.response('a');
    assert.deepEqual([status, textOf(response)], ['in_progress', words(40_000).join('') + 'more '.repeat(poll + 1)]);
  }
  assert.equal(journals.rowsRead, length + 20);
});

test('polls at the same moment see the same, and rows are folded once', async () => {
  const journals = new Journals();
  const streams = new RunningStreams(journals);
  journals.open('a');
  journals.say('a', ...words(2_000));
  const seen = await Promise.all(Array.from({ length: 10 }, () => streams.response('a')));
  assert.equal(new Set(seen.map(textOf)).size, 1);
  assert.equal(journals.rowsRead, journals.rows.get('a')!.length);
});

test('T6 · whoever ends a turn takes its stream along: a poll at the same moment shows no end that is not written', async () => {
  const journals = new Journals();
  const streams = new RunningStreams(journals);
  journals.open('a');
  journals.say('a', 'Hel');
  const polls = [streams.response('a')];
  const taken = streams.take('a').then((stream) => stream.end({ status: 'cancelled', usage: null }, 3_000));
  polls.push(streams.response('a'), streams.response('a'));
  assert.deepEqual((await taken).at(-1)?.type, 'response.incomplete');
  for (const response of await Promise.all(polls)) assert.deepEqual([response.status, textOf(response)], ['in_progress', 'Hel']);
  assert.equal((await readStream(journals, 'a')).response.status, 'in_progress');
});

test('T14 · what is kept is bounded in number and in size, and a stream that has ended is dropped', async () => {
  const journals = new Journals();
  const streams = new RunningStreams(journals, { streams: 3, chars: 20_000, idleMs: 60_000 });
  for (const id of ['a', 'b', 'c', 'd']) {
    journals.open(id);
    await streams.response(id);
  }
  assert.equal(streams.size, 3);
  await streams.response('b');
  const before = journals.rowsRead;
  for (const id of ['b', 'c', 'd']) await streams.response(id);
  assert.equal(journals.rowsRead, before, 'the one unused the longest was dropped');
  journals.say('c', 'x'.repeat(15_000));
  await streams.response('c');
  assert.ok(streams.size < 3, 'the others make room');
  journals.say('c', 'x'.repeat(30_000));
  assert.equal(String(textOf(await streams.response('c'))).length, 45_000);
  assert.equal(streams.size, 0, 'too large to be kept');
  await streams.response('a');
  assert.equal(streams.size, 1);
  journals.end('a');
  assert.equal((await streams.response('a')).status, 'completed');
  assert.equal(streams.size, 0);
  await assert.rejects(streams.response('nobody'), /no journal of nobody/);
  assert.equal(streams.size, 0);
});

test('T14 · a stream that nobody asks for any more is dropped', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const journals = new Journals();
  const streams = new RunningStreams(journals);
  for (const id of ['a', 'b']) {
    journals.open(id);
    await streams.response(id);
  }
  now = 20_000;
  await streams.response('b');
  now = 45_000;
  t.mock.timers.tick(30_000);
  assert.equal(streams.size, 1);
  now = 90_000;
  t.mock.timers.tick(30_000);
  assert.equal(streams.size, 0);
});

for (const members of [{ delta: null }, { delta: { x: 1 } }, { response: null }, { response: { status: 'completed' } }]) {
  test(`T5 · an event that is passed on with ${JSON.stringify(members)} stops no look, and ends nothing`, async () => {
    const journals = new Journals();
    const streams = new RunningStreams(journals, { streams: 1, chars: 1_000_000, idleMs: 30_000 });
    journals.open('a');
    journals.pass('a', { type: 'response.output_item.added', item: { id: 'mcp_1', type: 'mcp_call' } });
    journals.pass('a', { type: 'response.mcp_call.told', ...members });
    for (const look of [1, 2]) assert.equal((await streams.response('a')).output.length, 1, `look ${look}`);
    assert.deepEqual([streams.size, journals.rowsRead], [1, journals.rows.get('a')!.length]);
  });
}
