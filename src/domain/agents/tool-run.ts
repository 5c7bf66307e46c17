/**
 * The runs of a call of a worker's tool: a tool with several `attempts` is run again where the process that ran it was lost.
 * A run that was begun and not ended is lost once another one begins, or once the call ends without it. Pure.
 */
import type { ToolCallOutcome } from './tool-call.ts';

/** One run. Times are milliseconds since the epoch. */
export interface ToolRun {
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  /** `lost`: the process that ran it is gone, and nobody knows what it did. Absent while it runs. */
  readonly outcome?: Exclude<ToolCallOutcome, 'unknown'> | 'lost';
  /** The process. */
  readonly holder?: string;
}

/** The runs with one that begins now. */
export function withRun(runs: readonly ToolRun[], { atMs, holder }: { readonly atMs: number; readonly holder: string | null }): ToolRun[] {
  return [...withoutOpenRun(runs, atMs, 'lost'), { startedAtMs: atMs, ...(holder === null ? {} : { holder }) }];
}

/** The runs of a call that ends now. */
export function withEnd(
  runs: readonly ToolRun[],
  { atMs, outcome }: { readonly atMs: number; readonly outcome: ToolCallOutcome },
): ToolRun[] {
  return withoutOpenRun(runs, atMs, outcome === 'unknown' ? 'lost' : outcome);
}

function withoutOpenRun(runs: readonly ToolRun[], endedAtMs: number, outcome: NonNullable<ToolRun['outcome']>): ToolRun[] {
  return runs.map((run) => (run.endedAtMs === undefined ? { ...run, endedAtMs, outcome } : run));
}
