/**
 * How many tokens a request brings, where nobody counts them: a token for each four bytes of text, which is what the
 * tokenizers of today's models make of English; of code they make up to a third more, of other languages between half and
 * twice as many. Images and files are counted by the piece, since what they come to is each model's own affair.
 */
import type { InputPart, Item, MessagePart } from '../item.ts';
import type { ModelRequest } from '../model.ts';

const bytesPerToken = 4;
/** Of a message: its role and where it begins and ends. */
const tokensPerItem = 4;
const tokensPerImage = 765;
const tokensPerSmallImage = 85;
const tokensPerFile = 2_000;

/** A count in slices (T14): yields how many characters it has looked at since it did so last, some 64 K at the most, and returns tokens. */
export type Counting = Generator<number, number, undefined>;

const sliceChars = 65_536;

/** Of the settings that the model sees: instructions, tools, the format of the answer. */
export function* settingsTokens({ instructions, tools, text }: ModelRequest['settings']): Counting {
  const format = text.format.type === 'json_schema' ? text.format.schema : null;
  let tokens = 0;
  for (const part of [instructions, tools.length === 0 ? null : tools, format]) tokens += yield* tokensOf(part);
  return tokens;
}

export function* itemTokens(item: Item): Counting {
  let tokens = tokensPerItem;
  for (const [member, value] of Object.entries(item) as [string, unknown][]) {
    if (!unread.has(member)) tokens += yield* valueTokens(value);
  }
  return tokens;
}

/** What the model is not shown. What is sealed is as long as what it stands for. */
const unread: ReadonlySet<string> = new Set(['id', 'type', 'status', 'role', 'phase']);

function* valueTokens(value: unknown): Counting {
  if (!Array.isArray(value)) return yield* tokensOf(value);
  let tokens = 0;
  for (const part of value as unknown[]) {
    // Of an item that is passed on as it came, a list may have anything in it.
    tokens += yield* typeof part === 'object' && part !== null ? partTokens(part) : tokensOf(part);
  }
  return tokens;
}

function* partTokens(part: Partial<InputPart | MessagePart>): Counting {
  if (part.type === 'input_image') return part.detail === 'low' ? tokensPerSmallImage : tokensPerImage;
  if (part.type === 'input_file') return tokensPerFile;
  if ('refusal' in part) return yield* tokensOf(part.refusal);
  return yield* tokensOf('text' in part ? part.text : part);
}

/** Of a text by its bytes in UTF-8, of any other value by those of its JSON. */
export function* tokensOf(value: unknown): Counting {
  if (value == null) return 0;
  const bytes = typeof value === 'string' ? yield* textBytes(value) : yield* jsonBytes(value);
  return Math.ceil(bytes / bytesPerToken);
}

function* textBytes(text: string): Counting {
  let bytes = 0;
  for (let from = 0; from < text.length; from += sliceChars) {
    const to = Math.min(text.length, from + sliceChars);
    bytes += bytesBetween(text, from, to);
    yield to - from;
  }
  return bytes;
}

/** As `JSON.stringify` writes it. */
function* jsonBytes(value: unknown): Counting {
  if (typeof value === 'string') return yield* quotedBytes(value);
  if (typeof value !== 'object' || value === null) {
    const { length } = JSON.stringify(value) ?? 'null';
    yield length;
    return length;
  }
  const isList = Array.isArray(value);
  const members = Object.entries(value).filter(([, member]) => isList || member !== undefined);
  let bytes = 2 + Math.max(0, members.length - 1);
  for (const [name, member] of members) {
    if (!isList) bytes += (yield* quotedBytes(name)) + 1;
    bytes += yield* jsonBytes(member);
  }
  return bytes;
}

function* quotedBytes(text: string): Counting {
  let bytes = 2;
  for (let from = 0, to = 0; from < text.length; from = to) {
    to = Math.min(text.length, from + sliceChars);
    // Half a surrogate pair is written as an escape.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc_00) === 0xd8_00) to += 1;
    const json = JSON.stringify(text.slice(from, to));
    bytes += bytesBetween(json, 1, json.length - 1);
    yield to - from;
  }
  return bytes;
}

/** How many bytes of UTF-8 a stretch of a text has; the sandbox has no `Buffer`. */
export function bytesBetween(text: string, from: number, to: number): number {
  let bytes = to - from;
  for (let at = from; at < to; at += 1) {
    const unit = text.charCodeAt(at);
    // Each half of a surrogate pair is two of its four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}

/** A pause is due after so many characters, which take a few milliseconds to count. */
const pauseChars = 262_144;
/** What a step of a count takes beside its characters. */
const charsOfStep = 256;

/** @param pause lets others have the event loop (T14) */
export async function estimateTokens({ settings, items }: ModelRequest, pause: () => Promise<unknown>): Promise<number> {
  let chars = 0;
  const paced = async (counting: Counting): Promise<number> => {
    for (;;) {
      const { done, value } = counting.next();
      if (done === true) return value;
      chars += value + charsOfStep;
      if (chars < pauseChars) continue;
      chars = 0;
      await pause();
    }
  };
  let tokens = await paced(settingsTokens(settings));
  for (const item of items) tokens += await paced(itemTokens(item));
  return tokens;
}
