/**
 * Compaction: an item takes the place of what was said before it. What a provider has compacted, that provider alone can
 * read. What the model was asked to summarise is turnkeep's own: its `encrypted_content` carries the summary itself, so
 * that a client may keep the item as long as it likes, and send it to whichever turnkeep (T13). It is encoded and not
 * encrypted: it is text of the tenant's own, who could as well send it as a message.
 */
import { type InputMessage, type Item, type Json, type NewItem, unwrittenMessage } from '../item.ts';
import type { ModelRequest } from '../model.ts';
import type { TranscriptTurn } from './prompt.ts';
import { keptMessages, longestKept } from './kept-messages.ts';
import type { ProviderApi } from '../provider-capabilities.ts';
import { bringsTools } from '../agents/tools.ts';

/** Of the form of what follows: another form gets another one. The second says beside the summary how much is kept with it. */
const ownPrefix = /^turnkeep\.(?:1|2\.(\d{1,6}))\./;

/** In UTF-16 code units: the model is asked for 600 words. */
export const longestSummary = 262_144;
/** What becomes of the longest one: six bytes for an escaped character, and four characters for three bytes. */
const longestSealed = longestSummary * 8 + 64;

const opening = '{"summary":';

/** @param keptChars of the user's messages, what is kept beside it (`keptMessages`) */
export function sealSummary(summary: string, keptChars = longestKept): string {
  const json = JSON.stringify({ summary: summary.slice(0, longestSummary) });
  const form = keptChars < longestKept ? `2.${keptChars}` : '1';
  return `turnkeep.${form}.${Buffer.from(json).toString('base64url')}`;
}

/** One of those that are passed on as they came (`OpaqueItem`). */
export function isCompaction({ type }: { readonly type: string }): boolean {
  return type === 'compaction';
}

/** Where it is the last item of a request, what there is is compacted. */
export function isCompactionTrigger({ type }: { readonly type: string }): boolean {
  return type === 'compaction_trigger';
}

type Content =
  | { readonly type: 'summary'; readonly summary: string; readonly keptChars: number }
  /** Of a compaction that did not come to its end: nothing took the place of anything. */
  | { readonly type: 'none' }
  | { readonly type: 'damaged' }
  | { readonly type: 'foreign' };

const known = new WeakMap<object, Content>();

/** Of an item of the type `compaction`. It is asked for several times on the way to a provider, and read once (T14). */
export function compactionContent(item: Item | NewItem): Content {
  const content = known.get(item) ?? readContent(item);
  known.set(item, content);
  return content;
}

function readContent(item: Item | NewItem): Content {
  const { encrypted_content: sealed } = item as { readonly encrypted_content?: unknown };
  if (typeof sealed !== 'string' || sealed === '') return { type: 'none' };
  const prefix = ownPrefix.exec(sealed);
  if (prefix === null) return { type: 'foreign' };
  if (sealed.length > longestSealed) return { type: 'damaged' };
  const json = Buffer.from(sealed.slice(prefix[0].length), 'base64url').toString();
  // As it was made here. Anything else is not even parsed: that may cost much more than a text.
  if (!json.startsWith(`${opening}"`) || !json.endsWith('"}')) return { type: 'damaged' };
  try {
    const summary = JSON.parse(json.slice(opening.length, -1)) as Json;
    return typeof summary === 'string'
      ? { type: 'summary', summary, keptChars: Math.min(Number(prefix[1] ?? longestKept), longestKept) }
      : { type: 'damaged' };
  } catch {
    return { type: 'damaged' };
  }
}

interface Past {
  readonly turns: readonly TranscriptTurn[];
  readonly input: readonly Item[];
}

/** Who is asked now. */
export interface Asked {
  readonly api: ProviderApi;
  /** As `TranscriptTurn` names it. */
  readonly model: string;
}

/**
 * What a provider is told of a conversation: what stands before the last compaction that it can be told of is replaced by
 * that, but for `keptMessages`. Compactions that it cannot be told of have replaced nothing, and are left out: what they were
 * made of is told. Where that is not in the conversation, a note is in their place.
 */
export function afterCompaction({ turns, input }: Past, asked: Asked): Past {
  const toldHere = (item: Item): Item | undefined => toldOf(item, asked.api === 'responses');
  const toldIn = ({ model }: TranscriptTurn, item: Item): Item | undefined =>
    toldOf(item, asked.api === 'responses' && (model === null || model === asked.model));
  const inInput = input.findLastIndex((item) => toldHere(item) !== undefined);
  const inTurn = inInput >= 0 ? turns.length : turns.findLastIndex((turn) => turn.items.some((item) => toldIn(turn, item) !== undefined));
  const turn = turns[inTurn];
  const at = inInput >= 0 ? inInput : (turn?.items.findLastIndex((item) => toldIn(turn, item) !== undefined) ?? -1);
  const list = inInput >= 0 ? input : (turn?.items ?? []);
  const last = list[at];
  if (last === undefined) {
    const all = turns.map((each, index) => withoutCompactions(each, index === 0 ? withNote : withoutIt));
    return { turns: all, input: input.flatMap(turns.length === 0 ? withNote : withoutIt) };
  }
  const told = (turn === undefined ? toldHere(last) : toldIn(turn, last)) ?? last;
  const before = [...turns.slice(0, inTurn).flatMap(({ items }) => items), ...list.slice(0, at)];
  const head = headOf(before, last, told);
  if (inInput >= 0) return { turns: [], input: [...head, ...list.slice(at + 1).filter(isNoCompaction)] };
  const restOfInput = list.slice(at + 1, turn?.inputCount).filter(isNoCompaction);
  const restOfAnswer = list.slice(Math.max(at + 1, turn?.inputCount ?? 0)).filter(isNoCompaction);
  const kept = { items: [...head, ...restOfInput, ...restOfAnswer], inputCount: head.length + restOfInput.length };
  const later = turns.slice(inTurn + 1).map((each) => withoutCompactions(each, withoutIt));
  return { turns: turn === undefined ? later : [{ ...turn, ...kept }, ...later], input: input.filter(isNoCompaction) };
}

