/** What the machine itself does to the processes of a campaign: its disk is full, its clock is set. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { untilExit } from './process.ts';

/** A small disk that only the processes of the campaign have, in a mount namespace of their own. */
export class Disk implements AsyncDisposable {
  /** The same for all that are started behind `prefix`. */
  readonly path: string;
  readonly #holder: ChildProcess;

  private constructor(path: string, holder: ChildProcess) {
    this.path = path;
    this.#holder = holder;
  }

  /** Resolves with undefined where this user may mount nothing. */
  static async mount(path: string, megabytes: number): Promise<Disk | undefined> {
    const script = `mount -t tmpfs -o size=${megabytes}m none "$0" && echo mounted && exec sleep infinity`;
    const holder = spawn('unshare', [...namespaces, 'sh', '-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] });
    untilExit(holder);
    const lines = createInterface({ input: holder.stdout });
    const ended = Promise.race([once(holder, 'exit'), once(holder, 'error')]);
    const isMounted = await Promise.race([once(lines, 'line').then(() => true), ended.then(() => false)]);
    return isMounted ? new Disk(path, holder) : undefined;
  }

  /** A command that begins so has the disk. */
  get prefix(): readonly string[] {
    const user = isRoot ? [] : ['--user', '--preserve-credentials'];
    return ['nsenter', `--target=${this.#holder.pid}`, '--mount', ...user, '--'];
  }

  /** Where this process, which is not in the namespace, finds it. */
  get outside(): string {
    return `/proc/${this.#holder.pid}/root${this.path}`;
  }

  /** @returns whether nothing more fits on it */
  fill(): boolean {
    for (let size = 1_048_576; size >= 1; size = Math.floor(size / 16)) {
      const piece = Buffer.alloc(size);
      try {
        for (;;) writeFileSync(this.#filler, piece, { flag: 'a' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    return statfsSync(this.outside).bavail === 0;
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.outside, 'filler');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await exited;
  }
}

/** Not every user may mount anything. */
export async function canMount(): Promise<boolean> {
  await using disk = await Disk.mount(tmpdir(), 1);
  return disk !== undefined;
}

const isRoot = process.getuid?.() === 0;
const namespaces = isRoot ? ['--mount'] : ['--mount', '--user', '--map-root-user'];

/** Where Debian's package has it, on the machines that Node runs on. */
const faketimePaths = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`);

function faketime(): string | undefined {
  return faketimePaths.find((path) => existsSync(path));
}

export function hasClock(): boolean {
  return faketime() !== undefined;
}

/** The time of day that processes see; their timers, which count on another clock, go on as they were. */
export class Clock {
  /** For the processes that have it. */
  readonly env: NodeJS.ProcessEnv;
  readonly #path: string;
  #offsetSeconds = 0;

  private constructor(library: string, folder: string) {
    this.#path = join(folder, 'clock');
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      // Looked at again every second, and not by every call.
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    this.step(0);
  }

  /** undefined where libfaketime is not installed. */
  static find(folder: string): Clock | undefined {
    const library = faketime();
    return library === undefined ? undefined : new Clock(library, folder);
  }

  /** All processes see it within a second. */
  step(bySeconds: number): void {
    this.#offsetSeconds += bySeconds;
    writeFileSync(`${this.#path}.new`, `${this.#offsetSeconds < 0 ? '' : '+'}${this.#offsetSeconds}\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}
