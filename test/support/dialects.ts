/**
 * The recorded shapes of `test/data/dialects/`: what servers of OpenAI's kind really send, and what each must become.
 * The format is described in the folder's README.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../../src/domain/item.ts';
import { head, type Script, split, text } from '../../src/testing/model-server/index.ts';

export type JsonObject = { readonly [key: string]: Json };

/** A text as it is on the wire, bytes as numbers, or JSON that is sent as one event. */
type Frame = string | readonly number[] | JsonObject;

export interface ShownCall {
  readonly name: string;
  /** Parsed; of a call that was cut off, or of a freeform tool, the text as it is. */
  readonly arguments: Json;
  readonly call_id?: string;
  /** What the provider said of the call beside OpenAI's own fields. */
  readonly provider_fields?: JsonObject;
  /** Of a tool in a namespace. */
  readonly namespace?: string;
}

/** What is not named is empty, but for `call_id`, `usage`, `message`, `tier`, `items` and `has`, which are then not looked at. */
export interface Becomes {
  readonly status: 'completed' | 'incomplete' | 'failed';
  /** Of a failed turn. */
  readonly code?: string;
  /** Of an incomplete turn. */
  readonly reason?: string;
  readonly text?: string;
  readonly reasoning?: string;
  readonly refusal?: string;
  /** `any` where a broken answer may show more or less of them. */
  readonly calls?: readonly ShownCall[] | 'any';
  readonly usage?: ShownUsage;
  /** Words that the error's message must have. */
  readonly message?: readonly string[];
  /** How many requests are made; 1 where nothing is said. */
  readonly requests?: number;
  /** The service tier that the response says. */
  readonly tier?: string;
  /** The types of the output's items, in order. */
  readonly items?: readonly string[];
  /** Members that the output's items have beside their texts, in order; null: has none. */
  readonly has?: readonly JsonObject[];
}

export interface Shape {
  /** Of the file: a server, or a family of them. */
  readonly server: string;
  readonly name: string;
  readonly seen: string;
  readonly api: 'chat' | 'responses';
  /** 200 where nothing is said. */
  readonly status?: number;
  /** `content-type: text/event-stream` where nothing is said. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Fields of the request, beside its input and the tools that the calls need. */
  readonly ask?: JsonObject;
  readonly body: readonly Frame[];
  /** On a socket: into pieces of so many bytes. */
  readonly split?: number;
  /** How the connection ends; properly where nothing is said. */
  readonly ends?: 'fin' | 'reset';
  readonly becomes: Becomes;
  /** Of `chat`: what the message with the calls has beside them when their outputs go to the provider. */
  readonly back?: JsonObject;
  /** Of `responses`: items that stand in the next request's input, in this order, each with these members. */
  readonly told?: readonly JsonObject[];
}

/** The freeform tools that a shape asks for, by their names. */
export function customTools({ ask }: Pick<Shape, 'ask'>): readonly string[] {
  const tools = (ask?.['tools'] ?? []) as readonly { readonly type: string; readonly name: string }[];
  return tools.flatMap(({ type, name }) => (type === 'custom' ? [name] : []));
}

const folder = join(import.meta.dirname, '../data/dialects');

export const shapes: readonly Shape[] = globSync('*.json', { cwd: folder })
  .toSorted()
  .flatMap((file) => {
    const { server, shapes } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { server: string; shapes: Omit<Shape, 'server'>[] };
    return shapes.map((shape) => ({ server, ...shape }));
  });

/** Unique among all shapes. */
export function titleOf({ server, name, api }: Shape): string {
  return `${server} (${api}): ${name}`;
}

/** The frames of the body, each as its bytes. */
export function framesOf({ api, body }: Pick<Shape, 'api' | 'body'>): readonly Uint8Array[] {
  return body.map((frame) => {
    if (frame === '[DONE]') return Buffer.from('data: [DONE]\n\n');
    if (typeof frame === 'string') return Buffer.from(frame);
    if (isBytes(frame)) return Uint8Array.from(frame);
    const event = api === 'responses' && typeof frame['type'] === 'string' ? `event: ${frame['type']}\n` : '';
    return Buffer.from(`${event}data: ${JSON.stringify(api === 'chat' ? wholeChunk(frame) : frame)}\n\n`);
  });
}

