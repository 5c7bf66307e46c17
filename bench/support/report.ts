import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ms, p50p99, type Spread } from './statistics.ts';

/** Progress on stderr, rows for the table at the end. */
export interface Row {
  readonly figure: string;
  readonly turnkeep: string;
  /** Of a direct call in the same run. */
  readonly direct?: string;
  /** Of the least workflow in the same run. */
  readonly floor?: string;
  /** turnkeep's over the direct call's. */
  readonly added?: string;
  readonly aim?: string;
}

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ figure, turnkeep, direct = '—', floor = '—', added = '—', aim = '—' }) => [
    figure,
    turnkeep,
    direct,
    floor,
    added,
    aim,
  ]);
  const lines = [['', 'turnkeep', 'direct', 'least workflow', 'added', 'aimed at'], Array.from({ length: 6 }, () => '---'), ...cells];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

export function spreadRow(figure: string, ours: Spread, theirs: Spread, aim?: string): Row {
  return {
    figure,
    turnkeep: p50p99(ours),
    direct: p50p99(theirs),
    added: `+${ms(ours.p50 - theirs.p50)} / +${ms(ours.p99 - theirs.p99)}`,
    ...(aim === undefined ? {} : { aim }),
  };
}

/** How much of the machine others use, in percent: whatever is measured then waits for its turn. */
export async function othersShare(): Promise<number> {
  const read = (): { idle: number; all: number } => {
    const times = cpus().map((cpu) => cpu.times);
    const sum = (of: (time: (typeof times)[number]) => number): number => times.reduce((total, time) => total + of(time), 0);
    return { idle: sum((time) => time.idle), all: sum(({ idle, irq, nice, sys, user }) => idle + irq + nice + sys + user) };
  };
  const before = read();
  await sleep(1_000);
  const after = read();
  return 100 - (100 * (after.idle - before.idle)) / (after.all - before.all);
}
