/** What is left behind a load: a turn that its viewer has seen to the end may still be open in Temporal. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from './clock.ts';
import type { Deployment, Rig } from './rig.ts';

export interface Backlog {
  /** Workflows that Temporal has not closed. */
  readonly open: number;
  /** Turns that have no end in turnkeep's own database. */
  readonly unsettled: number;
}

const lookEveryMs = 50;

export async function backlogOf(rig: Rig, { taskQueue, url }: Deployment): Promise<Backlog> {
  const [open, metrics] = await Promise.all([rig.openWorkflows(taskQueue), fetch(`${url}/metrics`).then((answer) => answer.text())]);
  const values = Array.from(metrics.matchAll(/^turnkeep_(?:running|waiting)_turns (\S+)$/gm), ([, value]) => Number(value));
  return { open, unsettled: values.reduce((sum, value) => sum + value, 0) };
}

/** Resolves with the time it took, ms, once Temporal has closed every workflow: seen twice, for what it tells may lag. */
export async function untilClosed(rig: Rig, taskQueue: string): Promise<number> {
  const startedAtMs = clockMs();
  let closedAtMs: number | undefined;
  for (;;) {
    const open = await rig.openWorkflows(taskQueue);
    if (open > 0) closedAtMs = undefined;
    else if (closedAtMs === undefined) closedAtMs = clockMs();
    else return closedAtMs - startedAtMs;
    await sleep(lookEveryMs);
  }
}
