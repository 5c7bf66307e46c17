/** One log, JSON lines on stderr; Temporal's SDK writes into it too. */
import { makeTelemetryFilterString, Runtime, type LogMetadata } from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import type { LogLevel } from '../config/settings.ts';

/** To be called before the first connection to Temporal, whose runtime is installed once a process. */
export function startLogging(level: LogLevel): Logger {
  // Synchronous, so that the last lines of a process that ends are not lost.
  const log = pino({ level, base: { pid: process.pid } }, pino.destination({ dest: 2, sync: true }));
  const temporal = log.child({ source: 'temporal' });
  const write = (to: 'trace' | 'debug' | 'info' | 'warn' | 'error') => (message: string, meta?: LogMetadata) =>
    temporal[to](meta ?? {}, message);
  const [trace, debug, info, warn, error] = [write('trace'), write('debug'), write('info'), write('warn'), write('error')];
  Runtime.install({
    logger: {
      trace,
      debug,
      info,
      warn,
      error,
      log: (at, message, meta) => ({ TRACE: trace, DEBUG: debug, INFO: info, WARN: warn, ERROR: error })[at](message, meta),
    },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
    // We handle the signals: the SDK would shut the worker down before the gateway begins to drain.
    shutdownSignals: [],
  });
  return log;
}
