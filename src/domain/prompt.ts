/**
 * The prompt of a turn: the walk up its chain of turns (design.md, "The model of the data"), told so that
 * the model knows what was cut off (T5) and no tool call is left without an answer.
 *
 * Every turn contributes an answer, if only a note that there was none: many chat templates demand that
 * user and assistant take turns.
 */
import type { InputItem, Item, ResponseStatus } from './response.ts';

/** A turn as the walk finds it: its items in order, the user's first. */
export interface TranscriptTurn {
  readonly status: ResponseStatus;
  readonly errorCode: string | null;
  readonly items: readonly Item[];
}

export interface FunctionCallOutput {
  readonly type: 'function_call_output';
  readonly call_id: string;
  readonly output: string;
}

export type PromptItem = Item | FunctionCallOutput;

/** @param turns the turns before this one, oldest first. @param input the items of this turn. */
export function promptOf(turns: readonly TranscriptTurn[], input: readonly Item[]): readonly PromptItem[] {
  return [...turns.flatMap(told), ...input];
}

function told(turn: TranscriptTurn): PromptItem[] {
  const items = turn.items.filter(isWhole).flatMap(paired);
  if (turn.status === 'completed') return items;
  const note = `[${whyCutOff(turn)}]`;
  const last = items.at(-1);
  if (last?.type === 'message' && last.role === 'assistant') {
    return [...items.slice(0, -1), assistantSays(`${textOf(last)}\n\n${note}`)];
  }
  return [...items, assistantSays(note)];
}

/** A call that was cut off was never made: its arguments are not repaired (T8). */
function isWhole(item: Item): boolean {
  return item.type !== 'function_call' || item.status === 'completed';
}

function paired(item: Item): PromptItem[] {
  if (item.type !== 'function_call') return [item];
  return [item, { type: 'function_call_output', call_id: item.call_id, output: '[no result was given]' }];
}

function whyCutOff({ status, errorCode }: TranscriptTurn): string {
  if (status === 'cancelled') return 'The user stopped this answer before it was complete.';
  if (status === 'incomplete') return 'This answer reached its length limit or was filtered before it was complete.';
  return `This answer failed before it was complete: ${errorCode ?? 'unknown'}.`;
}

function assistantSays(text: string): InputItem {
  return { id: '', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text }] };
}

/** The text of a message, parts joined. */
export function textOf(item: Extract<Item, { type: 'message' }>): string {
  return item.content.map((part) => (part.type === 'refusal' ? part.refusal : part.text)).join('');
}
