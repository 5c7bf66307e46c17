/** Calls of tools that workers run, under the epoch of whoever carries them out. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { ApprovalRow, NewToolCall, ToolCallEnd, ToolCallRow } from '../../domain/agents/tool-call.ts';
import { type ToolRun, withEnd, withRun } from '../../domain/agents/tool-run.ts';
import type { PricedUsage } from '../../domain/turn/spent.ts';
import type { NewTurn } from '../ports/turns.ts';
import type { ResultPiece, StepEnd, ToolCallKey, ToolCallStart } from '../ports/tool-calls.ts';
import { endAttempt } from './attempts.ts';
import { writeHiddenReasoning } from './hidden-reasoning.ts';
import type { Database, Row } from './database.ts';
import { writeRows } from './journal-rows.ts';
import { parsed, text } from './rows.ts';

export async function endStep(db: Database, step: StepEnd): Promise<'ended' | 'refused' | 'cancel_requested'> {
  const { turn, epoch, rows, attempt, calls, isLast, hidden = [] } = step;
  return db.commit('durable', () => {
    const row = db.one('SELECT cancel_requested_at FROM turns WHERE id = ?', turn);
    if (row === undefined) return 'refused';
    if (row['cancel_requested_at'] !== null) return 'cancel_requested';
    if (!writeRows(db, turn, epoch, rows, `lease_until = NULL, due_at = ${Date.now()}, step = ${attempt.step + 1}`)) return 'refused';
    endAttempt(db, attempt, epoch, attempt.end);
    insertToolCalls(db, { turn, step: attempt.step + 1, calls, isLast });
    writeHiddenReasoning(db, turn, hidden);
    return 'ended';
  });
}

interface Round {
  readonly turn: string;
  readonly step: number;
  readonly calls: readonly NewToolCall[];
  readonly isLast: boolean;
}

/** @param round its step tells the model what came of the calls */
export function insertToolCalls(db: Database, { turn, step, calls, isLast }: Round): void {
  for (const { number, position, ...call } of calls) {
    db.run(
      'INSERT INTO tool_calls (turn, number, step, position, call, last) VALUES (?, ?, ?, ?, ?, ?)',
      turn,
      number,
      step,
      position,
      JSON.stringify(call),
      isLast ? 1 : 0,
    );
  }
}

/** The calls of a new turn that somebody has approved; each request for an approval is answered once. */
export function bookApprovals(db: Database, tenant: string, turn: string, { answered, calls }: NonNullable<NewTurn['approvals']>): void {
  // They go with the turn that asked: whatever becomes of the one that answers, no request is answered twice.
  const sql = 'INSERT INTO approvals (tenant, id, turn, answered_by, answered_at, approved) VALUES (?, ?, ?, ?, ?, ?)';
  const approved = new Set(calls.map(({ approvalRequestId }) => approvalRequestId));
  for (const { id, askedBy } of answered) db.run(sql, tenant, id, askedBy, turn, Date.now(), approved.has(id) ? 1 : 0);
  insertToolCalls(db, { turn, step: 1, calls, isLast: false });
}

export function isAnswered(db: Database, tenant: string, id: string): boolean {
  return db.one('SELECT 1 FROM approvals WHERE tenant = ? AND id = ?', tenant, id) !== undefined;
}

export function readApprovals(db: Database, turn: string): ApprovalRow[] {
  return db.all('SELECT * FROM approvals WHERE turn = ? OR answered_by = ?', turn, turn).map((row) => ({
    id: text(row['id']),
    askedBy: text(row['turn']),
    ...(row['answered_by'] === null
      ? {}
      : { answer: { turn: text(row['answered_by']), atMs: Number(row['answered_at']), isApproved: row['approved'] === 1 } }),
  }));
}

/** All but `result`, which may be long: nobody who reads rows wants it. */
const columns = 'turn, number, step, position, runs, started_at, ended_at, outcome, progress, call, usage, run_log';

export function readToolCalls(db: Database, turn: string, step?: number): ToolCallRow[] {
  const sql = `SELECT ${columns} FROM tool_calls WHERE turn = ? AND (? IS NULL OR step = ?) ORDER BY number`;
  return db.all(sql, turn, step ?? null, step ?? null).map(toolCallOf);
}

function toolCallOf(row: Row): ToolCallRow {
  const call = parsed<Omit<NewToolCall, 'number' | 'position'>>(row['call']);
  return {
    ...call,
    turn: text(row['turn']),
    number: Number(row['number']),
    step: Number(row['step']),
    position: row['position'] === null ? null : Number(row['position']),
    runs: Number(row['runs']),
    ...(row['run_log'] === null ? {} : { attempts: parsed<readonly ToolRun[]>(row['run_log']) }),
    ...(row['started_at'] === null ? {} : { startedAtMs: Number(row['started_at']) }),
    ...(row['ended_at'] === null ? {} : { endedAtMs: Number(row['ended_at']) }),
    ...(row['outcome'] === null ? {} : { outcome: row['outcome'] as NonNullable<ToolCallRow['outcome']> }),
    ...(row['progress'] === null ? {} : { progress: text(row['progress']) }),
    ...(row['usage'] === null ? {} : { usage: parsed<PricedUsage>(row['usage']) }),
  };
}

