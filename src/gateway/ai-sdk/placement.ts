/**
 * What is new in a chat that a user interface sends whole, and where in the conversation it belongs. The conversation is
 * what turnkeep has; the interface may have gone back in it (another answer, an edited question).
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { NewItem } from '../../domain/item.ts';
import type { SessionRow } from '../../domain/session.ts';
import type { TurnRow } from '../../domain/turn.ts';
import { ApiError } from '../http/errors.ts';
import type { Answer, Answers } from './assistant-messages.ts';
import { itemsOf, newOutputsOf } from './items.ts';
import type { UiMessage, UiRequest } from './request-schema.ts';

export interface Placement {
  readonly input: readonly NewItem[];
  /** The turn that this one takes the place of. */
  readonly replaces?: string;
  /** The message of the assistant that goes on; without it a new one begins. */
  readonly messageId?: string;
  /** The same message sent twice is the same turn. */
  readonly idempotencyKey?: string;
  /** Of each item, what the request calls it. */
  readonly fields: readonly string[];
}

type Placed = Omit<Placement, 'fields'>;

/** @throws ApiError 400 where a message cannot be read, or nothing is new */
export async function placementOf(body: UiRequest, session: SessionRow, answers: Answers): Promise<Placement> {
  const fields = new Map<NewItem, string>();
  const placed = await place(body, session, answers, (items, where) => {
    for (const item of items) fields.set(item, `${where}.parts`);
    return items;
  });
  return { ...placed, fields: placed.input.map((item) => fields.get(item) ?? 'messages') };
}

/** Remembers where items were read. */
type Note = (items: readonly NewItem[], where: string) => readonly NewItem[];

async function place(body: UiRequest, session: SessionRow, answers: Answers, note: Note): Promise<Placed> {
  const messages = body.messages ?? (body.message === undefined ? [] : [body.message]);
  const where = (index: number): string => (body.messages === undefined ? 'message' : `messages[${index}]`);
  const read = (message: UiMessage, index: number): readonly NewItem[] => note(itemsOf(message, where(index)), where(index));
  const last = messages.at(-1);
  const goesOn = last?.role === 'assistant' && last.id !== undefined ? { messageId: last.id } : {};

  const newest = await answers.newest(session);
  const all = messages.flatMap(read);
  // The request that began the conversation, sent again, is told whole as it was then.
  const isRepeat = newest !== undefined && body.trigger !== 'regenerate-message' && isSame(newest, all);
  // Not whether its newest turn can be read: of a deleted one, and of items put in by hand, the words are there too (T1).
  if (session.leaf === null || isRepeat) {
    return { input: filled(all), ...goesOn, ...keyOf(session, body, last, undefined) };
  }

  const answered = messages.findLastIndex((message) => message.role === 'assistant');
  const tail = messages.slice(answered + 1).map((message, index) => read(message, answered + 1 + index));
  const replaced = await replacedBy(body, messages[answered]?.id, last, session, answers);
  if (replaced !== undefined) {
    const replaces = replaced[0].id;
    return { input: filled(tail.flat()), replaces, ...keyOf(session, body, last, replaces) };
  }

  const answer = messages[answered];
  const outputs = answer === undefined ? [] : note(newOutputsOf(answer, where(answered)), where(answered));
  // What the turn before took in is told again where its answer never reached the interface.
  const earlier = tail.slice(0, -1).flat();
  const asked = newest !== undefined && isSame(newest, earlier) ? tail.slice(-1).flat() : tail.flat();
  const unheard = tail.length === 0 ? outputs : outputs.filter((output) => newest === undefined || !isKnown(newest, output));
  return { input: filled([...unheard, ...asked]), ...goesOn, ...keyOf(session, body, last, undefined) };
}

async function replacedBy(
  body: UiRequest,
  answered: string | undefined,
  last: UiMessage | undefined,
  session: SessionRow,
  answers: Answers,
): Promise<Answer | undefined> {
  if (body.trigger === 'regenerate-message') {
    const named = body.messageId == null ? undefined : await answers.named(session, body.messageId);
    return named ?? (body.messages === undefined ? answers.newest(session) : answers.after(session, answered));
  }
  // The AI SDK names the message that is sent only when it is not the newest: an edited question, or an answer that goes on.
  const isEdited = last?.role === 'user' && body.messageId != null && body.messages !== undefined;
  return isEdited ? answers.after(session, answered) : undefined;
}

/** Another answer to the same question is wanted each time it is asked for; everything else has its message's name. */
function keyOf(
  session: SessionRow,
  { trigger }: UiRequest,
  last: UiMessage | undefined,
  replaces: string | undefined,
): { idempotencyKey?: string } {
  if (trigger === 'regenerate-message' || last?.id === undefined || last.id === '') return {};
  // A message may be edited, or get outputs of more tools, and keep its name.
  const parts = [session.id, last.id, last.parts, replaces];
  return { idempotencyKey: `ui:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}` };
}

function isSame([{ input }]: Answer, items: readonly NewItem[]): boolean {
  return items.length > 0 && isDeepStrictEqual(input.map(withoutId), items);
}

function isKnown(answer: Answer, output: NewItem): boolean {
  return answer.some(({ input }) => input.some((item) => isDeepStrictEqual(withoutId(item), output)));
}

function withoutId(item: TurnRow['input'][number]): NewItem {
  const { id: _id, ...rest } = item;
  return rest;
}

function filled(input: readonly NewItem[]): readonly NewItem[] {
  if (input.length > 0) return input;
  throw new ApiError({
    status: 400,
    param: 'messages',
    code: 'invalid_value',
    message: "Invalid 'messages': nothing in them is new to the conversation. Add a message of the user, or the output of a tool.",
  });
}
