/**
 * The port to the database: turns, their items and attempts, and the journal of each turn's events.
 * One contract, several drivers; `test/store/contract.ts` is the suite each must pass.
 *
 * **Contract, for every method.** Several processes may use one database at once. A method either happens
 * wholly or not at all, also when its process is killed in it. Times are ms since the epoch. `StoreBusyError`
 * means: not now, nothing was changed, ask again. Whatever reads as "durable" below is on disk when the
 * promise resolves (it survives a loss of power); everything else survives a kill of the process.
 */
import type { Settled } from '../domain/agent-turn.ts';
import type { FailureCode } from '../domain/failure.ts';
import type { TranscriptTurn } from '../domain/prompt.ts';
import type { JournalRow, ResponseEvent } from '../domain/response-event.ts';
import type { InputItem, Item, OutputItem, ResponseObject, ResponseSettings, ResponseStatus, Usage } from '../domain/response.ts';

export interface Store {
  // Sessions -------------------------------------------------------------------------------------

  createSession(session: NewSession): Promise<SessionRow>;
  readSession(tenant: string, id: string): Promise<SessionRow | undefined>;
  /** The items of a session, newest turn's last, one page of `limit` at a time. */
  readSessionItems(session: SessionRow, page: ItemPage): Promise<readonly Item[]>;

  hasSessionItem(session: SessionRow, item: string): Promise<boolean>;

  // Turns ----------------------------------------------------------------------------------------

  /**
   * Takes a turn in, with its first events, durably: from here on it cannot be lost.
   * The same id or the same idempotency key of the same tenant again gives the turn that is there already.
   */
  insertTurn(turn: NewTurn): Promise<{ readonly turn: TurnRow; readonly isNew: boolean }>;
  readTurn(id: string): Promise<TurnRow | undefined>;
  /** The latest turn of this tenant (and session, if any) with this body: what a client's own retry joins. */
  findTwin(twin: TwinQuery): Promise<TurnRow | undefined>;
  /** A client got the turn's end: a resend of its request is a new message from now on. */
  markDelivered(turn: string): Promise<void>;
  /** Temporal has taken the turn over; before this the sweep may hand it over again. */
  markSubmitted(turn: string): Promise<void>;
  /**
   * Turns that are not done with, oldest first: unsettled, or with an input that is not in the transcript yet
   * (cancelled before they ran). Those never submitted and older than `createdBeforeMs`, or all.
   */
  listUnsettled(query: {
    readonly createdBeforeMs: number;
    readonly onlyUnsubmitted: boolean;
    readonly limit: number;
  }): Promise<readonly TurnRow[]>;
  /**
   * Puts the user's items into the transcript and moves the session's pointer to this turn: once,
   * however often it is called (T1).
   */
  recordInput(turn: string): Promise<TurnRow>;
  /** The turns before this one, oldest first, up the chain of `previous`. */
  readTranscript(turn: string): Promise<readonly TranscriptTurn[]>;
  /** Remembers that the turn is to be cancelled; false when it was settled before. */
  requestCancel(turn: string, atMs: number): Promise<boolean>;

  // Attempts and the journal -----------------------------------------------------------------------

  /**
   * The only way to a request (T2): raises the journal's epoch, so that whoever held it before can write no
   * more, and books the request, unless the turn is settled, the step has started, or its three requests are spent.
   */
  claim(claim: ClaimRequest): Promise<Claim>;
  /** Raises the epoch to close a turn that nobody can be trusted to write any more. */
  fence(turn: string): Promise<{ readonly epoch: number; readonly settled?: Settled }>;
  /** Has a request of this step been answered with something to show? The answer survives the death of the worker. */
  hasStarted(turn: string, step: number): Promise<boolean>;
  /** How the request ended. Once; later calls change nothing. */
  endAttempt(attempt: AttemptKey, end: AttemptEnd): Promise<void>;
  readAttempts(turn: string): Promise<readonly AttemptRow[]>;
  /**
   * Appends rows in order. `starts` marks the step as started in the same commit, durably.
   * False when the epoch is no longer the writer's, or the turn is sealed: a zombie is refused (T7).
   */
  append(append: Append): Promise<boolean>;
  /**
   * The one end of a turn (T6), durably: the closing rows, the output items, the turn's row. False when the
   * epoch is no longer the caller's, or the turn has its end already.
   */
  seal(seal: Seal): Promise<boolean>;
  readJournal(turn: string, range?: { readonly after?: number; readonly limit?: number }): Promise<readonly JournalRow[]>;
  /** The writer's own state of a turn's journal. */
  readHead(turn: string): Promise<{ readonly epoch: number; readonly isSealed: boolean } | undefined>;
  /**
   * The rows after `after` as they come, in batches, from the past into the live tail, until the turn is sealed
   * and read to its end, or `signal` aborts. Rows of this process are seen at once, those of another within 10 ms.
   * It pulls: while nobody asks for the next batch nothing is kept for it. A batch may be shared with others who
   * follow: the same array for all. Throws `JournalGoneError` when there is no such journal (any more), or rows that
   * it has yet to see are missing: never an end that looks like the turn's.
   */
  follow(turn: string, after: number, signal: AbortSignal): AsyncIterable<readonly JournalRow[]>;

