/**
 * The processes of a campaign and the links between them: Temporal's dev server, gateways and workers in one process and apart,
 * and nginx before them where it is wanted. Whatever one of them says to another, or a client to them, goes through a link.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { type DevServer, startDevServer } from '../../src/cli/dev-server/start.ts';
import { testCache, testTemporalProgram } from '../support/temporal-server.ts';
import type { Clock, Disk } from './machine.ts';
import { nginxConfig } from './nginx.ts';
import type { ProcessKind } from './plan.ts';
import { type Disturbable, Process } from './process.ts';
import { type Address, Link } from './proxy.ts';

/** What the turns are kept in. */
export interface Database extends AsyncDisposable {
  /** For a process of turnkeep whose own link to the server leads to this port. */
  env(port: number | undefined): NodeJS.ProcessEnv;
  /** The server, where there is one. */
  readonly server?: { readonly address: Address; readonly process: Disturbable };
  /** What it writes besides, where no secret may be. */
  readonly logs: readonly string[];
}

export interface ClusterOptions {
  /** For logs, sockets and what Temporal keeps. */
  readonly folder: string;
  readonly modelPort: number;
  readonly database: Database;
  readonly counts: Readonly<Record<'serve' | 'gateway' | 'worker', number>>;
  readonly hasNginx: boolean;
  readonly disk: Disk | undefined;
  readonly clock: Clock | undefined;
  /** For all processes of turnkeep. */
  readonly env: NodeJS.ProcessEnv;
  readonly onEndedByItself: (process: string, how: string) => void;
}

const logFolder = 'logs';

export class CampaignCluster implements AsyncDisposable {
  readonly processes: Disturbable[] = [];
  readonly links: Link[] = [];
  /** Where clients go: each leads through a link of theirs. */
  readonly urls: string[] = [];
  readonly #options: ClusterOptions;
  readonly #own: Process[] = [];
  #temporal: DevServer | undefined;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  static async start(options: ClusterOptions): Promise<CampaignCluster> {
    const cluster = new CampaignCluster(options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { folder, counts, hasNginx, database } = this.#options;
    mkdirSync(join(folder, logFolder));
    const temporal = await this.#startTemporal();
    if (database.server !== undefined) this.processes.push(database.server.process);
    const upstreams: Link[] = [];
    const starting: Promise<void>[] = [];
    for (const kind of ['serve', 'gateway', 'worker'] as const) {
      for (let n = 1; n <= counts[kind]; n += 1) {
        const name = `${kind}-${n}`;
        const front = kind === 'worker' ? undefined : await this.#link(hasNginx ? 'nginx' : 'clients', name);
        if (front !== undefined) upstreams.push(front);
        const role = await this.#role({ name, kind, front, temporalPort: temporal.port });
        // All at the same moment, on a database that is not there yet.
        starting.push(role.start());
      }
    }
    await Promise.all(starting);
    if (hasNginx) await this.#startNginx(upstreams);
    else this.urls.push(...upstreams.map(({ port }) => `http://127.0.0.1:${port}`));
  }

