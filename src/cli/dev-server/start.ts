/**
 * Temporal's dev server for as long as this process runs and no longer (see `watchdog.ts`). One that dies by itself is
 * started again on the same ports.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isPortTaken, launch, type Launched } from './launch.ts';
import { freePorts } from './ports.ts';

export interface DevServerOptions {
  readonly program: string;
  readonly namespace: string;
  /** Unset: in memory, and no lock. */
  readonly databasePath?: string;
  /** What the server prints goes here. */
  readonly logPath: string;
  /** Taken if they are free. */
  readonly preferredPorts?: { readonly port?: number; readonly uiPort?: number };
  /** Default true. */
  readonly hasUi?: boolean;
  /** Called with `lost` when the server died by itself or could not be started again, with `again` when it runs again. */
  readonly onLost?: (event: { readonly type: 'lost' | 'again'; readonly reason: string }) => void;
  /** Called when its process runs, long before it serves anything; again where its ports were taken meanwhile. */
  readonly onSpawned?: () => void;
  readonly signal?: AbortSignal;
}

export interface DevServer {
  readonly address: string;
  readonly port: number;
  readonly uiPort?: number;
  readonly uiUrl?: string;
  /** Of the server itself; changes when it is started again. */
  readonly pid: number;
  /** Resolves when the server has ended. */
  stop(): Promise<void>;
  /** Lets this process end while the server runs; the watchdog then stops it. */
  unref(): void;
}

const ip = '127.0.0.1';
/** A port that was free is anybody's until the server has taken it. */
const triesForPorts = 3;
const backoffMs = [250, 1_000, 2_000, 5_000, 10_000];
/** A server that ran this long is not in a crash loop. */
const stableAfterMs = 60_000;

/** @throws {DevServerError} when the server does not start */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const { preferredPorts = {}, hasUi = true, onLost = () => {}, program, namespace, databasePath, logPath } = options;
  const optionsOn = ([port = 0, uiPort]: readonly number[]) => ({
    program,
    logPath,
    ip,
    port,
    namespace,
    ...(uiPort === undefined ? {} : { uiPort }),
    ...(databasePath === undefined ? {} : { databasePath }),
  });
  const stopping = new AbortController();
  const { signal, onSpawned } = options;
  let launchOptions: ReturnType<typeof optionsOn>;
  let current: Launched;
  for (let triesLeft = triesForPorts; ;) {
    launchOptions = optionsOn(await freePorts(hasUi ? [preferredPorts.port, preferredPorts.uiPort] : [preferredPorts.port]));
    try {
      current = await launch({ ...launchOptions, ...(signal ? { signal } : {}), ...(onSpawned ? { onSpawned } : {}) });
      break;
    } catch (error) {
      triesLeft -= 1;
      if (triesLeft === 0 || !isPortTaken(error)) throw error;
    }
  }
  const { port, uiPort } = launchOptions;
  const supervised = supervise();

  async function supervise(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const launchedAt = performance.now();
      await current.ended;
      if (stopping.signal.aborted) return;
      if (performance.now() - launchedAt > stableAfterMs) failures = 0;
      onLost({ type: 'lost', reason: current.reason() });
      for (let isUp = false; !isUp && !stopping.signal.aborted; failures++) {
        try {
          await sleep(backoffMs[Math.min(failures, backoffMs.length - 1)], undefined, { signal: stopping.signal });
          current = await launch({ ...launchOptions, signal: stopping.signal });
          isUp = true;
          onLost({ type: 'again', reason: '' });
        } catch (error) {
          if (!stopping.signal.aborted) onLost({ type: 'lost', reason: error instanceof Error ? error.message : String(error) });
        }
      }
    }
  }

  return {
    address: `${ip}:${port}`,
    port,
    ...(uiPort === undefined ? {} : { uiPort, uiUrl: `http://${ip}:${uiPort}` }),
    get pid() {
      return current.pid;
    },
    unref: () => current.unref(),
    async stop() {
      stopping.abort();
      current.release();
      await Promise.all([current.ended, supervised]);
    },
  };
}
