/**
 * A whole turnkeep on a real Temporal dev server, with the faulty model server for a provider: what stories are told in.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '@temporalio/client';
import { NativeConnection, type ReplayResult, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { temporal } from '@temporalio/proto';
import OpenAI from 'openai';
import { type Logger, pino } from 'pino';
import type { LocalAttempts } from '../../src/client/local-attempts.ts';
import { createDataConverter } from '../../src/codec/data-converter.ts';
import { type AgentConfig, noAgents } from '../../src/config/agent-config.ts';
import type { Config } from '../../src/config/config.ts';
import type { Metrics } from '../../src/metrics/metrics.ts';
import { createMetrics } from '../../src/roles/observers.ts';
import type { FairQueue } from '../../src/gateway/http/fair-queue.ts';
import { startGateway, type Gateway } from '../../src/roles/gateway.ts';
import type { AttemptRow } from '../../src/domain/turn/attempt.ts';
import type { WebhookEndpoint } from '../../src/domain/turn/webhook.ts';
import type { Store } from '../../src/store/ports/store.ts';
import type { ModelServer, ModelServerOptions } from '../../src/testing/model-server/index.ts';
import { startWorker, type TurnWorker } from '../../src/roles/worker.ts';
import { bundleWorkflows } from '../../src/roles/workflow-bundle.ts';
import { recordHistory } from '../replay/record.ts';
import { startPatientModel } from './patient-model.ts';
import { sharedTemporalServer, testCacheDir } from './temporal-server.ts';
import { isOnPostgres, openTestDatabase, type TestDatabase } from './test-database.ts';
import { until } from './until.ts';
import { Viewer } from './viewer.ts';

type Limits = Config['limits'];
type History = temporal.api.history.v1.IHistory;

export interface WorldOptions {
  readonly api?: 'chat' | 'responses';
  readonly limits?: Partial<Limits>;
  /** Every workflow task replays its history. */
  readonly replaysAlways?: boolean;
  /** Made anew for each world: what it counts is counted for one. */
  readonly model?: () => ModelServerOptions;
  /** Instead of the model server's own address. */
  readonly baseUrl?: (server: ModelServer) => string;
  /** Over the defaults of stories. */
  readonly config?: Partial<
    Pick<
      Config,
      | 'apiKeys'
      | 'requiresKey'
      | 'quotas'
      | 'intake'
      | 'corsOrigins'
      | 'titles'
      | 'webhooks'
      | 'codecKeys'
      | 'record'
      | 'hasHeadStart'
      | 'hasBreaker'
      | 'taskQueue'
      | 'deployment'
    >
  >;
  /** The provider keeps its answers: a stream that broke is read on. */
  readonly reattach?: true;
  /** Of worker and gateway; made anew for each world, where their tools count. */
  readonly agents?: AgentConfig | (() => AgentConfig);
  /** Gets every line of the log, of worker and gateway. */
  readonly log?: Logger;
  /** Streams at once in a worker, of all tenants. */
  readonly maxAttempts?: number;
  /** false: start workers by hand. */
  readonly hasWorker?: boolean;
  /** false: start gateways by hand. */
  readonly hasGateway?: boolean;
  /** How long a stream is silent before a comment is sent. */
  readonly idleCommentMs?: number;
  /** Of each gateway; its own where nothing is said. */
  readonly fairQueue?: () => FairQueue;
  /** The folder of the built page. */
  readonly page?: Promise<string>;
}

/** For stories that wait until a worker is taken for lost. A work on Postgres waits for the server at each of its statements. */
export const soonLost: Partial<Limits> = { heartbeatTimeoutMs: isOnPostgres ? 4_000 : 2_000 };

const limits: Limits = {
  // All long: a machine that stands still is not what a story is about. One about a limit has its own, one about lost workers `soonLost`.
  connectTimeoutMs: 30_000,
  firstEventTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  turnTimeoutMs: 180_000,
  heartbeatTimeoutMs: 10_000,
  drainMs: 0,
  maxOutputBytes: 16_777_216,
};

const storyKey = 'sk-story-0123456789abcdef';

const bundles = new Map<boolean, Promise<WorkflowBundleWithSourceMap>>();
let isRuntimeInstalled = false;

export class World implements AsyncDisposable {
  readonly model: ModelServer;
  readonly database: TestDatabase;
  readonly store: Store;
  readonly config: Config;
  readonly temporal: Client;
  readonly #connection: NativeConnection;
  readonly #options: WorldOptions;
  readonly #agents: AgentConfig;
  readonly #closers: (() => Promise<void>)[];
  /** One for all, as in a process that has several roles. */
  readonly #metrics: Metrics;
  readonly workers: TurnWorker[] = [];
  readonly gateways: Gateway[] = [];

