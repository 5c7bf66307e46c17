/**
 * Errors that nobody waits for, such as those of what a tool leaves running behind its end. By itself Node ends the process at
 * either kind, and with it every stream that has nothing to do with the error.
 */
import { inspect } from 'node:util';
import type { Logger } from 'pino';

/**
 * A rejected promise that nobody handles is logged, and the process goes on. A throw that nobody catches may have left anything
 * half done: it is logged, and ends the process with exit code 1; other processes find its turns by their leases.
 */
export function logStrayErrors(log: Pick<Logger, 'error'>): void {
  process.on('unhandledRejection', (reason) => {
    log.error({ error: factsOf(reason) }, 'a promise was rejected, and nobody handles it; the process goes on');
  });
  process.on('uncaughtException', (error) => {
    log.error({ error: factsOf(error) }, 'an error was thrown where nobody catches it; the process ends');
    process.exit(1);
  });
}

/** Nothing else of an error: those of HTTP clients carry whole requests with their keys. */
function factsOf(error: unknown): { readonly type: string; readonly message: string; readonly stack?: string | undefined } {
  if (error instanceof Error) return { type: error.name, message: error.message, stack: error.stack };
  return { type: typeof error, message: typeof error === 'string' ? error : inspect(error, { depth: 0 }) };
}
