/** One log, JSON lines on stderr; Temporal's SDK writes into it too. Neither it nor stdout can end or hold up the process. */
import { makeTelemetryFilterString, Runtime, type LogMetadata } from '@temporalio/worker';
import { pino, type Logger } from 'pino';
import type { LogLevel } from '../config/settings.ts';
import { ignoreOutputErrors, LogDestination } from './log-destination.ts';
import { logStrayErrors } from './stray-errors.ts';

const stderr = 2;
const base = { pid: process.pid };

/** Of the workers that have a queue of titles or webhooks to themselves, it is what is wanted. */
const wanted = 'No workflows registered, not polling for workflow tasks';

/** While Temporal is away, its client and the SDK's core say so many times a second. `roles/availability.ts` says it once. */
function isNoise(message: string, meta: LogMetadata | undefined): boolean {
  if (message === wanted) return true;
  const { target = '', error = '' } = (meta ?? {}) as { readonly target?: unknown; readonly error?: unknown };
  return (
    String(target).startsWith('temporalio_client') ||
    /code: (Unavailable|DeadlineExceeded|Cancelled)\b|transport error/i.test(String(error))
  );
}

/** To be called before the first connection to Temporal, whose runtime is installed once a process. */
export function startLogging(level: LogLevel): Logger {
  ignoreOutputErrors();
  const destination = new LogDestination({
    fd: stderr,
    droppedLine: (count) =>
      JSON.stringify({ level: pino.levels.values['warn'], time: Date.now(), ...base, msg: `${count} log lines were dropped` }),
  });
  process.once('exit', () => destination.flushSync());
  const log = pino({ level, base }, destination);
  logStrayErrors(log);
  const temporal = log.child({ source: 'temporal' });
  const write = (to: 'trace' | 'warn' | 'error') => (message: string, meta?: LogMetadata) =>
    temporal[isNoise(message, meta) ? 'trace' : to](meta ?? {}, message);
  const [trace, warn, error] = [write('trace'), write('warn'), write('error')];
  Runtime.install({
    logger: {
      trace,
      debug: trace,
      info: trace,
      warn,
      error,
      log: (at, message, meta) => ({ TRACE: trace, DEBUG: trace, INFO: trace, WARN: warn, ERROR: error })[at](message, meta),
    },
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
    // We handle the signals: the SDK would shut the worker down before the gateway begins to drain.
    shutdownSignals: [],
  });
  return log;
}
