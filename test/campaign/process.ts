/** A process of a cluster that dies, stands still, leaves and comes back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessKind } from './plan.ts';

export interface Disturbable {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly pid: number | undefined;
  /** It is there, is ready, and nothing is done to it. */
  readonly isUp: boolean;
  /** Kills it. Resolves when it is back, and ready. */
  kill(): Promise<void>;
  /** It stands still for so long. */
  stop(forMs: number): Promise<void>;
  /** SIGTERM. Resolves when it has left, and its successor is ready. */
  leave(): Promise<void>;
}

export interface ProcessOptions {
  readonly name: string;
  readonly kind: ProcessKind;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly logPath: string;
  /** What it prints when it is ready; undefined: it prints nothing, and `onReady` says when. */
  readonly ready: RegExp | undefined;
  readonly onReady: (match: RegExpExecArray | undefined) => void | Promise<void>;
  /** It is not there any more. */
  readonly onGone: () => void;
  readonly onEndedByItself: (how: string) => void;
}

const restartAfterMs = 200;
/** One that does not leave by then has missed its signal. */
const leaveLimitMs = 40_000;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A campaign that ends in the midst of it leaves nothing behind. */
export function untilExit(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

export class Process implements Disturbable {
  readonly #options: ProcessOptions;
  #child: ChildProcess | undefined;
  #isBusy = true;
  #isClosing = false;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get kind(): ProcessKind {
    return this.#options.kind;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isUp(): boolean {
    return !this.#isBusy;
  }

  /** Resolves when it is ready. @throws when it ends before that */
  async start(): Promise<void> {
    const { command, env, logPath, ready, onReady, onGone, onEndedByItself, name } = this.#options;
    const log = openSync(logPath, 'a');
    const [program = '', ...args] = command;
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    this.#child = child;
    untilExit(child);
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray | undefined>();
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => {
        const match = ready?.exec(line);
        if (match != null) resolve(match);
      });
    if (ready === undefined) resolve(undefined);
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      onGone();
      const how = signal ?? `exit code ${code}`;
      reject(new Error(`${name} ended before it was ready: ${how}`));
      if (this.#isBusy || this.#isClosing) return;
      onEndedByItself(how);
      this.#isBusy = true;
      void this.#again().catch(() => undefined);
    });
    await onReady(await promise);
    this.#isBusy = false;
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async leave(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async stop(forMs: number): Promise<void> {
    this.#isBusy = true;
    this.#child?.kill('SIGSTOP');
    await sleep(forMs);
    this.#child?.kill('SIGCONT');
    this.#isBusy = false;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    this.#isBusy = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      const late = setTimeout(() => {
        this.#options.onEndedByItself(`not at all: it was asked to leave ${leaveLimitMs / 1_000} s ago`);
        child.kill('SIGKILL');
      }, leaveLimitMs);
      await exited;
      clearTimeout(late);
    }
    await this.#again();
  }

  /** One that does not start, as on a full disk, is started again. */
  async #again(): Promise<void> {
    while (!this.#isClosing) {
      await sleep(restartAfterMs);
      try {
        await this.start();
        return;
      } catch {
        await sleep(1_000);
      }
    }
  }
}
