import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Progress on stderr, rows for the table at the end. */
export interface Row {
  readonly figure: string;
  readonly turnkeep: string;
  readonly direct: string;
  readonly added: string;
  readonly aim: string;
}

export const say = (line: string): void => void process.stderr.write(`${line}\n`);

export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ figure, turnkeep, direct, added, aim }) => [figure, turnkeep, direct, added, aim]);
  const lines = [['', 'turnkeep', 'direct', 'added', 'aimed at'], ['---', '---', '---', '---', '---'], ...cells];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
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
