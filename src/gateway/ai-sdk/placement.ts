/**
 * What is new in a chat that the UI sends whole, and where in the conversation it belongs. The conversation is what
 * turnkeep has; the UI may have gone back in it (another answer, an edited question).
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type ApprovalResponse, approvalResponseOf } from '../../domain/agents/approval.ts';
import type { InputItem, NewItem } from '../../domain/item.ts';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { ApiError } from '../http/errors.ts';
import type { AssistantMessage, AssistantMessages } from './assistant-messages.ts';
import { type ApprovalAnswer, approvalAnswers, newToolOutputs, uiItems } from './items.ts';
import type { UiMessage, UiRequest } from './request-schema.ts';

export interface Placement {
  readonly input: readonly NewItem[];
  /** The turn whose place the new one takes. */
  readonly replaces?: string;
  /** The assistant's message that the new turn continues; absent: it begins one. */
  readonly messageId?: string;
  /** The ids of the calls that stand in that message, those whose outputs are new among them. */
  readonly callIds: readonly string[];
  /** The answers to requests for approvals that stand in that message. */
  readonly answered: readonly ApprovalResponse[];
  /** The same message sent twice is the same turn. */
  readonly idempotencyKey?: string;
  /** What the request calls each item. */
  readonly fields: readonly string[];
}

type Placed = Omit<Placement, 'fields' | 'callIds' | 'answered'> & { readonly callIds?: readonly string[] };

/** @throws ApiError 400 where a message cannot be read, or nothing is new */
export async function placementOf(body: UiRequest, session: SessionRow, history: AssistantMessages): Promise<Placement> {
  const fields = new Map<NewItem, string>();
  const placed = await place(body, session, history, (items, where) => {
    for (const item of items) fields.set(item, `${where}.parts`);
    return items;
  });
  return {
    ...placed,
    callIds: [...(placed.callIds ?? []), ...callIdsIn(placed.input)],
    answered: placed.messageId === undefined ? [] : placed.input.flatMap((item) => approvalResponseOf(item) ?? []),
    fields: placed.input.map((item) => fields.get(item) ?? 'messages'),
  };
}

/** Notes where in the request the items are, and returns them. */
type NoteField = (items: readonly NewItem[], where: string) => readonly NewItem[];

async function place(body: UiRequest, session: SessionRow, history: AssistantMessages, noteField: NoteField): Promise<Placed> {
  const messages = body.messages ?? (body.message === undefined ? [] : [body.message]);
  const where = (index: number): string => (body.messages === undefined ? 'message' : `messages[${index}]`);
  const read = (message: UiMessage, index: number): readonly NewItem[] => noteField(uiItems(message, where(index)), where(index));
  const last = messages.at(-1);
  const continued: { readonly messageId?: string } = last?.role === 'assistant' && last.id !== undefined ? { messageId: last.id } : {};

  const newest = await history.newest(session);
  const all = messages.flatMap(read);
  const lastReply = messages.findLastIndex((message) => message.role === 'assistant');
  const reply = messages[lastReply];
  const answers = reply === undefined ? [] : approvalAnswers(reply, where(lastReply));
  // The request that began the conversation, sent again, is taken whole as it was then.
  const isRepeat = newest !== undefined && answers.length === 0 && body.trigger !== 'regenerate-message' && isSame(newest, all);
  // The leaf, not `newest`: a deleted turn and items put in by hand have a place in the conversation too (T1).
  if (session.leaf === null || isRepeat) {
    return { input: notEmpty(all), ...continued, ...keyOf(session, body, last, undefined) };
  }

  const tail = messages.slice(lastReply + 1).map((message, index) => read(message, lastReply + 1 + index));
  const replaced = await replacedMessage(body, reply?.id, last, session, history);
  if (replaced !== undefined) {
    const replaces = replaced.id;
    return { input: notEmpty(tail.flat()), replaces, ...keyOf(session, body, last, replaces) };
  }

  const outputs = reply === undefined ? [] : noteField(newToolOutputs(reply, where(lastReply)), where(lastReply));
  // Where the reply to the turn before never reached the UI, its question comes again, before the new one.
  const repeated = tail.slice(0, -1).flat();
  const questions = newest !== undefined && isSame(newest, repeated) ? tail.slice(-1).flat() : tail.flat();
  const newOutputs = tail.length === 0 ? outputs : outputs.filter((output) => newest === undefined || !isKnown(newest, output));
  const known = continued.messageId === undefined ? [] : (newest?.inputs.flatMap(callIdsIn) ?? []);
  const approvals = noteField(newAnswers(answers, newest, newOutputs.length + questions.length), where(lastReply));
  return {
    input: notEmpty([...newOutputs, ...approvals, ...questions]),
    callIds: known,
    ...continued,
    ...keyOf(session, body, last, undefined),
  };
}

