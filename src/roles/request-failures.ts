/**
 * Failed requests in the log: a line each, but for those that fail since the database takes nothing just now. These are all alike and
 * may be hundreds a second: the first has a line, and so has what has come since, as a number, every few seconds.
 */
import type { Logger } from 'pino';
import { StoreBusyError } from '../store/ports/store.ts';

const everyMs = 5_000;

/** @returns to be called with each error, and the id of its request */
export function requestFailures(log: Logger): (error: unknown, requestId: string) => void {
  let since: { count: number; error: unknown; requestId: string } | undefined;

  function tell(): void {
    if (since === undefined || since.count === 0) {
      since = undefined;
      return;
    }
    const { count, error, requestId } = since;
    log.error({ err: error, requestId, requests: count, seconds: everyMs / 1_000 }, 'requests failed');
    since.count = 0;
    wait();
  }

  function wait(): void {
    setTimeout(tell, everyMs).unref();
  }

  return (error, requestId) => {
    if (!(error instanceof StoreBusyError)) {
      log.error({ err: error, requestId }, 'request failed');
    } else if (since === undefined) {
      log.error({ err: error, requestId }, 'request failed');
      since = { count: 0, error, requestId };
      wait();
    } else {
      since = { count: since.count + 1, error, requestId };
    }
  };
}
