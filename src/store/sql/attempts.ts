/** Attempts: requests to the model as they are booked before they are sent, and how they ended. */
import type { AttemptEnd, AttemptFacts, AttemptKey, AttemptRow } from '../../domain/turn/attempt.ts';
import { type ClaimDecision, type ClaimFacts, decideClaim } from '../../domain/turn/claim.ts';
import type { Usage } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Append, ClaimRequest } from '../ports/journal.ts';
import type { Lease } from '../ports/leases.ts';
import type { Reattachment } from '../../domain/turn/kept-response.ts';
import { all, now, one, run, type Row, type Work } from './work.ts';
import { decideBy, type Loaders } from './decide.ts';
import { keptAttempt } from './kept-responses.ts';
import { leaseLeftMs } from './leases.ts';
import { writeRecording } from './recordings.ts';
import { parsed } from './rows.ts';

/** What is to become of a claim of this step. */
export function* decideClaimOf(turn: TurnRow, { step, away }: Pick<ClaimRequest, 'step' | 'away'>): Work<ClaimDecision> {
  const loaders: Loaders<Omit<ClaimFacts, 'turn' | 'away'>> = {
    leaseLeftMs: () => leaseLeftMs(turn.id),
    kept: () => keptAttempt(turn.id, step),
    *isOver() {
      const sql = `SELECT 1 FROM attempts WHERE turn = ? AND step = ? AND outcome = 'completed' LIMIT 1`;
      // One that was asked for in vain, and is not to be asked for again, has no answer at all.
      const isBehind = 'SELECT 1 FROM journal_head WHERE turn = ? AND step > ?';
      return (yield* one(sql, turn.id, step)) !== undefined || (yield* one(isBehind, turn.id, step)) !== undefined;
    },
    round: () => roundOf(turn.id, step),
    *hasStarted() {
      const sql = 'SELECT 1 FROM attempts WHERE turn = ? AND step = ? AND first_event_at IS NOT NULL LIMIT 1';
      return (yield* one(sql, turn.id, step)) !== undefined;
    },
    *isAhead() {
      // Nobody has claimed anything of a new turn.
      return (yield* one('SELECT 1 FROM journal_head WHERE turn = ? AND coalesce(step, 1) < ?', turn.id, step)) !== undefined;
    },
    *requestsMade() {
      return Number((yield* one('SELECT count(*) AS made FROM attempts WHERE turn = ? AND step = ?', turn.id, step))?.['made']);
    },
    *waitLeftMs() {
      const sql = 'SELECT ended_at + wait_ms AS due_at FROM attempts WHERE turn = ? AND step = ? ORDER BY attempt DESC LIMIT 1';
      const dueAtMs = (yield* one(sql, turn.id, step))?.['due_at'];
      return dueAtMs == null ? 0 : Number(dueAtMs) - (yield* now());
    },
  };
  // What is looked at where nobody holds the turn.
  const companions = ['kept', 'hasStarted', 'isAhead', 'round', 'requestsMade', 'waitLeftMs'] as const;
  return yield* decideBy<ClaimFacts, ClaimDecision, 'turn' | 'away'>(decideClaim, loaders, { turn, away }, companions);
}

/** How the calls stand that are to be made before a request of this step. */
function* roundOf(turn: string, step: number): Work<{ readonly open: number; readonly isLast: boolean }> {
  const sql = 'SELECT count(*) - count(ended_at) AS open, coalesce(max(last), 0) AS last FROM tool_calls WHERE turn = ? AND step = ?';
  const row = yield* one(sql, turn, step);
  return { open: Number(row?.['open']), isLast: row?.['last'] === 1 };
}

export function* bookAttempt(
  { turn, step, attempt }: AttemptKey,
  { epoch, lease, runId }: { readonly epoch: number; readonly lease: Lease; readonly runId?: string | undefined },
): Work<void> {
  yield* run(
    'INSERT INTO attempts (turn, step, attempt, requested_at, epoch, holder, run_id) VALUES (?, ?, ?, ?, ?, ?, ?)',
    turn,
    step,
    attempt,
    yield* now(),
    epoch,
    lease.holder,
    runId ?? null,
  );
}

