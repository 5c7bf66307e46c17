/** A process of a cluster: it can be killed, frozen, and started again where it was. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { usualPatienceMs } from '../within.ts';

export interface ProcessPlan {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Takes what it prints, of all its starts. */
  readonly logPath: string;
  /** The user and group that it runs as, where that is another one. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Sent by `stop`. */
  readonly stopSignal?: NodeJS.Signals;
  /** How often it is started anew where it ends before it serves. Default 1: not again. */
  readonly tries?: number;
  /** Does it serve what it is for? Asked until it says yes, or the process has ended. */
  readonly isReady: () => Promise<boolean>;
}

const lookEveryMs = 20;
const restartAfterMs = 250;

/** Of these a container's processes are all hit, not the first alone. */
const signalsOfAll: ReadonlySet<NodeJS.Signals> = new Set(['SIGKILL', 'SIGSTOP', 'SIGCONT']);

/** A test that runs into its timeout never disposes of what it started. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const { pid } of running) if (pid !== undefined) signalQuietly(-pid, 'SIGKILL');
});

export class ClusterProcess {
  readonly name: string;
  readonly plan: ProcessPlan;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(plan: ProcessPlan) {
    this.name = plan.name;
    this.plan = plan;
  }

  /** Of the last start. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.name} has not been started`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How it ended: an exit code, or the signal that ended it. Undefined while it runs. */
  get end(): number | NodeJS.Signals | undefined {
    return this.#child?.exitCode ?? this.#child?.signalCode ?? undefined;
  }

  /** What it printed so far, of all its starts. */
  get log(): string {
    return readFileSync(this.plan.logPath, 'utf8');
  }

  /**
   * Resolves when it serves.
   * @throws when it ends before, or does not come to it
   */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    for (let left = this.plan.tries ?? 1; ; left -= 1) {
      try {
        return await this.#startOnce();
      } catch (error) {
        if (this.isRunning || left <= 1) throw error;
        await delay(restartAfterMs);
      }
    }
  }

  async #startOnce(): Promise<void> {
    const { command, env, cwd, logPath, user } = this.plan;
    const [program = '', ...args] = command;
    const log = openSync(logPath, 'a');
    // In a process group of its own: Ctrl-C in a terminal would reach each of them, and Postgres would be gone before the others.
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', log, log], detached: true, ...user });
    closeSync(log);
    this.#child = child;
    running.add(child);
    this.#exited = once(child, 'exit').finally(() => running.delete(child));
    this.#exited.catch(() => {});
    const endsAt = performance.now() + usualPatienceMs;
    while (!(await this.plan.isReady().catch(() => false))) {
      if (child.pid === undefined || !this.isRunning) {
        throw new Error(`${this.name} ended before it served anything (${this.end ?? `${program} cannot be run`}):\n${this.#lastLines()}`);
      }
      if (performance.now() > endsAt) throw new Error(`${this.name} does not come to serve:\n${this.#lastLines()}`);
      await delay(lookEveryMs);
    }
  }

  /** As it hits a container: SIGKILL, SIGSTOP and SIGCONT all its processes, any other signal the first alone. */
  signal(name: NodeJS.Signals): void {
    if (!this.isRunning) return;
    const others = signalsOfAll.has(name) ? descendantsOf(this.pid) : [];
    this.#child?.kill(name);
    for (const pid of others) signalQuietly(pid, name);
  }

  /** Resolves when it has ended, by itself or not. */
  async ended(): Promise<void> {
    await this.#exited.catch(() => {});
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }

  /** As an orchestrator stops it; resolves when it has ended. */
  async stop(): Promise<void> {
    // A frozen process does not hear anything else.
    this.signal('SIGCONT');
    this.signal(this.plan.stopSignal ?? 'SIGTERM');
    await this.ended();
  }

  /** Kills it if it runs, and starts it at the same address. Resolves when it serves. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  #lastLines(): string {
    return this.log.split('\n').slice(-20).join('\n');
  }
}

function descendantsOf(pid: number): readonly number[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) found.push(...pairs.flatMap(([child = 0, of]) => (of === parent ? [child] : [])));
  return found.slice(1);
}

function signalQuietly(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone.
  }
}
