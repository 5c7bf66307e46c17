/** The processes of a soak: Temporal's dev server, the model server, two `serve`, a `gateway` and a `worker` on one data dir. */
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { type DevServer, startDevServer } from '../../src/cli/dev-server/start.ts';
import { Role } from '../../test/support/processes.ts';
import { testTemporalProgram } from '../../test/support/temporal-server.ts';
import { Child } from '../support/child.ts';
import { clockMs } from '../support/clock.ts';
import { type Disturbance, type RoleName, roleNames, type Target } from './plan.ts';
import type { Disturbed } from './record.ts';

const restartAfterMs = 2_000;
/** Longer than a lease. */
const stopMs = 12_000;
/** Below the ports that the system gives to outgoing connections: one of those could take that of a process that is down. */
const firstPort = 21_000;

interface Running {
  role: Role;
  startedAtMs: number;
  /** Its end was asked for. */
  isDoomed: boolean;
}

export class SoakProcesses implements AsyncDisposable {
  readonly taskQueue = 'turnkeep';
  readonly dataDir: string;
  readonly disturbed: Disturbed[] = [];
  /** How processes ended that nobody has killed. */
  readonly lost: string[] = [];
  readonly #folder: string;
  readonly #model = new Child('soak/model.ts');
  readonly #running = new Map<RoleName, Running>();
  #server: DevServer | undefined;
  #env: NodeJS.ProcessEnv = {};
  #ports = new Map<RoleName, number>();
  #isClosing = false;
  #onAgain: (() => void) | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.dataDir = join(folder, 'data');
    mkdirSync(join(folder, 'logs'));
  }

  static async start(folder: string): Promise<SoakProcesses> {
    const processes = new SoakProcesses(folder);
    try {
      await processes.#start();
      return processes;
    } catch (error) {
      await processes[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const modelUrl = await this.#model.call<string>('start');
    this.#server = await startDevServer({
      program: await testTemporalProgram(),
      namespace: 'default',
      hasUi: false,
      databasePath: join(this.#folder, 'temporal.db'),
      logPath: join(this.#folder, 'logs', 'temporal'),
      onLost: ({ type }) => {
        if (type === 'again') this.#onAgain?.();
      },
    });
    this.#env = {
      ...process.env,
      TEMPORAL_ADDRESS: this.#server.address,
      TURNKEEP_DATA_DIR: this.dataDir,
      TURNKEEP_TASK_QUEUE: this.taskQueue,
      OPENAI_BASE_URL: modelUrl,
      OPENAI_API_KEY: 'none',
      TURNKEEP_MODEL: 'scripted',
    };
    const ports = await freePorts(roleNames.map((_, at) => firstPort + (process.pid % 1_000) * 8 + at));
    this.#ports = new Map(roleNames.map((name, at) => [name, ports[at] ?? 0]));
    // All at the same moment, on a data dir that is not there yet.
    await Promise.all(roleNames.map((name) => this.#run(name)));
  }

  get gateways(): readonly string[] {
    return roleNames.filter((name) => name !== 'worker').map((name) => `http://127.0.0.1:${this.#ports.get(name)}`);
  }

  get temporal(): DevServer {
    if (this.#server === undefined) throw new Error('not started');
    return this.#server;
  }

  get model(): Child {
    return this.#model;
  }

  /** Pids, and how long each has been there, ms. */
  get all(): readonly { readonly name: string; readonly pid: number; readonly ageMs: number }[] {
    const now = clockMs();
    const roles = [...this.#running].map(([name, { role, startedAtMs }]) => ({
      name,
      pid: role.child.pid ?? Number.NaN,
      ageMs: now - startedAtMs,
    }));
    const others = { temporal: this.temporal.pid, model: this.#model.pid, client: process.pid };
    return [...roles, ...Object.entries(others).map(([name, pid]) => ({ name, pid, ageMs: now }))];
  }

  /** Resolves when the process is back, and ready. @throws when it ends before that */
  async disturb(disturbance: Disturbance): Promise<void> {
    const { target, kind } = disturbance;
    const pid = target === 'temporal' ? this.temporal.pid : (this.#of(target).role.child.pid ?? Number.NaN);
    const disturbed: Disturbed = { ...disturbance, pid, atMs: clockMs() };
    this.disturbed.push(disturbed);
    try {
      if (target === 'temporal') await this.#disturbTemporal(kind);
      else if (kind === 'kill') await this.#killRole(target);
      else {
        const { role } = this.#of(target);
        role.signal('SIGSTOP');
        await sleep(stopMs);
        role.signal('SIGCONT');
      }
    } finally {
      disturbed.overAtMs = clockMs();
    }
  }

  async #disturbTemporal(kind: Disturbance['kind']): Promise<void> {
    const { pid } = this.temporal;
    if (kind === 'stop') {
      process.kill(pid, 'SIGSTOP');
      await sleep(stopMs);
      process.kill(pid, 'SIGCONT');
      return;
    }
    // Whoever started it starts it again.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAgain = resolve;
    process.kill(pid, 'SIGKILL');
    await promise;
  }

  async #killRole(name: RoleName): Promise<void> {
    const running = this.#of(name);
    running.isDoomed = true;
    await running.role.kill();
    await sleep(restartAfterMs);
    await this.#run(name);
  }

  /** Is it there, and nothing is done to it? */
  isUp(target: Target): boolean {
    const isBusy = this.disturbed.some((each) => each.target === target && each.overAtMs === undefined);
    return !isBusy && (target === 'temporal' || !this.#of(target).isDoomed);
  }

  /** Resolves when it is ready. */
  async #run(name: RoleName): Promise<void> {
    const [command = ''] = name.split('-');
    const log = openSync(join(this.#folder, 'logs', name), 'a');
    const role = new Role([command], { ...this.#env, TURNKEEP_PORT: String(this.#ports.get(name)) }, log);
    closeSync(log);
    const running: Running = { role, startedAtMs: clockMs(), isDoomed: false };
    this.#running.set(name, running);
    role.child.once('exit', (code, signal) => {
      if (running.isDoomed || this.#isClosing) return;
      this.lost.push(`${name} (pid ${role.child.pid}) ended by itself: ${signal ?? `exit code ${code}`}`);
      running.isDoomed = true;
      setTimeout(() => {
        if (!this.#isClosing) void this.#run(name).catch(() => undefined);
      }, restartAfterMs);
    });
    await role.says(/listens on|worker polls/);
  }

  #of(name: RoleName): Running {
    const running = this.#running.get(name);
    if (running === undefined) throw new Error(`${name} was never started`);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    this.killRoles();
    await this.#server?.stop();
    await this.#model[Symbol.asyncDispose]();
  }

  /** At once: what is left of them needs nobody. */
  killRoles(): void {
    this.#isClosing = true;
    for (const { role } of this.#running.values()) role.signal('SIGKILL');
  }
}

/** Of a process, in MB; undefined when it is gone. */
export function residentMb(pid: number): number | undefined {
  try {
    const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kb === undefined ? undefined : Number(kb) / 1_024;
  } catch {
    return undefined;
  }
}
