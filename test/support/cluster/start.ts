/**
 * The cluster of `docker-compose.yml` without Docker: the same commands with the same environment, which are read from that file,
 * at free ports of this machine; Temporal's dev server, with the same dynamic configuration, in the place of its server.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { probeNamespace } from '../../../src/cli/dev-server/probe.ts';
import { freePorts } from '../../../src/cli/dev-server/ports.ts';
import { serverArguments } from '../../../src/cli/dev-server/server-arguments.ts';
import { testCache, testTemporalProgram } from '../temporal-server.ts';
import { type ContainerCommand, containerCommand, readServices } from './compose-file.ts';
import { planNginx } from './nginx.ts';
import { makePostgres, postgresUser } from './postgres.ts';
import { ClusterProcess, type ProcessPlan } from './process.ts';

/** What a process may call. `replica` is called by nginx. */
export type Target = 'postgres' | 'temporal' | 'model' | 'replica';

export interface ClusterOptions {
  /** Processes of `serve`. Default: as in `docker-compose.yml` (2). */
  readonly replicas?: number;
  /** Processes of `worker`. Default: as in `docker-compose.yml` (1). */
  readonly workers?: number;
  /** Processes of `gateway`, behind nginx like the replicas. Default 0. */
  readonly gateways?: number;
  /** What would stand in `.env`. Without OPENAI_BASE_URL there is the demo model, a process of its own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Kept; made where it is not there. Default: a temporary folder, removed in the end. */
  readonly dataDir?: string;
  /** Default `postgres`. `sqlite`: one file that all share, as on one machine. */
  readonly database?: 'postgres' | 'sqlite';
  /** nginx's port. Default: a free one. */
  readonly port?: number;
  /** The address at which `from` finds `to`, if it is to be another one than its own: that of a proxy that makes faults. Both are host:port. */
  readonly link?: (from: string, to: Target, address: string) => string | Promise<string>;
}

export interface Cluster extends AsyncDisposable {
  /** nginx, in front of the replicas; without `/v1`. */
  readonly url: string;
  /** For `authorization: Bearer …`. */
  readonly apiKey: string;
  readonly dataDir: string;
  /** As turnkeep's processes have it, but for `link`. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** `serve-1`, `serve-2`, …: gateway and worker in one. */
  readonly replicas: readonly ClusterReplica[];
  readonly gateways: readonly ClusterReplica[];
  readonly workers: readonly ClusterProcess[];
  readonly nginx: ClusterProcess;
  readonly temporal: ClusterProcess;
  /** Undefined with SQLite. */
  readonly postgres: ClusterProcess | undefined;
  /** Undefined where `OPENAI_BASE_URL` names another. */
  readonly demoModel: ClusterProcess | undefined;
  /** All of the above, in the order of their start. */
  readonly processes: readonly ClusterProcess[];
  /** Stops all of it, turnkeep's processes before what they need: streams may end within TURNKEEP_DRAIN_MS. */
  stop(): Promise<void>;
  /** Kills all of it. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ClusterReplica extends ClusterProcess {
  /** Its own address, past nginx; without `/v1`. */
  readonly url: string;
}

const apiKey = 'key-of-the-cluster';
const root = join(import.meta.dirname, '../../..');
const ip = '127.0.0.1';

/** The addresses of containers in `docker-compose.yml`. */
const containers = { postgres: 'postgres:5432', temporal: 'temporal:7233', model: 'demo-model:8485' } as const;

