/** Real turnkeep processes on one data dir, to be killed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Store } from '../../src/store/ports/store.ts';
import type { ModelServer, ModelServerOptions } from '../../src/testing/model-server/index.ts';
import { startPatientModel } from './patient-model.ts';
import { sharedTemporalServer, testCache } from './temporal-server.ts';
import { isOnPostgres, openTestDatabase, type TestDatabase } from './test-database.ts';
import { until } from './until.ts';
import { within } from './within.ts';

const root = join(import.meta.dirname, '../..');

/** A test that runs into its timeout never disposes of what it started. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Role {
  readonly child: ChildProcess;
  readonly output: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #closed: Promise<void>;
  #isClosed = false;

  /**
   * @param stderr a file descriptor that takes its log, instead of `output`
   * @param program turnkeep's own command where nothing is said
   */
  constructor(args: readonly string[], env: NodeJS.ProcessEnv, stderr: 'pipe' | number = 'pipe', program = 'bin/turnkeep.js') {
    this.child = spawn(process.execPath, [program, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', stderr] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.output.push(line);
        for (const look of this.#watchers) look();
      });
    }
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    // Behind its exit there may still be lines of it to be read.
    this.#closed = once(this.child, 'close').then(() => {
      this.#isClosed = true;
      for (const look of this.#watchers) look();
    });
  }

  /** Resolves with the first match in the output. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const said = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = (): void => {
        for (const line of this.output) {
          const match = pattern.exec(line);
          if (match === null) continue;
          this.#watchers.delete(look);
          resolve(match);
          return;
        }
        if (this.#isClosed) {
          reject(new Error(`it ended before saying ${String(pattern)}:\n${this.output.join('\n')}`));
        }
      };
      this.#watchers.add(look);
      look();
    });
    return within(`a process to say ${String(pattern)}`, said, () => this.output.join('\n'));
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Its process stands still: the signal that stops it has arrived. */
  get isStopped(): boolean {
    return execFileSync('ps', ['-o', 'stat=', '-p', String(this.child.pid)], { encoding: 'utf8' }).startsWith('T');
  }

  /** Resolves with its exit code, once all that it said is in `output`. */
  async ended(): Promise<number | null> {
    await within('the end of a process', this.#closed, () => this.output.join('\n'));
    return this.child.exitCode;
  }

  async kill(): Promise<void> {
    const { exitCode, signalCode } = this.child;
    if (exitCode !== null || signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

export interface Cluster extends AsyncDisposable {
  readonly model: ModelServer;
  /** See `TestDatabase.ask`. */
  readonly ask: TestDatabase['ask'];
  /** See `TestDatabase.locked`. */
  readonly locked: TestDatabase['locked'];
  /** Opened, and made if need be, when it is first asked for. */
  readonly store: Store;
  readonly env: NodeJS.ProcessEnv;
  /** In the order they were started, dead ones too. */
  readonly workers: readonly Role[];
  startWorker(env?: NodeJS.ProcessEnv): Promise<Role>;
  /** The worker of an application of its own, on this task queue: `own-worker-program.ts`. */
  startOwnWorker(taskQueue: string): Promise<Role>;
  startGateway(env?: NodeJS.ProcessEnv): Promise<RunningGateway>;
  /** Gateway and worker in one process. */
  startServe(env?: NodeJS.ProcessEnv, stderr?: number): Promise<RunningGateway>;
  /** SIGSTOP, but not in the middle of a write: the process would keep SQLite's lock, and all others would wait until it goes on. */
  stop(role: Role): Promise<void>;
}

export interface RunningGateway {
  readonly role: Role;
  readonly url: string;
}

/** Gateways and workers as processes of their own, the model server and the test's own eyes on the database here. */
export async function startCluster(
  options: { readonly model?: ModelServerOptions; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Cluster> {
  const temporal = await sharedTemporalServer();
  const model = await startPatientModel(options.model);
  const dataDir = mkdtempSync(join(tmpdir(), 'turnkeep-chaos-'));
  const database = await openTestDatabase(dataDir);
  let store: Store | undefined;
  const roles: Role[] = [];
  const workers: Role[] = [];
  const headStart = process.env['TURNKEEP_HEAD_START'];
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    ...testCache,
    ...(headStart === undefined ? {} : { TURNKEEP_HEAD_START: headStart }),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
    TURNKEEP_DATA_DIR: dataDir,
    ...(isOnPostgres ? { DATABASE_URL: database.url } : {}),
    TURNKEEP_PORT: '0',
    TURNKEEP_TASK_QUEUE: `chaos-${crypto.randomUUID()}`,
    TURNKEEP_HEARTBEAT_TIMEOUT_MS: '3000',
    OPENAI_BASE_URL: model.baseUrl,
    OPENAI_API_KEY: 'sk-chaos-0123456789abcdef',
    TURNKEEP_MODEL_API: 'chat',
    TURNKEEP_MODEL: 'scripted',
    ...options.env,
  };
  function start(args: readonly string[], extra: NodeJS.ProcessEnv | undefined, stderr?: number): Role {
    const role = new Role(args, { ...env, ...extra }, stderr);
    roles.push(role);
    return role;
  }
  async function listening(role: Role): Promise<RunningGateway> {
    const [, url = ''] = await role.says(/listens on (http:\/\/127\.0\.0\.1:\d+)/);
    return { role, url };
  }
  return {
    model,
    env,
    workers,
    ask: (sql, ...values) => database.ask(sql, ...values),
    locked: (work) => database.locked(work),
    get store() {
      return (store ??= database.open());
    },
    async startWorker(extra) {
      const role = start(['worker'], extra);
      workers.push(role);
      await role.says(/worker polls/);
      return role;
    },
    async startOwnWorker(taskQueue) {
      const role = new Role([taskQueue], env, 'pipe', 'test/support/own-worker-program.ts');
      roles.push(role);
      await role.says(/own worker polls/);
      return role;
    },
    startGateway: (extra) => listening(start(['gateway'], extra)),
    startServe: (extra, stderr) => listening(start(['serve'], extra, stderr)),
    async stop(role) {
      // A process that stood still while it wrote would hold up the others.
      await database.locked(async () => {
        role.signal('SIGSTOP');
        await until(() => role.isStopped);
      });
    },
    async [Symbol.asyncDispose]() {
      for (const role of roles) {
        // A stopped process does not die of anything else.
        role.signal('SIGCONT');
        await role.kill();
      }
      await model.close();
      await store?.close();
      await database[Symbol.asyncDispose]();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
