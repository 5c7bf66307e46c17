/** The first signal asks for a drain, a second one ends the process at once. */
import { constants } from 'node:os';

/** @returns what aborts at the first signal */
export function onStopSignal(say: (line: string) => void): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(128 + constants.signals[name]);
      stop.abort();
      say('Stopping: running turns may finish. Once more ends at once.');
    });
  }
  return stop.signal;
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
