import type { ClaimFacts } from '../../../src/domain/turn/claim.ts';
import type { PricedUsage } from '../../../src/domain/turn/spent.ts';
import type { ApprovalRow, NewToolCall, ToolCallRow } from '../../../src/domain/agents/tool-call.ts';
import { withEnd } from '../../../src/domain/agents/tool-run.ts';
import type { NewTurn } from '../../../src/store/ports/turns.ts';
import type { MemoryDatabase, StoredToolCall, StoredTurn } from './database.ts';

export function roundOf({ toolCalls }: StoredTurn, step: number): ClaimFacts['round'] {
  const round = toolCalls.filter(({ row }) => row.step === step);
  return { open: round.filter(isOpen).length, isLast: round.some(({ isLast }) => isLast) };
}

export function addToolCalls(turn: StoredTurn, step: number, calls: readonly NewToolCall[], isLast: boolean): void {
  const rows = calls.map((call) => ({ row: { ...call, turn: turn.row.id, step, runs: 0 }, isLast }));
  turn.toolCalls = [...turn.toolCalls, ...rows].toSorted((one, other) => one.row.number - other.row.number);
}

/** Their turn has its end: those that have none are over with it. What let one of them begin that never began is free again. */
export function cutOffToolCalls({ approvals }: MemoryDatabase, turn: StoredTurn): void {
  for (const { row } of turn.toolCalls.filter((call) => isOpen(call) && call.row.runs === 0)) {
    approvals.delete(approvalKey(turn.row.tenant, row.approvalRequestId ?? ''));
  }
  turn.toolCalls = turn.toolCalls.map((call) => ended(call, 'cut_off'));
}

/** In the transaction that takes the turn in. */
export function bookApprovals({ approvals }: MemoryDatabase, turn: StoredTurn, { approvals: given }: NewTurn): void {
  if (given === undefined) return;
  const approved = new Set(given.calls.map(({ approvalRequestId }) => approvalRequestId));
  for (const { id, askedBy } of given.answered) {
    const answer = { turn: turn.row.id, atMs: Date.now(), isApproved: approved.has(id) };
    approvals.set(approvalKey(turn.row.tenant, id), { id, askedBy, answer });
  }
  addToolCalls(turn, 1, given.calls, false);
}

export function forgetApprovals({ approvals }: MemoryDatabase, turn: string): void {
  for (const [key, { askedBy }] of approvals) if (askedBy === turn) approvals.delete(key);
}

export function approvalsOf({ approvals }: MemoryDatabase, turn: string): ApprovalRow[] {
  return [...approvals.values()].filter(({ askedBy, answer }) => askedBy === turn || answer?.turn === turn);
}

export function approvalKey(tenant: string, id: string): string {
  return `${tenant} ${id}`;
}

/** One that has an end keeps it. */
export function ended(call: StoredToolCall, outcome: NonNullable<ToolCallRow['outcome']>, usage?: PricedUsage): StoredToolCall {
  if (!isOpen(call)) return call;
  const atMs = Date.now();
  const { attempts } = call.row;
  const runs = attempts === undefined ? {} : { attempts: withEnd(attempts, { atMs, outcome }) };
  return { ...call, row: { ...call.row, ...runs, endedAtMs: atMs, outcome, ...(usage === undefined ? {} : { usage }) } };
}

export function isOpen({ row }: StoredToolCall): boolean {
  return row.endedAtMs === undefined;
}

export function updateToolCall(turn: StoredTurn, number: number, change: (call: StoredToolCall) => StoredToolCall): void {
  turn.toolCalls = turn.toolCalls.map((call) => (call.row.number === number ? change(call) : call));
}
