/** All that happened in a turn as one list, in the order of time. Pure. */
import { isWorkers } from '../item.ts';
import type { AttemptRow } from './attempt.ts';
import type { TimelineFacts } from './timeline.ts';
import { iso } from './timeline-text.ts';

export const turnMoments = [
  'accepted',
  'ready',
  'requested',
  'taken_over',
  'sent',
  'headers',
  'first_event',
  'finished',
  'read_on',
  'attempt_ended',
  'tool_begun',
  'tool_ended',
  'approval_asked',
  'approval_answered',
  'cancel_requested',
  'viewer_joined',
  'viewer_left',
  'settled',
] as const;

interface Moment {
  readonly atMs: number | null | undefined;
  /** Its place in the list, where that is not its time: a turn's moments are told by two clocks, and have an order of their own. */
  readonly placeMs?: number;
  readonly type: (typeof turnMoments)[number];
  readonly [fact: string]: unknown;
}

type PlacedMoment = Moment & { readonly placeMs: number };

export function timelineEvents(facts: TimelineFacts): readonly object[] {
  const { turn, attempts, toolCalls, viewers = [], approvals = [], response } = facts;
  const asked = (response?.output ?? []).filter((item) => item.type === 'mcp_approval_request' && isWorkers(item));
  const ofRequests = oneAfterTheOther([
    { atMs: turn.createdAtMs, type: 'accepted' },
    { atMs: turn.readyAtMs, type: 'ready' },
    ...attempts.flatMap((attempt, index) => momentsOf(attempt, attempts[index - 1])),
  ]);
  const lastOfThem = Math.max(...ofRequests.map(({ placeMs }) => placeMs), turn.settledAtMs ?? 0);
  const moments: readonly Moment[] = [
    ...ofRequests,
    ...toolCalls.flatMap(({ name, number, step, attempts: runs = [] }) =>
      runs.flatMap(({ startedAtMs, endedAtMs, outcome, holder: worker }, index) => {
        const call = { step, call: number, name, run: index + 1 };
        return [
          { atMs: startedAtMs, type: 'tool_begun', ...call, ...(worker === undefined ? {} : { worker }) } as const,
          { atMs: endedAtMs, type: 'tool_ended', ...call, outcome } as const,
        ];
      }),
    ),
    ...asked.map(({ id }) => ({ atMs: turn.settledAtMs, type: 'approval_asked', id }) as const),
    ...approvals.map(
      ({ id, answer }) => ({ atMs: answer?.atMs, type: 'approval_answered', id, approved: answer?.isApproved, by: answer?.by }) as const,
    ),
    { atMs: turn.cancelRequestedAtMs, type: 'cancel_requested' },
    ...viewers.flatMap(({ openedAtMs, closedAtMs, protocol, fromSeq, lastSeq, end }, index) => [
      { atMs: openedAtMs, type: 'viewer_joined', viewer: index + 1, protocol, from_event: fromSeq } as const,
      { atMs: closedAtMs, type: 'viewer_left', viewer: index + 1, last_event: lastSeq, end } as const,
    ]),
    { atMs: turn.settledAtMs, placeMs: lastOfThem, type: 'settled', status: turn.status, code: turn.errorCode ?? undefined },
  ];
  return moments
    .filter((moment): moment is Moment & { readonly atMs: number } => typeof moment.atMs === 'number')
    .toSorted((one, other) => (one.placeMs ?? one.atMs) - (other.placeMs ?? other.atMs))
    .map(({ atMs, placeMs: _placeMs, ...moment }) => ({ at: iso(atMs), ...moment }));
}

function momentsOf(attempt: AttemptRow, before: AttemptRow | undefined): Moment[] {
  const { step, attempt: number, requestedAtMs, facts = {}, firstEventAtMs, endedAtMs, holder: worker, epoch } = attempt;
  const key = { step, attempt: number };
  const isTakenOver = before !== undefined && worker !== undefined && before.holder !== worker;
  return [
    ...(isTakenOver ? [{ atMs: requestedAtMs, type: 'taken_over', ...key, worker, epoch } as const] : []),
    { atMs: requestedAtMs, type: 'requested', ...key },
    { atMs: facts.sentAtMs, type: 'sent', ...key },
    { atMs: facts.headersAtMs, type: 'headers', ...key },
    { atMs: firstEventAtMs, type: 'first_event', ...key },
    ...(attempt.reattachments ?? []).map(({ atMs, reason }) => ({ atMs, type: 'read_on', ...key, reason }) as const),
    { atMs: facts.finishedAtMs, type: 'finished', ...key },
    { atMs: endedAtMs, type: 'attempt_ended', ...key, outcome: attempt.outcome, code: attempt.code, wait_ms: attempt.waitMs },
  ];
}

/** None before the one in front of it: some are of the database's clock, some of the worker's. */
function oneAfterTheOther(moments: readonly Moment[]): PlacedMoment[] {
  let placeMs = Number.NEGATIVE_INFINITY;
  return moments.map((moment) => {
    placeMs = Math.max(placeMs, moment.atMs ?? placeMs);
    return { ...moment, placeMs };
  });
}
