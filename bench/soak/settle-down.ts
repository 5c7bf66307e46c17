/** What must come by itself once no turn arrives any more: every turn has its end, every workflow is closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowClient } from '@temporalio/client';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { join } from 'node:path';
import { clockMs } from '../support/clock.ts';
import type { SoakProcesses } from './processes.ts';

export interface Quiet {
  readonly tookMs: number;
  /** What was left, in words. */
  readonly state: string;
  readonly problems: readonly string[];
}

const limitMs = 180_000;
const lookEveryMs = 500;

export interface SettleDownDeps {
  readonly processes: SoakProcesses;
  readonly workflow: WorkflowClient;
  /** Resolves when each client has seen its turn's end. */
  readonly left: Promise<unknown>;
  readonly isEnded: () => boolean;
}

export async function settleDown({ processes, workflow, left, isEnded }: SettleDownDeps): Promise<Quiet> {
  const startedAtMs = clockMs();
  const store = openSqliteStore(join(processes.dataDir, 'turnkeep.db'));
  const count = async (status: string): Promise<number> =>
    (await workflow.count(`TaskQueue = '${processes.taskQueue}' AND ExecutionStatus = '${status}'`)).count;
  try {
    for (;;) {
      // Temporal may have been killed a moment ago, and the database be busy.
      const [open, failed, unsettled] = await Promise.all(
        [count('Running'), count('Failed'), store.counts().then(({ running, waiting }) => running + waiting)].map((counted) =>
          counted.catch(() => Number.NaN),
        ),
      );
      const tookMs = clockMs() - startedAtMs;
      const state = `${open} workflows open, ${unsettled} turns unsettled`;
      if (open === 0 && unsettled === 0 && !Number.isNaN(failed) && isEnded()) {
        await left;
        return { tookMs, state, problems: failed === 0 ? [] : [`${failed} workflows failed`] };
      }
      if (tookMs > limitMs) {
        return {
          tookMs,
          state,
          problems: [`not quiet after ${limitMs / 1_000} s: ${state}, clients ${isEnded() ? '' : 'not '}at their ends`],
        };
      }
      await sleep(lookEveryMs);
    }
  } finally {
    await store.close();
  }
}
