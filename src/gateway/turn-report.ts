/** `GET /turns/{id}`: what happened in a turn, attempt by attempt. Times in ISO 8601. */
import type { AttemptRow, TurnRow } from '../client/turnkeep.ts';

export function turnReport(turn: TurnRow, attempts: readonly AttemptRow[]): object {
  const steps = new Map<number, AttemptRow[]>();
  for (const attempt of attempts) steps.set(attempt.step, [...(steps.get(attempt.step) ?? []), attempt]);
  return {
    id: turn.id,
    session: turn.session,
    status: turn.status,
    error: turn.errorCode === null ? null : { code: turn.errorCode },
    workflowId: turn.workflowId,
    runId: turn.runId,
    createdAt: iso(turn.createdAtMs),
    settledAt: turn.settledAtMs === null ? null : iso(turn.settledAtMs),
    steps: [...steps.values()].map((of) => ({
      kind: 'model',
      started: of.some((attempt) => attempt.firstEventAtMs !== undefined),
      attempts: of.map(attemptReport),
    })),
    usage: turn.usage,
    // What failed attempts cost is not reported by providers: unknown, not zero.
    lostUsage: attempts.some(({ outcome }) => outcome !== undefined && outcome !== 'completed' && outcome !== 'incomplete') ? null : 0,
    ...(turn.retryAtMs === null ? {} : { retryAt: iso(turn.retryAtMs) }),
  };
}

function attemptReport(attempt: AttemptRow): object {
  const { code, detail, waitMs, providerRequestId, firstEventAtMs, endedAtMs } = attempt;
  return {
    attempt: attempt.attempt,
    requestedAt: iso(attempt.requestedAtMs),
    ...(firstEventAtMs === undefined ? {} : { firstEventAt: iso(firstEventAtMs) }),
    ...(endedAtMs === undefined ? {} : { endedAt: iso(endedAtMs) }),
    outcome: attempt.outcome ?? 'running',
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(providerRequestId === undefined ? {} : { providerRequestId }),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
