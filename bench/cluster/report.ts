/** Tables of a run, and the costs of it that the simulation reads. */
import type { Spread } from '../support/statistics.ts';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export function textOf({ title, head, rows }: Table): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${title}\n\n${lines.join('\n')}\n`;
}

export const times = ({ p50, p99 }: Spread): string => `${one(p50)} / ${one(p99)}`;
export const one = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(1));
export const whole = (value: number): string => value.toFixed(0);

export const listed = (values: Readonly<Record<string, number>>, text: (value: number) => string, least = 0): string =>
  Object.entries(values)
    .filter(([, value]) => value > least)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(', ');

export function mapped(values: Readonly<Record<string, number>>, change: (value: number) => number): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}
