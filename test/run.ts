/**
 * Runs the tests: one Temporal dev server for all files of a pass, found or fetched as `turnkeep dev` would.
 *
 *     node test/run.ts                   every test but those of clients and of whole clusters; chaos and stories twice: on SQLite with head
 *                                        starts, stories cached, and on Postgres without, replayed always. Told once, a story is both cached
 *                                        and replayed, on SQLite
 *     node test/run.ts test/stories      those below a folder, or single files, once
 *     node test/run.ts test/stories/cancel.test.ts --test-name-pattern=SIGINT
 *                                        those of them whose names match
 *
 * TURNKEEP_HEAD_START=off runs whatever is named without head starts.
 */
import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { startDevServer } from '../src/cli/dev-server/start.ts';
import { PassReport } from './support/pass-report.ts';
import { type PostgresServer, startPostgres } from './support/postgres-server.ts';
import { testCacheDir, testTemporalProgram } from './support/temporal-server.ts';
import { isOnPostgres } from './support/test-database.ts';

const root = join(import.meta.dirname, '..');
/** Run by themselves. */
const ofClusters: ReadonlySet<string> = new Set(['test/campaign/short.test.ts', 'test/deploy/cluster.test.ts']);

const { positionals: places, values: flags } = parseArgs({
  allowPositionals: true,
  options: { 'test-name-pattern': { type: 'string', multiple: true } },
});
const files = (places.length === 0 ? ['test'] : places)
  .flatMap((place) => (statSync(join(root, place)).isDirectory() ? globSync(`${place}/**/*.test.ts`, { cwd: root }) : [place]))
  // The clients are 1.5 GB of programs: `npm run test:clients`. What starts whole clusters takes minutes: `npm run test:cluster`.
  .filter((file) => places.length > 0 || !(file.startsWith('test/clients/') || ofClusters.has(file)));
