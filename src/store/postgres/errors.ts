/** Errors of Postgres, of its client and of the network: which of them pass, and which leave a connection that may be used again. */
import { StoreBusyError } from '../ports/store.ts';

/** As Postgres reports it; those of the client and of the network have no severity. */
interface ServerError extends Error {
  /** In the server's own language (`lc_messages`). */
  readonly severity: string;
  /** Five characters: SQLSTATE. */
  readonly code: string;
  readonly routine?: string;
  /** Its name, where one was violated. */
  readonly constraint?: string;
}

const serializationFailure = '40001';
const deadlockDetected = '40P01';
const uniqueViolation = '23505';
const lockNotAvailable = '55P03';
const idleInTransaction = '25P03';

/** By the start of SQLSTATE. */
const passingStates = [
  '08', // the connection is lost
  serializationFailure,
  deadlockDetected,
  '25006', // it became a standby, which cannot be written
  idleInTransaction, // our own limit of it
  '25P04', // a limit of the length of a transaction
  '53', // too many connections, no memory, no space on the disk
  lockNotAvailable, // our own limit of the wait for a lock
  '57014', // our own limit of the time of a statement
  '57P01', // it is shut down, or somebody ended the connection
  '57P02',
  '57P03', // it starts, or recovers
  '57P05',
  '58030', // the disk fails
] as const;

/** By the start of SQLSTATE: the connection ends with these, or may: without memory or disk the server itself may end. */
const endingStates = ['08', idleInTransaction, '25P04', '53', '57P0', '58'] as const;

const passingNetworkCodes: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOTFOUND',
  'EAI_AGAIN',
  // The socket of a server on this machine that is not up.
  'ENOENT',
]);

/** Errors of the client have no code. `database.test.ts` fails when it says them in other words. */
const passingMessages =
  /^(?:Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Client was closed|read E|write E|This socket has been ended)/;

/** The error as the port has it. */
export function translateError(error: unknown): unknown {
  if (!isPassing(error)) return error;
  return new StoreBusyError(`the database cannot take this now: ${error.message}`, { cause: error });
}

/** What was asked may succeed when it is asked again. */
export function isPassing(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof StoreBusyError) return false;
  if (isServerError(error))
    return passingStates.some((state) => error.code.startsWith(state)) || isStalePlan(error) || isOfNewPartition(error);
  if ('code' in error && typeof error.code === 'string') return passingNetworkCodes.has(error.code);
  return passingMessages.test(error.message);
}

/**
 * Run again at once, the work may succeed: others were in its way, and are through. So is one that wrote a key first: the work
 * sees its row now, and where it fails in the same way it is a fault of the work.
 */
export function isWorthRepeating(error: unknown): boolean {
  if (!isServerError(error)) return false;
  return [serializationFailure, deadlockDetected, uniqueViolation].includes(error.code) || isStalePlan(error) || isOfNewPartition(error);
}

/** The connection broke, or serves no longer, before the work was done: there may be another one at once. */
export function isLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isServerError(error)) {
    return isReadOnly(error) || error.code === idleInTransaction || (error.code.startsWith('57P0') && error.code !== '57P03');
  }
  if ('code' in error) return error.code === 'ECONNRESET' || error.code === 'EPIPE';
  return /^Connection terminated unexpectedly|^Client has encountered a connection error/.test(error.message);
}

/** The server has refused what it was asked, and goes on; else nobody knows how far it has come. */
export function isAnswer(error: unknown): boolean {
  if (!isServerError(error)) return false;
  // In other languages it has other names, and SQLSTATE decides.
  if (['ERROR', 'FATAL', 'PANIC'].includes(error.severity)) return error.severity === 'ERROR';
  return !endingStates.some((state) => error.code.startsWith(state));
}

/** The server behind this connection takes no writes (any more): another one may have taken its place, for connections to come. */
export function isReadOnly(error: unknown): boolean {
  return isServerError(error) && error.code === '25006';
}

/** Somebody else has locked it for longer than it may be waited for. @param error as the port has it, or as it came */
export function isLockTimeout(error: unknown): boolean {
  const cause = error instanceof StoreBusyError ? error.cause : error;
  return isServerError(cause) && cause.code === lockNotAvailable;
}

/** A table has got columns since `SELECT *` was prepared on this connection. */
export function isStalePlan(error: unknown): boolean {
  return isServerError(error) && error.routine === 'RevalidateCachedQuery';
}

/** Its day has got a partition since the row was on its way to the default one: a constraint of partitions has no name. */
function isOfNewPartition(error: ServerError): boolean {
  return error.code === '23514' && error.constraint === undefined;
}

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && 'code' in error && typeof error.code === 'string';
}
