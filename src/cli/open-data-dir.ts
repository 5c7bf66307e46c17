/** The data dir before anything is written into it: it is there, this user may write it, and nobody else reads it. */
import { closeSync, openSync, statSync, unlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { sqlitePath } from '../config/setting-values.ts';
import { makeFolder } from '../store/sqlite/make-folder.ts';
import { keepPrivate } from './private-data.ts';
import { StartError } from './start-error.ts';

/** A network's file system that is away answers no call, and would hold the process without a word. */
const answerTimeoutMs = 10_000;

const another = 'another with TURNKEEP_DATA_DIR (--data-dir)';

/**
 * @returns what is to be told: see `keepPrivate`
 * @throws StartError when it cannot be used
 */
export async function openDataDir(config: Pick<Config, 'dataDir' | 'databaseUrl'>): Promise<readonly string[]> {
  const { dataDir, databaseUrl } = config;
  const database = sqlitePath(databaseUrl);
  await untilAnswers(dataDir);
  makeDataDir(dataDir);
  requireWritable(dataDir, `the data dir ${dataDir}`, `name ${another}`);
  const folder = database === undefined ? dataDir : dirname(database);
  if (folder !== dataDir)
    requireWritable(folder, `the database's directory ${folder}`, 'name another file with DATABASE_URL (--database-url)');
  const notices = keepPrivate(config);
  if (database !== undefined) requireFile(database);
  return notices;
}

async function untilAnswers(path: string): Promise<void> {
  const looked = stat(path).catch(() => undefined);
  const timer = new AbortController();
  const late = delay(answerTimeoutMs, 'late', { signal: timer.signal }).catch(() => undefined);
  const first = await Promise.race([looked, late]);
  timer.abort();
  if (first !== 'late') return;
  throw new StartError(
    `the data dir ${path} does not answer within ${answerTimeoutMs / 1_000} s: is it on a network that is away? Name ${another}.`,
  );
}

function makeDataDir(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new StartError(`the data dir ${path} is a file, or lies below one: it has to be a directory. Name ${another}.`, {
        cause: error,
      });
    }
    throw new StartError(
      `the data dir ${path} cannot be made (${code}) by ${thisUser()}: make it (mkdir -p ${path}) and give it to this user, or name ${another}.`,
      {
        cause: error,
      },
    );
  }
}

function requireWritable(path: string, what: string, wayOut: string): void {
  try {
    const probe = join(path, `.turnkeep-${process.pid}`);
    closeSync(openSync(probe, 'w', 0o600));
    unlinkSync(probe);
  } catch (error) {
    const owner = statSync(path, { throwIfNoEntry: false });
    // SQLite makes the directory of a database that is to be elsewhere.
    if (owner === undefined) return;
    const whose = `it belongs to uid ${owner.uid}, mode ${(owner.mode & 0o777).toString(8)}`;
    throw new StartError(
      `${what} cannot be written (${codeOf(error)}) by ${thisUser()}: ${whose}. Give it to this user (chown ${process.getuid?.() ?? ''} ${path}), or ${wayOut}.`,
      { cause: error },
    );
  }
}

function requireFile(database: string): void {
  if (statSync(database, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  throw new StartError(
    `the database ${database} is a directory, and has to be a file: move it away, or name another file with DATABASE_URL (--database-url).`,
  );
}

function thisUser(): string {
  return process.getuid === undefined ? 'this user' : `this user (uid ${process.getuid()})`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
