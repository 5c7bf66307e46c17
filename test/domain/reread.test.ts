/** An answer that is read again: only what is not in the journal yet is told, wherever its deltas are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ModelDelta } from '../../src/domain/model.ts';
import { OtherAnswerError, Reread } from '../../src/domain/response/reread.ts';
import type { ResponseEvent } from '../../src/domain/response/response-event.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import { newResponse } from '../../src/domain/response/response.ts';

const opening = ResponseStream.open(
  newResponse({ id: 'resp_a', createdAtMs: 0, settings: defaultSettings('m'), session: null, previous: null }),
);
const before: readonly ResponseEvent[] = [...opening, ...ResponseStream.replay(opening).begin()];

const deltas: readonly ModelDelta[] = [
  { type: 'reasoning', text: 'I ', item: 'r' },
  { type: 'reasoning', text: 'see.', item: 'r' },
  { type: 'text', text: 'Hel', item: 't', logprobs: [{ token: 'Hel' }] },
  { type: 'text', text: 'lo, ', item: 't', logprobs: [{ token: 'lo' }, { token: ', ' }] },
  { type: 'text', text: 'you.', item: 't', logprobs: [{ token: 'you.' }] },
  { type: 'text', text: 'And ', item: 'u' },
  { type: 'text', text: 'more.', item: 'u' },
  { type: 'opaque', text: '', item: 'w', event: { type: 'response.output_item.added', item: { type: 'web_search_call', id: 'ws_1' } } },
  { type: 'opaque', text: '', item: 'w', event: { type: 'response.web_search_call.searching' } },
  { type: 'opaque', text: '', item: 'w', event: { type: 'response.web_search_call.searching' } },
  { type: 'tool_call', text: '{"a":', item: 'c', callId: 'c', name: 'f' },
  { type: 'tool_call', text: '1}', item: 'c', callId: 'c', name: 'f' },
];

/** As they came: those that share a cut are one. */
function told(stream: ResponseStream, of: readonly ModelDelta[], cuts: ReadonlySet<number>): ResponseEvent[] {
  const merged: ModelDelta[] = [];
  for (const [index, delta] of of.entries()) {
    const last = merged.at(-1);
    const isSame = last !== undefined && last.type === delta.type && last.item === delta.item && delta.type !== 'opaque';
    if (!isSame || cuts.has(index)) merged.push(delta);
    else {
      const logprobs = 'logprobs' in delta && 'logprobs' in last ? { logprobs: [...(last.logprobs ?? []), ...(delta.logprobs ?? [])] } : {};
      merged[merged.length - 1] = { ...last, ...logprobs, text: last.text + delta.text };
    }
  }
  return merged.flatMap((delta) => [...stream.write(delta)]);
}

function textsOf(events: readonly ResponseEvent[]): string {
  return events
    .map((event) => ('delta' in event ? event.delta : event.type.endsWith('searching') ? '?' : ''))
    .join('|')
    .replaceAll('|', '');
}

const everyCut = new Set(deltas.keys());

test('T7 · wherever it broke, and however its deltas were cut before and are now, each is told once, and the whole is the same', () => {
  const whole = ResponseStream.replay(before);
  const wholeText = textsOf(told(whole, deltas, everyCut));
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: deltas.length }),
      fc.uniqueArray(fc.nat(deltas.length)),
      fc.uniqueArray(fc.nat(deltas.length)),
      (broke, cutsThen, cutsNow) => {
        const journal = told(ResponseStream.replay(before), deltas.slice(0, broke), new Set(cutsThen));
        const reread = new Reread(journal);
        const stream = ResponseStream.replay(before, reread);
        const more = told(stream, deltas, new Set(cutsNow));
        assert.equal(reread.isBehind, false);
        const all = [...journal, ...more];
        assert.deepEqual(
          all.map(({ sequence_number: seq }) => seq),
          all.map((_, index) => before.length + index),
        );
        assert.equal(textsOf(all), wholeText);
        assert.deepEqual(stream.response.output, whole.response.output);
      },
    ),
  );
});

test('another answer is not gone on with: other words, another kind of item, other likelihoods, or an end before', () => {
  const journal = told(ResponseStream.replay(before), deltas.slice(0, 5), everyCut);
  const others: Readonly<Record<string, (delta: ModelDelta, index: number) => ModelDelta>> = {
    words: (delta, index) => (index === 3 ? { ...delta, text: 'LO, ' } : delta),
    kind: (delta, index) => (index === 2 ? { type: 'refusal', text: 'Hel', item: 't' } : delta),
    likelihoods: (delta, index) => (index === 3 ? ({ ...delta, logprobs: [{ token: 'no' }, { token: ', ' }] } as ModelDelta) : delta),
  };
  for (const [name, other] of Object.entries(others)) {
    const stream = ResponseStream.replay(before, new Reread(journal));
    assert.throws(() => told(stream, deltas.map(other), everyCut), OtherAnswerError, name);
  }
  const stream = ResponseStream.replay(before, new Reread(journal));
  told(stream, deltas.slice(0, 3), everyCut);
  assert.throws(() => stream.endStep(), OtherAnswerError);
});
