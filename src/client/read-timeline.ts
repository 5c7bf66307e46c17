/** All that is known of a turn, from the database alone: what `timelineOf` makes its report of. */
import type { AskedApproval } from '../domain/turn/timeline-approvals.ts';
import type { ResultPreview } from '../domain/turn/timeline-calls.ts';
import type { TimelineFacts } from '../domain/turn/timeline.ts';
import type { ApprovalRow, ToolCallRow } from '../domain/agents/tool-call.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Store } from '../store/ports/store.ts';
import type { Turnkeep } from './turnkeep.ts';

/** The part of the store that tells what a turn did. */
export type HistoryStore = Pick<
  Store,
  | 'readAttempts'
  | 'readToolCalls'
  | 'readToolResult'
  | 'readApprovals'
  | 'readChildren'
  | 'readWebhook'
  | 'readHead'
  | 'noteViewers'
  | 'readViewers'
>;

/** Of the result of a call, in bytes. */
const previewBytes = 1_000;

/** @param turn that its tenant may see */
export async function readTimeline(turnkeep: Turnkeep, turn: TurnRow): Promise<Omit<TimelineFacts, 'temporalUi'>> {
  const { history } = turnkeep;
  const { id } = turn;
  const response = turn.erasedBy === null ? await turnkeep.readResponse(turn) : undefined;
  const [attempts, toolCalls, approvals, parent, children, webhook, head, viewers] = await Promise.all([
    history.readAttempts(id),
    history.readToolCalls(id),
    readApprovals(turnkeep, turn),
    readCaller(turnkeep, turn),
    history.readChildren(id),
    history.readWebhook(id),
    history.readHead(id),
    history.readViewers(id),
  ]);
  const results = await readResults(history, toolCalls);
  const journal = head === undefined ? undefined : { epoch: head.epoch, last: head.last };
  return { turn, attempts, toolCalls, results, approvals, parent, children, response, webhook, journal, viewers };
}

/** Which call of which turn this one carries out; undefined where a client asked for it, or that turn is gone. */
async function readCaller(
  turnkeep: Turnkeep,
  { tenant, parent }: TurnRow,
): Promise<{ readonly id: string; readonly callId: string } | undefined> {
  const turn = parent === null ? undefined : await turnkeep.readNamedTurn(tenant, parent.turn);
  const call = turn && (await turnkeep.history.readToolCalls(turn.id)).find(({ number }) => number === parent?.number);
  return turn && call && { id: turn.publicId, callId: call.origin.call_id };
}

async function readResults(history: HistoryStore, calls: readonly ToolCallRow[]): Promise<ReadonlyMap<number, ResultPreview>> {
  const ended = calls.filter(({ outcome }) => outcome !== undefined && outcome !== 'cut_off');
  const read = await Promise.all(
    ended.map(async ({ turn, number }) => {
      const piece = await history.readToolResult({ turn, number }, { offset: 0, limit: previewBytes });
      return piece && ([number, { text: textOf(piece.bytes), totalBytes: piece.total }] as const);
    }),
  );
  return new Map(read.filter((entry) => entry !== undefined));
}

/** Without the half of a character that a cut may leave. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true });
}

/** The turns that asked and answered by the ids that their tenant knows, as far as it may see them. */
async function readApprovals(turnkeep: Turnkeep, turn: TurnRow): Promise<readonly AskedApproval[]> {
  const rows = await turnkeep.history.readApprovals(turn.id);
  const others = new Set(rows.flatMap(({ askedBy, answer }) => [askedBy, answer?.turn ?? askedBy]));
  const named = await Promise.all(
    Array.from(others, async (id) => [id, id === turn.id ? turn : await turnkeep.readNamedTurn(turn.tenant, id)] as const),
  );
  const turns = new Map(named);
  return rows.map((row) => approvalOf(row, turns));
}

function approvalOf({ id, askedBy, answer }: ApprovalRow, turns: ReadonlyMap<string, TurnRow | undefined>): AskedApproval {
  const asker = turns.get(askedBy);
  return {
    id,
    askedBy: asker?.publicId,
    askedAtMs: asker?.settledAtMs ?? undefined,
    answer: answer && { by: turns.get(answer.turn)?.publicId, atMs: answer.atMs, isApproved: answer.isApproved },
  };
}
