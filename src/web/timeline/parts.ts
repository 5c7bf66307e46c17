/** The report of a turn as bars on one scale. Pure. */
import type { Attempt, Step, ToolCall, TurnReport } from '../api/types.ts';

export interface Part {
  readonly key: string;
  readonly kind: 'queue' | 'request' | 'wait' | 'tool';
  readonly label: string;
  /** In ms since the turn was taken in. */
  readonly fromMs: number;
  /** Of one that goes on: now. */
  readonly untilMs: number;
  /** Of a request: when its first event came. */
  readonly firstEventMs?: number | undefined;
  readonly outcome: string;
  readonly attempt?: Attempt;
  readonly call?: ToolCall;
}

export interface Timeline {
  readonly parts: readonly Part[];
  readonly totalMs: number;
}

/** Shorter waits for a worker are none. */
const shortestQueueMs = 20;

/** @param nowMs the moment up to which a turn that goes on is drawn */
export function timelineOf(report: TurnReport, nowMs: number): Timeline {
  const start = Date.parse(report.created_at);
  const end = report.settled_at === null ? nowMs : Date.parse(report.settled_at);
  const at = (iso: string | null | undefined): number => (iso == null ? end : Date.parse(iso)) - start;
  const parts = report.steps.flatMap((step, index) => (step.kind === 'tools' ? callsOf(step, index, at) : requestsOf(step, index, at)));
  const firstMs = Math.min(...parts.map(({ fromMs }) => fromMs), at(report.settled_at));
  const queue: readonly Part[] =
    firstMs < shortestQueueMs
      ? []
      : [{ key: 'queue', kind: 'queue', label: 'accepted, waits', fromMs: 0, untilMs: firstMs, outcome: 'waiting' }];
  const all = [...queue, ...parts];
  return { parts: all, totalMs: Math.max(1, at(report.settled_at), ...all.map(({ untilMs }) => untilMs)) };
}

type Clock = (iso: string | null | undefined) => number;

function requestsOf(step: Exclude<Step, { readonly kind: 'tools' }>, index: number, at: Clock): readonly Part[] {
  const name = step.kind === 'compaction' ? 'compaction' : 'model';
  return step.attempts.flatMap((attempt): readonly Part[] => {
    const { attempt: number, requested_at: from, first_event_at: first, ended_at: until, outcome, wait_ms: waitMs } = attempt;
    const request: Part = {
      key: `${index} request ${number}`,
      kind: 'request',
      label: step.attempts.length === 1 ? name : `${name}, request ${number}`,
      fromMs: at(from),
      untilMs: at(until),
      firstEventMs: first === undefined ? undefined : at(first),
      outcome,
      attempt,
    };
    if (waitMs === undefined || until === null) return [request];
    // The next request, or the turn's end, may have come before the wait was over.
    const next = step.attempts.find((other) => other.attempt === number + 1)?.requested_at;
    const waited = next === undefined ? Math.min(at(until) + waitMs, at(null)) : at(next);
    return [
      request,
      { key: `${index} wait ${number}`, kind: 'wait', label: 'waits', fromMs: at(until), untilMs: waited, outcome: 'waiting', attempt },
    ];
  });
}

function callsOf(step: Extract<Step, { readonly kind: 'tools' }>, index: number, at: Clock): readonly Part[] {
  return step.calls.flatMap((call, number): readonly Part[] => {
    const { started_at: from, ended_at: until, outcome, name, server_label: server } = call;
    const label = server === 'turnkeep' ? name : `${server}: ${name}`;
    const fromMs = from === null ? at(until) : at(from);
    return [{ key: `${index} call ${number}`, kind: 'tool', label, fromMs, untilMs: from === null ? fromMs : at(until), outcome, call }];
  });
}