/** Those that no turn of the message has brought; where nothing else is new either, all of them: the request is sent again. */
function newAnswers(answers: readonly ApprovalAnswer[], newest: AssistantMessage | undefined, newItems: number): readonly NewItem[] {
  const times = new Map<string, number>();
  for (const item of newest?.inputs.flat() ?? []) {
    const id = approvalResponseOf(item)?.id;
    if (id !== undefined) times.set(id, (times.get(id) ?? 0) + 1);
  }
  // Where an answer was given back, the message has an earlier one to the same request.
  const fresh = answers.filter(({ id, givenBack }) => (times.get(id) ?? 0) <= givenBack);
  return (fresh.length === 0 && newItems === 0 ? answers : fresh).map(({ item }) => item);
}

/** A turn of the message has the outputs of the calls before it. */
export function callIdsIn(input: readonly (InputItem | NewItem)[]): readonly string[] {
  return input.flatMap((item) => (item.type === 'function_call_output' ? [item.call_id] : []));
}

/** The first turn of the assistant's message that another one is to take the place of. @param reply the id of the request's last one */
async function replacedMessage(
  body: UiRequest,
  reply: string | undefined,
  last: UiMessage | undefined,
  session: SessionRow,
  history: AssistantMessages,
): Promise<TurnRow | undefined> {
  if (body.trigger === 'regenerate-message') {
    const named = body.messageId == null ? undefined : await history.byId(session, body.messageId);
    return named ?? (body.messages === undefined ? (await history.newest(session))?.turns[0] : history.after(session, reply));
  }
  // The AI SDK sends `messageId` where the message is not the newest: an edited question, or a message that goes on.
  const isEdited = last?.role === 'user' && body.messageId != null && body.messages !== undefined;
  return isEdited ? history.after(session, reply) : undefined;
}

/** The same message sent twice is one turn. Not so a request for another answer: each one wants a new turn. */
function keyOf(
  session: SessionRow,
  { trigger }: UiRequest,
  last: UiMessage | undefined,
  replaces: string | undefined,
): { idempotencyKey?: string } {
  if (trigger === 'regenerate-message' || last?.id === undefined || last.id === '') return {};
  // With the parts: a message that is edited, or gets the outputs of more tools, keeps its id.
  const parts = [session.id, last.id, last.parts, replaces];
  return { idempotencyKey: `ui:${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}` };
}

function isSame({ inputs: [input = []] }: AssistantMessage, items: readonly NewItem[]): boolean {
  return items.length > 0 && isDeepStrictEqual(input.map(withoutId), items);
}

function isKnown({ inputs }: AssistantMessage, output: NewItem): boolean {
  return inputs.some((input) => input.some((item) => isDeepStrictEqual(withoutId(item), output)));
}

function withoutId(item: InputItem): NewItem {
  const { id: _id, ...rest } = item;
  return rest;
}

function notEmpty(input: readonly NewItem[]): readonly NewItem[] {
  if (input.length > 0) return input;
  throw new ApiError({
    status: 400,
    param: 'messages',
    code: 'invalid_value',
    message: "Invalid 'messages': nothing in them is new to the conversation. Add a message of the user, or the output of a tool.",
  });
}
