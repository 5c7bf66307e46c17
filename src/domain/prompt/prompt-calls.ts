/**
 * Calls and their outputs, as providers demand them: every call has one output, right behind the calls of its answer, every
 * output has its call, and no id stands for two calls.
 */
import { CallIds } from './call-ids.ts';
import { pairOutputs, type Placed } from './call-pairs.ts';
import { type CallItem, type CallOutputItem, isCall, isCallOutput, isOpaque, type Item, unwrittenMessage } from '../item.ts';

/**
 * The items with each output behind its calls, and a note in the place of one that was never given.
 * @param stretches the inputs and the answers, oldest first, each of its own
 */
export function withOutputs(stretches: readonly (readonly Item[])[]): readonly Item[] {
  // A talk without tools has nothing to pair.
  if (!stretches.some((stretch) => stretch.some((item) => isCall(item) || isCallOutput(item)))) return stretches.flat();
  const items = stretches.flatMap((stretch, number) => stretch.map((item): Placed => ({ item, stretch: number })));
  const { outputs, words } = pairOutputs(items);
  const continued = continuations(items);
  const ids = new CallIds();
  const prompt: Item[] = [];
  /** The outputs of the calls so far of the answer that is being told. */
  let open: CallOutputItem[] = [];
  const close = (): void => {
    for (const output of open) prompt.push(output);
    open = [];
  };
  for (const [at, { item, stretch }] of items.entries()) {
    if (open.length > 0 && !(continued[at] === true && items[at - 1]?.stretch === stretch)) close();
    if (isCall(item)) {
      const id = ids.next(item.call_id);
      open.push(outputOf(item, outputs.get(at), id));
      prompt.push(withCallId(item, id));
    } else if (!isCallOutput(item)) {
      prompt.push(item);
    } else if (words.has(at)) {
      // Its call was deleted from the conversation, or has another output: it stays, as the user's words.
      prompt.push(unwrittenMessage('user', item.output));
    }
  }
  close();
  return prompt;
}

/** Chat Completions has one form for the outputs of functions and of custom tools, so the type is that of the call. */
function outputOf({ type }: CallItem, given: CallOutputItem | undefined, call_id: string): CallOutputItem {
  if (given?.type === `${type}_output`) return withCallId(given, call_id);
  const { id, output } = given ?? { id: '', output: '[no result was given]' };
  return { id, type: `${type}_output`, status: 'completed', call_id, output };
}

/**
 * Which items go on with the calls before them: calls do, and reasoning that a call of the same stretch follows; so does
 * reasoning right behind a call that leads to nothing else of its answer: a provider sent it late.
 */
function continuations(items: readonly Placed[]): readonly boolean[] {
  const continued = items.map(({ item }) => isCall(item));
  for (let at = items.length - 2; at >= 0; at -= 1) {
    if (items[at]?.item.type === 'reasoning' && items[at]?.stretch === items[at + 1]?.stretch) continued[at] = continued[at + 1] === true;
  }
  for (const [at, { item, stretch }] of items.entries()) {
    if (item.type !== 'reasoning' || continued[at] === true) continue;
    const before = items[at - 1];
    const isBehindCall = before?.stretch === stretch && (isCall(before.item) || (before.item.type === 'reasoning' && continued[at - 1]));
    let end = at + 1;
    while (items[end]?.item.type === 'reasoning' && items[end]?.stretch === stretch) end += 1;
    const next = items[end];
    continued[at] = isBehindCall === true && !(next?.stretch === stretch && leadsTo(next.item));
  }
  return continued;
}

/** Is it of a model's answer, so that reasoning may have led to it? */
function leadsTo(item: Item): boolean {
  return isOpaque(item) || (item.type === 'message' && item.role === 'assistant');
}

function withCallId<T extends CallItem | CallOutputItem>(item: T, id: string): T {
  return item.call_id === id ? item : { ...item, call_id: id };
}
