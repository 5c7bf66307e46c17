/** The fenced journal of a turn: claim, fence, append, seal, read (T2, T6, T7). */
import type { AttemptEnd, AttemptKey } from '../../domain/turn/attempt.ts';
import { type ClaimDecision, settledStatusOf } from '../../domain/turn/claim.ts';
import { type JournalRow, journalRowOf, type ResponseEvent } from '../../domain/response/response-event.ts';
import { ResponseStream } from '../../domain/response/response-stream.ts';
import type { Append, Claim, ClaimRequest, DeadHolder, Fence, JournalHead, Seal, SealResult } from '../ports/journal.ts';
import type { Lease } from '../ports/leases.ts';
import { bookAttempt, decideClaimOf, endAttempt, loseOpenAttempts, startAttempt } from './attempts.ts';
import {
  all,
  lockSessionOf,
  lockTurn,
  lockTurnAndCallers,
  now,
  one,
  run,
  type SqlDatabase,
  together,
  type Value,
  type Work,
} from './work.ts';
import { writeHiddenReasoning } from './hidden-reasoning.ts';
import { itemRowOf, nextPosition, writeItems } from './item-rows.ts';
import { openKeptResponses, takeOverAttempt } from './kept-responses.ts';
import { fenceLease, leaseLeftMs, releaseLease, takeLease } from './leases.ts';
import { insertRows, writeRows } from './journal-rows.ts';
import { writeRecording } from './recordings.ts';
import { journalRow } from './rows.ts';
import { addSpent } from './spending.ts';
import { cutOffToolCalls } from './tool-calls.ts';
import { readyNext, recordThrough, sessionTurn } from './transcript.ts';
import { cancelChildren, requireTurn } from './turns.ts';
import { oweWebhook } from './webhooks.ts';

/** Of a new turn. */
export function* insertJournal(
  turn: string,
  { epoch, rows, step, lease }: { epoch: number; rows: readonly JournalRow[]; step?: number; lease?: Lease },
): Work<void> {
  yield* run(
    'INSERT INTO journal_head (turn, epoch, next_seq, sealed, holder, step, lease_until, lease_ms) VALUES (?, ?, ?, 0, ?, ?, ?, ?)',
    turn,
    epoch,
    rows.length,
    lease?.holder ?? null,
    step ?? null,
    lease === undefined ? null : (yield* now()) + lease.lengthMs,
    lease?.lengthMs ?? null,
  );
  yield* insertRows(turn, rows);
}

/**
 * By the clock of this machine, from before the lease is written, and not from before the work has waited for its turn: behind many
 * others its lease would be over before it began.
 */
export function leaseFrom({ lengthMs }: Lease): number {
  return Date.now() + lengthMs;
}

/** `rows`: what the claim has appended. */
export async function claim(db: SqlDatabase, request: ClaimRequest): Promise<Claim & { readonly rows?: readonly JournalRow[] }> {
  const { turn, step, lease, run: workflow } = request;
  // Most that is refused has ended in a head start: to say so needs no lock (0.2 ms).
  const first = await db.read(function* () {
    return yield* decideClaimOf(yield* requireTurn(turn), request);
  }, true);
  if (isRefusal(first)) return first;
  const opening = (await db.read(() => readJournal(turn, -1, openingRows))).map(eventOf);
  return db.commit('quick', function* (): Work<Claim & { readonly rows?: readonly JournalRow[] }> {
    yield* lockTurn(turn);
    const [row, before] = yield* together([() => requireTurn(turn), () => readHead(turn)]);
    const decision = yield* decideClaimOf(row, request);
    if (isRefusal(decision)) return decision;
    // Whoever held the journal before, and has not written how its request ended, is lost or will be refused.
    const kept = decision.type === 'granted' ? decision.response : undefined;
    const reason = before?.lease === 'none' ? 'worker_shutdown' : 'worker_lost';
    const leaseUntilMs = leaseFrom(lease);
    const [epoch, lostAttempts] = yield* together([
      () => takeLease(turn, step, lease),
      function* () {
        return kept === undefined ? yield* loseOpenAttempts(turn, { step, lastSeq: before?.last ?? null }) : 0;
      },
      function* () {
        if (workflow === undefined) return;
        yield* run('UPDATE turns SET workflow_id = ?, run_id = ? WHERE id = ?', workflow.workflowId, workflow.runId, turn);
      },
    ]);
    if (decision.type === 'granted') {
      const key = { turn, step, attempt: decision.attempt };
      if (kept === undefined) yield* bookAttempt(key, { epoch, lease, runId: workflow?.runId });
      else yield* takeOverAttempt(key, { epoch, holder: lease.holder, reason });
    }
    const readySinceMs = (yield* now()) - (row.readyAtMs ?? row.createdAtMs);
    const granted = { ...decision, epoch, leaseUntilMs, lostAttempts, turn: row, readySinceMs };
    if ((before?.last ?? 0) >= openingRows) return granted;
    const events = [...opening, ...(yield* readJournal(turn, opening.length - 1, everyRow)).map(eventOf)];
    const begun = ResponseStream.replay(events).begin();
    const rows = begun.map(journalRowOf);
    if (rows.length > 0) yield* begin(turn, epoch, rows);
    return { ...granted, events: [...events, ...begun], rows };
  });
}

