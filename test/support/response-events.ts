/**
 * What the events of a response add up to, and whether they follow OpenAI's grammar. Stricter than the schema: an item is
 * announced under its final name and ids, what is done is the sum of its deltas, and what the last event has is what was
 * shown, character by whole character.
 */
import assert from 'node:assert/strict';
import { argumentsOf, type Shown, type ShownCall } from './dialects.ts';
import type { SeenEvent } from './viewer.ts';

type AnyObject = { readonly [key: string]: unknown };

interface OpenItem {
  readonly added: AnyObject;
  /** By `content_index` or `summary_index`. */
  readonly parts: { text: string; isDone: boolean }[];
  text: string;
  done?: AnyObject;
}

const ends = new Set(['response.completed', 'response.incomplete', 'response.failed']);

/** Throws an `AssertionError` at the first event that breaks the grammar. */
export function assertGrammar(events: readonly SeenEvent[]): void {
  const items: OpenItem[] = [];
  const ids = new Set<unknown>();
  const itemOf = (event: SeenEvent): OpenItem => {
    const item = items[Number(event['output_index'])];
    assert.ok(item, `${event.type} of an item that was not added`);
    assert.equal(item.done, undefined, `${event.type} of an item that is done`);
    assert.equal(event['item_id'], item.added['id'], `${event.type} has another item's id`);
    return item;
  };
  assert.equal(events[0]?.type, 'response.created');
  events.forEach((event, at) => {
    const { type } = event;
    assert.equal(event.sequence_number, at);
    assert.equal(ends.has(type), at === events.length - 1, `${type} at ${at}`);
    assertWhole(event);
    if (type === 'response.output_item.added') {
      const added = event['item'] as AnyObject;
      assert.equal(event['output_index'], items.length);
      assert.ok(typeof added['id'] === 'string' && added['id'] !== '' && !ids.has(added['id']), `${type} with a new id`);
      ids.add(added['id']);
      if (isCall(added)) for (const field of ['name', 'call_id']) assert.ok(isFilled(added[field]), `a call is added with its ${field}`);
      items.push({ added, parts: [], text: '' });
    } else if (type === 'response.output_item.done') {
      const item = items[Number(event['output_index'])];
      assert.ok(item && item.done === undefined, `${type} of an open item`);
      const done = event['item'] as AnyObject;
      assertDone(item, done);
      item.done = done;
    } else if (hasPlace(event) && isPassedOn(itemOf(event).added)) {
      // What it means, its provider knows.
    } else if (type.endsWith('_part.added')) {
      const { parts } = itemOf(event);
      assert.equal(event['content_index'] ?? event['summary_index'], parts.length);
      assert.ok(
        parts.every((part) => part.isDone),
        'one part is open at a time',
      );
      parts.push({ text: '', isDone: false });
    } else if (type.endsWith('_part.done')) {
      const part = partOf(itemOf(event), event);
      assert.equal(partText(event['part'] as AnyObject), part.text);
      part.isDone = true;
    } else if (/function_call_arguments\.delta$|custom_tool_call_input\.delta$/.test(type)) {
      itemOf(event).text += String(event['delta']);
    } else if (/function_call_arguments\.done$|custom_tool_call_input\.done$/.test(type)) {
      assert.equal(event['arguments'] ?? event['input'], itemOf(event).text);
    } else if (type.endsWith('.delta') && hasPlace(event)) {
      assert.notEqual(event['delta'], '', `${type} is not empty`);
      partOf(itemOf(event), event).text += String(event['delta']);
    } else if (/text\.done$|refusal\.done$/.test(type) && hasPlace(event)) {
      assert.equal(event['text'] ?? event['refusal'], partOf(itemOf(event), event).text);
    }
  });
  const last = events.at(-1)?.['response'] as { output: unknown } | undefined;
  const output = (last?.output ?? []) as readonly AnyObject[];
  assert.deepEqual(
    output.map((item, at) => asDone(item, items[at]?.done)),
    items.map(({ done }) => done),
    'the last event has the items that were shown',
  );
}

/** The fields that turnkeep makes. */
const own: Readonly<Record<string, ReadonlySet<string>>> = {
  message: new Set(['id', 'type', 'status', 'role', 'content']),
  reasoning: new Set(['id', 'type', 'status', 'content', 'summary']),
};

/** Whatever its provider told of a message or of reasoning when that was done stands in the last event alone. */
function asDone(item: AnyObject, done: AnyObject = {}): AnyObject {
  const names = own[String(item['type'])];
  if (names === undefined) return item;
  return { ...done, ...Object.fromEntries(Object.entries(item).filter(([name]) => names.has(name))) };
}

