/** No character is torn, wherever a provider cuts its deltas, and however the deltas of several items come in turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apis, type Api, readEvents, type StreamResult } from '../support.ts';

const high = '\ud83d';
const low = '\ude00';

/** The text of each kind, and whether every delta is whole by itself. */
function read(api: Api, ...events: readonly unknown[]): Record<string, string> {
  const result: StreamResult = readEvents(api, ...events);
  assert.equal(result.failure, undefined);
  const texts: Record<string, string> = {};
  for (const event of result.events) {
    if (event.type !== 'delta') continue;
    const { delta } = event;
    assert.ok(delta.text.isWellFormed(), JSON.stringify(delta));
    const key = delta.type === 'tool_call' ? `${delta.name}()` : delta.type;
    texts[key] = (texts[key] ?? '') + delta.text;
  }
  return texts;
}
const delta = (fields: object, finishReason: string | null = null): unknown => ({
  choices: [{ delta: fields, finish_reason: finishReason }],
});
const stop = delta({}, 'stop');

test('half a character waits for its other half', () => {
  assert.deepEqual(read('chat', delta({ content: `a${high}` }), delta({ content: '' }), delta({ content: `${low}b` }), stop), {
    text: 'a😀b',
  });
});

test('also where deltas of other items come in between', () => {
  const piece = (index: number, args: string): object => ({ index, function: { arguments: args } });
  const call = (index: number, name: string, args: string): object => ({ index, id: name, function: { name, arguments: args } });
  assert.deepEqual(
    read(
      'chat',
      delta({ reasoning_content: high, content: high, refusal: high }),
      delta({ reasoning_content: low, content: low, refusal: low }),
      delta({ tool_calls: [call(0, 'f', `"${high}`), call(1, 'g', `"${high}`)] }),
      delta({ tool_calls: [piece(0, `${low}"`), piece(1, `${low}"`)] }),
      stop,
    ),
    { reasoning: '😀', text: '😀', refusal: '😀', 'f()': '"😀"', 'g()': '"😀"' },
  );
  const text = (index: number, words: string): unknown => ({ type: 'response.output_text.delta', output_index: index, delta: words });
  const completed = { type: 'response.completed', response: { status: 'completed' } };
  assert.deepEqual(read('responses', text(0, high), text(1, high), text(0, low), text(1, low), completed), {
    text: '😀😀',
    message: '',
  });
});

test('a half that is left alone is the character that stands for it', () => {
  assert.deepEqual(read('chat', delta({ content: `a${high}` }), delta({}, 'length')), { text: 'a\uFFFD' });
  assert.deepEqual(read('chat', delta({ content: `${high}b` }), stop), { text: '\uFFFDb' });
  assert.deepEqual(read('chat', delta({ content: low }), delta({ content: high }), stop, '[DONE]'), { text: '\uFFFD\uFFFD' });
});

test('the end of an answer is behind its last character', () => {
  const { events } = readEvents('chat', delta({ content: high }), delta({}, 'length'), '[DONE]');
  assert.deepEqual(
    events.map((event) => (event.type === 'delta' ? event.delta.text : event.type)),
    ['finish', '\uFFFD', 'finish'],
  );
});

test('any text, cut anywhere, arrives as it is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('😀', 'é', 'a', '\u{1F468}\u200D\u{1F469}'), { minLength: 1 }),
      fc.array(fc.nat()),
      (characters, cuts) => {
        const text = characters.join('');
        const edges = [0, ...cuts.map((cut) => cut % text.length).toSorted((a, b) => a - b), text.length];
        const pieces = edges.slice(1).map((to, at) => delta({ content: text.slice(edges[at], to) }));
        assert.deepEqual(read('chat', ...pieces, stop), { text });
      },
    ),
  );
});

for (const api of apis) {
  test(`a stream of whole characters passes as it came: ${api}`, () => {
    const events =
      api === 'chat'
        ? [delta({ content: '😀' }), stop]
        : [
            { type: 'response.output_text.delta', delta: '😀' },
            { type: 'response.completed', response: {} },
          ];
    assert.deepEqual(read(api, ...events), { text: '😀' });
  });
}