/**
 * Of a turn that has shown nothing: created, queued, in progress. Read outside of the transaction: with many tools the first
 * events of a turn are long, and they never change.
 */
const openingRows = 3;

function isRefusal(decision: ClaimDecision): decision is Exclude<ClaimDecision, { type: 'granted' | 'tools' }> {
  return decision.type !== 'granted' && decision.type !== 'tools';
}

/** The turn is in progress, and its viewers learn of it. */
function* begin(turn: string, epoch: number, rows: readonly JournalRow[]): Work<void> {
  yield* writeRows(turn, epoch, rows);
  yield* run(`UPDATE turns SET status = 'in_progress' WHERE id = ?`, turn);
}

export async function fence(db: SqlDatabase, turn: string, dead?: DeadHolder): Promise<Fence | undefined> {
  return db.commit('quick', function* () {
    yield* lockTurn(turn);
    const settled = settledStatusOf(yield* requireTurn(turn));
    if (settled !== undefined) return { epoch: -1, settled };
    if (dead !== undefined && ((yield* readHead(turn))?.epoch !== dead.epoch || (yield* leaseLeftMs(turn)) > 0)) return undefined;
    return { epoch: yield* fenceLease(turn) };
  });
}

/** The end of an attempt that has not ended the turn; its lease ends with it. */
export async function releaseAttempt(db: SqlDatabase, key: AttemptKey, epoch: number, end: AttemptEnd): Promise<void> {
  return db.commit('quick', function* () {
    yield* lockTurn(key.turn);
    yield* endAttempt(key, epoch, end);
    yield* releaseLease(key.turn, epoch, end.waitMs === undefined ? undefined : end.endedAtMs + end.waitMs);
  });
}

export async function append(db: SqlDatabase, { turn, epoch, rows, starts, recording }: Append): Promise<boolean> {
  // The row that marks a start must survive even a loss of power: a started step is never asked again (T2).
  return db.commit(starts === undefined ? 'quick' : 'durable', function* () {
    if (!(yield* writeRows(turn, epoch, rows))) return false;
    if (starts !== undefined) yield* startAttempt(starts);
    yield* writeRecording(turn, recording);
    return true;
  });
}

