/** The corpus as files: `VERSION/KIND.json.gz` is what a kind of turn came to under that version. */
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Bundle } from '../../src/history/bundle.ts';
import type { Kind, OtherHistory, Played } from './kind.ts';
import { kindsOfAgents } from './kinds-of-agents.ts';
import { kindsOfAnswers } from './kinds-of-answers.ts';
import { kindsOfWorkflows } from './kinds-of-workflows.ts';

const folder = import.meta.dirname;
const root = join(folder, '../..');

export const kinds: readonly Kind[] = [...kindsOfAnswers, ...kindsOfAgents, ...kindsOfWorkflows];

/** How many events the history of each run of a kind has, without those of workflow tasks: `src/workflows` decides these, and no timing. */
export const budgetPath = join(folder, 'events.json');

export type Budget = Readonly<Record<string, readonly string[]>>;

export function readBudget(): Budget {
  return existsSync(budgetPath) ? (JSON.parse(readFileSync(budgetPath, 'utf8')) as Budget) : {};
}

/** @param version such as `0.1` */
export function fileOf(version: string, kind: string): string {
  return join(folder, version, `${kind}.json.gz`);
}

export function write(file: string, played: Played): void {
  mkdirSync(join(file, '..'), { recursive: true });
  // The stacks of failures name files.
  writeFileSync(file, gzipSync(JSON.stringify(played).replaceAll(root, '/turnkeep'), { level: 9 }));
}

/** What has been kept, by `VERSION/KIND`. */
export function readCorpus(): ReadonlyMap<string, Played> {
  const names = globSync('*/*.json.gz', { cwd: folder }).toSorted();
  return new Map(
    names.map((name) => [name.slice(0, -'.json.gz'.length), JSON.parse(gunzipSync(readFileSync(join(folder, name))).toString()) as Played]),
  );
}

/**
 * Of each run of a kind: the type of its workflow and the number of its events. Left out is what a race decides: into how many tasks
 * a workflow's work falls, and whether an activity that is to be cancelled is told so by Temporal, or has ended before by the mark
 * in the database.
 */
export function eventsOf({ bundles, others }: Played): readonly string[] {
  const runs = new Map<string, readonly Record<string, unknown>[]>();
  for (const { temporal } of bundles) {
    if ('missing' in temporal) continue;
    for (const [index, { events }] of temporal.histories.entries()) runs.set(temporal.run_ids[index] ?? '', events);
  }
  for (const { run_id: runId, events } of others) runs.set(runId, events);
  return [...runs.values()].map(lineOf);
}

function lineOf(events: readonly Record<string, unknown>[]): string {
  const started = events[0]?.['workflowExecutionStartedEventAttributes'] as { workflowType?: { name?: string } } | undefined;
  const counted = events.filter(({ eventType }) => !/workflow_?task|activity_?task_?cancel_?requested/i.test(String(eventType)));
  return `${started?.workflowType?.name ?? ''} ${counted.length}`;
}

/** As files of a directory that `turnkeep replay` and `turnkeep rerun` take. */
export function unpack(corpus: ReadonlyMap<string, Played>, to: { readonly turns: string; readonly others: string }): void {
  for (const [name, { bundles, others }] of corpus) {
    const flat = name.replaceAll('/', '-');
    for (const [index, bundle] of bundles.entries()) writeJson(join(to.turns, `${flat}.${index + 1}.turn.json`), bundle);
    for (const [index, history] of others.entries()) writeJson(join(to.others, `${flat}.${index + 1}.json`), history);
  }
}

function writeJson(path: string, value: Bundle | OtherHistory): void {
  writeFileSync(path, JSON.stringify(value));
}
