import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sealSummary } from '../../src/domain/prompt/compaction.ts';
import { type Item, textOf, toolOutputText } from '../../src/domain/item.ts';
import type { TranscriptTurn } from '../../src/domain/prompt/prompt.ts';
import { refusesInput, withoutRefused } from '../../src/domain/prompt/refused-input.ts';

const image = { type: 'input_image', detail: 'auto', image_url: 'https://a.test/x.png' } as const;
const seen = (text: string): Item =>
  ({
    id: `msg_${text}`,
    type: 'message',
    status: 'completed',
    role: 'user',
    content: [{ type: 'input_text', text }, image],
    odd: 1,
  }) as Item;
const said = (text: string): Item => ({
  id: `msg_${text}`,
  type: 'message',
  status: 'completed',
  role: 'assistant',
  content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
});
const odd = (id: string): Item => ({ id, type: 'x_search_call', found: 1 }) as unknown as Item;

const turn = (input: readonly Item[], answer: readonly Item[] = [], model: string | null = 'm'): TranscriptTurn => ({
  status: 'completed',
  errorCode: null,
  model,
  items: [...input, ...answer],
  inputCount: input.length,
});
const refused = (input: readonly Item[], model = 'm'): TranscriptTurn => ({
  ...turn(input, [], model),
  status: 'failed',
  errorCode: 'provider_rejected',
  isRefused: true,
});

function shown(item: Item): string {
  if (item.type !== 'message') return item.type;
  const hasImage = item.content.some(({ type }) => type === 'input_image');
  return `${item.role}: ${textOf(item)}${hasImage ? ' with an image' : ''}${'odd' in item ? ', odd' : ''}`;
}
const told = (...turns: readonly TranscriptTurn[]): string[] => withoutRefused(turns, 'm').flatMap(({ items }) => items.map(shown));

void suite('T13 · what the provider has refused', () => {
  test('is told in words from then on; what it had answered to stays as it was, and so does its own answer', () => {
    assert.deepEqual(told(turn([seen('a')], [said('b')]), refused([seen('c'), odd('x')])), [
      'user: a with an image, odd',
      'assistant: b',
      'user: c[an image that cannot be shown here]',
      'user: [x_search_call: {"found":1}]',
    ]);
  });

  test('may have been put in by hand before, or be an item of an answer', () => {
    assert.deepEqual(told(turn([seen('a')], [odd('x')]), turn([seen('c')], [], null), refused([said('d')])), [
      'user: a with an image, odd',
      'assistant: [x_search_call: {"found":1}]',
      'user: c[an image that cannot be shown here]',
      'assistant: d',
    ]);
  });

  test('is left out where it was refused in words too; what is answered then stays', () => {
    const later = turn([seen('d')], [said('e')]);
    assert.deepEqual(told(refused([seen('a')]), refused([seen('b')]), later, turn([seen('f')], [], null)), [
      'user: [left out: the provider has refused it]',
      'user: b[an image that cannot be shown here]',
      'user: d with an image, odd',
      'assistant: e',
      'user: f with an image, odd',
    ]);
  });

  test('is told to another model as it came', () => {
    assert.deepEqual(told(refused([seen('a')], 'n')), ['user: a with an image, odd']);
    const asIs = [refused([seen('a')], 'n'), turn([], [said('b')])];
    assert.deepEqual(withoutRefused(asIs, 'm'), asIs);
  });

  test('keeps each call with its output, and a summary; sealed text, signatures and tools are not told', () => {
    const call = {
      id: 'fc',
      type: 'function_call',
      status: 'completed',
      call_id: 'a',
      name: 'f',
      arguments: '{}',
      namespace: 'n',
    } as const;
    const out = { id: 'fco', type: 'function_call_output', status: 'completed', call_id: 'a' } as const;
    const summary = { id: 'cmp', type: 'compaction', encrypted_content: sealSummary('s') } as unknown as Item;
    const items = [
      { ...call, provider_fields: { signature: 'S' }, odd: 1 },
      { ...out, output: [{ type: 'input_text', text: 'x' }, image], odd: 1 },
      summary,
      { id: 'cmp_2', type: 'compaction', encrypted_content: 'gAAAA' },
      { id: 'at', type: 'additional_tools', tools: [] },
      { id: 'rs', type: 'reasoning', status: 'completed', summary: [], encrypted_content: 'gAAAA' },
    ] as unknown as Item[];
    const [once] = withoutRefused([refused(items)], 'm');
    assert.deepEqual(once?.items, [
      call,
      { ...out, output: 'x[an image that cannot be shown here]' },
      summary,
      { id: 'rs', type: 'reasoning', status: 'completed', summary: [] },
    ]);
    assert.equal(once.inputCount, 4);
    const [twice] = withoutRefused([refused(items), refused([])], 'm');
    assert.deepEqual(
      twice?.items.map((item) => (item.type === 'function_call_output' ? toolOutputText(item) : item.type)),
      ['function_call', '[left out: the provider has refused it]', 'compaction', 'reasoning'],
    );
  });

  for (const [detail, expected] of [
    ['400', true],
    ['400 invalid_value at input[2]', true],
    ['400 invalid_value at messages.[2]', true],
    ['404 at input', true],
    ['400 invalid_image_url at url', true],
    ['422 other', true],
    ['500', true],
    ['invalid_prompt', true],
    [null, true],
    ['400 invalid_function_parameters at tools[0]', false],
    ['400 unsupported_value at temperature', false],
    ['401 invalid_api_key', false],
    ['invalid_api_key', false],
    ['404 model_not_found', false],
    ['403', false],
    ['redirect 301', false],
    ['CERT_HAS_EXPIRED', false],
  ] as const) {
    test(`is its input: ${detail} · ${expected}`, () => {
      assert.equal(refusesInput('provider_rejected', detail), expected);
      assert.equal(refusesInput('provider_busy', detail), false);
    });
  }
});