function isBytes(frame: Frame): frame is readonly number[] {
  return Array.isArray(frame);
}

/** `{ delta, finish_reason?, … }` is short for a chunk of one choice. */
function wholeChunk({ delta, finish_reason, ...rest }: JsonObject): JsonObject {
  if (delta === undefined) return finish_reason === undefined ? rest : { finish_reason, ...rest };
  const choices = [{ index: 0, delta, finish_reason: finish_reason ?? null }];
  return { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_790_000_000, model: 'scripted', choices, ...rest };
}

export function headersOf({ headers }: Pick<Shape, 'headers'>): Readonly<Record<string, string>> {
  return headers ?? { 'content-type': 'text/event-stream' };
}

/** For the model server. */
export function scriptOf(shape: Shape): Script {
  const frames = framesOf(shape);
  return [
    head({ status: shape.status ?? 200, headers: headersOf(shape) }),
    ...(shape.split === undefined ? [] : [split(shape.split)]),
    ...frames.filter((bytes) => bytes.length > 0).map(text),
    { type: shape.ends ?? 'end' },
  ];
}

export interface ShownUsage {
  readonly input: number;
  readonly output: number;
  readonly cached?: number;
  readonly reasoning?: number;
}

/** What a protocol has shown of a turn. What it has no place for is undefined, and not looked at. */
export interface Shown {
  readonly status: string;
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  readonly text?: string | undefined;
  readonly reasoning?: string | undefined;
  readonly refusal?: string | undefined;
  readonly calls?: readonly Partial<ShownCall>[] | undefined;
  readonly usage?: ShownUsage | undefined;
  readonly message?: string | undefined;
  readonly tier?: string | undefined;
  readonly items?: readonly string[] | undefined;
  readonly output?: readonly { readonly [key: string]: unknown }[] | undefined;
}

/** Whatever a protocol has shown is what the shape must become. */
export function assertBecame({ becomes }: Pick<Shape, 'becomes'>, shown: Shown): void {
  const { status, code, reason, text = '', reasoning = '', refusal = '', calls = [], usage, message = [], tier, items, has } = becomes;
  const { text: shownText = text, reasoning: shownReasoning = reasoning, refusal: shownRefusal = refusal } = shown;
  assert.deepEqual(
    { ...pick(shown, ['status', 'code', 'reason']), text: shownText, reasoning: shownReasoning, refusal: shownRefusal },
    { status, code, reason, text, reasoning, refusal },
    shown.message,
  );
  if (calls !== 'any' && shown.calls !== undefined) {
    assert.deepEqual(
      shown.calls.map((call, at) => pick(call, Object.keys(calls[at] ?? { name: '', arguments: '' }))),
      calls,
    );
  }
  if (usage !== undefined && shown.usage !== undefined) assert.deepEqual(pick(shown.usage, Object.keys(usage)), usage);
  if (shown.message !== undefined) {
    for (const words of message) assert.ok(shown.message.includes(words), `"${words}" is not in: ${shown.message}`);
  }
  if (tier !== undefined && shown.tier !== undefined) assert.equal(shown.tier, tier);
  if (items !== undefined && shown.items !== undefined) assert.deepEqual(shown.items, items);
  if (has !== undefined && shown.output !== undefined) {
    const members = shown.output.map((item, at) => Object.keys(has[at] ?? {}).map((key) => [key, item[key] ?? null]));
    assert.deepEqual(members.map(Object.fromEntries), has);
  }
}

export function pick(from: object, keys: readonly string[]): object {
  return Object.fromEntries(keys.map((key) => [key, (from as Record<string, unknown>)[key]]));
}

/** Parsed where it is JSON: a call that was cut off has what came of its arguments. */
export function argumentsOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
