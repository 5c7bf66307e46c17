/**
 * How many tokens a request brings, where nobody counts them: a token for each four bytes of text, which is what the
 * tokenizers of today's models make of English; of code they make up to a third more, of other languages between half and
 * twice as many. Images and files are counted by the piece, since what they come to is each model's own affair.
 */
import type { InputPart, Item, MessagePart } from './item.ts';
import type { ModelRequest } from './model.ts';

const bytesPerToken = 4;
/** Of a message: its role and where it begins and ends. */
const tokensPerItem = 4;
const tokensPerImage = 765;
const tokensPerSmallImage = 85;
const tokensPerFile = 2_000;

/** Of the settings that the model sees: instructions, tools, the format of the answer. */
export function settingsTokens({ instructions, tools, text }: ModelRequest['settings']): number {
  const format = text.format.type === 'json_schema' ? text.format.schema : null;
  return sumOf([instructions, tools.length === 0 ? null : tools, format].map((part) => textTokens(textOf(part))));
}

export function itemTokens(item: Item): number {
  const read = Object.entries(item).filter(([member]) => !unread.has(member));
  return tokensPerItem + sumOf(read.map(([, value]) => valueTokens(value)));
}

/** What the model is not shown. What is sealed is as long as what it stands for. */
const unread: ReadonlySet<string> = new Set(['id', 'type', 'status', 'role', 'phase']);

function valueTokens(value: unknown): number {
  if (!Array.isArray(value)) return textTokens(textOf(value));
  return sumOf(value.map((part: Partial<InputPart | MessagePart> | null) => partTokens(part ?? {})));
}

function partTokens(part: Partial<InputPart | MessagePart>): number {
  if (part.type === 'input_image') return part.detail === 'low' ? tokensPerSmallImage : tokensPerImage;
  if (part.type === 'input_file') return tokensPerFile;
  if ('refusal' in part) return textTokens(textOf(part.refusal));
  return textTokens(textOf('text' in part ? part.text : part));
}

function textOf(value: unknown): string {
  if (value == null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, each) => sum + each, 0);
}

/** By bytes of UTF-8. */
export function textTokens(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    // Each half of a surrogate pair is two of its four bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return Math.ceil(bytes / bytesPerToken);
}
