/** What asks for the drain: a signal, or the end of what started this process. */
import { constants } from 'node:os';
import { watchLauncher } from './launcher.ts';

/**
 * The first signal asks for a drain, a second one ends the process at once. The end of the npm that started it asks for a
 * drain too.
 * @returns aborted by the first
 */
export function onStopSignal(print: (line: string) => void): AbortSignal {
  const stop = new AbortController();
  const drain = (why: string): void => {
    if (stop.signal.aborted) return;
    stop.abort();
    print(`${why}: running turns may finish. Once more ends at once.`);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(128 + constants.signals[name]);
      drain('Stopping');
    });
  }
  watchLauncher(() => drain('Stopping, since what started it is gone'));
  return stop.signal;
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