  async #startTemporal(): Promise<DevServer> {
    const { folder } = this.#options;
    let onAgain: (() => void) | undefined;
    const server = await startDevServer({
      program: await testTemporalProgram(),
      namespace: 'default',
      hasUi: false,
      databasePath: join(folder, 'temporal.db'),
      logPath: join(folder, logFolder, 'temporal'),
      onLost: ({ type }) => {
        if (type === 'again') onAgain?.();
      },
    });
    this.#temporal = server;
    let isUp = true;
    /** Whoever started it starts it again. */
    const end = async (signal: NodeJS.Signals): Promise<void> => {
      isUp = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      onAgain = resolve;
      process.kill(server.pid, signal);
      await promise;
      isUp = true;
    };
    this.processes.push({
      name: 'temporal',
      kind: 'temporal',
      get pid() {
        return server.pid;
      },
      get isUp() {
        return isUp;
      },
      kill: () => end('SIGKILL'),
      leave: () => end('SIGTERM'),
      stop: async (forMs) => {
        isUp = false;
        process.kill(server.pid, 'SIGSTOP');
        await sleep(forMs);
        process.kill(server.pid, 'SIGCONT');
        isUp = true;
      },
    });
    return server;
  }

  /** A process of turnkeep, with links of its own to all that it stands on. */
  async #role(role: {
    readonly name: string;
    readonly kind: 'serve' | 'gateway' | 'worker';
    readonly front: Link | undefined;
    readonly temporalPort: number;
  }): Promise<Process> {
    const { name, kind, front, temporalPort } = role;
    const { env, disk, clock, database, modelPort } = this.#options;
    const temporal = await this.#link('temporal', name, temporalPort);
    // A gateway that is nothing else asks the provider for nothing that a campaign does.
    const providerPort = kind === 'gateway' ? modelPort : (await this.#link('provider', name, modelPort)).port;
    const store = database.server === undefined ? undefined : await this.#link('postgres', name, database.server.address);
    return this.#process({
      name,
      kind,
      command: [...(disk?.prefix ?? []), process.execPath, join(import.meta.dirname, '../../bin/turnkeep.js'), kind],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...testCache,
        ...clock?.env,
        TEMPORAL_ADDRESS: `127.0.0.1:${temporal.port}`,
        OPENAI_BASE_URL: `http://127.0.0.1:${providerPort}/v1`,
        TURNKEEP_PORT: '0',
        ...env,
        ...database.env(store?.port),
      },
      ready: kind === 'worker' ? /worker polls/ : /listens on http:\/\/127\.0\.0\.1:(\d+)/,
      onReady: (match) => front?.leadTo(Number(match?.[1])),
      onGone: () => front?.leadTo(undefined),
    });
  }

  async #startNginx(upstreams: readonly Link[]): Promise<void> {
    const { folder } = this.#options;
    const [port = 0] = await freePorts([undefined]);
    const config = join(folder, 'nginx.conf');
    writeFileSync(
      config,
      nginxConfig(
        folder,
        port,
        upstreams.map((link) => link.port),
      ),
    );
    const front = await this.#link('clients', 'nginx', port);
    const nginx = this.#process({
      name: 'nginx',
      kind: 'nginx',
      command: ['nginx', '-c', config, '-e', join(folder, logFolder, 'nginx')],
      env: { PATH: `${process.env['PATH']}:/usr/sbin` },
      ready: undefined,
      onReady: async () => {
        while (
          !(await fetch(`http://127.0.0.1:${port}/healthz`).then(
            () => true,
            () => false,
          ))
        )
          await sleep(20);
      },
      onGone: () => {},
    });
    await nginx.start();
    this.urls.push(`http://127.0.0.1:${front.port}`);
  }

  #process(options: {
    readonly name: string;
    readonly kind: ProcessKind;
    readonly command: readonly string[];
    readonly env: NodeJS.ProcessEnv;
    readonly ready: RegExp | undefined;
    readonly onReady: (match: RegExpExecArray | undefined) => void | Promise<void>;
    readonly onGone: () => void;
  }): Process {
    const { folder, onEndedByItself } = this.#options;
    const process = new Process({
      ...options,
      logPath: join(folder, logFolder, options.name),
      onEndedByItself: (how) => onEndedByItself(options.name, how),
    });
    this.#own.push(process);
    this.processes.push(process);
    return process;
  }

  /** @param leadsTo `clients` lead to `name`, all others from `name` to what they are called after */
  async #link(kind: Link['kind'], name: string, target?: Address): Promise<Link> {
    const isOfClients = kind === 'clients' || kind === 'nginx';
    const link = await Link.open(isOfClients ? `${kind}>${name}` : `${name}>${kind}`, kind, target);
    this.links.push(link);
    return link;
  }

  /** What is written by the processes, and by Temporal: no secret may be there. */
  get files(): readonly string[] {
    const { folder, database } = this.#options;
    const logs = this.processes.map(({ name }) => join(folder, logFolder, name));
    return [...logs, ...database.logs, ...['', '-wal'].map((part) => join(folder, `temporal.db${part}`))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#own.map((each) => each.close()));
    await this.#temporal?.stop();
    await Promise.all(this.links.map((link) => link.close()));
    await this.#options.database[Symbol.asyncDispose]();
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
