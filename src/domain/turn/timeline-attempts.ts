/** Requests to the model in the report of a turn: how far each came, why it broke, and why another one followed or not. Pure. */
import { type AttemptRow, isLost } from './attempt.ts';
import { requestsPerStep, type RetryReason, retryingReasons } from './retry-policy.ts';
import { withCost } from './spent.ts';
import { iso } from './timeline-text.ts';
import { seenAtBreak } from './timeline-viewers.ts';
import type { TurnRow } from './turn.ts';
import type { ViewerRow } from './viewer.ts';

/** `requested`: all that is known is that it was booked; the process that ran it has told nothing more. */
export const attemptPhases = ['requested', 'connecting', 'sent', 'headers', 'started', 'finished'] as const;

export interface AttemptContext {
  readonly turn: TurnRow;
  /** Of the turn, in the order in which they were booked. */
  readonly attempts: readonly AttemptRow[];
  readonly viewers: readonly ViewerRow[];
}

export function attemptReport(attempt: AttemptRow, context: AttemptContext): object {
  const { code, detail, message, waitMs, providerRequestId, firstEventAtMs, endedAtMs, holder, epoch, runId, lastSeq } = attempt;
  const { keptResponse, reattachments, usage, facts = {} } = attempt;
  const retry = retryReport(attempt, context);
  const isBreak = isLost(attempt) && endedAtMs !== undefined && lastSeq !== undefined && context.viewers.length > 0;
  return {
    attempt: attempt.attempt,
    requested_at: iso(attempt.requestedAtMs),
    ...time('sent_at', facts.sentAtMs),
    ...time('headers_at', facts.headersAtMs),
    ...time('first_event_at', firstEventAtMs),
    ...time('finished_at', facts.finishedAtMs),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    phase: phaseOf(attempt),
    outcome: attempt.outcome ?? 'running',
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...(message === undefined ? {} : { message }),
    ...(facts.causes === undefined ? {} : { causes: facts.causes }),
    ...(waitMs === undefined ? {} : { wait_ms: waitMs }),
    ...(retry === undefined ? {} : { retry }),
    ...(usage === undefined ? {} : { usage: withCost(context.turn, usage) }),
    ...(providerRequestId === undefined ? {} : { provider_request_id: providerRequestId }),
    ...(keptResponse === undefined ? {} : { provider_response_id: keptResponse.id }),
    ...(reattachments === undefined ? {} : { reattached: reattachments.map(({ atMs, ...rest }) => ({ at: iso(atMs), ...rest })) }),
    ...(holder === undefined ? {} : { worker: holder }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(runId === undefined ? {} : { run_id: runId }),
    ...(lastSeq === undefined ? {} : { last_event: lastSeq }),
    ...(isBreak ? { viewers: seenAtBreak(context.viewers, { atMs: endedAtMs, lastSeq }) } : {}),
  };
}

function time(name: string, ms: number | undefined): object {
  return ms === undefined ? {} : { [name]: iso(ms) };
}

function phaseOf({ outcome, firstEventAtMs, facts }: AttemptRow): (typeof attemptPhases)[number] {
  if (facts?.finishedAtMs !== undefined || outcome === 'completed') return 'finished';
  if (firstEventAtMs !== undefined) return 'started';
  if (facts?.headersAtMs !== undefined) return 'headers';
  if (facts?.sentAtMs !== undefined) return 'sent';
  return facts === undefined ? 'requested' : 'connecting';
}

const retrying: ReadonlySet<string> = new Set(retryingReasons);

/** Of an attempt that failed. What was decided may not have come about: the turn may have ended in the wait. */
function retryReport(attempt: AttemptRow, { turn, attempts }: AttemptContext): object | undefined {
  if (!isLost(attempt)) return undefined;
  const decided = attempt.facts?.retry ?? reasonOfLost(attempt);
  if (decided === undefined) return undefined;
  const next = attempts.find(({ step, attempt: number }) =>
    decided === 'compaction' ? step === attempt.step + 1 : step === attempt.step && number === attempt.attempt + 1,
  );
  const isDue = retrying.has(decided) || decided === 'worker_lost';
  const ended = isDue && next === undefined && turn.settledAtMs !== null;
  return {
    asked_again: isDue && !ended,
    reason: ended ? (turn.status === 'cancelled' ? 'cancelled' : 'turn_over') : decided,
    ...(askers[decided] === undefined ? {} : { asked_by: askers[decided] }),
    ...(attempt.waitMs === undefined ? {} : { wait_ms: attempt.waitMs }),
    requests_left: Math.max(0, requestsPerStep - attempt.attempt),
  };
}

/** Who asked for the wait. */
const askers: { readonly [Reason in RetryReason | 'worker_lost']?: 'turnkeep' | 'provider' } = {
  retry_delay: 'turnkeep',
  retry_after: 'provider',
  hand_over: 'turnkeep',
};

/** Of an attempt whose process was lost, and could not say. */
function reasonOfLost({ outcome, firstEventAtMs, attempt }: AttemptRow): RetryReason | 'worker_lost' | undefined {
  if (outcome !== 'lost') return undefined;
  if (firstEventAtMs !== undefined) return 'started';
  return attempt >= requestsPerStep ? 'requests_spent' : 'worker_lost';
}
