/**
 * The prompt of a turn: the items of the turns before it, in an order that providers accept, with a note where an answer
 * was cut off, so that the model knows (T5).
 *
 * Every turn contributes an answer, if only that note: many chat templates demand that user and assistant alternate.
 * Its cost is linear in what it reads: it runs before each request of a long session.
 */
import { isCall, isOpaque, isWorkers, type Item, type NewItem, textOf, unwrittenMessage } from '../item.ts';
import { withOutputs } from './prompt-calls.ts';
import { withWorkerCalls } from './prompt-worker-calls.ts';
import { withoutRepeats } from './prompt-repeats.ts';
import type { ResponseStatus } from '../response/response.ts';
import { isCutOffWithAnswer } from '../agents/worker-call.ts';
import { isOwnList } from '../agents/tool-list.ts';
import type { HiddenReasoning } from '../response/hidden-reasoning.ts';

/** A turn of the transcript: its items in order, the user's first. */
export interface TranscriptTurn {
  readonly status: ResponseStatus;
  readonly errorCode: string | null;
  /** The model that its provider was asked for; null: items put in by hand. */
  readonly model: string | null;
  readonly items: readonly Item[];
  /** How many of the items came in with the turn; the others are the model's answer. */
  readonly inputCount: number;
  /** What its maker is told beside them, and no client sees. */
  readonly hidden?: readonly HiddenReasoning[];
  /** The provider has refused what it was told. */
  readonly isRefused?: boolean;
}

/**
 * @param turns the turns before this one, oldest first
 * @param input the items of this turn
 * @param model that the provider is asked for now
 * @param said what the steps of this turn have come to so far
 */
export function promptOf(
  turns: readonly TranscriptTurn[],
  input: readonly Item[],
  model: string,
  said: readonly Item[] = [],
): readonly Item[] {
  const current = { input: input.filter(isWhole), answer: said.filter((item) => !isOwnList(item)) };
  const past = turns.map((turn) => ({ input: inputOf(turn, model), answer: answerOf(turn, model) }));
  return withOutputs(withWorkerCalls(withoutRepeats([...past, current])));
}

function inputOf({ items, inputCount, model }: TranscriptTurn, asked: string): readonly Item[] {
  const input = items.slice(0, inputCount).filter(isWhole);
  return model === null || model === asked ? input : input.map(forAnotherModel);
}

function answerOf(turn: TranscriptTurn, asked: string): readonly Item[] {
  const answer = turn.items.slice(turn.inputCount).filter(isWhole);
  const items = turn.model === null || turn.model === asked ? answer : answer.map(forAnotherModel);
  if (turn.status === 'completed') return items;
  // What it was to lead to was never said, and a provider refuses sealed reasoning that leads nowhere.
  const said = items.slice(0, items.findLastIndex(({ type }) => type !== 'reasoning') + 1);
  const note = `[${reasonOf(turn)}]`;
  const last = said.at(-1);
  if (last?.type === 'message' && last.role === 'assistant') {
    return [...said.slice(0, -1), unwrittenMessage('assistant', `${textOf(last)}\n\n${note}`)];
  }
  return [...said, unwrittenMessage('assistant', note)];
}

/** A call that was cut off was never made: nobody repairs its arguments (T8). The same of what the provider was at. */
function isWhole(item: Item): boolean {
  // The model is offered the tools themselves.
  if (isOwnList(item)) return false;
  // It may have done something: the model is told that its outcome is unknown.
  if (isWorkers(item)) return item.type !== 'mcp_call' || !isCutOffWithAnswer(item);
  if (isOpaque(item)) return item.status !== 'incomplete';
  return !isCall(item) || item.status === 'completed';
}

/**
 * What a model has sealed or signed, another one cannot read: its provider refuses it. It is the asked model that counts:
 * the name in an answer may be that of a snapshot, which changes by itself.
 */
export function forAnotherModel<T extends Item | NewItem>(item: T): T;
export function forAnotherModel(item: Item): Item {
  if (item.type === 'reasoning') {
    const { encrypted_content: _sealed, provider_fields: _signed, ...rest } = item;
    return rest;
  }
  if (isWorkers(item)) {
    const { provider_fields: _signed, ...origin } = item.turnkeep;
    return { ...item, turnkeep: origin };
  }
  if (!isCall(item)) return item;
  const { provider_fields: _signed, ...rest } = item;
  return rest;
}

/** Has it something that another model cannot read? */
export function isSealed(item: Item | NewItem): boolean {
  if (item.type === 'reasoning' && item.encrypted_content !== undefined) return true;
  return 'provider_fields' in item;
}

function reasonOf({ status, errorCode }: TranscriptTurn): string {
  if (status === 'cancelled') return 'The user stopped this answer before it was complete.';
  if (status === 'incomplete')
    return 'This answer ended before it was complete: it reached its length limit, was filtered, or the user said more.';
  return `This answer failed before it was complete: ${errorCode ?? 'unknown'}.`;
}
