/** The table of a soak, and the timeline of a turn that went wrong. */
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ms, p50p99, spreadOf } from '../support/statistics.ts';
import type { TurnFacts } from './check.ts';
import type { Disturbed, TurnRecord } from './record.ts';

export interface MemorySample {
  readonly name: string;
  readonly pid: number;
  readonly ageMs: number;
  readonly atMs: number;
  readonly mb: number;
}

/** A process that has just started says nothing yet about growth. */
const youngMs = 15_000;
/** A life that is long enough to have a slope, and what of it is its start. */
const longLifeMs = 180_000;
const warmMs = 60_000;
/** By more than this a process has grown: what it still gives back varies. */
const flatShare = 1.2;
const flatMb = 16;

/** Start, middle and end of the whole soak, whatever was started anew meanwhile, and the growth within one long life. */
export function memoryRows(samples: readonly MemorySample[]): [string, string][] {
  return [...Map.groupBy(samples, ({ name }) => name)].map(([name, all]) => {
    const old = all.filter(({ ageMs }) => ageMs >= youngMs);
    const third = (n: number): number => spreadOf(old.slice((old.length * n) / 3, (old.length * (n + 1)) / 3).map(({ mb }) => mb)).p50;
    const [start, middle, end] = [third(0), third(1), third(2)];
    const isFlat = end <= Math.max(start, middle) * flatShare || end - Math.max(start, middle) <= flatMb;
    const max = Math.max(...all.map(({ mb }) => mb));
    const figures = `${start.toFixed(0)}, ${middle.toFixed(0)}, ${end.toFixed(0)} MB (max ${max.toFixed(0)})`;
    return [`RSS of ${name}: start, middle, end`, `${figures}, ${isFlat ? 'flat' : 'not flat'}${growthOf(all)}`];
  });
}

function growthOf(samples: readonly MemorySample[]): string {
  const slopes = [...Map.groupBy(samples, ({ pid }) => pid).values()].flatMap((life) => {
    const warm = life.filter(({ ageMs }) => ageMs >= warmMs);
    const [first, last] = [warm[0], warm.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < longLifeMs - warmMs) return [];
    const half = Math.floor(warm.length / 2);
    const grownMb = spreadOf(warm.slice(half).map(({ mb }) => mb)).p50 - spreadOf(warm.slice(0, half).map(({ mb }) => mb)).p50;
    return [{ perHour: (grownMb / ((last.atMs - first.atMs) / 2)) * 3_600_000, lastedMs: last.atMs - first.atMs + warmMs }];
  });
  const longest = slopes.toSorted((a, b) => b.lastedMs - a.lastedMs)[0];
  if (longest === undefined) return '';
  return `; its longest life, ${(longest.lastedMs / 60_000).toFixed(1)} min, grows by ${longest.perHour.toFixed(0)} MB an hour`;
}

