/** `turnkeep replay`: the workflow code of this version over the histories of turns, of files, or of all that runs. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readConfig } from '../../config/read-config.ts';
import { userCacheFolder } from '../../config/user-cache.ts';
import { BundleError } from '../../history/bundle.ts';
import { historyFilesOf } from '../../history/replay/history-files.ts';
import { replay, type ReplayRequest } from '../../history/replay/replay.ts';
import type { ReplayReport } from '../../history/replay/replay-histories.ts';
import { replayBundles } from '../../roles/replay-bundle.ts';
import { printable } from '../chat/screen.ts';
import { openGateway, withGatewayErrors } from '../gateway/open.ts';
import { given } from '../lists/run.ts';
import { Progress } from '../progress.ts';
import { StartError } from '../start-error.ts';
import type { ReplayFlags } from './command.ts';
import { type RunningHistories, saveRunning } from './running.ts';

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
      running === true ? await saveRunning(config, folder, workflowsPath !== undefined) : await filesOf(targets, flags, folder);
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

/** What is there as a file or directory is that; all else is the id of a turn, which the gateway exports. */
async function filesOf(targets: readonly string[], flags: ReplayFlags, folder: string): Promise<RunningHistories> {
  const files: string[] = [];
  for (const target of targets) {
    if (existsSync(target) || /[/\\]|\.json$/.test(target)) {
      files.push(...filesAt(target));
      continue;
    }
    const client = openGateway(given({ url: flags.url, apiKey: flags.apiKey, dataDir: flags.dataDir }));
    const file = join(folder, `${files.length}.turn.json`);
    await withGatewayErrors(client, async () =>
      writeFile(file, client.bytes(`/turns/${encodeURIComponent(target)}/export`), { mode: 0o600 }),
    );
    files.push(file);
  }
  return { files, missing: [] };
}

function filesAt(path: string): readonly string[] {
  try {
    return historyFilesOf(path);
  } catch (error) {
    throw error instanceof BundleError ? new StartError(error.message, { cause: error }) : error;
  }
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
