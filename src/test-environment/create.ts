/**
 * A whole turnkeep for a test, in one call: Temporal's dev server, a scripted model, a gateway and a worker in this process, on a
 * database of their own. Loads what it starts when it is called: `turnkeep/testing` itself loads nothing native.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { NativeConnection, Worker, WorkerOptions, WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { type Logger, pino } from 'pino';
import { type AgentConfig, noAgents, readAgentConfig } from '../config/agent-config.ts';
import type { Config } from '../config/config.ts';
import type { DefinedConfig } from '../config/define-config.ts';
import { readConfig } from '../config/read-config.ts';
import { openSqliteStore } from '../store/sqlite/open-store.ts';
import type { Store } from '../store/ports/store.ts';
import { type ModelServer, type ModelServerOptions, type Reply, startModelServer } from '../testing/model-server/index.ts';
import { replaying } from './replays.ts';
import { type TemporalOfTests, temporalOf } from './temporal.ts';

export interface TestEnvironmentOptions {
  /** By `defineConfig`, as `turnkeep.config.ts` exports it. Whatever its providers are, the scripted model is asked. */
  readonly config?: DefinedConfig | AgentConfig;
  /** What the model answers, one for each request, in order; behind them `model.fallback`. */
  readonly scripts?: readonly Reply[];
  readonly model?: ModelServerOptions;
  /**
   * `scripted` where nothing is said: the model of this environment stands in the place of every provider. `configured`: those of
   * `env` (`OPENAI_API_KEY`, …) and of the configuration are asked, and paid.
   */
  readonly providers?: 'scripted' | 'configured';
  /** Which API the scripted model speaks: `chat` where nothing is said. */
  readonly api?: 'chat' | 'responses';
  /** One that runs, instead of a dev server of this environment's own. */
  readonly temporal?: TemporalOfTests;
  /** Nobody's where nothing is said: what fails is part of a test. */
  readonly log?: Logger;
  /** Settings by their names in the environment, such as `TURNKEEP_TURN_TIMEOUT_MS`. The process's own are not read. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A worker of the application's own: what `Worker.create` takes, without what the environment gives it. */
export type OwnWorkerOptions = Omit<WorkerOptions, 'connection' | 'namespace' | 'taskQueue'> & { readonly taskQueue?: string };

export interface TestEnvironment extends AsyncDisposable {
  /** Of the gateway, without `/v1`. */
  readonly url: string;
  /** For OpenAI's client: `new OpenAI(environment.openai)`. */
  readonly openai: { readonly baseURL: string; readonly apiKey: string };
  readonly model: ModelServer;
  readonly config: Config;
  readonly store: Store;
  /** Temporal's own client, with the codec of the configuration. */
  readonly temporal: Client;
  readonly connection: NativeConnection;
  /**
   * Runs a worker of the application's own, with `turnkeepPlugin`, until the environment is disposed of.
   * @returns its task queue: `own` where nothing is said
   */
  startWorker(options: OwnWorkerOptions): Promise<{ readonly taskQueue: string; readonly worker: Worker }>;
  /** Waits for the end of the workflow and replays its history on the code of its worker; of a turn's by the turn's id. @throws where it does not */
  assertReplays(workflowId: string): Promise<void>;
}

const apiKey = 'sk-test';

/**
 * Starts everything that a turn needs, with a scripted model in the place of every provider.
 *
 * @example
 *     import OpenAI from 'openai';
 *     import { createTestEnvironment, modelStory, says } from 'turnkeep/testing';
 *
 *     const story = modelStory().otherwise(says('Hello!'));
 *     await using environment = await createTestEnvironment({ model: { fallback: story.reply } });
 *     const { id, output_text } = await new OpenAI(environment.openai).responses.create({ input: 'Hi' });
 *     console.log(output_text);
 *     await environment.assertReplays(id);
 */
