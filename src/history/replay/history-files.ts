/** Files with histories: bundles of turns, and histories as `temporal workflow show --output json` writes them. */
import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BundleError, bundleFormat, parseBundle } from '../bundle.ts';
import type { JsonEvent } from '../history-json.ts';

/** A run to be replayed. */
export interface StoredRun {
  /** Of the turn, or of its workflow. */
  readonly id: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly events: readonly JsonEvent[];
}

/** What there is to replay in a file; `missing`: why there is nothing. */
export type StoredRuns = { readonly runs: readonly StoredRun[] } | { readonly id: string; readonly missing: string };

/**
 * The files that are meant: of a directory all that end in `.json`, those of its directories too.
 * @throws {BundleError} where there is no such file, or none in a directory
 */
export function historyFilesOf(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  if (names.length === 0) throw new BundleError(`${path} has no file that ends in .json: turnkeep export -o ${path}/ writes some`);
  return names.toSorted().map((name) => join(path, name));
}

/** @throws {BundleError} where the file cannot be read, or is neither */
export async function readRuns(file: string): Promise<StoredRuns> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new BundleError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  });
  return plainHistory(text, file) ?? ofBundle(text, file);
}

function ofBundle(text: string, file: string): StoredRuns {
  const { timeline, temporal } = parseBundle(text, file);
  const { id } = timeline;
  if ('missing' in temporal) return { id, missing: temporal.missing };
  const { workflow_id: workflowId, run_ids: runIds, histories } = temporal;
  return { runs: histories.map(({ events }, index) => ({ id, workflowId, runId: runIds[index] ?? '', events })) };
}

/** undefined: the file is another one. */
function plainHistory(text: string, file: string): StoredRuns | undefined {
  // A bundle says so at its very beginning.
  if (text.slice(0, 200).includes(`"${bundleFormat}"`)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { events, ...names } = (typeof value === 'object' && value !== null ? value : {}) as { readonly [member: string]: unknown };
  if (!Array.isArray(events) || events.length === 0) return undefined;
  const started = (events[0] as { readonly [member: string]: { readonly [name: string]: unknown } })[
    'workflowExecutionStartedEventAttributes'
  ];
  const nameOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const workflowId = nameOf(names['workflow_id']) ?? nameOf(started?.['workflowId']) ?? basename(file, '.json');
  const runId = nameOf(names['run_id']) ?? nameOf(started?.['originalExecutionRunId']) ?? '';
  return { runs: [{ id: workflowId, workflowId, runId, events: events as readonly JsonEvent[] }] };
}
