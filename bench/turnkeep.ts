/**
 * Gateway, worker or both with the settings and the composition of `turnkeep serve`, in a process that tells its CPU and
 * when bytes of the model came in. TURNKEEP_* of the caller's environment hold here too, such as TURNKEEP_HEAD_START.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { startLogging } from '../src/cli/logging.ts';
import { runRoles } from '../src/cli/start-roles.ts';
import { connectTemporal, temporalServerOf } from '../src/cli/temporal-connection.ts';
import { readConfig } from '../src/config/read-config.ts';
import { serveCalls } from './support/child.ts';
import { clockMs } from './support/clock.ts';
import { type Profiles, startProfiler } from './support/profiler.ts';

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
  const config = readConfig({
    env: {
      LOG_LEVEL: 'error',
      ...process.env,
      TURNKEEP_PORT: '0',
      TURNKEEP_DATA_DIR: dataDir,
      TURNKEEP_TASK_QUEUE: taskQueue,
      TURNKEEP_DRAIN_MS: '0',
      TEMPORAL_ADDRESS: address,
      OPENAI_BASE_URL: modelUrl,
      OPENAI_API_KEY: 'none',
      TURNKEEP_MODEL: 'scripted',
    },
  });
  const log = startLogging(config.logLevel ?? 'error');
  const connection = await connectTemporal(await temporalServerOf(config, log, stop.signal), log, stop.signal);
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  ended = runRoles({
    config,
    connection,
    log,
    hasWorker,
    hasGateway,
    signal: stop.signal,
    onReady: ({ gatewayUrl }) => resolve(gatewayUrl),
  });
  ended.catch(reject);
  return promise;
}

interface PathEvent {
  readonly name: string;
  readonly atMs: number;
}

/** What the first token passes on its way, as Node and undici tell of it. */
const pathChannels = [
  'http.server.request.start',
  'undici:client:sendHeaders',
  'undici:request:headers',
  'undici:request:bodyChunkReceived',
];
let path: PathEvent[] = [];
const onPath = (_: unknown, name: string | symbol): void => void path.push({ name: String(name), atMs: clockMs() });

const loop = monitorEventLoopDelay({ resolution: 1 });

let stopProfiler: (() => Promise<Profiles>) | undefined;

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
  startProfile: async () => {
    stopProfiler = await startProfiler();
  },
  stopProfile: () => stopProfiler?.(),
  watchChunks: (isOn: boolean) => {
    if (isOn) subscribe(chunkChannel, onChunk);
    else unsubscribe(chunkChannel, onChunk);
  },
  watchPath: () => {
    for (const name of pathChannels) subscribe(name, onPath);
  },
  takePath: (): readonly PathEvent[] => {
    const taken = path;
    path = [];
    return taken;
  },
  lastReceivedAtMs: () => lastReceivedAtMs,
  close: async () => {
    stop.abort();
    await ended;
  },
});
