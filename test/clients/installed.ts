/**
 * The clients, installed from `pinned/` into the user's cache: a folder for each list of versions, whole or not there
 * at all. A client that cannot be installed is a failed test.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userCacheFolder } from '../../src/config/user-cache.ts';
import { alone } from '../support/programs.ts';

const pinned = join(import.meta.dirname, 'pinned');
const cache = join(userCacheFolder(process.env) ?? join(tmpdir(), `turnkeep-${process.getuid?.() ?? ''}`), 'clients');
/** Of one command: it may have half a gigabyte to fetch. */
const patienceMs = 240_000;

/** @returns the path of a program that the npm packages in `pinned/package.json` bring */
export async function npmClient(program: string): Promise<string> {
  const folder = await installed('npm', ['package-lock.json', 'package.json'], async (folder) => {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(pinned, file), join(folder, file));
    // Not `npm ci`, which refuses a lock without the programs for other machines; of those the version is fixed, no more.
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
    // Puts the program for this machine in its place; no other package needs its scripts.
    await run(process.execPath, ['postinstall.mjs'], join(folder, 'node_modules/opencode-ai'));
  });
  return join(folder, 'node_modules/.bin', program);
}

/** @returns the path of the program `name`, of the Python packages in `pinned/name.txt` */
export async function pythonClient(name: 'aider' | 'llm'): Promise<string> {
  const uv = await installed('uv', ['uv.txt'], async (folder) => {
    await run('python3', ['-m', 'venv', folder], folder);
    await run(join(folder, 'bin/python3'), ['-m', 'pip', 'install', '--quiet', '--require-hashes', '-r', join(pinned, 'uv.txt')], folder);
  });
  const folder = await installed(name, [`${name}.txt`], async (folder) => {
    // Programs name their interpreter by its path, which changes when the folder gets its name. aider needs a Python below 3.13.
    const program = join(uv, 'bin/uv');
    await run(program, ['venv', '--quiet', '--relocatable', '--allow-existing', '--python', '>=3.10,<3.13', folder], folder);
    const into = ['--python', join(folder, 'bin/python'), '--require-hashes', '-r', join(pinned, `${name}.txt`)];
    await run(program, ['pip', 'install', '--quiet', ...into], folder);
  });
  return join(folder, 'bin', name);
}

/** @param lists the files that say what is in it: another content is another folder */
async function installed(name: string, lists: readonly string[], install: (folder: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  for (const list of lists) hash.update(readFileSync(join(pinned, list)));
  const folder = join(cache, `${name}-${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  return alone(`client-${name}`, async () => {
    if (existsSync(folder)) return folder;
    const unfinished = `${folder}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const began = performance.now();
    process.stderr.write(`installing ${name} into ${cache} for the tests of clients\n`);
    await install(unfinished);
    renameSync(unfinished, folder);
    process.stderr.write(`installed ${name} in ${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
    return folder;
  });
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const command = [program, ...args].join(' ');
  const signal = AbortSignal.timeout(patienceMs);
  const child = spawn(program, args, { cwd, signal, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', (cause) => {
    reject(new Error(signal.aborted ? `${command} was not done within ${patienceMs / 1_000} s\n${output}` : command, { cause }));
  });
  child.once('close', resolve);
  const status = await promise;
  if (status !== 0) throw new Error(`${command} ended with ${status}\n${output}`);
}