  private constructor(fields: {
    model: ModelServer;
    database: TestDatabase;
    store: Store;
    config: Config;
    connection: NativeConnection;
    options: WorldOptions;
    closers: (() => Promise<void>)[];
  }) {
    this.model = fields.model;
    this.database = fields.database;
    this.store = fields.store;
    this.config = fields.config;
    this.#connection = fields.connection;
    this.#options = fields.options;
    const { agents = noAgents } = fields.options;
    this.#agents = typeof agents === 'function' ? agents() : agents;
    this.#closers = fields.closers;
    this.#metrics = createMetrics(fields.config);
    this.temporal = new Client({
      connection: fields.connection,
      namespace: fields.config.temporal.namespace,
      dataConverter: createDataConverter(fields.config.codecKeys),
    });
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    if (!isRuntimeInstalled) {
      isRuntimeInstalled = true;
      // A story's server errors are part of it; whatever is of interest is asserted.
      Runtime.install({
        logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
        telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
        shutdownSignals: [],
      });
      // To start the threads that the SDK runs workflows in takes as long as many a story: here they run in this one. The processes
      // of chaos and commands have those threads.
      process.env['TEMPORAL_DEBUG'] = 'true';
    }
    const server = await sharedTemporalServer();
    const model = await startPatientModel(options.model?.());
    const connection = await NativeConnection.connect({ address: server.address });
    const dataDir = mkdtempSync(join(tmpdir(), 'turnkeep-story-'));
    const database = await openTestDatabase(dataDir);
    const store = database.open();
    const config: Config = {
      host: '127.0.0.1',
      port: 0,
      dataDir,
      databaseUrl: database.url,
      postgres: { poolSize: 10 },
      taskQueue: `story-${crypto.randomUUID()}`,
      temporal: { address: server.address, namespace: server.namespace },
      provider: {
        baseUrl: options.baseUrl?.(model) ?? model.baseUrl,
        apiKey: storyKey,
        api: options.api ?? 'chat',
        model: 'scripted',
        ...(options.reattach === undefined ? {} : { reattach: options.reattach }),
      },
      limits: { ...limits, ...options.limits },
      retentionDays: 30,
      record: 'wire',
      hasHeadStart: process.env['TURNKEEP_HEAD_START'] !== 'off',
      // Stories of failures have many at once.
      hasBreaker: false,
      apiKeys: [],
      quotas: { requestsPerSecond: 0, maxRunningTurns: 1_000, maxWaitingTurns: 100 },
      intake: { maxInputItems: 10_000, maxBodyBytesAtOnce: 268_435_456, unsupportedTools: 'omit' },
      corsOrigins: [],
      titles: { isOn: false },
      webhooks: [],
      requiresKey: false,
      codecKeys: [],
      ...options.config,
    };
    const closers = [
      () => model.close(),
      () => store.close(),
      async () => database[Symbol.asyncDispose](),
      () => connection.close(),
      async () => rmSync(dataDir, { recursive: true, force: true }),
    ];
    const world = new World({ model, database, store, config, connection, options, closers });
    if (options.hasWorker !== false) await world.startWorker();
    if (options.hasGateway !== false) await world.startGateway();
    return world;
  }

  /** The database as another process has it. */
  openStore(): Store {
    return this.database.open();
  }

  /** `close` is called before what was there before it is closed. */
  onClose(close: () => Promise<void>): void {
    this.#closers.unshift(close);
  }

