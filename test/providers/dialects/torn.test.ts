/**
 * T8 · conforming streams of a Responses provider, scrambled: items torn around each other, deltas that tell half, done events that
 * are missing, members that only the last event tells. What comes of it is what the provider said, all of it and in its order, or no
 * completed answer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../../src/domain/item.ts';
import { framesOf, type JsonObject } from '../../support/dialects.ts';
import { readShape } from '../../support/read-dialect.ts';
import { assertGrammar, shownByEvents, shownByResponse } from '../../support/response-events.ts';

type Kind = 'message' | 'reasoning' | 'function_call' | 'dream_call';

/** An item as the provider has it in the end, and how much of it each event tells. */
interface Item {
  readonly kind: Kind;
  readonly text: string;
  /** Where its deltas are cut. */
  readonly pieces: readonly string[];
  /** How many of the pieces come as deltas. */
  readonly told: number;
  /** A `phase`, or what is encrypted, and who tells it: the beginning of the item, its end, or the last event. */
  readonly member: 'added' | 'done' | 'completed' | undefined;
  readonly hasDone: boolean;
}

const words = fc.stringMatching(/^[a-z ]{1,6}$/);
const item: fc.Arbitrary<Item> = fc
  .record({
    kind: fc.constantFrom<Kind>('message', 'message', 'message', 'reasoning', 'function_call', 'dream_call'),
    pieces: fc.array(words, { minLength: 1, maxLength: 4 }),
    told: fc.nat({ max: 4 }),
    member: fc.constantFrom('added', 'done', 'completed', undefined),
    hasDone: fc.boolean(),
  })
  .map(({ kind, pieces: given, told, member, hasDone }) => {
    const text = kind === 'function_call' ? JSON.stringify({ x: given.join('') }) : given.join('');
    const pieces = kind === 'function_call' ? [text.slice(0, 3), text.slice(3)] : given;
    return { kind, text, pieces, told: Math.min(told, pieces.length), member, hasDone };
  });

/** Which item says its next event, in thousandths of those that have more to say. */
const order = fc.array(fc.nat({ max: 999 }), { maxLength: 40 });

const memberOf = { message: 'phase', reasoning: 'encrypted_content' } as const;

function whole({ kind, text, member }: Item, at: number, teller: 'added' | 'done' | 'completed'): JsonObject {
  const isBegun = teller === 'added';
  const knows = member !== undefined && ['added', 'done', 'completed'].indexOf(member) <= ['added', 'done', 'completed'].indexOf(teller);
  const named = kind === 'message' || kind === 'reasoning' ? memberOf[kind] : undefined;
  const more: JsonObject = knows && named !== undefined ? { [named]: `${kind} ${at}` } : {};
  const base = { id: `${kind}_${at}`, type: kind, status: isBegun ? 'in_progress' : 'completed' };
  switch (kind) {
    case 'message':
      return { ...base, role: 'assistant', content: isBegun ? [] : [{ type: 'output_text', text, annotations: [] }], ...more };
    case 'reasoning':
      return { ...base, summary: isBegun ? [] : [{ type: 'summary_text', text }], ...more };
    case 'function_call':
      return { ...base, call_id: `call_${at}`, name: 'f', arguments: isBegun ? '' : text };
    case 'dream_call':
    default:
      return { ...base, dream: isBegun ? '' : text };
  }
}

const deltaTypes = {
  message: 'response.output_text.delta',
  reasoning: 'response.reasoning_summary_text.delta',
  function_call: 'response.function_call_arguments.delta',
  dream_call: 'response.dream_call.dreaming',
};

/** The events of one item, in their order. */
function eventsOf(given: Item, at: number): JsonObject[] {
  const address = { item_id: `${given.kind}_${at}`, output_index: at };
  const place = { message: { content_index: 0 }, reasoning: { summary_index: 0 }, function_call: {}, dream_call: {} }[given.kind];
  return [
    { type: 'response.output_item.added', output_index: at, item: whole(given, at, 'added') },
    ...given.pieces.slice(0, given.told).map((delta): JsonObject => ({ type: deltaTypes[given.kind], ...address, ...place, delta })),
    ...(given.hasDone ? [{ type: 'response.output_item.done', output_index: at, item: whole(given, at, 'done') }] : []),
  ];
}

