/**
 * A chat as a UI shows it that is loaded anew: the messages of its conversation, without the one that is being written, which
 * `/api/chat/{id}/stream` gives from its beginning.
 */
import type { Turnkeep } from '../../client/turnkeep.ts';
import { approvalResponseOf } from '../../domain/agents/approval.ts';
import type { InputItem } from '../../domain/item.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import { isVisible, type TurnRow } from '../../domain/turn/turn.ts';
import { askedMessages, messageParts, type UiMessageOut, type UiStretch } from './messages.ts';
import { type ApprovalAnswers, isGivenBack } from './worker-parts.ts';

export interface ChatPage {
  /** Oldest first. */
  readonly messages: readonly UiMessageOut[];
  /** There are earlier ones. */
  readonly hasMore: boolean;
}

/** A message of the assistant, which may be several turns: see `assistant-messages.ts`. */
interface OpenMessage {
  readonly id: string;
  readonly stretches: UiStretch[];
  /** Of its last turn; undefined while that runs. */
  last: ResponseObject | undefined;
}

/** A turn with what its message is made of. */
interface ReadTurn {
  readonly turn: TurnRow;
  readonly input: readonly InputItem[];
  /** Undefined while it runs, and of items that were put in by hand. */
  readonly response: ResponseObject | undefined;
}

const turnsAtOnce = 20;
/** Of a page, read from its newest message on: the one that reaches this is the earliest in it, and a UI asks on for those before (T14). */
const maxChars = 16_777_216;

/** @param leaf the newest turn to show. @param limit of turns; a message that is cut by it is shown whole */
export async function chatPage(turnkeep: Turnkeep, leaf: string | null, limit: number): Promise<ChatPage> {
  const newest = await newestTurns(turnkeep, leaf, limit);
  const turns: ReadTurn[] = [];
  let chars = 0;
  for (const turn of newest.turns) {
    const isCut = chars >= maxChars && turns.at(-1)?.turn.bringsOutputs !== true;
    if (isCut) return { messages: messagesOf(turns.toReversed()), hasMore: true };
    const input = await turnkeep.readInput(turn);
    const response = turn.kind === 'items' || turn.settledAtMs === null ? undefined : await turnkeep.readResponse(turn);
    chars += charsOf(input) + charsOf(response?.output);
    turns.push({ turn, input, response });
  }
  return { messages: messagesOf(turns.toReversed()), hasMore: newest.hasMore };
}

/** @param turns oldest first */
function messagesOf(turns: readonly ReadTurn[]): UiMessageOut[] {
  const messages: UiMessageOut[] = [];
  const approvals = approvalsIn(turns);
  let open: OpenMessage | undefined;
  const close = (): void => {
    if (open !== undefined) messages.push(...assistantMessage(open, approvals));
    open = undefined;
  };
  for (const { turn, input, response } of turns) {
    if (open === undefined || !turn.bringsOutputs) {
      close();
      messages.push(...askedMessages(input));
      if (turn.kind === 'response') open = { id: turn.publicId, stretches: [], last: undefined };
    }
    if (open === undefined) continue;
    open.stretches.push({ items: input, isAnswer: false });
    open.last = response;
    if (response !== undefined) open.stretches.push({ items: response.output, isAnswer: true });
  }
  close();
  return messages;
}

/** A request may be answered in a later message. */
function approvalsIn(turns: readonly ReadTurn[]): ReadonlyMap<string, ApprovalAnswers> {
  const all = new Map<string, ApprovalAnswers>();
  for (const { input, response: end } of turns) {
    for (const response of input.flatMap((item) => approvalResponseOf(item) ?? [])) {
      const { givenBack } = all.get(response.id) ?? { givenBack: 0 };
      const isBack = end !== undefined && isGivenBack(response, end.output);
      all.set(response.id, isBack ? { response: undefined, givenBack: givenBack + 1 } : { response, givenBack });
    }
  }
  return all;
}

/** Of all texts in a value. */
function charsOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, each) => sum + charsOf(each), 0);
}

/** Newest first, those left out that their owner has deleted or that are past retention. */
async function newestTurns(
  turnkeep: Turnkeep,
  leaf: string | null,
  limit: number,
): Promise<{ readonly turns: readonly TurnRow[]; readonly hasMore: boolean }> {
  const newestFirst: TurnRow[] = [];
  for (let next = leaf; next !== null;) {
    const page: readonly TurnRow[] = (await turnkeep.readChain(next, { limit: turnsAtOnce, order: 'desc' })) ?? [];
    for (const turn of page) {
      if (newestFirst.length >= limit && newestFirst.at(-1)?.bringsOutputs !== true) {
        return { turns: newestFirst, hasMore: true };
      }
      if (turn.erasedBy === null && (turn.kind === 'items' || isVisible(turn))) newestFirst.push(turn);
    }
    next = page.at(-1)?.previous ?? null;
  }
  return { turns: newestFirst, hasMore: false };
}

/** None for one that is being written, or in which nothing was said. */
function assistantMessage({ id, stretches, last }: OpenMessage, approvals: ReadonlyMap<string, ApprovalAnswers>): UiMessageOut[] {
  if (last === undefined) return [];
  const parts = messageParts(stretches, approvals);
  const { status, error } = last;
  const metadata = status === 'completed' ? undefined : { status, ...(error === null ? {} : { error }) };
  if (parts.length === 0 && metadata === undefined) return [];
  return [{ id, role: 'assistant', parts, ...(metadata === undefined ? {} : { metadata }) }];
}
