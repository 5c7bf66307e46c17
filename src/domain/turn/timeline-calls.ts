/** Calls of workers' tools in the report of a turn. Pure. */
import type { ToolCallRow } from '../agents/tool-call.ts';
import type { ToolRun } from '../agents/tool-run.ts';
import { type AskedApproval, approvalReport } from './timeline-approvals.ts';
import { iso, preview } from './timeline-text.ts';

/** The beginning of what a call came to. */
export interface ResultPreview {
  readonly text: string;
  /** Of all of it. */
  readonly totalBytes: number;
}

export interface CallFacts {
  /** The public id of the turn that makes it. */
  readonly of: string;
  /** The turn that carries it out, where an agent was called. */
  readonly child: string | undefined;
  readonly result: ResultPreview | undefined;
  readonly approvals: readonly AskedApproval[];
}

export function callReport(call: ToolCallRow, { of, child, result, approvals }: CallFacts): object {
  const { number, name, serverLabel, origin, runs, attempts = [], startedAtMs, endedAtMs, outcome, progress, usage } = call;
  return {
    name,
    server_label: serverLabel,
    call_id: origin.call_id,
    arguments: preview(call.arguments),
    ...(call.approvalRequestId === undefined ? {} : { approval: approvalReport(call.approvalRequestId, approvals) }),
    runs,
    started_at: startedAtMs === undefined ? null : iso(startedAtMs),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    outcome: outcome ?? (runs === 0 ? 'waiting' : 'running'),
    attempts: attempts.map(runReport),
    ...(outcome === undefined || outcome === 'cut_off' ? {} : { result: `/turns/${of}/calls/${number}` }),
    ...(result === undefined ? {} : { result_preview: result.text, result_bytes: result.totalBytes }),
    ...(progress === undefined ? {} : { progress }),
    ...(child === undefined ? {} : { turn: child }),
    ...(usage === undefined ? {} : { usage }),
  };
}

function runReport({ startedAtMs, endedAtMs, outcome, holder }: ToolRun, index: number): object {
  return {
    attempt: index + 1,
    started_at: iso(startedAtMs),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    outcome: outcome ?? 'running',
    ...(holder === undefined ? {} : { worker: holder }),
  };
}
