/**
 * The recorded shapes, spoiled: cut anywhere, with bytes, frames and JSON values changed, lost, doubled and mixed up. However
 * broken, an answer ends `completed` only with whole calls and with text that the server sent and every viewer saw.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import type { Json } from '../../../src/domain/item.ts';
import { assertBecame, framesOf, type Shape, shapes, titleOf } from '../../support/dialects.ts';
import { type ReadShape, readShape } from '../../support/read-dialect.ts';
import { assertGrammar, shownByEvents, shownByResponse } from '../../support/response-events.ts';
import type { SeenEvent } from '../../support/viewer.ts';

type Frames = readonly Uint8Array[];

const byTitle = new Map(shapes.map((shape) => [titleOf(shape), shape]));
/** By its title: short in a counterexample. */
const anyTitle = fc.constantFrom(...byTitle.keys());
/** Where bytes or frames are, in thousandths of the whole. */
const place = fc.integer({ min: 0, max: 1_000 });
const cuts = fc.array(place, { maxLength: 12 });

test('wherever the packets are cut, a shape becomes the same', async () => {
  await fc.assert(
    fc.asyncProperty(anyTitle, cuts, async (title, at) => {
      const shape = shapeOf(title);
      const read = await readShape(shape, cutAt(Buffer.concat(framesOf(shape)), at));
      assertGrammar(read.events);
      assertBecame(shape, { ...shownByEvents(read.events), tier: undefined });
    }),
    { numRuns: 1_000 },
  );
});

const byteChange = fc.oneof(
  fc.record({ type: fc.constant('set' as const), at: place, byte: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ type: fc.constant('delete' as const), at: place, bytes: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ type: fc.constant('double' as const), at: place, bytes: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ type: fc.constant('end' as const), at: place }),
);
type ByteChange = typeof byteChange extends fc.Arbitrary<infer T> ? T : never;

/** Half of its second line comes again behind it, as JSON without a field. */
const lineWithoutField = 'proxies and converters (chat): one newline between the events, and no proof of the end';

test('T8 · no change of bytes makes a whole answer of a broken one', async () => {
  await fc.assert(
    fc.asyncProperty(anyTitle, fc.array(byteChange, { minLength: 1, maxLength: 3 }), cuts, async (title, changes, at) => {
      const shape = shapeOf(title);
      const bytes = changes.reduce(changed, Buffer.concat(framesOf(shape)));
      assertHonest(bytes, await readShape(shape, cutAt(bytes, at)), title);
    }),
    { numRuns: 3_000, examples: [[lineWithoutField, [{ type: 'double', at: 548, bytes: 52 }], []]] },
  );
});

const frameChange = fc.record({
  type: fc.constantFrom('drop', 'double', 'swap', 'foreign'),
  at: place,
  to: place,
  title: anyTitle,
});
type FrameChange = typeof frameChange extends fc.Arbitrary<infer T> ? T : never;

test('T8 · no loss, repetition, exchange or mixture of events makes a whole answer of a broken one', async () => {
  await fc.assert(
    fc.asyncProperty(anyTitle, fc.array(frameChange, { minLength: 1, maxLength: 3 }), async (title, changes) => {
      const shape = shapeOf(title);
      const frames = changes.reduce(rearranged, framesOf(shape));
      assertHonest(Buffer.concat(frames), await readShape(shape, frames), title);
    }),
    { numRuns: 2_000 },
  );
});

const oddValue = fc.constantFrom<Json>(
  null,
  true,
  0,
  1,
  -1,
  1e300,
  '',
  ' ',
  'x',
  'null',
  '{',
  '{}',
  '"',
  '\ud83d',
  '\ude00',
  '\u0000',
  'stop',
  'length',
  'tool_calls',
  'error',
  [],
  {},
  ['x'],
  [null],
  { text: 'x' },
  { type: 'text', text: 'x' },
  [{ type: 'text', text: 'x' }],
  { message: 'x', code: 429 },
  [[[]]],
);
const valueChange = fc.record({ at: place, value: oddValue, isGone: fc.boolean() });

test('T8 · no value in place of another makes a whole answer of a broken one', async () => {
  await fc.assert(
    fc.asyncProperty(anyTitle, fc.array(valueChange, { minLength: 1, maxLength: 3 }), async (title, changes) => {
      const shape = shapeOf(title);
      const body = structuredClone(shape.body) as Json[];
      for (const { at, value, isGone } of changes) setAt(body, at, isGone ? undefined : value);
      const frames = framesOf({ api: shape.api, body: body as Shape['body'] });
      assertHonest(Buffer.concat(frames), await readShape(shape, frames), title);
    }),
    { numRuns: 3_000 },
  );
});

test('T8 · pieces behind the finish that belong to no call take its proof away', async () => {
  const call = (id: string, called: Json): Json => ({ delta: { tool_calls: [{ index: 0, id, function: called }] } });
  const body = [
    call('a', { name: 'f', arguments: '{}' }),
    { delta: {}, finish_reason: 'tool_calls' },
    call('b', { arguments: '{"x":' }),
    call('b', { arguments: '1}' }),
    '[DONE]',
  ] as Shape['body'];
  const { failure } = await readShape({ api: 'chat' }, framesOf({ api: 'chat', body }));
  assert.equal(failure?.code, 'provider_protocol');
});