if (files.length === 0) throw new Error(`no tests below ${places.join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-tests-'));
const program = await testTemporalProgram();
const postgres = await startPostgresFor(files);

/** Chaos and stories that have the same processes do the same with head starts and without. */
const toldOnce: ReadonlySet<string> = new Set(
  [
    // Gateways and workers are processes of their own, where the first request of a turn has no head start to have.
    ['chaos/agents', 'chaos/compaction', 'chaos/crowd', 'chaos/kills', 'chaos/websocket'],
    ['chaos/own-worker', 'chaos/sub-agents', 'chaos/timeline', 'chaos/traces', 'chaos/versions'],
    // Head starts are on, or off, whatever the variable says.
    ['stories/head-start', 'stories/head-start-cancel'],
    // They are about something else than the way of a turn to its first request: a start, logs, turns that have ended, connections,
    ['chaos/fresh', 'chaos/log', 'chaos/stray-errors', 'chaos/temporal-killed', 'chaos/webhooks'],
    ['stories/breaker', 'stories/canaries', 'stories/codec', 'stories/export', 'stories/flood', 'stories/logs', 'stories/replay'],
    ['stories/edge', 'stories/titles', 'stories/too-much', 'stories/websocket-bounds'],
    ['stories/webhook-receiver', 'stories/retention', 'stories/turn-list', 'stories/turn-stats', 'stories/chat-history'],
    // what a request may say, what the provider is told, and what is made of its answers and its errors.
    ['stories/named-fields', 'stories/mcp-lists', 'stories/by-hand', 'stories/going-back', 'stories/refused-input'],
    ['stories/learned-forms', 'stories/odd-endings', 'stories/limits'],
  ]
    .flat()
    .map((name) => `test/${name}.test.ts`),
);
// A file that has another name by now would be told twice, and nobody would see it.
for (const file of toldOnce) statSync(join(root, file));

/** Half of those that run wait for most of their time: so many keep two processors busy. */
const filesAtOnce = 6;

// Most of what a file loads is turnkeep itself, which Node would compile from TypeScript for each of them.
process.env['NODE_COMPILE_CACHE'] = join(testCacheDir, 'compiled');

/**
 * Chaos and commands wait for leases and for processes that start, stories and conformance keep the processors busy: one of each
 * kind by turns. What is short comes last, so that at the end no processor waits for a long one.
 */
function inOrder(files: readonly string[]): string[] {
  const rest = new Set(files.toSorted());
  const take = (folders: RegExp): string[] => {
    const taken = [...rest].filter((file) => folders.test(file));
    for (const file of taken) rest.delete(file);
    return taken;
  };
  const waiting = take(/^test\/(campaign|chaos|cli|deploy|examples|package)\//);
  const busy = take(/^test\/(stories|conformance|activities)\//);
  const pairs = Array.from({ length: Math.max(waiting.length, busy.length) }, (_, index) => [waiting[index], busy[index]]);
  return [...pairs.flat().filter((file) => file !== undefined), ...rest];
}

/** @returns how many tests there were, and how they ended */
async function runPass(files: readonly string[]): Promise<PassReport> {
  // A pass has a server of its own: the workflows of an earlier pass may still be open under the same ids.
  const server = await startDevServer({ program, namespace: 'default', hasUi: false, logPath: join(folder, 'temporal.log') });
  process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'] = server.address;
  if (postgres !== undefined) process.env['TURNKEEP_TEST_POSTGRES_URL'] = postgres.url;
  const report = new PassReport();
  const events = run({
    files: inOrder(files),
    cwd: root,
    concurrency: filesAtOnce,
    timeout: 300_000,
    execArgv: ['exit-when-over', 'yield-to-servers'].flatMap((name) => ['--import', join(root, `test/support/${name}.ts`)]),
    ...(flags['test-name-pattern'] === undefined ? {} : { testNamePatterns: flags['test-name-pattern'] }),
  });
  await pipeline(report.watch(events), new spec(), process.stdout, { end: false });
  await server.stop();
  if (!report.isSuccess) process.exitCode = 1;
  return report;
}

/** One for all files that ask for it. Where there is none, these tests are skipped, or fail, by themselves. */
async function startPostgresFor(files: readonly string[]): Promise<PostgresServer | undefined> {
  const isNeeded = isOnPostgres || files.some((file) => file.startsWith('test/store/postgres/'));
  if (process.env['TURNKEEP_TEST_POSTGRES_URL'] || !isNeeded) return undefined;
  return startPostgres().catch(() => undefined);
}

const passes: PassReport[] = [];
if (places.length > 0) passes.push(await runPass(files));
else {
  const isToldTwice = (file: string): boolean => /^test\/(stories|chaos)\//.test(file) && !toldOnce.has(file);
  const [twice, once] = [files.filter(isToldTwice), files.filter((file) => !isToldTwice(file))];
  passes.push(await runPass(once));
  console.log('\nThe stories and the chaos, with head starts, on SQLite:\n');
  process.env['TURNKEEP_TEST_MODE'] = 'cached';
  passes.push(await runPass(twice));
  const database = postgres === undefined ? 'sqlite' : 'postgres';
  console.log(
    `\nThe same without head starts, and replayed always, on ${database === 'postgres' ? 'Postgres' : 'SQLite: there is no Postgres'}:\n`,
  );
  Object.assign(process.env, { TURNKEEP_HEAD_START: 'off', TURNKEEP_TEST_MODE: 'replayed always', TURNKEEP_TEST_DATABASE: database });
  passes.push(await runPass(twice));

  for (const failure of passes.flatMap((pass) => pass.failures)) console.log(`\n✖ ${failure}`);
  console.log('\nAll of them:\n');
  for (const name of Object.keys(passes[0]?.counts ?? {})) {
    console.log(`ℹ ${name} ${passes.reduce((sum, pass) => sum + (pass.counts[name] ?? 0), 0)}`);
  }
}
await postgres?.[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