/**
 * Resolves when nginx serves and every replica behind it is ready.
 * @throws when anything of it does not start; what had started is gone then
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const variables = { TURNKEEP_API_KEYS: `cluster:${apiKey}`, POSTGRES_PASSWORD: 'password', ...options.env };
  const services = readServices(variables);
  const count = (given: number | undefined, service: string): number => given ?? Number(services[service]?.deploy?.replicas);
  const names = [
    ...named('serve', count(options.replicas, 'serve')),
    ...named('gateway', options.gateways ?? 0),
    ...named('worker', count(options.workers, 'worker')),
  ];
  const database = options.database ?? 'postgres';
  const dataDir = options.dataDir === undefined ? mkdtempSync(join(tmpdir(), 'turnkeep-cluster-')) : resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true });
  const [port, temporalPort, postgresPort, modelPort, ...ports] = await freePorts([
    options.port,
    ...Array.from({ length: names.length + 3 }, () => undefined),
  ]);
  const addresses: Record<Target, string> = {
    postgres: `${ip}:${postgresPort}`,
    temporal: `${ip}:${temporalPort}`,
    model: options.env?.['OPENAI_BASE_URL'] ? new URL(options.env['OPENAI_BASE_URL']).host : `${ip}:${modelPort}`,
    replica: '',
  };
  const link = options.link ?? ((_from, _to, address) => address);
  const folderOf = (name: string): string => {
    const folder = join(dataDir, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  };
  const plan = (name: string, rest: Omit<ProcessPlan, 'name' | 'cwd' | 'logPath'>): ClusterProcess =>
    new ClusterProcess({ name, cwd: root, logPath: join(dataDir, `${name}.log`), ...rest });

  /** What a container runs, with the addresses that its names have here. */
  async function local(name: string, service: string): Promise<ContainerCommand> {
    const { command, environment } = containerCommand(service, services);
    const env = { ...environment };
    for (const target of ['postgres', 'temporal', 'model'] as const) {
      for (const [variable, value] of Object.entries(env)) {
        const found = [containers[target], addresses[target]].find((address) => value.split(/[@/]/).includes(address));
        if (found !== undefined) env[variable] = value.replace(found, await link(name, target, addresses[target]));
      }
    }
    return { command: command.map((word, index) => (index === 0 && word === 'node' ? process.execPath : word)), environment: env };
  }

  async function turnkeep(name: string, ownPort: number): Promise<ClusterProcess> {
    const role = name.replace(/-\d+$/, '');
    // A gateway is a replica with another command: docker-compose.yml has none.
    const { command, environment } = await local(name, role === 'gateway' ? 'serve' : role);
    const isWorker = role === 'worker';
    const env: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      // What `env_file` passes on.
      ...variables,
      ...environment,
      ...localSettings({ isWorker, port: ownPort, dataDir: folderOf(name) }),
      ...(database === 'sqlite' ? { DATABASE_URL: sqliteUrl } : {}),
    };
    return plan(name, {
      command: role === 'gateway' ? [...command.slice(0, -1), 'gateway'] : command,
      env,
      isReady: () => isOk(`http://${ip}:${ownPort}/${isWorker ? 'healthz' : 'readyz'}`),
    });
  }

  const sqliteUrl = `sqlite:${join(dataDir, 'turnkeep.db')}`;
  const started: ClusterProcess[] = [];
  const start = async (...processes: readonly ClusterProcess[]): Promise<void> => {
    started.push(...processes);
    const ends = await Promise.allSettled(processes.map((one) => one.start()));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  };
  const kill = async (): Promise<void> => {
    await Promise.all(started.map((one) => one.kill()));
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  };

  try {
    const temporal = plan('temporal', {
      command: [
        await testTemporalProgram(),
        ...serverArguments({ ip, port: temporalPort ?? 0, namespace: 'default', databasePath: join(folderOf('temporal'), 'temporal.db') }),
      ],
      env: process.env,
      isReady: async () => (await probeNamespace(addresses.temporal, 'default')) === undefined,
    });
    const demoModel = options.env?.['OPENAI_BASE_URL'] ? undefined : await planDemoModel();
    const postgres = database === 'sqlite' ? undefined : await planPostgres();
    await start(temporal, ...(demoModel === undefined ? [] : [demoModel]), ...(postgres === undefined ? [] : [postgres]));

    await migrate();
    const own = await Promise.all(names.map(async (name, index) => turnkeep(name, ports[index] ?? 0)));
    await start(...own);
    const behindNginx = own.flatMap((one, index) => (one.name.startsWith('worker') ? [] : [{ one, address: `${ip}:${ports[index]}` }]));
    const nginx = await planOfNginx(await Promise.all(behindNginx.map(async ({ address }) => link('nginx', 'replica', address))));
    await start(nginx);

    const replicas = behindNginx.map(({ one, address }): ClusterReplica => Object.assign(one, { url: `http://${address}` }));
    return {
      url: `http://${ip}:${port}`,
      apiKey: variables.TURNKEEP_API_KEYS.slice(variables.TURNKEEP_API_KEYS.indexOf(':') + 1).split(',', 1)[0] ?? '',
      dataDir,
      databaseUrl:
        database === 'sqlite'
          ? sqliteUrl
          : (services['serve']?.environment['DATABASE_URL'] ?? '').replace(containers.postgres, addresses.postgres),
      temporalAddress: addresses.temporal,
      replicas: replicas.filter(({ name }) => name.startsWith('serve')),
      gateways: replicas.filter(({ name }) => name.startsWith('gateway')),
      workers: own.filter(({ name }) => name.startsWith('worker')),
      nginx,
      temporal,
      postgres,
      demoModel,
      processes: started,
      async stop() {
        // nginx ends with the last stream that passes through it, and those end as the replicas drain.
        await Promise.all([nginx, ...own].map((one) => one.stop()));
        for (const one of [demoModel, temporal, postgres]) await one?.stop();
        await kill();
      },
      [Symbol.asyncDispose]: kill,
    };
  } catch (error) {
    await kill();
    throw error;
  }

  /** Resolves once the tables are of this version: what the service is waited for. */
  async function migrate(): Promise<void> {
    const { command, environment } = await local('migrate', 'migrate');
    const [program = '', ...args] = command;
    const own = { ...localSettings({ isWorker: false, port: 0, dataDir: folderOf('migrate') }) };
    const env = {
      PATH: process.env['PATH'],
      ...variables,
      ...environment,
      ...own,
      ...(database === 'sqlite' ? { DATABASE_URL: sqliteUrl } : {}),
    };
    const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: root, env });
    writeFileSync(join(dataDir, 'migrate.log'), `${stdout}${stderr}`);
  }

  async function planDemoModel(): Promise<ClusterProcess> {
    const { command } = await local('demo-model', 'demo-model');
    const [node = '', script = ''] = command;
    return plan('demo-model', {
      // The image has the script beside the package's own files, and what is built of the sources.
      command: [node, '--conditions=turnkeep-source', join(root, 'scripts', script), String(modelPort), ip],
      env: process.env,
      isReady: () => isOk(`http://${addresses.model}/v1/models`),
    });
  }

  async function planPostgres(): Promise<ClusterProcess> {
    const folder = folderOf('postgres');
    const { command, environment } = containerCommand('postgres', services);
    const user = postgresUser();
    if (user !== undefined) {
      // That user has to come through to it.
      chmodSync(dataDir, 0o711);
      chownSync(folder, user.uid, user.gid);
    }
    const made = await makePostgres({ folder, command, environment, port: postgresPort ?? 0, user });
    return plan('postgres', made);
  }

  async function planOfNginx(servers: readonly string[]): Promise<ClusterProcess> {
    const container = containerCommand('nginx', services);
    return plan('nginx', await planNginx({ container, folder: folderOf('nginx'), listen: `${ip}:${port}`, servers }));
  }
}

/** `serve-1`, `serve-2`, … */
function named(role: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${role}-${index + 1}`);
}

export interface LocalSettings {
  readonly isWorker: boolean;
  readonly port: number;
  readonly dataDir: string;
}

/** All that differs from a container's environment, besides the addresses of others: there is no network of its own, and no volume. */
export function localSettings({ isWorker, port, dataDir }: LocalSettings): Record<string, string> {
  return {
    TURNKEEP_HOST: ip,
    ...(isWorker ? { TURNKEEP_METRICS_PORT: String(port) } : { TURNKEEP_PORT: String(port) }),
    TURNKEEP_DATA_DIR: dataDir,
    ...testCache,
  };
}

async function isOk(url: string): Promise<boolean> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.ok;
}
