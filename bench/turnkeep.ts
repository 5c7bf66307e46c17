/** Gateway, worker or both, as the commands run them, in a process that tells its CPU and when bytes of the model came in. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { pino } from 'pino';
import { runRoles } from '../src/cli/start-roles.ts';
import { serveCalls } from './support/child.ts';
import { clockMs } from './support/clock.ts';

interface Start {
  readonly address: string;
  readonly dataDir: string;
  readonly taskQueue: string;
  readonly modelUrl: string;
  readonly hasWorker: boolean;
  readonly hasGateway: boolean;
}

const stop = new AbortController();
let ended: Promise<void> | undefined;

async function start({ address, dataDir, taskQueue, modelUrl, hasWorker, hasGateway }: Start): Promise<string | undefined> {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} }, shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  ended = runRoles({
    config: {
      host: '127.0.0.1',
      port: 0,
      dataDir,
      databaseUrl: `sqlite:${dataDir}/turnkeep.db`,
      taskQueue,
      temporal: { address, namespace: 'default' },
      provider: { baseUrl: modelUrl, apiKey: 'none', api: 'chat', model: 'scripted' },
      // Those of the configuration when nothing is set, but for the drain.
      limits: {
        connectTimeoutMs: 10_000,
        firstEventTimeoutMs: 300_000,
        idleTimeoutMs: 120_000,
        turnTimeoutMs: 3_600_000,
        heartbeatTimeoutMs: 8_000,
        drainMs: 0,
      },
      retentionDays: 30,
      apiKeys: [],
      quotas: { requestsPerSecond: 0, maxRunningTurns: 1_000, maxWaitingTurns: 100 },
      corsOrigins: [],
      titles: { isOn: false },
      codecKeys: [],
    },
    connection,
    log: pino({ level: 'silent' }),
    hasWorker,
    hasGateway,
    signal: stop.signal,
    onReady: ({ gatewayUrl }) => resolve(gatewayUrl),
  });
  ended.catch(reject);
  return promise;
}

const loop = monitorEventLoopDelay({ resolution: 1 });

/** When the last piece of an answer came out of undici: the first moment that JavaScript knows of it. */
let lastReceivedAtMs = Number.NaN;
const onChunk = (): void => {
  lastReceivedAtMs = clockMs();
};
const chunkChannel = 'undici:request:bodyChunkReceived';

serveCalls({
  start,
  cpuUs: () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
  /** After a collection where Node was started with `--expose-gc`. */
  rssMb: () => {
    globalThis.gc?.();
    return process.memoryUsage.rss() / 1_048_576;
  },
  /** The longest stall of the event loop since it was switched on, in ms, when it is switched off. */
  watchLoop: (isOn: boolean) => {
    if (isOn) {
      loop.reset();
      loop.enable();
      return 0;
    }
    loop.disable();
    return loop.max / 1e6;
  },
  watchChunks: (isOn: boolean) => {
    if (isOn) subscribe(chunkChannel, onChunk);
    else unsubscribe(chunkChannel, onChunk);
  },
  lastReceivedAtMs: () => lastReceivedAtMs,
  close: async () => {
    stop.abort();
    await ended;
  },
});