export async function startToolCall(db: Database, { turn, number, epoch, shown }: ToolCallStart): Promise<boolean> {
  return db.commit('durable', () => {
    const isCancelled = db.one('SELECT 1 FROM turns WHERE id = ? AND cancel_requested_at IS NOT NULL', turn) !== undefined;
    const runs = isCancelled ? undefined : openRuns(db, { turn, number });
    if (runs === undefined || !writeRows(db, turn, epoch, shown?.rows ?? [])) return false;
    const atMs = Date.now();
    const holder = db.one('SELECT holder FROM journal_head WHERE turn = ?', turn)?.['holder'];
    const log = JSON.stringify(withRun(runs, { atMs, holder: holder == null ? null : text(holder) }));
    db.run(
      'UPDATE tool_calls SET runs = runs + 1, started_at = ?, position = coalesce(?, position), run_log = ? WHERE turn = ? AND number = ?',
      atMs,
      shown?.position ?? null,
      log,
      turn,
      number,
    );
    return true;
  });
}

export async function endToolCall(
  db: Database,
  {
    turn,
    number,
    epoch,
    rows,
    outcome,
    result,
    usage,
  }: ToolCallEnd & ToolCallKey & { readonly epoch: number; readonly rows: readonly JournalRow[] },
): Promise<boolean> {
  return db.commit('durable', () => {
    const runs = openRuns(db, { turn, number });
    if (runs === undefined || !writeRows(db, turn, epoch, rows)) return false;
    const atMs = Date.now();
    db.run(
      'UPDATE tool_calls SET ended_at = ?, outcome = ?, result = ?, usage = ?, run_log = ? WHERE turn = ? AND number = ? AND ended_at IS NULL',
      atMs,
      outcome,
      result,
      usage === undefined ? null : JSON.stringify(usage),
      runs.length === 0 ? null : JSON.stringify(withEnd(runs, { atMs, outcome })),
      turn,
      number,
    );
    return true;
  });
}

/** The runs so far of a call that has no end; undefined: it has one, or there is no such call. */
function openRuns(db: Database, { turn, number }: ToolCallKey): readonly ToolRun[] | undefined {
  const row = db.one('SELECT run_log FROM tool_calls WHERE turn = ? AND number = ? AND ended_at IS NULL', turn, number);
  return row && runsOf(row);
}

function runsOf({ run_log: log }: Row): readonly ToolRun[] {
  return log == null ? [] : parsed<readonly ToolRun[]>(log);
}

/** In bytes, so that a piece begins anywhere, and none is longer than it is asked for. */
export function readToolResult(
  db: Database,
  { turn, number }: ToolCallKey,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): ResultPiece | undefined {
  const row = db.one(
    `SELECT octet_length(result) AS total, substr(CAST(result AS BLOB), ?, ?) AS piece
     FROM tool_calls WHERE turn = ? AND number = ? AND result IS NOT NULL`,
    offset + 1,
    limit,
    turn,
    number,
  );
  return row && { bytes: row['piece'] as Uint8Array<ArrayBuffer>, total: Number(row['total']) };
}

export async function noteProgress(db: Database, { turn, number }: ToolCallKey, progress: string): Promise<void> {
  return db.commit('quick', () => {
    db.run('UPDATE tool_calls SET progress = ? WHERE turn = ? AND number = ? AND ended_at IS NULL', progress, turn, number);
  });
}

export async function endToolRound(db: Database, { turn, epoch }: { turn: string; epoch: number }): Promise<void> {
  return db.commit('quick', () => {
    db.run('UPDATE journal_head SET lease_until = NULL, due_at = ? WHERE turn = ? AND epoch = ? AND sealed = 0', Date.now(), turn, epoch);
  });
}

/** Their turn has its end: those that have none are over with it. What let one of them begin that never began is free again. */
export function cutOffToolCalls(db: Database, tenant: string, turn: string): void {
  db.run(
    `DELETE FROM approvals WHERE tenant = ? AND id IN (
       SELECT json_extract(call, '$.approvalRequestId') FROM tool_calls WHERE turn = ? AND ended_at IS NULL AND runs = 0
     )`,
    tenant,
    turn,
  );
  const [atMs, outcome] = [Date.now(), 'cut_off'] as const;
  for (const row of db.all('SELECT number, run_log FROM tool_calls WHERE turn = ? AND ended_at IS NULL AND runs > 0', turn)) {
    const log = JSON.stringify(withEnd(runsOf(row), { atMs, outcome }));
    db.run('UPDATE tool_calls SET run_log = ? WHERE turn = ? AND number = ?', log, turn, Number(row['number']));
  }
  db.run('UPDATE tool_calls SET ended_at = ?, outcome = ? WHERE turn = ? AND ended_at IS NULL', atMs, outcome, turn);
}
