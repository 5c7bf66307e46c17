/** turnkeep in a Temporal application of somebody's own: its activities in his worker, its codec in his client, bundler and replays. */
import type { ClientOptions, ClientPlugin } from '@temporalio/client';
import { Client, Connection } from '@temporalio/client';
import type { BundleOptions, BundlerPlugin, ReplayWorkerOptions, Worker, WorkerOptions, WorkerPlugin } from '@temporalio/worker';
import type { DataConverter } from '@temporalio/common';
import { type Logger, pino } from 'pino';
import { createDataConverter, failureConverterPath } from '../codec/data-converter.ts';
import { type AgentConfig, noAgents, readAgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import type { DefinedConfig } from '../config/define-config.ts';
import { readConfig } from '../config/read-config.ts';
import type { Tracer } from '../metrics/traces/exporter.ts';
import type { Store } from '../store/ports/store.ts';
import { requireCodecKey } from './codec-key.ts';
import { openStore } from './open-store.ts';
import { startTracer } from './tracing.ts';
import { createTurnRunner, type TurnRunner } from './turn-runner.ts';
import { workerSlots } from './worker.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

export interface TurnkeepPluginOptions {
  /**
   * Of a worker: the database of the gateways that show its turns; that of the configuration where nothing is said. Closed when the
   * last worker with this plugin has stopped.
   */
  readonly store?: Store;
  /** By `readConfig`, of the process's environment where nothing is said. */
  readonly config?: Config;
  /** By `defineConfig`, `readAgentConfig` or `loadAgentConfig`; none where nothing is said. */
  readonly agents?: AgentConfig | DefinedConfig | undefined;
  /** Warnings and errors to stderr where nothing is said. */
  readonly log?: Logger;
}

export type TurnkeepPlugin = WorkerPlugin & ClientPlugin & BundlerPlugin;

/** How soon a worker that is shut down begins no new requests. */
const stateCheckMs = 100;

/** Behind the time for streams to end, as the worker role has it. */
const forceAfterDrainMs = 5_000;

/**
 * For `plugins` of one's own `Worker`, `Client`, `bundleWorkflowCode` and `Worker.runReplayHistory`. A worker with it has
 * turnkeep's activities beside its own ones, on its own task queue, and runs the turns that its workflows ask for by `runTurn`.
 * Codec, interceptors and slots of one's own stay as they are. It does not dispatch what comes over HTTP: that is the worker role
 * (`turnkeep worker`, `startWorker`), on the queue of its configuration.
 *
 * @throws when the worker is created: in another namespace than that of the configuration; where an activity
 * of one's own has the name of one of turnkeep's; without the key that encrypts what Temporal stores
 * @example
 *     import { NativeConnection, Worker } from '@temporalio/worker';
 *     import { turnkeepPlugin } from 'turnkeep/worker';
 *
 *     const worker = await Worker.create({
 *       connection: await NativeConnection.connect({ address: '127.0.0.1:7233' }),
 *       taskQueue: 'research',
 *       workflowsPath: new URL('./workflows.js', import.meta.url).pathname,
 *       plugins: [turnkeepPlugin()],
 *     });
 *     await worker.run();
 */
export function turnkeepPlugin(options: TurnkeepPluginOptions = {}): TurnkeepPlugin {
  const { config = readConfig({ env: process.env }), log = pino({ level: 'warn' }, pino.destination(2)) } = options;
  const agents = agentsOf(options.agents);
  const onCodecError = (message: string): void => log.error(message);
  const dataConverter = createDataConverter(config.codecKeys, onCodecError, { checksPlace: true });
  const replayConverter = createDataConverter(config.codecKeys, onCodecError);
  const hasCodec = config.codecKeys.length > 0;
  /** By the activity that each worker has of it. */
  const runners = new WeakMap<object, TurnRunner>();
  let store: Promise<Store> | undefined;
  let tracer: Promise<Tracer | undefined> | undefined;
  let running = 0;

  function withCodec<Options extends { dataConverter?: DataConverter | undefined }>(given: Options, own = dataConverter): Options {
    return hasCodec && given.dataConverter === undefined ? { ...given, dataConverter: own } : given;
  }

  async function createRunner({ connection, namespace }: WorkerOptions): Promise<TurnRunner> {
    const client = new Client({
      connection: connection ?? Connection.lazy(config.temporal.connection ?? {}),
      namespace: namespace ?? 'default',
      dataConverter,
    });
    store ??= options.store === undefined ? openStore(config) : Promise.resolve(options.store);
    await requireCodecKey(await store, config.codecKeys);
    tracer ??= startTracer(config, log);
    return createTurnRunner({ config, store: await store, log, agents, tracer: await tracer, workflows: client.workflow });
  }

  /** What was opened here is opened again by the next worker. */
  async function closeAll(): Promise<void> {
    const [closing, ending] = [store, tracer];
    store = undefined;
    tracer = undefined;
    await (await ending)?.close();
    await (await closing)?.close();
  }

  return {
    name: 'turnkeep',

    configureClient: (given: Omit<ClientOptions, 'plugins'>) => withCodec(given),

    configureBundler: (given: BundleOptions) =>
      fromSources(hasCodec ? { ...given, failureConverterPath: given.failureConverterPath ?? failureConverterPath } : given),

    configureReplayWorker: (given: ReplayWorkerOptions) => withCodec(given, replayConverter),

    async configureWorker(given: WorkerOptions) {
      const { namespace } = config.temporal;
      if (given.namespace !== undefined && given.namespace !== namespace) {
        throw new Error(
          `the worker's namespace is '${given.namespace}', that of turnkeep's configuration '${namespace}': whoever looks after its turns would not find their workflows`,
        );
      }
      const runner = await createRunner({ ...given, namespace });
      runners.set(runner.activities.streamModel, runner);
      const { drainMs } = config.limits;
      const ownWorkflows = given.workflowsPath === undefined && given.workflowBundle === undefined;
      return {
        ...(ownWorkflows ? { workflowBundle: await bundleWorkflows(config) } : {}),
        ...(given.shutdownGraceTime === undefined ? { shutdownGraceTime: drainMs, shutdownForceTime: drainMs + forceAfterDrainMs } : {}),
        ...(given.tuner === undefined ? workerSlots : {}),
        ...withCodec(given),
        namespace,
        activities: together(runner.activities, given.activities),
      };
    },

    async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>) {
      const runner = runners.get(worker.options.activities.get('streamModel') as object);
      if (runner === undefined) return next(worker);
      running += 1;
      runner.start();
      const check = setInterval(() => {
        if (!['INITIALIZED', 'RUNNING'].includes(worker.getState())) void runner.drain();
      }, stateCheckMs);
      try {
        await next(worker);
      } finally {
        clearInterval(check);
        await runner.close();
        running -= 1;
        if (running === 0) await closeAll();
      }
    },
  };
}

/** In a checkout `turnkeep/workflow` is what it is for Node there: the source, by the condition of `package.json`. */
function fromSources(given: BundleOptions): BundleOptions {
  if (!import.meta.url.endsWith('.ts')) return given;
  const { webpackConfigHook = (config) => config } = given;
  return {
    ...given,
    webpackConfigHook: ({ resolve, ...config }) =>
      webpackConfigHook({ ...config, resolve: { ...resolve, conditionNames: ['turnkeep-source', '...'] } }),
  };
}

function agentsOf(given: TurnkeepPluginOptions['agents']): AgentConfig {
  if (given === undefined) return noAgents;
  return 'mcpServers' in given ? given : readAgentConfig(given);
}

type Activities = WorkerOptions['activities'];

/** @throws where two have one name */
function together(ours: TurnRunner['activities'], theirs: Activities): NonNullable<Activities> {
  const own = theirs instanceof Map ? Object.fromEntries(theirs as Map<string, () => Promise<unknown>>) : theirs;
  for (const name of Object.keys(ours)) {
    if (own !== undefined && Object.hasOwn(own, name))
      throw new Error(`an activity of your own has the name '${name}', which is one of turnkeep's`);
  }
  return { ...own, ...ours };
}
