/**
 * Programs that tests need and npm does not bring. A machine that has one is used as it is; one that lacks it gets it
 * where that is safe: Debian's packages as root, Python's packages in folders of their own. Elsewhere the test is skipped
 * with what to install, and under CI it fails.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, globSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { takeLock } from '../../src/cli/dev-server/exclusive-lock.ts';

const run = promisify(execFile);

interface DebianProgram {
  /** Any of these will do. */
  readonly names: readonly string[];
  readonly packages: readonly string[];
}

const nginx: DebianProgram = { names: ['nginx'], packages: ['nginx-light'] };
const chromium: DebianProgram = {
  names: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'],
  packages: ['chromium-headless-shell'],
};
const promtool: DebianProgram = { names: ['promtool'], packages: ['prometheus'] };
const postgres: DebianProgram = { names: ['postgres'], packages: ['postgresql'] };
const pgbouncer: DebianProgram = { names: ['pgbouncer'], packages: ['pgbouncer'] };
const python: DebianProgram = { names: ['python3'], packages: ['python3', 'python3-venv'] };

interface PythonPackage {
  readonly name: string;
  readonly version: string;
}

const faketime: DebianProgram = { names: ['faketime'], packages: ['faketime'] };

const openaiPython: PythonPackage = { name: 'openai', version: '3.57.0' };
const schemathesis: PythonPackage = { name: 'schemathesis', version: '4.32.5' };
const kubernetesValidate: PythonPackage = { name: 'kubernetes-validate', version: '1.37.0' };

/** The path of nginx; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needNginx(t: TestContext): Promise<string | undefined> {
  return need(t, nginxProgram);
}

/** @throws where there is no nginx, and none can be installed */
export async function nginxProgram(): Promise<string> {
  return debian(nginx);
}

/** The path of a Chromium that can be driven; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needChromium(t: TestContext): Promise<string | undefined> {
  return need(t, () => debian(chromium));
}

/**
 * The folder of Postgres' programs: PGBIN, where that is set. undefined where the test has been skipped. Throws under CI where it
 * cannot be had.
 */
export async function needPostgres(t: TestContext): Promise<string | undefined> {
  return need(t, postgresFolder);
}

/** @throws where there is no Postgres, and none can be installed */
export async function postgresFolder(): Promise<string> {
  // One on PATH may be a link to it, without the others beside it.
  return process.env['PGBIN'] || dirname(realpathSync(await debian(postgres)));
}

/** The path of PgBouncer; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needPgbouncer(t: TestContext): Promise<string | undefined> {
  return need(t, () => debian(pgbouncer));
}

/** The path of a Python that has `openai`; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needOpenaiPython(t: TestContext): Promise<string | undefined> {
  return need(t, () => pythonWith(openaiPython));
}

/** The path of a Python that has `schemathesis`; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needSchemathesis(t: TestContext): Promise<string | undefined> {
  return need(t, () => pythonWith(schemathesis));
}

/** The path of a Python that has `kubernetes_validate`; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needKubernetesValidate(t: TestContext): Promise<string | undefined> {
  return need(t, () => pythonWith(kubernetesValidate));
}

/** The path of faketime, whose library sets the clock of a process; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needFaketime(t: TestContext): Promise<string | undefined> {
  return need(t, () => debian(faketime));
}

/** The path of Prometheus' promtool; undefined where the test has been skipped. Throws under CI where it cannot be had. */
export async function needPromtool(t: TestContext): Promise<string | undefined> {
  return need(t, () => debian(promtool));
}

async function need(t: TestContext, find: () => Promise<string>): Promise<string | undefined> {
  try {
    return await find();
  } catch (error) {
    if (process.env['CI']) throw error;
    t.skip(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function debian({ names, packages }: DebianProgram): Promise<string> {
  const there = onPath(names);
  if (there !== undefined) return there;
  const advice = `this test needs ${names.join(' or ')}; install it: apt-get install ${packages.join(' ')}`;
  if (process.getuid?.() !== 0 || onPath(['apt-get']) === undefined) throw new Error(advice);
  return alone('apt-get', async () => {
    const installed = onPath(names);
    if (installed !== undefined) return installed;
    process.stderr.write(`installing ${packages.join(' ')} for the tests\n`);
    try {
      await run('apt-get', ['update', '-qq']);
      await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...packages], {
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
        maxBuffer: 64 * 1024 * 1024,
      });
    } catch (error) {
      throw new Error(advice, { cause: error });
    }
    const found = onPath(names);
    if (found === undefined) throw new Error(`${packages.join(' ')} brought none of ${names.join(', ')}`);
    return found;
  });
}

async function pythonWith({ name, version }: PythonPackage): Promise<string> {
  const folder = join(tmpdir(), `turnkeep-python-${name}-${version}-${process.getuid?.() ?? ''}`);
  const program = join(folder, 'bin', 'python3');
  if (existsSync(program)) return program;
  return alone(`python-${name}`, async () => {
    if (existsSync(program)) return program;
    const base = await debian(python);
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    try {
      await run(base, ['-m', 'venv', unfinished]);
      await run(join(unfinished, 'bin', 'python3'), ['-m', 'pip', 'install', '--quiet', `${name}==${version}`]);
    } catch (error) {
      const advice = `this test needs a Python 3 with venv and pip that can install ${name}==${version}`;
      throw new Error(advice, { cause: error });
    }
    // Whole or not there at all. Python itself is found by the folder it runs from, so it may move.
    renameSync(unfinished, folder);
    return program;
  });
}

function onPath(names: readonly string[]): string | undefined {
  // Daemons live where the PATH of an ordinary user does not look.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...debianPostgres()];
  for (const name of names) {
    for (const folder of folders) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  return undefined;
}

/** Debian keeps several versions side by side: the newest first. */
function debianPostgres(): string[] {
  return globSync('/usr/lib/postgresql/*/bin').toSorted((one, other) => other.localeCompare(one, 'en', { numeric: true }));
}

/** One process of this machine at a time; the lock of one that was killed is free again. */
export async function alone<T>(what: string, act: () => Promise<T>): Promise<T> {
  const folder = join(tmpdir(), `turnkeep-programs-${process.getuid?.() ?? ''}`);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${what}.lock`);
  let lock = takeLock(path);
  while (lock === undefined) {
    await pause(200);
    lock = takeLock(path);
  }
  try {
    return await act();
  } finally {
    lock.release();
  }
}