/** As it came, and so are the events about it. */
function isPassedOn(item: AnyObject): boolean {
  return !hasParts(item) && !isCall(item);
}

function hasParts({ type }: AnyObject): boolean {
  return own[String(type)] !== undefined;
}

function hasPlace(event: SeenEvent): boolean {
  return event['content_index'] !== undefined || event['summary_index'] !== undefined;
}

function partOf({ parts }: OpenItem, event: SeenEvent): OpenItem['parts'][number] {
  const part = parts[Number(event['content_index'] ?? event['summary_index'])];
  assert.ok(part && !part.isDone, `${event.type} of an open part`);
  return part;
}

function assertDone({ added, parts, text }: OpenItem, done: AnyObject): void {
  // Items that turnkeep passes on are what their provider says of them.
  for (const field of ['id', 'type', ...(isCall(added) ? ['name', 'call_id', 'namespace'] : [])])
    assert.deepEqual(done[field], added[field], `${field} stays`);
  if (isCall(done)) assert.equal(done['arguments'] ?? done['input'], text, 'a call has the sum of its deltas');
  if (!hasParts(done)) return;
  const all = ((done['content'] ?? done['summary']) as AnyObject[] | undefined) ?? [];
  assert.deepEqual(
    (done['type'] === 'reasoning' ? ((done['summary'] as AnyObject[] | undefined) ?? []) : all).map(partText),
    parts.map((part) => part.text),
    'an item has the parts that were shown',
  );
}

/** No half of a surrogate pair anywhere in the event. */
function assertWhole(value: unknown): void {
  if (typeof value === 'string') assert.ok(value.isWellFormed(), `half a character in ${JSON.stringify(value)}`);
  else if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) assertWhole(each);
}

function isCall({ type }: AnyObject): boolean {
  return type === 'function_call' || type === 'custom_tool_call';
}

function isFilled(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function partText(part: AnyObject): unknown {
  return part['text'] ?? part['refusal'];
}

interface AnyResponse {
  readonly status: string;
  readonly output: readonly AnyObject[];
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly incomplete_details: { readonly reason: string } | null;
  readonly usage: Parameters<typeof usageOf>[0] | null;
  readonly service_tier?: unknown;
}

/** What a whole response shows. */
export function shownByResponse(given: unknown): Shown {
  const response = given as AnyResponse;
  const { status, output, error, incomplete_details: details, usage } = response;
  const partsOf = (type: string, field: 'content' | 'summary', partType: string): string =>
    output
      .filter((item) => item['type'] === type)
      .flatMap((item) => (item[field] as AnyObject[] | undefined) ?? [])
      .filter((part) => part['type'] === partType)
      .map((part) => String(partText(part)))
      .join('');
  return {
    status,
    code: error?.code,
    reason: details?.reason,
    text: partsOf('message', 'content', 'output_text'),
    refusal: partsOf('message', 'content', 'refusal'),
    reasoning: partsOf('reasoning', 'summary', 'summary_text'),
    calls: output.filter(isCall).map(
      (item) =>
        ({
          ...item,
          arguments: item['type'] === 'function_call' ? argumentsOf(String(item['arguments'])) : item['input'],
        }) as unknown as ShownCall,
    ),
    usage: usage == null ? undefined : usageOf(usage),
    message: error?.message,
    tier: typeof response.service_tier === 'string' ? response.service_tier : undefined,
    items: output.map((item) => String(item['type'])),
    output,
  };
}

/** What the events of a stream show: the texts are those of the deltas, not of the last event. */
export function shownByEvents(events: readonly SeenEvent[]): Shown {
  const last = shownByResponse(events.at(-1)?.['response']);
  const joined = (type: string): string =>
    events
      .filter((event) => event.type === type)
      .map((event) => String(event['delta']))
      .join('');
  return {
    ...last,
    text: joined('response.output_text.delta'),
    refusal: joined('response.refusal.delta'),
    reasoning: joined('response.reasoning_summary_text.delta'),
  };
}

function usageOf(usage: {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens_details: { readonly reasoning_tokens: number };
}): NonNullable<Shown['usage']> {
  return {
    input: usage.input_tokens,
    output: usage.output_tokens,
    cached: usage.input_tokens_details.cached_tokens,
    reasoning: usage.output_tokens_details.reasoning_tokens,
  };
}