/** What holds of every answer, whatever came. */
function assertHonest(sent: Uint8Array, { events }: ReadShape, title: string): void {
  assertGrammar(events);
  const shown = shownByEvents(events);
  const last = shownByResponse(events.at(-1)?.['response']);
  assert.deepEqual(last, shown, `${title}: what was shown is what the last event says`);
  const texts = textsIn(sent);
  for (const kind of ['text', 'reasoning', 'refusal'] as const) {
    assert.ok(isSaidBy(texts, shown[kind] ?? ''), `${title}: ${kind} was not sent: ${JSON.stringify(shown[kind])}`);
  }
  if (shown.status !== 'completed') return;
  for (const text of argumentsIn(events)) assert.doesNotThrow(() => JSON.parse(text) as unknown, `${title}: arguments ${text}`);
}

function argumentsIn(events: readonly SeenEvent[]): readonly string[] {
  const response = events.at(-1)?.['response'] as { output: { type: string; arguments: string }[] } | undefined;
  return (response?.output ?? []).filter(({ type }) => type === 'function_call').map((call) => call.arguments);
}

/** Every text in every event of the stream, and in every line that is JSON by itself, one behind the other. */
function textsIn(bytes: Uint8Array): string {
  const texts: string[] = [];
  const add = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'number') texts.push(String(value));
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(add);
  };
  const read = (data: string): void => {
    try {
      add(JSON.parse(data));
    } catch {
      // It says nothing.
    }
  };
  // A character that is cut off at the very end is none.
  const body = new TextDecoder().decode(bytes, { stream: true });
  const parser = createParser({ onEvent: ({ data }) => read(data) });
  parser.feed(`${body}\n\n`);
  // A line that is JSON by itself is an event, with its field or without, whatever stands before and behind it.
  const eventIn = (line: string): string | undefined => {
    const data = line.startsWith('data:') ? line.slice(5) : line;
    if (data === line && !/^\s*[{[]/.test(line)) return undefined;
    try {
      JSON.parse(data);
      return `\ndata: ${data}\n`;
    } catch {
      return undefined;
    }
  };
  const lines = body.split(/\r\n|\n|\r/);
  parser.reset({ consume: false });
  parser.feed(`\n\n${lines.map((line) => eventIn(line) ?? line).join('\n')}\n\n`);
  return texts.join('');
}

/** Whether the characters come in this order, but for those that stand for half a character. */
function isSaidBy(texts: string, shown: string): boolean {
  const units = shown.replaceAll('\ufffd', '');
  let at = 0;
  for (let from = 0; at < units.length && from < texts.length; from += 1) if (texts[from] === units[at]) at += 1;
  return at === units.length;
}

function shapeOf(title: string): Shape {
  const shape = byTitle.get(title);
  assert.ok(shape);
  return shape;
}

function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const offsets = places.map((at) => Math.floor((at * bytes.length) / 1_000)).toSorted((a, b) => a - b);
  return [...offsets, bytes.length].map((end, index) => bytes.subarray(offsets[index - 1] ?? 0, end));
}

function changed(bytes: Buffer, change: ByteChange): Buffer {
  const at = Math.floor((change.at * bytes.length) / 1_000);
  const before = bytes.subarray(0, at);
  switch (change.type) {
    case 'set':
      return Buffer.concat([before, Uint8Array.of(change.byte), bytes.subarray(at + 1)]);
    case 'delete':
      return Buffer.concat([before, bytes.subarray(at + change.bytes)]);
    case 'double':
      return Buffer.concat([before, bytes.subarray(at, at + change.bytes), bytes.subarray(at)]);
    case 'end':
      return before;
    default:
      return change satisfies never;
  }
}

function rearranged(frames: Frames, { type, at, to, title }: FrameChange): Frames {
  const from = Math.floor((at * frames.length) / 1_001);
  const other = Math.floor((to * frames.length) / 1_001);
  const [here, there] = [frames[from], frames[other]];
  if (here === undefined || there === undefined) return frames;
  if (type === 'drop') return frames.toSpliced(from, 1);
  if (type === 'double') return frames.toSpliced(other, 0, here);
  if (type === 'swap') return frames.with(from, there).with(other, here);
  const foreign = framesOf(shapeOf(title));
  return frames.toSpliced(from, 0, foreign[Math.floor((to * foreign.length) / 1_001)] ?? here);
}

/** Replaces one of the values in the JSON frames, or takes it out. */
function setAt(body: Json[], at: number, value: Json | undefined): void {
  const places: [holder: Record<string, Json>, key: string][] = [];
  const walk = (holder: Record<string, Json>): void => {
    for (const [key, each] of Object.entries(holder)) {
      places.push([holder, key]);
      if (typeof each === 'object' && each !== null) walk(each as Record<string, Json>);
    }
  };
  for (const frame of body) if (typeof frame === 'object' && frame !== null && !Array.isArray(frame)) walk(frame as Record<string, Json>);
  const [holder, key] = places[Math.floor((at * places.length) / 1_001)] ?? [];
  if (holder === undefined || key === undefined) return;
  if (value === undefined) delete holder[key];
  else holder[key] = structuredClone(value);
}
