/** `turnkeep replay`: the workflow code of this version over the histories of turns, of files, or of all that runs. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readConfig } from '../../config/read-config.ts';
import { userCacheFolder } from '../../config/user-cache.ts';
import { replay, type ReplayRequest } from '../../history/replay/replay.ts';
import type { ReplayReport } from '../../history/replay/replay-histories.ts';
import { replayBundles } from '../../roles/replay-bundle.ts';
import { printable } from '../chat/screen.ts';
import { filesOf } from '../export/files.ts';
import { given } from '../lists/run.ts';
import { Progress } from '../progress.ts';
import { StartError } from '../start-error.ts';
import type { ReplayFlags } from './command.ts';
import { saveRunning } from './running.ts';

/** @throws {StartError} when nothing is named, or there is no such module; {GatewayError}, {ConfigError} as their names say */
export async function replayTurns(targets: readonly string[], flags: ReplayFlags): Promise<void> {
  const { running, workflows, json } = flags;
  if (targets.length === 0 && running !== true)
    throw new StartError('nothing is named: turnkeep replay TURN|FILE|DIRECTORY…, or --running.');
  if (targets.length > 0 && running === true) throw new StartError('--running names all that runs: leave the others out.');
  const workflowsPath = workflows === undefined ? undefined : resolve(workflows);
  if (workflowsPath !== undefined && !existsSync(workflowsPath)) throw new StartError(`--workflows: there is no ${workflowsPath}.`);
  const config = readConfig({ env: process.env, flags: given({ 'data-dir': flags.dataDir }) });
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-histories-'));
  try {
    const { files, missing } =
      running === true
        ? await saveRunning(config, folder, workflowsPath !== undefined)
        : { files: await filesOf(targets, flags, folder), missing: [] };
    const progress = new Progress('replayed', files.length);
    const onReplayed = (): void => progress.step();
    const bundles = (path: string | undefined) => replayBundles({ config, workflowsPath: path, cacheFolder: userCacheFolder(process.env) });
    const own = await replay({ files, ...bundles(workflowsPath), onReplayed });
    const reports = [...missing, ...(workflowsPath === undefined ? own : await withOurs(own, bundles(undefined)))];
    progress.end();
    for (const report of reports) print(report, json === true);
    const count = (outcome: ReplayReport['outcome']): number => reports.filter((report) => report.outcome === outcome).length;
    const [same, diverged, unseen] = [count('same'), count('diverged'), count('not_replayed')];
    if (json !== true) process.stdout.write(`${summaryOf(same, diverged, unseen)}\n`);
    process.exitCode = diverged > 0 ? 1 : unseen > 0 ? 2 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the code of somebody's own does not export is ours, where it is anybody's: his worker need not have it. */
async function withOurs(
  reports: readonly ReplayReport[],
  bundles: Pick<ReplayRequest, 'plain' | 'traced'>,
): Promise<readonly ReplayReport[]> {
  const files = [...new Set(reports.filter((report) => report.is_unknown_type).map(({ file }) => file))];
  if (files.length === 0) return reports;
  const ours = new Map((await replay({ files, ...bundles })).map((report) => [`${report.file} ${report.run_id}`, report]));
  return reports.map((report) => {
    const other = report.is_unknown_type ? ours.get(`${report.file} ${report.run_id}`) : undefined;
    return other === undefined || other.is_unknown_type ? report : other;
  });
}

function summaryOf(same: number, diverged: number, unseen: number): string {
  if (same + diverged + unseen === 0) return 'nothing runs: there is nothing to replay';
  return [
    `${same} ${same === 1 ? 'run is' : 'runs are'} the same`,
    ...(diverged === 0 ? [] : [`${diverged} diverged`]),
    ...(unseen === 0 ? [] : [`${unseen} could not be replayed`]),
  ].join(', ');
}

function print(report: ReplayReport, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const { id, outcome, reason, divergence: found, workflow_type: type, run_id: runId } = report;
  if (outcome === 'same') return;
  const lines = [`${id}${outcome === 'diverged' ? ' diverges' : ` was not replayed: ${reason ?? ''}`}`];
  if (found !== undefined) {
    lines.push(
      `  workflow  ${type ?? ''}, run ${runId ?? ''}`,
      `  event     ${found.event === null ? 'none: the history ends before' : `${found.event.id} ${found.event.type}`}`,
      `  line      ${found.line === null ? 'unknown' : `${found.place === 'behind' ? 'behind ' : ''}${found.line}`}`,
      `  expected  ${found.expected}`,
      `  found     ${found.found}`,
      `  change    ${found.change}`,
      `  Temporal  ${found.message.split('\n', 1)[0]}`,
    );
  }
  process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
}
