/** Which Temporal server a command uses, and a connection to it, however long the server takes to come up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { ConfigError, type Config } from '../config/config.ts';
import { findRunningDev } from './dev-server/data-dir.ts';
import { untilAborted } from './stop-signal.ts';

const startingPollMs = 200;
const firstWaitMs = 500;
const longestWaitMs = 5_000;

/**
 * The server of the settings, else that of the `dev` on the same data dir.
 * @throws {ConfigError} when there is neither
 */
export async function temporalServerOf(config: Config, log: Logger, signal: AbortSignal): Promise<NativeConnectionOptions> {
  if (config.temporal.connection) return config.temporal.connection;
  for (let isFirst = true; ; isFirst = false) {
    const dev = findRunningDev(config.dataDir);
    if (dev === undefined) {
      throw new ConfigError([
        `TEMPORAL_ADDRESS is not set, and no turnkeep dev runs on ${config.dataDir} (TURNKEEP_DATA_DIR): set the one, or start the other`,
      ]);
    }
    const problems = [
      ...(dev.namespace === config.temporal.namespace
        ? []
        : [
            `TEMPORAL_NAMESPACE is ${config.temporal.namespace}, but the running turnkeep dev (pid ${dev.pid}) has ${dev.namespace}: use the same`,
          ]),
      ...(dev.taskQueue === config.taskQueue
        ? []
        : [`TURNKEEP_TASK_QUEUE is ${config.taskQueue}, but the running turnkeep dev (pid ${dev.pid}) has ${dev.taskQueue}: use the same`]),
    ];
    if (problems.length > 0) throw new ConfigError(problems);
    if (dev.temporalAddress !== undefined) return { address: dev.temporalAddress };
    if (isFirst) log.info({ pid: dev.pid }, 'waiting for turnkeep dev to start Temporal');
    await sleep(startingPollMs, undefined, { signal });
  }
}

/**
 * Tries until the server answers; each failure is a line in the log.
 * @throws the reason of `signal` when it aborts
 */
export async function connectTemporal(options: NativeConnectionOptions, log: Logger, signal: AbortSignal): Promise<NativeConnection> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    const connecting = NativeConnection.connect(options);
    try {
      // An attempt of the SDK cannot be ended: on abort it is left to itself, and its connection closed below.
      return await Promise.race([connecting, untilAborted(signal).then(() => signal.throwIfAborted() as never)]);
    } catch (error) {
      if (signal.aborted) {
        connecting.then((connection) => connection.close()).catch(() => {});
        throw error;
      }
      log.warn(
        { address: options.address, reason: error instanceof Error ? error.message : String(error) },
        `Temporal does not answer at ${options.address}; trying again in ${waitMs} ms`,
      );
    }
    await sleep(waitMs, undefined, { signal });
  }
}