export async function createTestEnvironment(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  /** The last that was opened is closed first. */
  const closers: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).toReversed()) await closeOne();
  };
  try {
    return await open(options, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(options: TestEnvironmentOptions, closers: (() => unknown)[], close: () => Promise<void>): Promise<TestEnvironment> {
  const dataDir = mkdtempSync(join(tmpdir(), 'turnkeep-test-'));
  closers.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const server = await temporalOf(options.temporal, dataDir);
  closers.push(() => server.stop());
  const model = await startModelServer(options.model);
  closers.push(() => model.close());
  model.enqueue(...(options.scripts ?? []));
  const config = configOf(options, { dataDir, model, server });
  const configured = agentsOf(options.config);
  const agents = options.providers === 'configured' ? configured : scripted(configured, model);

  const { NativeConnection, Worker } = await import('@temporalio/worker');
  const { Client } = await import('@temporalio/client');
  const { createDataConverter } = await import('../codec/data-converter.ts');
  const roles = await import('./roles.ts');
  roles.quieten();
  const { log = pino({ level: 'silent' }) } = options;
  const connection = await NativeConnection.connect({ address: server.address });
  closers.push(() => connection.close());
  const path = join(dataDir, 'turnkeep.db');
  const store = openSqliteStore(path);
  closers.push(() => store.close());
  const workflowBundle = await roles.bundleWorkflows(config, { cacheFolder: roles.userCacheFolder(process.env) });
  const turnWorker = await roles.startWorker({ config, agents, connection, store, log, workflowBundle });
  closers.push(() => {
    turnWorker.shutdown();
    return turnWorker.stopped;
  });
  const gateway = await roles.startGateway({ config, agents, connection, store, log, hasWorker: true, attempts: turnWorker.attempts });
  closers.push(() => gateway.close());
  const temporal = new Client({ connection, namespace: server.namespace, dataConverter: createDataConverter(config.codecKeys) });
  const bundles = new Map<string, WorkflowBundleWithSourceMap>([[config.taskQueue, workflowBundle]]);
  const plugin = (own?: Store) => roles.turnkeepPlugin({ config, agents, log, ...(own === undefined ? {} : { store: own }) });

  return {
    url: gateway.url,
    openai: { baseURL: `${gateway.url}/v1`, apiKey },
    model,
    config,
    store,
    temporal,
    connection,
    async startWorker({ taskQueue = 'own', workflowsPath, ...own }) {
      const bundle = own.workflowBundle ?? (workflowsPath && (await roles.bundleOwn(workflowsPath, plugin())));
      if (bundle && 'code' in bundle) bundles.set(taskQueue, bundle as WorkflowBundleWithSourceMap);
      const worker = await Worker.create({
        ...own,
        ...(bundle ? { workflowBundle: bundle } : {}),
        connection,
        namespace: server.namespace,
        taskQueue,
        plugins: [...(own.plugins ?? []), plugin(openSqliteStore(path))],
      });
      const run = worker.run();
      run.catch(() => undefined);
      closers.push(async () => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await run;
      });
      return { taskQueue, worker };
    },
    assertReplays: replaying({ temporal, bundleOf: (taskQueue) => bundles.get(taskQueue), plugin }),
    [Symbol.asyncDispose]: close,
  };
}

interface Places {
  readonly dataDir: string;
  readonly model: ModelServer;
  readonly server: TemporalOfTests;
}

function configOf({ api = 'chat', providers = 'scripted', env }: TestEnvironmentOptions, { dataDir, model, server }: Places): Config {
  return readConfig({
    env: {
      TURNKEEP_DATA_DIR: dataDir,
      TURNKEEP_PORT: '0',
      TURNKEEP_TASK_QUEUE: `turnkeep-${crypto.randomUUID()}`,
      TURNKEEP_TITLES: '0',
      TURNKEEP_DRAIN_MS: '0',
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: server.namespace,
      ...(providers === 'scripted' ? scriptedProvider(model, api) : {}),
      ...env,
    },
  });
}

function scriptedProvider({ baseUrl }: ModelServer, api: string): NodeJS.ProcessEnv {
  return { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: apiKey, TURNKEEP_MODEL: 'scripted', TURNKEEP_MODEL_API: api };
}

function agentsOf(given: TestEnvironmentOptions['config']): AgentConfig {
  if (given === undefined) return noAgents;
  return 'mcpServers' in given ? given : readAgentConfig(given);
}

/** No test asks a model that costs something. */
function scripted(agents: AgentConfig, { baseUrl }: ModelServer): AgentConfig {
  const providers = [...agents.providers].map(([name, { api }]) => [name, { api, baseUrl, apiKey }] as const);
  return { ...agents, providers: new Map(providers) };
}
