/**
 * A chat as a UI shows it that is loaded anew: the messages of its conversation, without the one that is being written, which
 * `/api/chat/{id}/stream` gives from its beginning.
 */
import type { Turnkeep } from '../../client/turnkeep.ts';
import type { ResponseObject } from '../../domain/response.ts';
import { isVisible, type TurnRow } from '../../domain/turn.ts';
import { askedMessages, messageParts, type UiMessageOut, type UiStretch } from './messages.ts';

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

const turnsAtOnce = 20;

/** @param leaf the newest turn to show. @param limit of turns; a message that is cut by it is shown whole */
export async function chatPage(turnkeep: Turnkeep, leaf: string | null, limit: number): Promise<ChatPage> {
  const { turns, hasMore } = await newestTurns(turnkeep, leaf, limit);
  const messages: UiMessageOut[] = [];
  let open: OpenMessage | undefined;
  const close = (): void => {
    if (open !== undefined) messages.push(...assistantMessage(open));
    open = undefined;
  };
  for (const turn of turns) {
    const input = await turnkeep.readInput(turn);
    if (open === undefined || !turn.bringsOutputs) {
      close();
      messages.push(...askedMessages(input));
      if (turn.kind === 'response') open = { id: turn.publicId, stretches: [], last: undefined };
    }
    if (open === undefined) continue;
    open.stretches.push({ items: input, isAnswer: false });
    open.last = turn.settledAtMs === null ? undefined : await turnkeep.readResponse(turn);
    if (open.last !== undefined) open.stretches.push({ items: open.last.output, isAnswer: true });
  }
  close();
  return { messages, hasMore };
}

/** Oldest first, those left out that their owner has deleted or that are past retention. */
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
        return { turns: newestFirst.toReversed(), hasMore: true };
      }
      if (turn.erasedBy === null && (turn.kind === 'items' || isVisible(turn))) newestFirst.push(turn);
    }
    next = page.at(-1)?.previous ?? null;
  }
  return { turns: newestFirst.toReversed(), hasMore: false };
}

/** None for one that is being written, or in which nothing was said. */
function assistantMessage({ id, stretches, last }: OpenMessage): UiMessageOut[] {
  if (last === undefined) return [];
  const parts = messageParts(stretches);
  const { status, error } = last;
  const metadata = status === 'completed' ? undefined : { status, ...(error === null ? {} : { error }) };
  if (parts.length === 0 && metadata === undefined) return [];
  return [{ id, role: 'assistant', parts, ...(metadata === undefined ? {} : { metadata }) }];
}
