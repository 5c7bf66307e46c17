/** T10: the histories of turns that were disturbed, run again by the workflow code of today. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { testCache } from '../support/temporal-server.ts';
import type { OperationLog } from './record.ts';

interface ReplayReport {
  readonly id: string;
  readonly outcome: 'same' | 'diverged' | 'not_replayed';
  readonly reason?: string;
  readonly divergence?: object;
}

/** Of these turns; those without a run, which had their ends while Temporal was away, have nothing to be replayed. */
export async function replayTurns(url: string, ids: readonly string[], log: OperationLog): Promise<void> {
  if (ids.length === 0) return;
  const command = [join(import.meta.dirname, '../../bin/turnkeep.js'), 'replay', '--json', '--url', `${url}/v1`, ...ids];
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...testCache };
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  const reports: ReplayReport[] = [];
  for await (const line of createInterface({ input: child.stdout })) reports.push(JSON.parse(line) as ReplayReport);
  await closed;
  const count = (outcome: ReplayReport['outcome']): number => reports.filter((report) => report.outcome === outcome).length;
  log.add({
    op: 'replayed',
    same: count('same'),
    unseen: count('not_replayed'),
    diverged: reports.flatMap(({ id, outcome, divergence }) => (outcome === 'diverged' ? [`${id}: ${JSON.stringify(divergence)}`] : [])),
  });
}