/** Its first delta is in the journal, in the same commit. */
export function* startAttempt({ turn, step, attempt, providerRequestId }: NonNullable<Append['starts']>): Work<void> {
  yield* run(
    'UPDATE attempts SET first_event_at = ?, provider_request_id = ? WHERE turn = ? AND step = ? AND attempt = ?',
    yield* now(),
    providerRequestId ?? null,
    turn,
    step,
    attempt,
  );
}

/**
 * Books those of the turn, or of one step of it, that have no end as lost. Returns how many there were.
 * @param lastSeq the journal's last event before
 */
export function* loseOpenAttempts(turn: string, { step, lastSeq }: { step?: number; lastSeq: number | null }): Work<number> {
  const sql = `UPDATE attempts SET ended_at = ?, outcome = 'lost', last_seq = ? WHERE turn = ? AND ended_at IS NULL`;
  const atMs = yield* now();
  return step === undefined ? yield* run(sql, atMs, lastSeq, turn) : yield* run(`${sql} AND step = ?`, atMs, lastSeq, turn, step);
}

/**
 * @param epoch of whoever ran it; where another process has taken the attempt over since, its end is that one's to tell (T7)
 * @param lastSeq the journal's last event, where the end itself has added some: the one before them
 */
export function* endAttempt({ turn, step, attempt }: AttemptKey, epoch: number, end: AttemptEnd, lastSeq?: number): Work<void> {
  yield* run(
    `UPDATE attempts SET ended_at = ?, outcome = ?, code = ?, detail = ?, message = ?, wait_ms = ?, usage = ?,
       spent_tokens = ?, cost = ?, facts = ?, last_seq = coalesce(?, (SELECT next_seq - 1 FROM journal_head WHERE journal_head.turn = attempts.turn))
     WHERE turn = ? AND step = ? AND attempt = ? AND coalesce(epoch, 0) <= ? AND ended_at IS NULL`,
    end.endedAtMs,
    end.outcome,
    end.code ?? null,
    end.detail ?? null,
    end.message ?? null,
    end.waitMs ?? null,
    end.usage === undefined ? null : JSON.stringify(end.usage),
    end.spent?.outputTokens ?? null,
    end.spent?.costUsd ?? null,
    end.facts === undefined ? null : JSON.stringify(end.facts),
    lastSeq ?? null,
    turn,
    step,
    attempt,
    epoch,
  );
  yield* writeRecording(turn, end.recording);
}

export function* readAttempts(turn: string): Work<AttemptRow[]> {
  return (yield* all('SELECT * FROM attempts WHERE turn = ? ORDER BY step, attempt', turn)).map(
    (row) =>
      ({
        turn,
        step: row['step'],
        attempt: row['attempt'],
        requestedAtMs: row['requested_at'],
        ...present('firstEventAtMs', row['first_event_at']),
        ...present('endedAtMs', row['ended_at']),
        ...present('outcome', row['outcome']),
        ...present('code', row['code']),
        ...present('detail', row['detail']),
        ...present('message', row['message']),
        ...present('waitMs', row['wait_ms']),
        ...present('providerRequestId', row['provider_request_id']),
        ...present('holder', row['holder']),
        ...present('epoch', row['epoch']),
        ...present('runId', row['run_id']),
        ...present('lastSeq', row['last_seq']),
        ...(row['facts'] === null ? {} : { facts: parsed<AttemptFacts>(row['facts']) }),
        ...(row['response_id'] === null ? {} : { keptResponse: { id: row['response_id'], after: row['response_after'] } }),
        ...(row['reattached'] === null ? {} : { reattachments: parsed<Reattachment[]>(row['reattached']) }),
        ...(row['usage'] === null ? {} : { usage: parsed<Usage>(row['usage']) }),
        ...(row['spent_tokens'] === null ? {} : { spent: { outputTokens: row['spent_tokens'], costUsd: row['cost'] } }),
      }) as AttemptRow,
  );
}

function present(key: string, value: Row[string] | undefined): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}
