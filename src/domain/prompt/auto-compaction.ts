/** Which request asks for the summary of a prompt that was too long (`overflow.ts`), and whether it is worth asking for. Pure. */
import { opaqueText, textOfPart } from './in-words.ts';
import { type InputMessage, isCall, isCallOutput, isOpaque, isWorkers, type Item, toolOutputText, unwrittenMessage } from '../item.ts';
import type { ModelRequest } from '../model.ts';

/** What is kept beside a summary would leave too little room: it is not worth its price. */
const worthwhile = 0.7;

/** @param kept of what would be left beside the summary, by the estimate that found the whole prompt to have `whole` */
export function isWorthwhile(kept: number, whole: number): boolean {
  return kept < worthwhile * whole;
}

/** Of the prompt that was too long, how much each request of a compaction shows the model: one that is too long itself costs nothing. */
const shares = [0.6, 0.3, 0.1];

/** How many tokens of the prompt the model may be shown, by the estimate that found it to have `tokens`. */
export function tokensToSummarise(tokens: number, attempt: number, limit: number | undefined): number {
  const share = shares[attempt - 1] ?? 0.1;
  return Math.floor(share * Math.min(tokens, limit ?? tokens));
}

/** A prompt of this conversation whose tokens the provider has counted. */
export interface CountedPrompt {
  readonly estimated: number;
  readonly counted: number;
}

/** A shorter prompt says nothing of the text behind it: most of its tokens are the provider's own frame. */
const longEnough = 1_000;
/** Estimates are never further off: what the provider counts as more or less is something else, such as what it has not cached. */
const farthest = { least: 0.5, most: 3 };

/** How many tokens a prompt comes to that is estimated to have so many, by what an earlier one of its conversation came to. */
export function calibrated(estimated: number, known: CountedPrompt | undefined): number {
  if (known === undefined || known.estimated === 0) return estimated;
  const ratio = Math.min(farthest.most, Math.max(farthest.least, known.counted / known.estimated));
  const ofRest = known.estimated < longEnough ? 1 : ratio;
  const more = estimated - known.estimated;
  return Math.round(more < 0 ? estimated * ofRest : known.estimated * ratio + more * ofRest);
}

const statedLimits = [
  /maximum (?:context|input|prompt|sequence) length (?:is|of) (\d{3,9})/i,
  /context (?:size|window|length|limit)\D{0,20}(\d{3,9})/i,
  />\s*(\d{3,9}) maximum/i,
];

/** How many tokens the model's context holds, where the provider's words say so. */
export function statedContext(message: string | undefined): number | undefined {
  const words = message?.replaceAll(/(?<=\d),(?=\d{3})/g, '') ?? '';
  const found = statedLimits.map((pattern) => pattern.exec(words)?.[1]).find((tokens) => tokens !== undefined);
  return found === undefined ? undefined : Number(found);
}

const bytesPerToken = 4;
const longestPart = 32_768;
const shortestPart = 512;

/** After so many characters, which take a few milliseconds, others have the event loop. */
const pauseChars = 262_144;
/** What a part takes beside its characters. */
const charsOfPart = 256;

/**
 * The request that asks for a summary, without what asks for it: the prompt in words, so that any model takes it, however it was
 * made up. Long parts lose their middles; where that is not enough, the oldest parts but the first are left out.
 *
 * @param pause lets others have the event loop (T14)
 */
export async function requestToSummarise(
  { settings, items }: ModelRequest,
  tokens: number,
  pause: () => Promise<unknown>,
): Promise<ModelRequest> {
  const text = await inWords(items, tokens * bytesPerToken, pause);
  return {
    settings: { ...settings, compacts: 'in_words', max_output_tokens: null, tools: [], tool_choice: null },
    items: [unwrittenMessage('user', text)],
  };
}

async function inWords(items: readonly Item[], maxBytes: number, pause: () => Promise<unknown>): Promise<string> {
  let chars = 0;
  const each = async <T>(list: readonly T[], partOf: (of: T) => string): Promise<readonly string[]> => {
    const parts: string[] = [];
    for (const of of list) {
      const part = partOf(of);
      if (part !== '') parts.push(part);
      chars += part.length + charsOfPart;
      if (chars < pauseChars) continue;
      chars = 0;
      await pause();
    }
    return parts;
  };
  const whole = await each(items, partInWords);
  let longest = longestPart;
  let parts = await each(whole, (part) => cut(part, longest));
  while (longest > shortestPart && bytesOf(parts) > maxBytes) {
    longest /= 2;
    const shorter = longest;
    parts = await each(whole, (part) => cut(part, shorter));
  }
  const [first, ...rest] = parts;
  let left = maxBytes - textBytes(first ?? '');
  const from = rest.findLastIndex((part) => (left -= textBytes(part)) < 0) + 1;
  const kept = from === 0 ? rest : ['[Parts of the conversation are left out here.]', ...rest.slice(from)];
  return [`[Our conversation so far, in words:]`, ...(first === undefined ? [] : [first]), ...kept].join('\n\n');
}

function cut(part: string, longest: number): string {
  if (part.length <= longest) return part;
  const half = Math.floor(longest / 2);
  return `${part.slice(0, half)}\n[… ${part.length - 2 * half} characters are left out …]\n${part.slice(-half)}`.toWellFormed();
}

function textBytes(text: string): number {
  return Buffer.byteLength(text);
}

function bytesOf(parts: readonly string[]): number {
  return parts.reduce((bytes, part) => bytes + textBytes(part), 0);
}

function partInWords(item: Item): string {
  if (item.type === 'message') return `[${item.role}]\n${textOfMessage(item)}`;
  if (isCall(item)) return `[call of ${item.name}]\n${item.type === 'function_call' ? item.arguments : item.input}`;
  if (isCallOutput(item)) return `[output of the call]\n${toolOutputText(item)}`;
  if (isOpaque(item) || isWorkers(item)) return opaqueText(item);
  return '';
}

function textOfMessage({ content }: InputMessage): string {
  return content.map((part) => textOfPart(part)).join('');
}