  /** Another worker in this process, on a connection of its own to the database file. */
  async startWorker(store = this.openStore(), config: Partial<Config> = {}, agents = this.#agents): Promise<TurnWorker> {
    const worker = await startWorker({
      config: { ...this.config, ...config },
      agents,
      connection: this.#connection,
      store,
      log: this.#log,
      metrics: this.#metrics,
      workflowBundle: await bundleOf(this.config),
      replaysAlways: this.#options.replaysAlways ?? false,
      // A machine that is busy with other tests ends nobody's worker by force.
      forceAfterMs: 60_000,
      // A server of Temporal that stands still for a second is what a story is about as little as a worker that does.
      overdueMs: this.config.limits.heartbeatTimeoutMs / 2,
      ...(this.#options.maxAttempts === undefined ? {} : { maxAttempts: this.#options.maxAttempts }),
    });
    this.workers.push(worker);
    worker.stopped.catch(() => undefined);
    this.onClose(async () => {
      worker.shutdown();
      await worker.stopped;
      await store.close();
    });
    return worker;
  }

  /**
   * @param attempts of the process that the gateway is in: of the first worker, where nothing is said; null: it has no worker
   * @param store the world's own, where nothing is said; another one is closed with the gateway
   */
  async startGateway(attempts: LocalAttempts | null = this.workers[0]?.attempts ?? null, store = this.store): Promise<Gateway> {
    const started = await startGateway({
      config: { ...this.config, limits: { ...this.config.limits, drainMs: 0 } },
      agents: this.#agents,
      connection: this.#connection,
      store,
      log: this.#log,
      metrics: this.#metrics,
      // An eager task cannot wait its turn in a worker that caches nothing.
      hasWorker: this.#options.replaysAlways !== true,
      ...(attempts === null ? {} : { attempts }),
      idleCommentMs: this.#options.idleCommentMs,
      fairQueue: this.#options.fairQueue?.(),
      page: this.#options.page,
    });
    let closing: Promise<void> | undefined;
    // A story may close it before its world does.
    const close = async (): Promise<void> => {
      await started.close();
      if (store !== this.store) await store.close();
    };
    const gateway: Gateway = { ...started, close: () => (closing ??= close()) };
    this.gateways.push(gateway);
    this.onClose(() => gateway.close());
    return gateway;
  }

  get #log(): Logger {
    return this.#options.log ?? pino({ level: 'silent' });
  }

  get url(): string {
    const gateway = this.gateways[0];
    assert.ok(gateway);
    return gateway.url;
  }

  get client(): OpenAI {
    return new OpenAI({ baseURL: `${this.url}/v1`, apiKey: 'none', maxRetries: 0 });
  }