interface Present extends Past {
  /** What the steps of the turn have said so far. */
  readonly answer: readonly Item[];
}

/** As `afterCompaction`, for a turn that may have compacted what came before within its own answer. */
export function afterCompactions({ turns, input, answer }: Present, asked: Asked): Present {
  const toldHere = (item: Item): Item | undefined => toldOf(item, asked.api === 'responses');
  const at = answer.findLastIndex((item) => toldHere(item) !== undefined);
  const last = answer[at];
  const told = last && toldHere(last);
  if (last === undefined || told === undefined)
    return { ...afterCompaction({ turns, input }, asked), answer: answer.filter(isNoCompaction) };
  const before = [...turns.flatMap(({ items }) => items), ...input, ...answer.slice(0, at)];
  // What the turn is to answer stays whatever it takes: the summary was asked for within it.
  return { turns: [], input: headOf(before, last, told, Number.POSITIVE_INFINITY), answer: answer.slice(at + 1).filter(isNoCompaction) };
}

/**
 * What stands in the place of all that was said up to a compaction. A summary comes before the messages of the user that are kept,
 * since the last of them is what is to be answered; what a provider has compacted comes behind them, as that provider gives it out.
 */
function headOf(before: readonly Item[], compaction: Item, told: Item, newestChars?: number): readonly Item[] {
  const content = compactionContent(compaction);
  const kept = keptMessages(before, {
    ...(content.type === 'summary' ? { keptChars: content.keptChars } : {}),
    ...(newestChars === undefined ? {} : { newestChars }),
  });
  const tools = before.filter(bringsTools);
  if (content.type !== 'summary') return [...tools, ...kept, told];
  const ofUser = kept.filter(({ role }) => role === 'user');
  const summary = summaryMessage(content.summary, ofUser.length > 0);
  return [...tools, ...kept.filter(({ role }) => role !== 'user'), summary, ...ofUser];
}

function summaryMessage(summary: string, isFollowed: boolean): InputMessage {
  const bridge = isFollowed ? '\n\n[My latest messages, word for word; the summary says what has been done about them:]' : '';
  return unwrittenMessage('user', `[What was said before this, in summary:]\n\n${summary}${bridge}`);
}

/** undefined: it replaces nothing. @param isOfAsked what a provider has compacted, it is that provider and model that are asked */
function toldOf(item: Item, isOfAsked: boolean): Item | undefined {
  if (!isCompaction(item)) return undefined;
  const content = compactionContent(item);
  if (content.type === 'summary') return summaryMessage(content.summary, false);
  return content.type === 'foreign' && isOfAsked ? item : undefined;
}

function withoutCompactions(turn: TranscriptTurn, inPlaceOf: (item: Item) => readonly Item[]): TranscriptTurn {
  if (!turn.items.some(isCompaction)) return turn;
  const input = turn.items.slice(0, turn.inputCount).flatMap(inPlaceOf);
  const answer = turn.items.slice(turn.inputCount).filter(isNoCompaction);
  return { ...turn, items: [...input, ...answer], inputCount: input.length };
}

function isNoCompaction(item: Item): boolean {
  return !isCompaction(item);
}

function withoutIt(item: Item): readonly Item[] {
  return isCompaction(item) ? [] : [item];
}

/** A conversation that begins with what was compacted elsewhere: what that was made of is nowhere in it. */
function withNote(item: Item): readonly Item[] {
  if (!isCompaction(item)) return [item];
  return compactionContent(item).type === 'foreign' ? [unwrittenMessage('user', unreadable)] : [];
}

const unreadable = '[What was said before this was compacted by another model, which alone can read it.]';

/** The request by which the model itself summarises what it has been shown. It is offered no tools, and no form but text. */
export function summaryRequest({ ids, settings, items }: ModelRequest): ModelRequest {
  const { compacts: _compacts, passed: _passed, omitted_tools: _tools, omitted_fields: _fields, ...rest } = settings;
  return {
    ...(ids === undefined ? {} : { ids }),
    settings: {
      ...rest,
      text: { format: { type: 'text' }, verbosity: settings.text.verbosity },
      stop: null,
      tools: [],
      tool_choice: null,
      parallel_tool_calls: null,
      max_tool_calls: null,
      include: [],
    },
    items: [...items.filter((item) => !bringsTools(item)), unwrittenMessage('user', askForSummary)],
  };
}

const askForSummary = `Summarise our conversation up to here. The summary will take its place: whoever goes on with it sees the summary, my latest messages and nothing else.

Write down, as briefly as it can be done without losing them:
- what I want, and what I have asked for word for word where the words matter;
- what has been done and found out so far, with names, paths, numbers and results;
- what has been decided, and why; what was tried and did not work;
- what is still to be done, and what the next step is.

Answer with the summary alone, in at most 600 words. Do not go on with the task, and call no tools.`;
