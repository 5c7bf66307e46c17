/** `GET /turns/{id}`: what happened in a turn, attempt by attempt. Times in ISO 8601. */
import type { AttemptRow } from './attempt.ts';
import { sumOf, unknownUsage, type Usage } from './response.ts';
import type { TurnRow } from './turn.ts';

export function timelineOf(turn: TurnRow, attempts: readonly AttemptRow[]): object {
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
    // A failed turn has no other usage than that of its attempts.
    usage: turn.status === 'failed' ? null : turn.usage,
    lostUsage: lostUsageOf(attempts),
    ...(turn.retryAtMs === null ? {} : { retryAt: iso(turn.retryAtMs) }),
  };
}

/** What the attempts that failed cost, all in all; null when the provider did not say of one of them: unknown, not zero. */
function lostUsageOf(attempts: readonly AttemptRow[]): Usage | null {
  const lost = attempts.filter(({ outcome }) => outcome === 'failed' || outcome === 'lost').map(({ usage }) => usage);
  return lost.reduce<Usage | null>((sum, usage) => (sum === null || usage === undefined ? null : sumOf(sum, usage)), unknownUsage);
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
