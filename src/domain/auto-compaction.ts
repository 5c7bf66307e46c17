/**
 * Compaction within a turn. A request whose prompt the model's context does not hold ends its step; the next step asks the model
 * for a summary, which becomes an item of the answer; the one behind it asks again, with the summary in the place of what was
 * said before. All of it is decided by the requests that are booked, so that every worker decides the same. Pure.
 */
import type { Compaction } from './agent.ts';
import type { AttemptRow } from './attempt.ts';
import { opaqueText, textOfPart } from './in-words.ts';
import { type InputMessage, isCall, isCallOutput, isOpaque, isWorkers, type Item, toolOutputText, unwrittenMessage } from './item.ts';
import type { ModelRequest } from './model.ts';
import type { ResponseSettings } from './response-settings.ts';
import { bytesBetween } from './token-estimate.ts';

/** Summaries of one turn: each is paid for, and one that did not help is not asked for a third time. */
const maxCompactions = 2;

/** What a turn does with a prompt that is too long: what the request says comes before its agent. */
export function compactionOf({ agent, truncation, compacts }: Pick<ResponseSettings, 'agent' | 'truncation' | 'compacts'>): Compaction {
  if (compacts !== undefined) return 'off';
  return truncation === 'auto' ? 'auto' : (agent?.compaction ?? 'off');
}

type Booked = Pick<AttemptRow, 'step' | 'attempt' | 'code'>;

/** The steps whose last request was refused for the length of its prompt. The one that a turn fails with is none before it has failed. */
function overflowedSteps(attempts: readonly Booked[]): ReadonlySet<number> {
  const last = new Map(attempts.map(({ step, code }) => [step, code]));
  return new Set([...last].flatMap(([step, code]) => (code === 'context_length_exceeded' ? [step] : [])));
}

/** @param attempts in the order in which they were booked */
export function isCompactionStep(attempts: readonly Booked[], step: number): boolean {
  return overflowedSteps(attempts).has(step - 1);
}

export function mayCompact(settings: ResponseSettings, attempts: readonly Booked[], step: number): boolean {
  if (compactionOf(settings) !== 'auto') return false;
  return [...overflowedSteps(attempts)].filter((overflowed) => overflowed < step).length < maxCompactions;
}

/** Without the steps that were asked for in vain, and those that compacted: how many steps the model has had. */
export function stepsAsked(attempts: readonly Booked[], before: number): number {
  const overflowed = overflowedSteps(attempts);
  const steps = new Set(attempts.map(({ step }) => step).filter((step) => step < before));
  return [...steps].filter((step) => !overflowed.has(step) && !overflowed.has(step - 1)).length;
}

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

/**
 * The request that asks for a summary, without what asks for it: the prompt in words, so that any model takes it, however it was
 * made up. Long parts lose their middles; where that is not enough, the oldest parts but the first are left out.
 */
export function requestToSummarise({ settings, items }: ModelRequest, tokens: number): ModelRequest {
  const text = inWords(items, tokens * bytesPerToken);
  return {
    settings: { ...settings, compacts: 'in_words', max_output_tokens: null, tools: [], tool_choice: null },
    items: [unwrittenMessage('user', text)],
  };
}

function inWords(items: readonly Item[], maxBytes: number): string {
  const whole = items.map(partInWords).filter((part) => part !== '');
  let longest = longestPart;
  let parts = cutAll(whole, longest);
  while (longest > shortestPart && bytesOf(parts) > maxBytes) {
    longest /= 2;
    parts = cutAll(whole, longest);
  }
  const [first, ...rest] = parts;
  let left = maxBytes - textBytes(first ?? '');
  const from = rest.findLastIndex((part) => (left -= textBytes(part)) < 0) + 1;
  const kept = from === 0 ? rest : ['[Parts of the conversation are left out here.]', ...rest.slice(from)];
  return [`[Our conversation so far, in words:]`, ...(first === undefined ? [] : [first]), ...kept].join('\n\n');
}

function cutAll(parts: readonly string[], longest: number): readonly string[] {
  return parts.map((part) => {
    if (part.length <= longest) return part;
    const half = Math.floor(longest / 2);
    return `${part.slice(0, half)}\n[… ${part.length - 2 * half} characters are left out …]\n${part.slice(-half)}`.toWellFormed();
  });
}

function textBytes(text: string): number {
  return bytesBetween(text, 0, text.length);
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