export function countRow(figure: string, names: readonly string[]): [string, string] {
  const counts = [...Map.groupBy(names, (name) => name)].map(([name, { length }]) => [name, length] as const);
  const text = counts.toSorted(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`);
  return [figure, text.join(', ') || 'none'];
}

export function disturbanceRow(disturbed: readonly Disturbed[]): [string, string] {
  return countRow(
    'disturbed',
    disturbed.map(({ kind, target }) => `${kind === 'kill' ? 'kill -9' : 'SIGSTOP'} ${target}`),
  );
}

/** Time for what was left behind to be taken up. */
const aftermathMs = 12_000;

/** Of turns that waited for nothing: alone in their session, without a fault of the model's, away from every disturbance. */
export function firstTokenRow(turns: readonly TurnRecord[], disturbed: readonly Disturbed[]): [string, string] {
  const values = turns.flatMap(({ plan, isAlone, postedAtMs, views: [view] }) => {
    const firstMs = view?.firstDeltaAtMs;
    if (firstMs === undefined || !isAlone || plan.isBlocking || plan.order.fault !== undefined) return [];
    const isCalm = disturbed.every(({ atMs, overAtMs = Number.POSITIVE_INFINITY }) => {
      return firstMs < atMs || postedAtMs > Math.max(overAtMs + 2_000, atMs + aftermathMs);
    });
    return isCalm ? [firstMs - postedAtMs] : [];
  });
  const spread = spreadOf(values);
  return ['first token away from disturbances, p50 / p99', `${p50p99(spread)} (max ${ms(spread.max)}, ${spread.n} turns)`];
}

export function sizeRow(folder: string, dataDir: string): [string, string] {
  const mb = (path: string): string => (existsSync(path) ? (statSync(path).size / 1_048_576).toFixed(1) : '0');
  const sizes = [join(dataDir, 'turnkeep.db'), join(folder, 'temporal.db')].map((path) => `${mb(path)} MB (log ${mb(`${path}-wal`)} MB)`);
  return ["size of the database; of Temporal's", sizes.join('; ')];
}

const errorLevel = 50;
const logBytes = 256 * 1_048_576;

/** The lines of the processes' logs from the level of errors up, by their words. */
export function logRow(folder: string): [string, string] {
  const words: string[] = [];
  for (const name of readdirSync(join(folder, 'logs'))) {
    for (const line of tail(join(folder, 'logs', name)).split('\n')) {
      if (!line.startsWith('{')) {
        // Not of the log: a crash, or a warning of Node.
        if (name !== 'temporal' && line.trim() !== '') words.push(line.trim().slice(0, 120));
        continue;
      }
      const { level, msg, err } = parsed(line);
      if (typeof level === 'number' && level >= errorLevel) words.push(`${msg}${err?.message === undefined ? '' : `: ${err.message}`}`);
    }
  }
  return countRow('errors in the logs', words);
}

function tail(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { size } = statSync(path);
    const bytes = Buffer.alloc(Math.min(size, logBytes));
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, size - bytes.length));
  } finally {
    closeSync(file);
  }
}

function parsed(line: string): { level?: number; msg?: string; err?: { message?: string } } {
  try {
    return JSON.parse(line) as { level?: number };
  } catch {
    return {};
  }
}

/** What is known of a turn, in the order of time as far as it has any. */
export function timelineOf(
  turn: TurnRecord,
  facts: TurnFacts | undefined,
  disturbed: readonly Disturbed[],
  at: (ms: number) => string,
): string {
  const { plan, talk, notes, views } = turn;
  const untilMs = turn.endedAtMs ?? Number.POSITIVE_INFINITY;
  const near = disturbed.filter(({ atMs, overAtMs = untilMs }) => atMs < untilMs + aftermathMs && overAtMs > turn.postedAtMs - aftermathMs);
  return [
    `${turn.id ?? 'no id'} in ${talk?.id ?? 'no session'}: ${JSON.stringify(plan)}`,
    ...notes,
    ...near.map(
      ({ kind, target, atMs, overAtMs }) => `${at(atMs)} ${kind} ${target}, over ${overAtMs === undefined ? 'never' : at(overAtMs)}`,
    ),
    ...views.map((view, n) => `view ${n}: ${view.count} events, ${view.deltas} deltas, end ${view.final?.status ?? 'not seen'}`),
    ...(facts?.arrivals.map((atMs, n) => `${at(atMs)} request ${n + 1} at the model`) ?? []),
    ...(facts?.attempts.map((attempt) => `booked: ${JSON.stringify(attempt)}`) ?? []),
    ...(facts?.row === undefined
      ? []
      : [`row: ${JSON.stringify({ ...facts.row, input: undefined, settings: undefined, response: undefined })}`]),
    ...(facts?.streams[0]?.slice(-1).map((block) => `last event: ${block.trim().slice(0, 400)}`) ?? []),
  ].join('\n    ');
}
