import type { AttemptEnd, AttemptKey, AttemptRow } from '../../../src/domain/turn/attempt.ts';
import type { Away } from '../../../src/domain/turn/breaker.ts';
import type { ClaimFacts } from '../../../src/domain/turn/claim.ts';
import { mostReattachments, type Reattachment } from '../../../src/domain/turn/kept-response.ts';
import type { RecordingPart } from '../../../src/domain/turn/recording.ts';
import type { Append } from '../../../src/store/ports/journal.ts';
import type { StoredTurn } from './database.ts';
import { keptOf } from './kept-attempt.ts';
import { leaseLeftMs } from './leases.ts';
import { roundOf } from './tool-call-rows.ts';

/** All at once, as one round trip to a server would bring them. */
export function claimFacts(turn: StoredTurn, step: number, away: Away | undefined): ClaimFacts {
  const ofStep = turn.attempts.filter((attempt) => attempt.step === step);
  const head = turn.journal?.step ?? 1;
  const last = ofStep.at(-1);
  const dueAtMs = last?.endedAtMs === undefined || last.waitMs === undefined ? undefined : last.endedAtMs + last.waitMs;
  return {
    turn: turn.row,
    leaseLeftMs: leaseLeftMs(turn),
    kept: keptOf(turn, step),
    isOver: ofStep.some(({ outcome }) => outcome === 'completed') || head > step,
    isAhead: head < step,
    round: roundOf(turn, step),
    hasStarted: ofStep.some(({ firstEventAtMs }) => firstEventAtMs !== undefined),
    requestsMade: ofStep.length,
    waitLeftMs: dueAtMs === undefined ? 0 : dueAtMs - Date.now(),
    away,
  };
}

export function updateAttempt(turn: StoredTurn, key: AttemptKey, fields: Partial<AttemptRow>): void {
  turn.attempts = turn.attempts.map((attempt) => (isOpen(attempt) && isAttempt(attempt, key) ? { ...attempt, ...fields } : attempt));
}

export function noteReattachment(turn: StoredTurn, key: AttemptKey, reattachment: Reattachment): void {
  const known = turn.attempts.find((attempt) => isAttempt(attempt, key))?.reattachments ?? [];
  updateAttempt(turn, key, { reattachments: [...known, reattachment].slice(0, mostReattachments) });
}

export function bookAttempt(
  turn: StoredTurn,
  key: AttemptKey,
  { epoch, holder, runId }: { readonly epoch: number; readonly holder: string; readonly runId?: string | undefined },
): void {
  const run = runId === undefined ? {} : { runId };
  turn.attempts = [...turn.attempts, { ...key, requestedAtMs: Date.now(), epoch, holder, ...run }];
}

export function startAttempt(turn: StoredTurn, { providerRequestId, ...key }: NonNullable<Append['starts']>): void {
  const start = { firstEventAtMs: Date.now(), ...(providerRequestId === undefined ? {} : { providerRequestId }) };
  turn.attempts = turn.attempts.map((attempt) => (isAttempt(attempt, key) ? { ...attempt, ...start } : attempt));
}

/** One that has an end keeps it, and of one that another process has taken over that one tells it. */
export function endAttempt(
  turn: StoredTurn,
  key: AttemptKey,
  epoch: number,
  { recording, ...end }: AttemptEnd,
  lastSeq = lastSeqOf(turn),
): void {
  writeRecording(turn, recording);
  turn.attempts = turn.attempts.map((attempt) =>
    isOpen(attempt) && isAttempt(attempt, key) && (attempt.epoch ?? 0) <= epoch ? { ...attempt, ...end, lastSeq } : attempt,
  );
}

export function lastSeqOf({ journal }: StoredTurn): number {
  return (journal?.rows.length ?? 0) - 1;
}

/** Books those of the turn, or of one step of it, that have no end as lost; returns how many there were. */
export function loseOpenAttempts(turn: StoredTurn, { step, lastSeq }: { step?: number; lastSeq?: number } = {}): number {
  const lost = turn.attempts.filter((attempt) => isOpen(attempt) && (step === undefined || attempt.step === step));
  const end: AttemptEnd = { endedAtMs: Date.now(), outcome: 'lost' };
  for (const attempt of lost) endAttempt(turn, attempt, Number.POSITIVE_INFINITY, end, lastSeq);
  return lost.length;
}

/** One that is written again changes nothing. */
export function writeRecording(turn: StoredTurn, parts: readonly RecordingPart[] = []): void {
  const { journal } = turn;
  if (journal === undefined || parts.length === 0) return;
  const known = journal.recording ?? [];
  const added = parts.filter(({ epoch, part }) => !known.some((each) => each.epoch === epoch && each.part === part));
  turn.journal = { ...journal, recording: [...known, ...added] };
}

function isOpen({ endedAtMs }: AttemptRow): boolean {
  return endedAtMs === undefined;
}

function isAttempt({ step, attempt }: AttemptRow, key: AttemptKey): boolean {
  return step === key.step && attempt === key.attempt;
}