  /** Posts a turn and watches it. */
  async say(input: string, body: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Viewer> {
    return Viewer.say(this.url, input, body, headers);
  }

  /** Posts a turn and watches it to its end. */
  async hear(input: string, body: Record<string, unknown> = {}): Promise<Viewer> {
    const viewer = await this.say(input, body);
    await viewer.ended;
    return viewer;
  }

  async watch(id: string, after?: number): Promise<Viewer> {
    return Viewer.open(`${this.url}/v1/responses/${id}?stream=true${after === undefined ? '' : `&starting_after=${after}`}`);
  }

  async call(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async attempts(id: string): Promise<readonly AttemptRow[]> {
    return this.store.readAttempts(await this.ownId(id));
  }

  /** What a new session's id is. */
  async session(): Promise<string> {
    const { body } = await this.call('POST', '/v1/conversations', {});
    return String(body['id']);
  }

  /** The user's messages in the transcript of a session, in order. */
  async userTexts(session: string): Promise<string[]> {
    const { body } = await this.call('GET', `/v1/conversations/${session}/items?order=asc&limit=100`);
    return (body['data'] as { role?: string; content: { text: string }[] }[])
      .filter((item) => item.role === 'user')
      .map((item) => item.content.map((part) => part.text).join(''));
  }

  /** What was said, in the order it was accepted. */
  async acceptedInputs(): Promise<string[]> {
    const sql = `SELECT turns.ordinal, item FROM turns LEFT JOIN items ON turn = turns.id AND position < input_count ORDER BY ordinal, position`;
    const said = new Map<unknown, string>();
    for (const row of await this.database.ask(sql)) {
      const item = row['item'] === null ? undefined : (JSON.parse(String(row['item'])) as { content: { text: string }[] });
      said.set(row['ordinal'], (said.get(row['ordinal']) ?? '') + (item?.content.map((part) => part.text).join('') ?? ''));
    }
    return [...said.values()];
  }

  /** Of a turn that Temporal has, or is about to have: one with a head start may have its end before that. */
  async history(turn: string): Promise<History> {
    const id = await this.ownId(turn);
    await until(async () => (await this.store.readTurn(id))?.isDispatched !== false);
    const row = await this.store.readTurn(id);
    assert.ok(row?.workflowId, `no workflow is known of ${turn}`);
    return this.#closedHistory(row.workflowId);
  }

  /** T10, T11: every history of this story replays on today's code, and holds neither key nor prompt. */
  async replayAll(): Promise<void> {
    const runs = await this.#runs();
    const histories: { workflowId: string; history: History }[] = [];
    for (const { workflowId, runId } of runs) {
      const history = await this.#closedHistory(workflowId, runId);
      const words = wordsOf(history).join('\n');
      for (const secret of [storyKey, 'secret words', ...this.config.webhooks.flatMap(wordsOfEndpoint)])
        assert.ok(!words.includes(secret), `T11 · ${secret} is in the history of ${workflowId}`);
      if (this.config.codecKeys.length === 0) recordHistory(workflowId, history);
      histories.push({ workflowId, history });
    }
    let replayed = 0;
    for await (const { workflowId, error } of this.replay(histories)) {
      assert.equal(error, undefined, `T10 · ${workflowId} does not replay`);
      replayed += 1;
    }
    assert.equal(replayed, runs.length);
  }

  /** @param dataConverter instead of this world's own */
  async *replay(
    histories: readonly { workflowId: string; history: History }[],
    dataConverter = createDataConverter(this.config.codecKeys),
  ): AsyncGenerator<ReplayResult> {
    yield* Worker.runReplayHistories({ workflowBundle: await bundleOf(this.config), dataConverter }, histories);
  }

  /** A turn has its end a moment before its workflow has. */
  async #closedHistory(workflowId: string, runId?: string): Promise<History> {
    const handle = this.temporal.workflow.getHandle(workflowId, runId, { followRuns: false });
    await handle.result().catch(() => undefined);
    return handle.fetchHistory();
  }

  /** Of a turn that a client has given its id. */
  async ownId(publicId: string): Promise<string> {
    const [row] = await this.database.ask('SELECT id FROM turns WHERE public_id = ?', publicId);
    const id = row?.['id'];
    return typeof id === 'string' ? id : publicId;
  }

  /** Resolves once a request of this step was answered with something. */
  async untilStarted(id: string, step: number): Promise<void> {
    await until(async () => (await this.attempts(id)).some((attempt) => attempt.step === step && attempt.firstEventAtMs !== undefined));
  }

  /** All that a call of a worker's tool came to. */
  async toolResult(id: string, number: number): Promise<unknown> {
    const sql = 'SELECT result FROM tool_calls WHERE turn = ? AND number = ?';
    return (await this.database.ask(sql, await this.ownId(id), number))[0]?.['result'];
  }

  async #runs(): Promise<{ workflowId: string; runId: string }[]> {
    const runs = new Map<string, { workflowId: string; runId: string }>();
    const sql = 'SELECT workflow_id, run_id FROM turns WHERE run_id IS NOT NULL AND owner_run IS NULL';
    for (const row of await this.database.ask(sql)) {
      runs.set(String(row['run_id']), { workflowId: String(row['workflow_id']), runId: String(row['run_id']) });
    }
    for await (const { workflowId, runId } of this.temporal.workflow.list({ query: `TaskQueue = '${this.config.taskQueue}'` })) {
      runs.set(runId, { workflowId, runId });
    }
    return [...runs.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers) await close();
  }
}

/** Made once for the files of all runs, until its sources change, and read once for the worlds of a file: with codec keys, and without. */
async function bundleOf(config: Pick<Config, 'codecKeys'>): Promise<WorkflowBundleWithSourceMap> {
  const isEncrypted = config.codecKeys.length > 0;
  const bundle = bundles.get(isEncrypted) ?? bundleWorkflows(config, { cacheFolder: testCacheDir });
  bundles.set(isEncrypted, bundle);
  return bundle;
}

/** What no history may hold of an endpoint. */
function wordsOfEndpoint({ url, secrets }: WebhookEndpoint): string[] {
  return [url, ...secrets.map((secret) => Buffer.from(secret).toString('base64'))];
}

/** Every string in a history, payloads read. */
function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(wordsOf);
}

/** For one that hangs: on a machine that is busy with other things a story takes many times as long as alone. */
const storyTimeoutMs = 120_000;

/** The one mode that stories run in; both where nothing is said. */
const storyModes = process.env['TURNKEEP_TEST_MODE'];

/** The same story twice: with the workflow in the worker's cache, and replayed from its history at every task. */
export function story(title: string, tell: (world: World) => Promise<void>, options: WorldOptions = {}): void {
  const modes = [
    ['cached', false],
    ['replayed always', true],
  ] as const;
  for (const [mode, replaysAlways] of modes.filter(([mode]) => storyModes === undefined || storyModes === mode)) {
    test(`${title} (${mode})`, { timeout: storyTimeoutMs }, async () => {
      await using world = await World.open({ ...options, replaysAlways });
      await tell(world);
      await world.replayAll();
    });
  }
}
