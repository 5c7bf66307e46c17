/** Content and reasoning in the forms that providers give them. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json } from '../../../src/domain/item.ts';
import { joinDetails } from '../../../src/providers/openai/chat-content.ts';
import { readEvents } from '../support.ts';

const delta = (fields: unknown, finishReason: string | null = null): unknown => ({
  choices: [{ delta: fields, finish_reason: finishReason }],
});
/** The deltas of a stream: type and text, and the provider's fields. */
const read = (...events: readonly unknown[]): readonly string[] =>
  readEvents('chat', ...events, delta({}, 'stop')).events.flatMap((event) => {
    if (event.type !== 'delta') return [];
    const fields = event.delta.type === 'reasoning' ? event.delta.providerFields : undefined;
    return [`${event.delta.type} ${event.delta.text}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`];
  });

void suite('content', () => {
  const rows: Readonly<Record<string, readonly [content: unknown, expected: readonly string[]]>> = {
    'a list of texts': [
      [{ type: 'text', text: 'a' }, { type: 'output_text', text: 'b' }, 'c'],
      ['text a', 'text b', 'text c'],
    ],
    'thinking and text, as Mistral sends them': [
      [
        { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] },
        { type: 'text', text: 'a' },
      ],
      ['reasoning hm', 'text a'],
    ],
    'thinking as a text': [
      [
        { type: 'thinking', thinking: 'hm' },
        { type: 'text', text: 'a' },
      ],
      ['reasoning hm', 'text a'],
    ],
    'an object': [{ type: 'text', text: 'a' }, ['text a']],
    'a text in an object, as the first API had it': [
      [
        { type: 'text', text: { value: 'a' } },
        { type: 'text', text: { text: 'b' } },
      ],
      ['text a', 'text b'],
    ],
    'a refusal': [[{ type: 'refusal', refusal: 'no' }], ['refusal no']],
    'a number': [5, ['text 5']],
  };
  for (const [name, [content, expected]] of Object.entries(rows)) {
    void test(name, () => assert.deepEqual(read(delta({ content })), expected));
  }
  void test('a delta that is a text, and the form of completions', () => {
    assert.deepEqual(read(delta('a'), { choices: [{ text: 'b' }] }), ['text a', 'text b']);
  });
  void test('a choice that stands in the place of a list, or has another index with every chunk', () => {
    assert.deepEqual(read({ choices: { delta: { content: 'a' } } }), ['text a']);
    const counted = [3, 4, 5].map((index) => ({ choices: [{ index, delta: { content: String(index) } }] }));
    assert.deepEqual(read(...counted), ['text 3', 'text 4', 'text 5']);
  });
  void test('what a whole message has more than the deltas counts, and nothing twice', () => {
    const message = (content: string, more: object = {}): unknown => ({
      choices: [{ delta: {}, message: { role: 'assistant', content, ...more } }],
    });
    assert.deepEqual(read(delta({ content: 'Hel' }), message('Hello')), ['text Hel', 'text lo']);
    assert.deepEqual(read(message('Hel'), message('Hello')), ['text Hel', 'text lo']);
    assert.deepEqual(read(delta({ reasoning_content: 'hm' }), message('a', { reasoning_content: 'hm' })).at(-1), 'text a');
    const tool_calls = [{ id: 'a', function: { name: 'f', arguments: '{}' } }];
    assert.deepEqual(read(delta({ content: 'a' }), message('a', { tool_calls })), ['text a', 'tool_call {}']);
    assert.deepEqual(read(delta({ tool_calls }), message('', { tool_calls })), ['tool_call {}']);
  });
});

void suite('reasoning', () => {
  const told = (field: string, more: object = {}): string => JSON.stringify({ field, ...more });
  void test('the field that it came in is kept, on its first delta', () => {
    for (const field of ['reasoning_content', 'reasoning']) {
      assert.deepEqual(read(delta({ [field]: 'h' }), delta({ [field]: 'm' }), delta({ content: 'a' })), [
        `reasoning h ${told(field)}`,
        'reasoning m',
        'text a',
      ]);
    }
    assert.deepEqual(read(delta({ reasoning: { text: 'hm' } })), [`reasoning hm ${told('reasoning')}`]);
    assert.deepEqual(read(delta({ thinking: 'hm' })), ['reasoning hm'], 'a name that no server takes back');
  });
  void test('both fields at once say the same', () =>
    assert.deepEqual(read(delta({ reasoning: 'hm', reasoning_content: 'hm' })), [`reasoning hm ${told('reasoning_content')}`]));
  void test("OpenRouter's details are kept whole, and their text is shown once", () => {
    const piece = (text: string, more: object = {}): Json => ({ type: 'reasoning.text', text, index: 0, ...more });
    const sealed = { type: 'reasoning.encrypted', data: 'E', index: 1 };
    const details = [piece('hm', { signature: 'S' }), sealed];
    assert.deepEqual(
      read(
        delta({ reasoning: 'h', reasoning_details: [piece('h')] }),
        delta({ reasoning: 'm', reasoning_details: [piece('m', { signature: 'S' })] }),
        delta({ reasoning_details: [sealed] }),
        delta({ content: 'a' }),
      ),
      [`reasoning h ${told('reasoning_details')}`, 'reasoning m', `reasoning  ${told('reasoning_details', { details })}`, 'text a'],
    );
    const summary = { type: 'reasoning.summary', summary: 'hm' };
    assert.deepEqual(read(delta({ reasoning_details: [summary] })), [
      `reasoning hm ${told('reasoning_details')}`,
      `reasoning  ${told('reasoning_details', { details: [summary] })}`,
    ]);
    assert.deepEqual(read(delta({ reasoning_details: [sealed] }), delta({ content: 'a' })), [
      `reasoning  ${told('reasoning_details', { details: [sealed] })}`,
      'text a',
    ]);
  });
  void test('pieces of another detail are not joined', () => {
    const one = { type: 'reasoning.text', text: 'a', id: '1' };
    assert.deepEqual(joinDetails([one], [{ ...one, id: '2' }, { type: 'reasoning.encrypted', data: 'E' }, 'odd']), [
      one,
      { ...one, id: '2' },
      { type: 'reasoning.encrypted', data: 'E' },
      'odd',
    ]);
  });
});
