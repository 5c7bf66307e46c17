/** T13 · whatever a conversation has become, both APIs' requests are such as providers demand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Item } from '../../../src/domain/item.ts';
import { promptOf, type TranscriptTurn } from '../../../src/domain/prompt/prompt.ts';
import { jsonPieces } from '../../../src/providers/http/json-pieces.ts';
import { chatRequest } from '../../../src/providers/openai/chat-request.ts';
import { responsesRequest } from '../../../src/providers/openai/responses-request.ts';
import { settings } from '../support.ts';

const words = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 6 }) },
  fc.constantFrom('', 'so \ud83d', '\ude00', '😀', '\\ud83d', '{"a":1}'),
);
const callId = fc.constantFrom('look:0', 'look:1', 'x', 'x_2', 'functions.look:0', `call_${'y'.repeat(942)}`);
const args = fc.oneof(
  fc.constantFrom('', ' ', '{}', '{"a":1}', '{ "a": 1 }', '{"a', '{}{}', 'null', '[1]', '"a"', '{"a":"\ud83d"}', '{"a":"\\ud83d"}', 'Oslo'),
  fc.json({ depthSize: 'small' }),
);
const status = fc.constantFrom('completed', 'completed', 'completed', 'incomplete' as const);
const fields = fc.constantFrom(
  undefined,
  { field: 'reasoning_content' },
  { field: 'reasoning', details: [{ type: 'reasoning.text', text: 'a\ud83d' }] },
  { field: 'nonsense', id: 1, role: 'user', function: null },
);
const withFields = (made: object, provider_fields: object | undefined): object =>
  provider_fields === undefined ? made : { ...made, provider_fields };

const call = fc
  .tuple(callId, fc.constantFrom('look', 'see<|channel|>x', 'ü'), args, status, fields)
  .map(([call_id, name, text, status, own]) => withFields({ type: 'function_call', status, call_id, name, arguments: text }, own));
const output = fc
  .tuple(callId, fc.oneof(words, fc.constant([{ type: 'input_text', text: 'seen' }])))
  .map(([call_id, given]) => ({ type: 'function_call_output', status: 'completed', call_id, output: given }));
const reasoning = fc.tuple(words, fc.boolean(), fields).map(([text, isSealed, own]) =>
  withFields(
    {
      type: 'reasoning',
      status: 'completed',
      summary: [{ type: 'summary_text', text }],
      ...(isSealed ? { encrypted_content: `E ${text}` } : {}),
    },
    own,
  ),
);
const message = (...roles: string[]): fc.Arbitrary<object> =>
  fc.tuple(fc.constantFrom(...roles), words, status, fc.boolean()).map(([role, text, status, isImage]) => {
    const part = role === 'assistant' ? { type: 'output_text', text, annotations: [], logprobs: [] } : { type: 'input_text', text };
    const image = { type: 'input_image', detail: 'auto', image_url: 'data:,' };
    return { type: 'message', status, role, content: isImage && role === 'user' ? [part, image] : [part] };
  });

function items(...kinds: readonly fc.Arbitrary<object>[]): fc.Arbitrary<Item[]> {
  return fc.array(fc.oneof(...kinds), { maxLength: 5 }).map((made) => made.map((item, n) => ({ ...item, id: `id_${n}` }) as Item));
}
const input = items(message('user', 'system', 'developer', 'assistant'), call, call, output, output, output, reasoning);
const answer = items(message('assistant'), call, call, reasoning);

const turn: fc.Arbitrary<TranscriptTurn> = fc
  .record({
    input,
    answer,
    status: fc.constantFrom('completed', 'completed', 'failed', 'cancelled' as const),
    model: fc.constantFrom('scripted', 'other', null),
  })
  .map(({ input, answer, ...rest }) => ({ ...rest, errorCode: null, items: [...input, ...answer], inputCount: input.length }));
/** Some clients send again what they have got. */
const transcript = fc.record({ turns: fc.array(turn, { maxLength: 4 }), input, again: fc.boolean() }).map(({ turns, input, again }) => {
  const last = turns.at(-1);
  return { turns, input: again && last !== undefined ? [...last.items.slice(last.inputCount), ...input] : input };
});

