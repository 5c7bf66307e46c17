/** `turnkeep rerun`: turns again, from their recordings. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileReport, rerunFiles } from '../../history/rerun/rerun-files.ts';
import { printable } from '../chat/screen.ts';
import { filesOf } from '../export/files.ts';
import { Progress } from '../progress.ts';
import type { RerunFlags } from './command.ts';

/** @throws {StartError} where there is no such file; {GatewayError}, {ConfigError} as their names say */
export async function rerunTurns(targets: readonly string[], flags: RerunFlags): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-recorded-'));
  try {
    const files = await filesOf(targets, flags, folder);
    const progress = new Progress('run again', files.length);
    const reports = await rerunFiles(files, () => progress.step());
    progress.end();
    for (const report of reports) process.stdout.write(flags.json === true ? `${JSON.stringify(report)}\n` : textOf(report));
    const count = (outcome: FileReport['outcome']): number => reports.filter((report) => report.outcome === outcome).length;
    const [same, differs, unseen] = [count('same'), count('differs'), count('not_rerun')];
    if (flags.json !== true) process.stdout.write(`${summaryOf(same, differs, unseen)}\n`);
    process.exitCode = differs > 0 ? 1 : unseen > 0 ? 2 : 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summaryOf(same: number, differs: number, unseen: number): string {
  return [
    `${same} ${same === 1 ? 'turn is' : 'turns are'} the same to the byte`,
    ...(differs === 0 ? [] : [`${differs} ${differs === 1 ? 'differs' : 'differ'}`]),
    ...(unseen === 0 ? [] : [`${unseen} could not be run again`]),
  ].join(', ');
}

/** Of one that is the same, what is to be known beside that. */
function textOf({ id, outcome, reason, recorded, taken, difference }: FileReport): string {
  const lines: string[] = [];
  if (outcome === 'not_rerun') lines.push(`${id} was not run again: ${reason ?? ''}`);
  if (outcome !== 'not_rerun' && recorded === 'answers') lines.push(`${id}: recorded without bytes: their parser was not run`);
  for (const { from, to } of taken) {
    lines.push(`${id}: events ${from} to ${to} are of the last second of a lost worker, which is not recorded: taken as they are`);
  }
  if (difference !== undefined) {
    const { seq, type, path, expected, found, wire } = difference;
    lines.push(
      `${id} differs`,
      `  event     ${seq} ${type}${path === '' ? '' : `, ${path}`}`,
      `  expected  ${expected ?? 'nothing: the journal ends before'}`,
      `  found     ${found ?? 'nothing: the rerun ends before'}`,
      ...(wire === undefined ? [] : [`  wire      ${wireOf(wire)}`]),
    );
  }
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function wireOf({ step, attempt, byte }: NonNullable<NonNullable<FileReport['difference']>['wire']>): string {
  return attempt === 0 ? `step ${step}, its calls of tools` : `step ${step}, attempt ${attempt}, byte ${byte} of the answer`;
}
