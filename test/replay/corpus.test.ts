/** T10: what every kind of turn came to, under every version, is the same under this one: its history, and its journal. */
import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { folderOf } from '../cli/folder.ts';
import type { Bundle } from '../../src/history/bundle.ts';
import { turnkeep } from '../cli/run-turnkeep.ts';
import { eventsOf, kinds, readBudget, readCorpus, unpack } from './corpus.ts';
import { readHistory } from './record.ts';
import { startCorpusServer } from './server.ts';

const options = { timeout: 600_000 };

/** As many as wait, for the most part: they are one dev server's, and this process's. */
const playedAtOnce = 6;

/** Kinds that cannot be run again from their recordings, each with what `turnkeep rerun` says of it. */
const notRerun: Readonly<Record<string, string>> = {};

const corpus = readCorpus();

test('every kind is there, and is what it is called', () => {
  const names = new Set([...corpus.keys()].map((name) => name.split('/')[1]));
  assert.deepEqual(
    kinds.map(({ name }) => name).filter((name) => !names.has(name)),
    [],
    'npm run corpus adds them',
  );
  for (const [name, { bundles }] of corpus) {
    assert.equal(statusOf(bundles), /\b(failed|cancelled|interrupted|incomplete|steered)\b/.exec(name)?.[1] ?? 'completed', name);
    const [, code = null] = /failed-([a-z]+_[a-z]+(?:_[a-z]+)*)/.exec(name) ?? [];
    if (code !== null) assert.equal(bundles[0]?.turn.error_code, code, name);
  }
});

/** In the words of the names of kinds, of the first turn. */
function statusOf([first, ...more]: readonly Bundle[]): string | undefined {
  const response = JSON.parse(first?.journal.at(-1)?.data ?? '{}') as { response?: { incomplete_details?: { reason: string } | null } };
  if (response.response?.incomplete_details?.reason === 'steered') return 'steered';
  return first?.turn.status === 'cancelled' && more.length > 0 ? 'interrupted' : first?.turn.status;
}

test("T10 · the histories of all kinds and versions replay on today's code", options, async (t) => {
  const folder = folderOf(t);
  const [turns, others] = ['turns', 'others'].map((name) => join(folder, name)) as [string, string];
  for (const path of [turns, others]) mkdirSync(path);
  unpack(corpus, { turns, others });
  const { code, stdout, stderr } = await turnkeep('replay', folder, '--workflows', 'test/support/own-workflows.ts', '--json');
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly outcome: string });
  assert.deepEqual(
    reports.filter(({ outcome }) => outcome !== 'same'),
    [],
    stderr,
  );
  const runs = [...corpus.values()].flatMap(({ bundles, others: more }) => [
    ...bundles.flatMap(({ temporal }) => ('missing' in temporal ? [] : temporal.histories)),
    ...more,
  ]);
  assert.deepEqual([code, reports.length], [0, runs.length]);
});

test('the turns of all kinds and versions are the same to the byte when they are run again from their recordings', options, async (t) => {
  const folder = folderOf(t);
  const [turns, others] = ['turns', 'others'].map((name) => join(folder, name)) as [string, string];
  for (const path of [turns, others]) mkdirSync(path);
  unpack(corpus, { turns, others });
  const { stdout, stderr } = await turnkeep('rerun', turns, '--json');
  const reports = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly file: string; readonly outcome: string; readonly reason?: string });
  assert.deepEqual(
    reports.filter(({ outcome }) => outcome === 'differs'),
    [],
    stderr,
  );
  const unseen = reports.filter(({ outcome }) => outcome === 'not_rerun').map(({ file, reason }) => [kindOf(file), reason] as const);
  assert.deepEqual(Object.fromEntries(unseen), notRerun);
  assert.equal(reports.length, [...corpus.values()].flatMap(({ bundles }) => bundles).length);
});

/** `VERSION-KIND.NUMBER.turn.json` */
function kindOf(file: string): string {
  return /([0-9.]+-[a-z_-]+)\.\d+\.turn\.json$/.exec(file)?.[1] ?? file;
}

test('T10 · histories of more sequences of events, such as a cancel at every moment, replay too', options, async () => {
  const folder = join(import.meta.dirname, 'histories');
  const names = globSync('*.txt', { cwd: folder }).toSorted();
  assert.ok(names.length >= 15, `only ${names.length} histories are there`);
  const histories = names.map((name) => readHistory(readFileSync(join(folder, name), 'utf8')));
  const diverged: string[] = [];
  let replayed = 0;
  const results = Worker.runReplayHistories({ workflowBundle: await bundleWorkflows({ codecKeys: [] }) }, histories);
  for await (const { error } of results) {
    if (error !== undefined) diverged.push(`${names[replayed]}: ${error.message}`);
    replayed += 1;
  }
  assert.deepEqual(diverged, []);
  assert.equal(replayed, names.length);
});

test('a turn of each kind has as many events in its history as its budget says, and no more', options, async () => {
  after(await startCorpusServer());
  const found = new Map<string, readonly string[]>();
  const waiting = [...kinds];
  const playNext = async (): Promise<void> => {
    for (let kind = waiting.shift(); kind !== undefined; kind = waiting.shift()) found.set(kind.name, eventsOf(await kind.play()));
  };
  await Promise.all(Array.from({ length: playedAtOnce }, () => playNext()));
  const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number => (one < other ? -1 : 1);
  assert.deepEqual([...found].toSorted(byName), Object.entries(readBudget()).toSorted(byName));
});
