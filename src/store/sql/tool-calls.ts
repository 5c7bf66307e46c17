/** Calls of tools that workers run, under the epoch of whoever carries them out. */
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { ApprovalRow, NewToolCall, ToolCallEnd, ToolCallRow } from '../../domain/agents/tool-call.ts';
import { type ToolRun, withEnd, withRun } from '../../domain/agents/tool-run.ts';
import type { PricedUsage } from '../../domain/turn/spent.ts';
import type { NewTurn } from '../ports/turns.ts';
import type { ResultPiece, StepEnd, ToolCallKey, ToolCallStart } from '../ports/tool-calls.ts';
import { endAttempt } from './attempts.ts';
import { writeHiddenReasoning } from './hidden-reasoning.ts';
import { all, lockTurn, now, one, run, type Row, type SqlDatabase, type Work } from './work.ts';
import { writeRows } from './journal-rows.ts';
import { parsed, text } from './rows.ts';

export async function endStep(db: SqlDatabase, step: StepEnd): Promise<'ended' | 'refused' | 'cancel_requested'> {
  const { turn, epoch, rows, attempt, calls, isLast, hidden = [] } = step;
  return db.commit('durable', function* () {
    yield* lockTurn(turn);
    const row = yield* one('SELECT cancel_requested_at FROM turns WHERE id = ?', turn);
    if (row === undefined) return 'refused';
    if (row['cancel_requested_at'] !== null) return 'cancel_requested';
    if (!(yield* writeRows(turn, epoch, rows, 'lease_until = NULL, due_at = ?, step = ?', yield* now(), attempt.step + 1)))
      return 'refused';
    yield* endAttempt(attempt, epoch, attempt.end);
    yield* insertToolCalls({ turn, step: attempt.step + 1, calls, isLast });
    yield* writeHiddenReasoning(turn, hidden);
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
export function* insertToolCalls({ turn, step, calls, isLast }: Round): Work<void> {
  for (const { number, position, ...call } of calls) {
    yield* run(
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
export function* bookApprovals(tenant: string, turn: string, { answered, calls }: NonNullable<NewTurn['approvals']>): Work<void> {
  // They go with the turn that asked: whatever becomes of the one that answers, no request is answered twice.
  const sql = 'INSERT INTO approvals (tenant, id, turn, answered_by, answered_at, approved) VALUES (?, ?, ?, ?, ?, ?)';
  const approved = new Set(calls.map(({ approvalRequestId }) => approvalRequestId));
  const atMs = yield* now();
  for (const { id, askedBy } of answered) yield* run(sql, tenant, id, askedBy, turn, atMs, approved.has(id) ? 1 : 0);
  yield* insertToolCalls({ turn, step: 1, calls, isLast: false });
}

export function* isAnswered(tenant: string, id: string): Work<boolean> {
  return (yield* one('SELECT 1 FROM approvals WHERE tenant = ? AND id = ?', tenant, id)) !== undefined;
}

export function* readApprovals(turn: string): Work<ApprovalRow[]> {
  return (yield* all('SELECT * FROM approvals WHERE turn = ? OR answered_by = ?', turn, turn)).map((row) => ({
    id: text(row['id']),
    askedBy: text(row['turn']),
    ...(row['answered_by'] === null
      ? {}
      : { answer: { turn: text(row['answered_by']), atMs: Number(row['answered_at']), isApproved: row['approved'] === 1 } }),
  }));
}

/** All but `result`, which may be long: nobody who reads rows wants it. */
const columns = 'turn, number, step, position, runs, started_at, ended_at, outcome, progress, call, usage, run_log';

export function* readToolCalls(turn: string, step?: number): Work<ToolCallRow[]> {
  const sql = `SELECT ${columns} FROM tool_calls WHERE turn = ?${step === undefined ? '' : ' AND step = ?'} ORDER BY number`;
  return (yield* all(sql, turn, ...(step === undefined ? [] : [step]))).map(toolCallOf);
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

export async function startToolCall(db: SqlDatabase, { turn, number, epoch, shown }: ToolCallStart): Promise<boolean> {
  return db.commit('durable', function* () {
    yield* lockTurn(turn);
    const isCancelled = (yield* one('SELECT 1 FROM turns WHERE id = ? AND cancel_requested_at IS NOT NULL', turn)) !== undefined;
    const runs = isCancelled ? undefined : yield* openRuns({ turn, number });
    if (runs === undefined || !(yield* writeRows(turn, epoch, shown?.rows ?? []))) return false;
    const atMs = yield* now();
    const holder = (yield* one('SELECT holder FROM journal_head WHERE turn = ?', turn))?.['holder'];
    const log = JSON.stringify(withRun(runs, { atMs, holder: holder == null ? null : text(holder) }));
    yield* run(
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
  db: SqlDatabase,
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
  return db.commit('durable', function* () {
    yield* lockTurn(turn);
    const runs = yield* openRuns({ turn, number });
    if (runs === undefined || !(yield* writeRows(turn, epoch, rows))) return false;
    const atMs = yield* now();
    yield* run(
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
function* openRuns({ turn, number }: ToolCallKey): Work<readonly ToolRun[] | undefined> {
  const row = yield* one('SELECT run_log FROM tool_calls WHERE turn = ? AND number = ? AND ended_at IS NULL', turn, number);
  return row && runsOf(row);
}

function runsOf({ run_log: log }: Row): readonly ToolRun[] {
  return log == null ? [] : parsed<readonly ToolRun[]>(log);
}

/** In bytes, so that a piece begins anywhere, and none is longer than it is asked for. */
export function* readToolResult(
  { turn, number }: ToolCallKey,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Work<ResultPiece | undefined> {
  const row = yield* one(
    `SELECT octet_length(result) AS total, substr(CAST(result AS BLOB), ?, ?) AS piece
     FROM tool_calls WHERE turn = ? AND number = ? AND result IS NOT NULL`,
    offset + 1,
    limit,
    turn,
    number,
  );
  return row && { bytes: row['piece'] as Uint8Array<ArrayBuffer>, total: Number(row['total']) };
}

export async function noteProgress(db: SqlDatabase, { turn, number }: ToolCallKey, progress: string): Promise<void> {
  return db.commit('quick', function* () {
    yield* run('UPDATE tool_calls SET progress = ? WHERE turn = ? AND number = ? AND ended_at IS NULL', progress, turn, number);
  });
}

export async function endToolRound(db: SqlDatabase, { turn, epoch }: { turn: string; epoch: number }): Promise<void> {
  return db.commit('quick', function* () {
    yield* run(
      'UPDATE journal_head SET lease_until = NULL, due_at = ? WHERE turn = ? AND epoch = ? AND sealed = 0',
      yield* now(),
      turn,
      epoch,
    );
  });
}

/** Their turn has its end: those that have none are over with it. What let one of them begin that never began is free again. */
export function* cutOffToolCalls(tenant: string, turn: string): Work<void> {
  const neverBegun = yield* all('SELECT call FROM tool_calls WHERE turn = ? AND ended_at IS NULL AND runs = 0', turn);
  for (const { call } of neverBegun) {
    const { approvalRequestId } = parsed<Pick<NewToolCall, 'approvalRequestId'>>(call);
    if (approvalRequestId !== undefined) yield* run('DELETE FROM approvals WHERE tenant = ? AND id = ?', tenant, approvalRequestId);
  }
  const atMs = yield* now();
  const outcome = 'cut_off';
  for (const row of yield* all('SELECT number, run_log FROM tool_calls WHERE turn = ? AND ended_at IS NULL AND runs > 0', turn)) {
    const log = JSON.stringify(withEnd(runsOf(row), { atMs, outcome }));
    yield* run('UPDATE tool_calls SET run_log = ? WHERE turn = ? AND number = ?', log, turn, Number(row['number']));
  }
  yield* run('UPDATE tool_calls SET ended_at = ?, outcome = ? WHERE turn = ? AND ended_at IS NULL', atMs, outcome, turn);
}