interface Told {
  readonly type?: string;
  readonly role?: string;
  readonly content?: unknown;
  readonly call_id?: string;
  readonly arguments?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[];
}

/** As it goes over the wire. */
async function sent(body: object): Promise<{ text: string; list: Told[]; instructions: unknown }> {
  const text = Buffer.concat(await jsonPieces({ ...body })).toString();
  const { messages, input: list, instructions } = JSON.parse(text) as { messages?: Told[]; input?: Told[]; instructions?: string };
  return { text, list: messages ?? list ?? [], instructions };
}

function assertObject(text: string | undefined): void {
  const value: unknown = JSON.parse(text ?? '');
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), text);
  assert.ok(isWellFormed(value), text);
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  return (
    typeof value !== 'object' || value === null || Object.entries(value).every(([key, inner]) => key.isWellFormed() && isWellFormed(inner))
  );
}

/** Every call is followed by its one output, in order, and no id stands for two. @returns the ids */
function assertPairs(
  list: readonly Told[],
  callsOf: (told: Told) => readonly string[],
  outputOf: (told: Told) => string | undefined,
): void {
  const ids: string[] = [];
  let open: string[] = [];
  for (const told of list) {
    const made = callsOf(told);
    const given = outputOf(told);
    if (given !== undefined) assert.equal(given, open.shift());
    else if (made.length > 0 || told.type !== 'reasoning') {
      if (made.length === 0 || told.type === undefined) assert.deepEqual(open, []);
      open.push(...made);
      ids.push(...made);
    }
  }
  assert.deepEqual(open, []);
  assert.equal(new Set(ids).size, ids.length, ids.join());
}

for (const isOpenAiHost of [false, true]) {
  test(`a request of Chat Completions${isOpenAiHost ? ' to OpenAI' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(transcript, fc.constantFrom(null, 'Be terse.'), async ({ turns, input }, instructions) => {
        const prompt = promptOf(turns, input, 'scripted');
        const body = chatRequest({ settings: { ...settings, instructions }, items: prompt }, isOpenAiHost);
        const { text, list } = await sent(body);
        assert.ok(isWellFormed(JSON.parse(text)));
        assertPairs(
          list,
          ({ tool_calls }) => (tool_calls ?? []).map(({ id }) => id),
          ({ role, tool_call_id }) => (role === 'tool' ? tool_call_id : undefined),
        );
        for (const { function: called } of list.flatMap(({ tool_calls }) => tool_calls ?? [])) {
          assertObject(called.arguments);
          assert.match(called.name, /^[\w.:-]{1,128}$/);
        }
        for (const { role, content, tool_calls } of list)
          assert.ok(role !== 'assistant' || tool_calls !== undefined || (content !== '' && content !== null));
        if (isOpenAiHost) return;
        list.forEach(({ role }, at) => {
          assert.ok(role !== 'system' || at === 0, 'the one message of the system leads');
        });
      }),
      { numRuns: 400 },
    );
  });

  test(`a request of the Responses API${isOpenAiHost ? ' to OpenAI' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(transcript, fc.constantFrom(null, 'Be terse.'), async ({ turns, input }, instructions) => {
        const prompt = promptOf(turns, input, 'scripted');
        const body = responsesRequest({ settings: { ...settings, instructions }, items: prompt }, isOpenAiHost);
        const { text, list } = await sent(body);
        assert.ok(isWellFormed(JSON.parse(text)));
        assertPairs(
          list,
          ({ type, call_id = '' }) => (type === 'function_call' ? [call_id] : []),
          ({ type, call_id }) => (type === 'function_call_output' ? call_id : undefined),
        );
        for (const told of list) if (told.type === 'function_call') assertObject(told.arguments);
      }),
      { numRuns: 400 },
    );
  });
}

test('nothing that a tool gave is lost', () => {
  fc.assert(
    fc.property(transcript, ({ turns, input }) => {
      const all = [...turns.flatMap((each) => each.items), ...input];
      const prompt = promptOf(turns, input, 'scripted');
      const told = JSON.stringify(prompt);
      for (const item of all) {
        if (item.type !== 'function_call_output') continue;
        const given = JSON.stringify(item.output);
        assert.ok(told.includes(given), `${given} in ${told}`);
      }
    }),
    { numRuns: 400 },
  );
});
