/**
 * The prompt of a turn: the items of the turns before it, in an order that providers accept, with a note where an answer
 * was cut off, so that the model knows (T5).
 *
 * Every turn contributes an answer, if only that note: many chat templates demand that user and assistant alternate.
 */
import { type FunctionCallItem, type FunctionCallOutputItem, type InputMessage, type Item, textOf } from './item.ts';
import type { ResponseStatus } from './response.ts';

/** A turn of the transcript: its items in order, the user's first. */
export interface TranscriptTurn {
  readonly status: ResponseStatus;
  readonly errorCode: string | null;
  readonly items: readonly Item[];
}

/** @param turns the turns before this one, oldest first. @param input the items of this turn. */
export function promptOf(turns: readonly TranscriptTurn[], input: readonly Item[]): readonly Item[] {
  return withOutputs([...turns.flatMap(itemsOf), ...input]);
}

function itemsOf(turn: TranscriptTurn): Item[] {
  const items = turn.items.filter(isWhole);
  if (turn.status === 'completed') return items;
  const note = `[${reasonOf(turn)}]`;
  const last = items.at(-1);
  if (last?.type === 'message' && last.role === 'assistant') {
    return [...items.slice(0, -1), message('assistant', `${textOf(last)}\n\n${note}`)];
  }
  return [...items, message('assistant', note)];
}

/** A call that was cut off was never made: nobody repairs its arguments (T8). */
function isWhole(item: Item): boolean {
  return item.type !== 'function_call' || item.status === 'completed';
}

/**
 * Providers refuse a call without its output, an output without its call, and anything between the two. Outputs come
 * with a later turn, or never: each is put right behind the calls of its answer, and a missing one is replaced by a note.
 */
function withOutputs(items: readonly Item[]): Item[] {
  const outputs = new Map<string, FunctionCallOutputItem>();
  const calls = new Set<string>();
  for (const item of items) {
    if (item.type === 'function_call') calls.add(item.call_id);
    else if (item.type === 'function_call_output' && !outputs.has(item.call_id)) outputs.set(item.call_id, item);
  }
  const prompt: Item[] = [];
  let open: FunctionCallItem[] = [];
  const close = (): void => {
    prompt.push(...open.map((call) => outputs.get(call.call_id) ?? noOutput(call)));
    open = [];
  };
  for (const item of items) {
    if (item.type === 'function_call') {
      open.push(item);
      prompt.push(item);
    } else if (item.type !== 'function_call_output') {
      close();
      prompt.push(item);
    } else if (!calls.has(item.call_id)) {
      close();
      // Its call was deleted from the conversation: the output stays, as the user's words.
      prompt.push(message('user', item.output));
    }
  }
  close();
  return prompt;
}

function noOutput({ call_id }: FunctionCallItem): FunctionCallOutputItem {
  return { id: '', type: 'function_call_output', status: 'completed', call_id, output: '[no result was given]' };
}

function reasonOf({ status, errorCode }: TranscriptTurn): string {
  if (status === 'cancelled') return 'The user stopped this answer before it was complete.';
  if (status === 'incomplete')
    return 'This answer ended before it was complete: it reached its length limit, was filtered, or the user said more.';
  return `This answer failed before it was complete: ${errorCode ?? 'unknown'}.`;
}

function message(role: 'user' | 'assistant', content: string | InputMessage['content']): InputMessage {
  const parts =
    typeof content !== 'string'
      ? content
      : [
          role === 'user'
            ? ({ type: 'input_text', text: content } as const)
            : ({ type: 'output_text', text: content, annotations: [], logprobs: [] } as const),
        ];
  return { id: '', type: 'message', status: 'completed', role, content: parts };
}