/** The items are begun in their order; how they go on is mixed. */
function scrambled(items: readonly Item[], picks: readonly number[]): JsonObject[] {
  const open: JsonObject[][] = [];
  const waiting = items.map(eventsOf);
  const all: JsonObject[] = [{ type: 'response.created', response: { id: 'resp_1', status: 'in_progress', output: [] } }];
  for (let step = 0; open.some((events) => events.length > 0) || waiting.length > 0; step += 1) {
    const going = open.filter((events) => events.length > 0);
    const pick = Math.floor(((picks[step] ?? 0) * (going.length + (waiting.length > 0 ? 1 : 0))) / 1_000);
    const events = going[pick] ?? waiting.shift();
    if (events === undefined) break;
    if (!open.includes(events)) open.push(events);
    const next = events.shift();
    if (next !== undefined) all.push(next);
  }
  const output = items.map((given, at) => whole(given, at, 'completed'));
  const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
  return [...all, { type: 'response.completed', response: { id: 'resp_1', status: 'completed', output, usage } }];
}

async function read(events: readonly JsonObject[]) {
  const shape = { api: 'responses', ask: { include: ['reasoning.encrypted_content'] } } as const;
  const answer = await readShape(shape, framesOf({ ...shape, body: events }));
  assertGrammar(answer.events);
  const last = shownByResponse(answer.events.at(-1)?.['response']);
  assert.deepEqual(last, shownByEvents(answer.events), 'what was shown is what the last event says');
  return { ...answer, last, output: last.output ?? [] };
}

const ofKind = (items: readonly Item[], kind: Kind): readonly Item[] => items.filter((each) => each.kind === kind);

test('T8 · no scrambling of a conforming Responses stream loses, tears or mixes up what it says', async () => {
  let completed = 0;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 5 }), order, async (items, picks) => {
      const events = scrambled(items, picks);
      const { last, output, failure } = await read(events);
      runs += 1;
      const isAnswer = items.some(({ kind }) => kind !== 'reasoning');
      if (last.status !== 'completed') {
        // What ought to have stood before what is shown cannot be told any more.
        const why = isAnswer ? ['provider_protocol', 'done_contradicts_deltas'] : ['empty_response', undefined];
        assert.deepEqual([failure?.code, failure?.detail], why);
        if (isAnswer) assert.ok(hasLateBeginning(events), 'each message began in its place');
        return;
      }
      completed += 1;
      const said = items.flatMap((each, at) => (each.kind === 'message' ? [[each.text, phaseOf(each, at)]] : []));
      const shown = output.filter(({ type }) => type === 'message').map((each) => [textOf(each), each['phase']]);
      // The one comes first of which something is told first.
      if (hasLateBeginning(events)) assert.deepEqual(sorted(shown), sorted(said));
      else assert.deepEqual(shown, said, 'each message is one item, whole, in its place and with its own phase');
      assert.deepEqual(
        sorted((last.calls ?? []).map(({ call_id, arguments: args }) => [call_id, args])),
        sorted(items.flatMap(({ kind, text }, at) => (kind === 'function_call' ? [[`call_${at}`, JSON.parse(text) as Json]] : []))),
        'each call, with its own arguments',
      );
      assert.deepEqual(
        output.filter(({ type }) => type === 'dream_call').map(({ dream }) => dream),
        ofKind(items, 'dream_call').map(({ text }) => text),
      );
      const sealed = items.flatMap((each, at) => (each.kind === 'reasoning' && each.member !== undefined ? [`reasoning ${at}`] : []));
      assert.deepEqual(sorted(output.flatMap(({ encrypted_content: encrypted }) => encrypted ?? [])), sorted(sealed));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(completed > runs / 2, `${completed} of ${runs} were whole`);
});

function sorted(values: readonly unknown[]): readonly string[] {
  return values.map((value) => JSON.stringify(value)).toSorted((one, other) => (one < other ? -1 : 1));
}

function phaseOf({ member }: Item, at: number): string | undefined {
  return member === undefined ? undefined : `message ${at}`;
}

/** Is there a message of which nothing is told before the text of a later one? */
function hasLateBeginning(events: readonly JsonObject[]): boolean {
  const begun = events.flatMap(({ type, item_id: of, item }) => {
    if (type === deltaTypes.message) return [of];
    const { id, type: kind } = (item ?? {}) as { readonly id?: string; readonly type?: string };
    return type === 'response.output_item.done' && kind === 'message' ? [id ?? ''] : [];
  });
  const announced = events.flatMap(({ type, item }) => {
    const { id, type: kind } = (item ?? {}) as { readonly id?: string; readonly type?: string };
    return type === 'response.output_item.added' && kind === 'message' ? [id ?? ''] : [];
  });
  const inOrder = [...new Set(begun)];
  return inOrder.some((id, at) => announced[at] !== id);
}

function textOf(message: { readonly [key: string]: unknown }): string {
  return (message['content'] as readonly { readonly text: string }[]).map(({ text }) => text).join('');
}