export async function seal(db: SqlDatabase, seal: Seal): Promise<SealResult> {
  const { turn, epoch, rows, settled } = seal;
  const output = seal.isStored ? seal.output.map(itemRowOf) : [];
  return db.commit('durable', function* (): Work<SealResult> {
    yield* lockSessionOf(turn);
    yield* lockTurnAndCallers(turn);
    const row = yield* sessionTurn(turn);
    if (row === undefined) return { type: 'refused' };
    if (!seal.winsOverCancel && row.isCancelRequested) return { type: 'cancel_requested' };
    // Rows that do not follow the last one are refused.
    const lastSeq = rows[0] === undefined ? undefined : rows[0].seq - 1;
    if (!(yield* writeRows(turn, epoch, rows, 'sealed = 1, lease_until = NULL, due_at = NULL'))) return { type: 'refused' };
    // Cancelled while it waited: its input joins the transcript behind that of the turns before it (T1).
    const place = row.place ?? (yield* recordThrough(row));
    const settledAtMs = yield* now();
    yield* together([
      function* () {
        if (output.length > 0) yield* writeItems(turn, yield* nextPosition(turn), output, place);
      },
      function* () {
        if (seal.isStored) yield* writeHiddenReasoning(turn, seal.hidden ?? []);
      },
      () =>
        run(
          `UPDATE turns SET status = ?, settled_at = ?, error_code = ?, retry_at = ?, usage = ? WHERE id = ?`,
          settled.status,
          settledAtMs,
          settled.code,
          seal.retryAtMs ?? null,
          seal.usage === null ? null : JSON.stringify(seal.usage),
          turn,
        ),
      function* () {
        if (seal.attempt !== undefined) yield* endAttempt(seal.attempt, epoch, seal.attempt.end, lastSeq);
      },
    ]);
    const has = yield* hangingOn(turn);
    const stops = has.attempts ? yield* openKeptResponses(turn) : [];
    const lostAttempts = has.attempts ? yield* loseOpenAttempts(turn, { lastSeq: lastSeq ?? null }) : 0;
    if (has.calls) yield* cutOffToolCalls(row.tenant, turn);
    if (row.session !== null || row.isChild) yield* addSpent(turn);
    const cancels = has.children ? yield* cancelChildren(turn, settledAtMs) : [];
    const next = row.session === null ? undefined : yield* readyNext(row.tenant, row.session);
    const owesWebhook = has.webhook && (yield* oweWebhook(turn, settled.status, settledAtMs));
    return {
      type: 'sealed',
      lostAttempts,
      ...(stops.length === 0 ? {} : { stops }),
      ...(next === undefined ? {} : { next }),
      ...(owesWebhook ? { owesWebhook: true } : {}),
      ...(cancels.length === 0 ? {} : { cancels }),
    };
  });
}

/** What of a turn has no end yet when the turn has its own: one question, since most turns have nothing of it. */
function* hangingOn(turn: string): Work<{ attempts: boolean; calls: boolean; children: boolean; webhook: boolean }> {
  const row = yield* one(
    `SELECT EXISTS (SELECT 1 FROM attempts WHERE turn = ? AND ended_at IS NULL) AS attempts,
       EXISTS (SELECT 1 FROM tool_calls WHERE turn = ? AND ended_at IS NULL) AS calls,
       EXISTS (SELECT 1 FROM turns INDEXED BY turns_called_unsettled WHERE parent = ? AND settled_at IS NULL) AS children,
       EXISTS (SELECT 1 FROM webhooks WHERE turn = ?) AS webhook`,
    turn,
    turn,
    turn,
    turn,
  );
  const has = (name: string): boolean => row?.[name] === 1;
  return { attempts: has('attempts'), calls: has('calls'), children: has('children'), webhook: has('webhook') };
}

function eventOf({ data }: JournalRow): ResponseEvent {
  return JSON.parse(data) as ResponseEvent;
}

/** One that is hidden has none, though its rows may be there for another day. */
export const rowsAfter = `SELECT seq, type, data FROM journal WHERE turn = ? AND seq > ?
  AND EXISTS (SELECT 1 FROM journal_head WHERE journal_head.turn = ? AND sealed < 2) ORDER BY seq LIMIT ?`;

/** A limit for all that there are. */
export const everyRow = Number.MAX_SAFE_INTEGER;

export function* readJournal(turn: string, after: number, limit: number): Work<JournalRow[]> {
  return (yield* all(rowsAfter, turn, after, turn, limit)).map(journalRow);
}

export function* readHead(turn: string): Work<JournalHead | undefined> {
  // 2: it is being dropped, and as good as gone.
  const row = yield* one('SELECT epoch, next_seq, sealed, lease_until FROM journal_head WHERE turn = ? AND sealed < 2', turn);
  if (row === undefined) return undefined;
  return {
    epoch: Number(row['epoch']),
    last: Number(row['next_seq']) - 1,
    isSealed: row['sealed'] === 1,
    lease: leaseOf(row['lease_until'], yield* now()),
  };
}

function leaseOf(until: Value | undefined, nowMs: number): JournalHead['lease'] {
  if (until == null) return 'none';
  return Number(until) > nowMs ? 'live' : 'expired';
}