  /** Throws when the database cannot be written. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/** The database could not take the call just now (locked, out of space): nothing changed, ask again. */
export class StoreBusyError extends Error {
  override readonly name = 'StoreBusyError';
}

/** The journal of a turn is not there (any more): deleted, or older than is kept. */
export class JournalGoneError extends Error {
  override readonly name = 'JournalGoneError';

  constructor(turn: string) {
    super(`the journal of ${turn} is gone`);
  }
}

export interface NewSession {
  readonly id: string;
  readonly tenant: string;
  readonly metadata: { readonly [key: string]: string };
  readonly createdAtMs: number;
}

export interface SessionRow extends NewSession {
  /** The turn it points to: its newest. */
  readonly leaf: string | null;
}

export interface ItemPage {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  /** An item's id: the page begins behind it. */
  readonly after?: string;
}

export interface NewTurn {
  readonly id: string;
  readonly tenant: string;
  readonly session: string | null;
  /** Set when the client named it; a session's turn gets its own at `recordInput`. */
  readonly previous: string | null;
  readonly settings: ResponseSettings;
  readonly input: readonly InputItem[];
  readonly idempotencyKey: string | null;
  /** A hash of the request's body, to tell twins from others. */
  readonly bodyHash: string;
  readonly createdAtMs: number;
  readonly events: readonly JournalRow[];
}

export interface TurnRow {
  readonly id: string;
  readonly tenant: string;
  readonly session: string | null;
  readonly previous: string | null;
  readonly status: ResponseStatus;
  readonly settings: ResponseSettings;
  readonly input: readonly InputItem[];
  readonly bodyHash: string;
  readonly createdAtMs: number;
  readonly isSubmitted: boolean;
  readonly isRecorded: boolean;
  readonly cancelRequestedAtMs: number | null;
  readonly settledAtMs: number | null;
  readonly errorCode: FailureCode | null;
  readonly retryAtMs: number | null;
  readonly usage: Usage | null;
  /** The settled response as its last event has it; null before. */
  readonly response: ResponseObject | null;
  /** Of the run that last claimed the turn; null before. */
  readonly workflowId: string | null;
  readonly runId: string | null;
}

export interface TwinQuery {
  readonly tenant: string;
  readonly session: string | null;
  readonly previous: string | null;
  readonly bodyHash: string;
  /** Settled turns count only when they were settled after this, and no client got their end. */
  readonly settledAfterMs: number;
}

export interface ClaimRequest {
  readonly turn: string;
  readonly step: number;
  readonly atMs: number;
  readonly workflowId: string;
  readonly runId: string;
}

export type Claim =
  | {
      readonly type: 'granted';
      readonly epoch: number;
      readonly attempt: number;
      readonly turn: TurnRow;
      readonly events: readonly ResponseEvent[];
    }
  | { readonly type: 'settled'; readonly settled: Settled }
  /** The step has started elsewhere: it is never asked again (T2). */
  | { readonly type: 'started' }
  | { readonly type: 'exhausted' }
  /** A cancel was accepted before: it is not asked at all. */
  | { readonly type: 'cancelled' };

export interface AttemptKey {
  readonly turn: string;
  readonly step: number;
  /** 1-based. */
  readonly attempt: number;
}

export interface AttemptEnd {
  readonly endedAtMs: number;
  readonly outcome: AttemptOutcome;
  readonly code?: FailureCode;
  /** Such as `ECONNRESET` or `429`. */
  readonly detail?: string;
  /** The provider's own words, keys removed. */
  readonly message?: string;
  /** How long the next attempt is to wait. */
  readonly waitMs?: number;
}

export type AttemptOutcome = 'completed' | 'incomplete' | 'cancelled' | 'failed' | 'lost';

export interface AttemptRow extends AttemptKey, Partial<Omit<AttemptEnd, 'endedAtMs'>> {
  readonly requestedAtMs: number;
  readonly firstEventAtMs?: number;
  readonly endedAtMs?: number;
  readonly providerRequestId?: string;
}

export interface Append {
  readonly turn: string;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  /** These rows are the first that show anything of this attempt. */
  readonly starts?: AttemptKey & { readonly atMs: number; readonly providerRequestId?: string };
  /** The turn is running from here on. */
  readonly status?: 'in_progress';
}

export interface Seal {
  readonly turn: string;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  readonly response: ResponseObject;
  readonly output: readonly OutputItem[];
  readonly settled: Settled;
  readonly atMs: number;
  readonly usage: Usage | null;
  readonly retryAtMs?: number;
  readonly attempt?: AttemptKey & { readonly end: AttemptEnd };
}
