import type { JournalRow } from '../../../src/domain/response/response-event.ts';
import type { ToolCallEnd } from '../../../src/domain/agents/tool-call.ts';
import { withRun } from '../../../src/domain/agents/tool-run.ts';
import type { ResultPiece, StepEnd, ToolCallKey, ToolCallStart } from '../../../src/store/ports/tool-calls.ts';
import { endAttempt } from './attempts.ts';
import type { MemoryDatabase } from './database.ts';
import { writeRows } from './journal-rows.ts';
import { passOn } from './leases.ts';
import { addToolCalls, ended, isOpen, updateToolCall } from './tool-call-rows.ts';

export function endStep(
  database: MemoryDatabase,
  { turn: id, epoch, rows, attempt, calls, isLast, hidden = [] }: StepEnd,
): 'ended' | 'refused' | 'cancel_requested' {
  if (database.turns.get(id)?.row.cancelRequestedAtMs != null) return 'cancel_requested';
  const turn = writeRows(database, { turn: id, epoch, rows });
  if (turn === undefined) return 'refused';
  const step = attempt.step + 1;
  passOn(turn, step);
  endAttempt(turn, attempt, epoch, attempt.end);
  addToolCalls(turn, step, calls, isLast);
  turn.hidden = [...(turn.hidden ?? []), ...hidden];
  return 'ended';
}

/** Whether it is booked, and the rows that show it. */
interface Written {
  readonly result: boolean;
  readonly rows?: readonly JournalRow[];
}

export function startToolCall(database: MemoryDatabase, { turn: id, number, epoch, shown }: ToolCallStart): Written {
  const rows = shown?.rows ?? [];
  if (database.turns.get(id)?.row.cancelRequestedAtMs != null) return { result: false };
  const turn = writeRows(database, { turn: id, epoch, rows });
  if (turn === undefined) return { result: false };
  const atMs = Date.now();
  const holder = turn.journal?.lease?.holder ?? null;
  updateToolCall(turn, number, (call) => ({
    ...call,
    row: {
      ...call.row,
      runs: call.row.runs + 1,
      attempts: withRun(call.row.attempts ?? [], { atMs, holder }),
      startedAtMs: atMs,
      position: shown?.position ?? call.row.position,
    },
  }));
  return shown === undefined ? { result: true } : { result: true, rows };
}

export function endToolCall(
  database: MemoryDatabase,
  {
    turn: id,
    number,
    epoch,
    rows,
    outcome,
    result,
    usage,
  }: ToolCallEnd & ToolCallKey & { readonly epoch: number; readonly rows: readonly JournalRow[] },
): Written {
  const turn = writeRows(database, { turn: id, epoch, rows });
  if (turn === undefined) return { result: false };
  updateToolCall(turn, number, (call) => (isOpen(call) ? { ...ended(call, outcome, usage), result } : call));
  return { result: true, rows };
}

export function readToolResult(
  { turns }: MemoryDatabase,
  { turn, number }: ToolCallKey,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): ResultPiece | undefined {
  const result = turns.get(turn)?.toolCalls.find(({ row }) => row.number === number)?.result;
  if (result === undefined) return undefined;
  const bytes = Buffer.from(result);
  return { bytes: new Uint8Array(bytes.subarray(offset, offset + limit)), total: bytes.length };
}

export function noteProgress({ turns }: MemoryDatabase, { turn: id, number }: ToolCallKey, progress: string): void {
  const turn = turns.get(id);
  if (turn !== undefined) updateToolCall(turn, number, (call) => (isOpen(call) ? { ...call, row: { ...call.row, progress } } : call));
}

export function endToolRound({ turns }: MemoryDatabase, { turn: id, epoch }: { readonly turn: string; readonly epoch: number }): void {
  const turn = turns.get(id);
  const journal = turn?.journal;
  if (turn !== undefined && journal?.epoch === epoch && !journal.isSealed) passOn(turn, (journal.lease ?? journal.due)?.step ?? 1);
}
