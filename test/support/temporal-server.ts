/**
 * One Temporal dev server for all the tests of a process: in memory, on free ports, gone when the process is.
 * With TURNKEEP_TEST_TEMPORAL_ADDRESS (and TURNKEEP_TEST_TEMPORAL_NAMESPACE) that one is used instead,
 * so that a runner may start one for all files.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTemporalProgram } from '../../src/cli/dev-server/find.ts';
import { startDevServer } from '../../src/cli/dev-server/start.ts';

export interface TestTemporalServer {
  readonly address: string;
  readonly namespace: string;
}

/** What tests fetch, compile and bundle is kept here, from one run to the next. */
export const testCacheDir = fileURLToPath(new URL('../../node_modules/.cache/turnkeep', import.meta.url));

/** For the environment of processes: `testCacheDir` is what they find in their user's cache. */
export const testCache = { XDG_CACHE_HOME: dirname(testCacheDir) } as const;

let started: Promise<TestTemporalServer> | undefined;

/** The first call starts it; nobody has to stop it. */
export function sharedTemporalServer(): Promise<TestTemporalServer> {
  return (started ??= start());
}

/** The program to start, from wherever `turnkeep dev` would take it. */
export async function testTemporalProgram(): Promise<string> {
  const cli = process.env['TEMPORAL_CLI'];
  const found = await findTemporalProgram({ dataDir: testCacheDir, env: process.env, ...(cli ? { cli } : {}) });
  return found.path;
}

async function start(): Promise<TestTemporalServer> {
  const namespace = process.env['TURNKEEP_TEST_TEMPORAL_NAMESPACE'] || 'default';
  const address = process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'];
  if (address) return { address, namespace };

  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-temporal-'));
  const server = await startDevServer({
    program: await testTemporalProgram(),
    namespace,
    hasUi: false,
    logPath: join(folder, 'server.log'),
  });
  // Not by a hook of node:test, which would belong to the one test that happened to come first.
  server.unref();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { address: server.address, namespace };
}
