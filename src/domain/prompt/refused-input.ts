/**
 * T13 · one bad turn never poisons a session. What the provider has refused once is told in plain form from then on, in text
 * and in calls with the members that they must have: else it would be refused in every later turn too, and what was good with it.
 * The transcript keeps it as it came in (T1), and the model learns that something was there.
 *
 * Which item was at fault nobody knows. It is none that the model had been told of when it answered: so what it had answered
 * stays as it is, and what came after that, up to the turn that was refused, is told plainly, and what is refused again is left
 * out. To another model all of it is told as it came: it may take what this one does not.
 */
import { compactionContent, isCompaction } from './compaction.ts';
import { opaqueText, textOfPart } from './in-words.ts';
import { isCallOutput, isOpaque, isWorkers, type Item, unwrittenMessage } from '../item.ts';
import { forAnotherModel, type TranscriptTurn } from './prompt.ts';
import { bringsTools } from '../agents/tools.ts';

/**
 * Was it the input that the provider refused, and not a key, a model, a tool or a setting?
 * @param detail of the last attempt: `400 invalid_value at input[2]`; null where it is gone with its attempt
 */
export function refusesInput(code: string | null, detail: string | null): boolean {
  if (code !== 'provider_rejected') return false;
  if (detail === null) return true;
  const [what = '', place = ''] = detail.split(' at ', 2);
  if (/^(?:input|messages)\b/.test(place)) return true;
  return inputErrors.test(what) && !settings.test(place);
}

/** By status, or by the word of an error that came in the stream. Of 5xx only those are a `provider_rejected` that blame the request. */
const inputErrors =
  /^(?:(?:400|413|415|422|5\d\d)(?: |$)|invalid_(?!api_key|authentication)|bad_?request|unsupported_|unprocessable|.*image)/i;

/** Fields of a request of either API that are not its input. */
const settings =
  /^(?:access_programs|client_metadata|context_management|include|instructions|logprobs|max_\w+|metadata|model|moderation|parallel_tool_calls|presence_penalty|frequency_penalty|prompt\w*|reasoning\w*|response_format|safety_identifier|seed|service_tier|stop|store|stream\w*|temperature|text|tool_choice|tools|top_\w+|truncation|user|verbosity)\b/;

/** @param model that is asked now */
export function withoutRefused(turns: readonly TranscriptTurn[], model: string): readonly TranscriptTurn[] {
  if (!turns.some(({ isRefused }) => isRefused === true)) return turns;
  const told = [...turns];
  /** What the model has not answered to: the places of turns, and from which of their items on. */
  let unproven: { readonly at: number; readonly from: number; tell: typeof plainItem }[] = [];
  for (const [at, turn] of turns.entries()) {
    const isAsked = turn.model === model;
    const isAnswered = isAsked && turn.items.length > turn.inputCount;
    if (isAnswered) unproven = [];
    unproven.push({ at, from: isAnswered ? turn.inputCount : 0, tell: plainItem });
    if (!isAsked || isAnswered || turn.isRefused !== true) continue;
    for (const each of unproven) {
      told[each.at] = toldFrom(turns[each.at] ?? turn, each.from, each.tell);
      each.tell = leftOutItem;
    }
  }
  return told;
}

function toldFrom(turn: TranscriptTurn, from: number, tell: typeof plainItem): TranscriptTurn {
  const [input, answer] = [turn.items.slice(0, turn.inputCount), turn.items.slice(turn.inputCount)];
  const toldInput = input.flatMap((item, index) => (index < from ? [item] : tell(item, 'user')));
  return { ...turn, items: [...toldInput, ...answer.flatMap((item) => tell(item, 'assistant'))], inputCount: toldInput.length };
}

/** Refused in plain form as well: a filter does not let it pass. Each call keeps its output. */
function leftOutItem(item: Item, role: 'user' | 'assistant'): readonly Item[] {
  return plainItem(item, role).map((plain) => {
    if (isCallOutput(plain)) return { ...plain, output: leftOut };
    if (plain.type !== 'message' || (plain.role !== 'user' && plain.role !== 'assistant')) return plain;
    return { ...plain, content: unwrittenMessage(plain.role, leftOut).content };
  });
}

const leftOut = '[left out: the provider has refused it]';

/** @param role who has said what there is no form for */
function plainItem(item: Item, role: 'user' | 'assistant'): readonly Item[] {
  switch (item.type) {
    case 'message': {
      const { id, type, status, content } = item;
      const text = content.map((part) => textOfPart(part)).join('');
      return [
        { id, type, status, role: item.role, content: unwrittenMessage(item.role === 'assistant' ? 'assistant' : 'user', text).content },
      ];
    }
    case 'function_call': {
      const { id, type, status, call_id, name, namespace, arguments: args } = item;
      return [{ id, type, status, call_id, name, arguments: args, ...(namespace === undefined ? {} : { namespace }) }];
    }
    case 'custom_tool_call': {
      const { id, type, status, call_id, name, namespace, input } = item;
      return [{ id, type, status, call_id, name, input, ...(namespace === undefined ? {} : { namespace }) }];
    }
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const { id, type, status, call_id } = item;
      return [{ id, type, status, call_id, output: typeof item.output === 'string' ? item.output : item.output.map(textOfPart).join('') }];
    }
    case 'reasoning': {
      const { id, type, status, summary } = item;
      return [{ id, type, status, summary }];
    }
    case 'mcp_call':
    case 'mcp_approval_request':
    case 'web_search_call':
    default:
      // Told as calls of functions: see `prompt-worker-calls.ts`.
      if (isWorkers(item)) return [forAnotherModel(item)];
      if (!isOpaque(item) || bringsTools(item)) return [];
      if (isCompaction(item)) return compactionContent(item).type === 'summary' ? [item] : [];
      return [unwrittenMessage(role, opaqueText(item))];
  }
}
