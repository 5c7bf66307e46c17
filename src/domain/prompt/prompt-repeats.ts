/**
 * What a client sends again, although the conversation has it: a call of an earlier answer beside its output, as clients
 * do that keep whole answers. It is told once.
 */
import { type FunctionCallItem, isCall, isOpaque, type Item, textOf } from '../item.ts';

interface Turn {
  readonly input: readonly Item[];
  readonly answer: readonly Item[];
}

/** Of each turn its input, without what repeats an earlier answer, and its answer. */
export function withoutRepeats(turns: readonly Turn[]): readonly (readonly Item[])[] {
  const answered = new Answered();
  return turns.flatMap(({ input, answer }) => {
    const kept = input.some(mayRepeat) ? keptOf(input, answered) : input;
    answered.add(answer);
    return [kept, answer];
  });
}

/** A repeated call takes with it what stands beside it of the same answer: its reasoning, and the words before it. */
function keptOf(input: readonly Item[], answered: Answered): readonly Item[] {
  const kept: Item[] = [];
  for (let from = 0, to = 0; from < input.length; from = to) {
    while (isOfModel(input[to])) to += 1;
    const run = input.slice(from, to);
    const isRepeat = run.some((item) => mayRepeat(item) && answered.has(item));
    for (const item of run) if (!isRepeat || !answered.has(item)) kept.push(item);
    const other = input[to];
    if (other !== undefined) kept.push(other);
    to += 1;
  }
  return kept;
}

/** Items that a model cannot have made twice; words it can. */
function mayRepeat(item: Item): boolean {
  return isCall(item) || isOpaque(item);
}

function isOfModel(item: Item | undefined): boolean {
  return (item !== undefined && mayRepeat(item)) || item?.type === 'reasoning' || (item?.type === 'message' && item.role === 'assistant');
}

/** The items of the answers so far. Nothing is made of them before it is asked for. */
class Answered {
  readonly #added: Item[] = [];
  readonly #keys = new Set<string>();
  #keyed = 0;

  add(answer: readonly Item[]): void {
    for (const item of answer) this.#added.push(item);
  }

  has(item: Item): boolean {
    for (; this.#keyed < this.#added.length; this.#keyed += 1) {
      const added = this.#added[this.#keyed];
      if (added !== undefined) this.#keys.add(keyOf(added));
    }
    return this.#keys.has(keyOf(item));
  }
}

function keyOf(item: Item): string {
  switch (item.type) {
    case 'function_call':
      return JSON.stringify(['call', item.call_id, item.name, sortedArguments(item)]);
    case 'reasoning':
      return JSON.stringify(['reasoning', item.summary.map(({ text }) => text), item.encrypted_content ?? '']);
    case 'message':
      return JSON.stringify(['message', item.role, textOf(item)]);
    case 'function_call_output':
      return JSON.stringify(['output', item.id]);
    case 'custom_tool_call':
      return JSON.stringify(['custom', item.call_id, item.name, item.input]);
    case 'custom_tool_call_output':
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default:
      return JSON.stringify([item.type, item.id]);
  }
}

/** In UTF-16 code units. */
const longestSorted = 262_144;

/** A client may have read the arguments and written them anew. */
function sortedArguments({ arguments: text }: FunctionCallItem): string {
  if (text.trim() === '') return '{}';
  // To sort them would keep everybody else waiting (T14): two that long are the same where all their characters are.
  if (text.length > longestSorted) return text;
  try {
    return JSON.stringify(JSON.parse(text), (_key, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    );
  } catch {
    return text;
  }
}
