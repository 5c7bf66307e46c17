/**
 * The port to the database: turns, their items and attempts, and the journal of each turn's events.
 * One contract, several drivers; `test/store/contract.ts` is the suite each must pass.
 *
 * **Contract, for every method.** Several processes may use one database at once. A method either happens
 * wholly or not at all, also when its process is killed in it. Times are ms since the epoch. `StoreBusyError`
 * means: not now, nothing was changed, ask again. Whatever reads as "durable" below is on disk when the
 * promise resolves (it survives a loss of power); everything else survives a kill of the process.
 */
import type { TurnStatus } from '../../domain/turn-state.ts';
import type { Item } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt.ts';
import type { JournalRow } from '../../domain/response-event.ts';
import type { AttemptEnd, AttemptKey, AttemptRow } from '../../domain/attempt.ts';
import type { NewSession, SessionRow } from '../../domain/session.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type {
  Append,
  CancelRequest,
  Claim,
  ClaimRequest,
  HandTurn,
  InsertTurn,
  ItemPage,
  NewTurn,
  RetentionCut,
  Seal,
  SessionPage,
  TurnCounts,
  UnfinishedQuery,
} from './records.ts';

export type * from './records.ts';

export interface Store {
  // Sessions -------------------------------------------------------------------------------------

  createSession(session: NewSession): Promise<SessionRow>;
  /** The tenant's session that a chat of this name stands for; made as `session` if there is none. */
  openSession(session: NewSession, name: string): Promise<SessionRow>;
  findSession(tenant: string, name: string): Promise<SessionRow | undefined>;
  readSession(tenant: string, id: string): Promise<SessionRow | undefined>;
  /** By their latest use. undefined when the page begins behind a session that is not there. */
  listSessions(tenant: string, page: SessionPage): Promise<readonly SessionRow[] | undefined>;
  /** Takes the place of all metadata. undefined when there is no such session. */
  updateSession(tenant: string, id: string, metadata: SessionRow['metadata']): Promise<SessionRow | undefined>;
  /** False when there is none, `busy` while turns of it are unsettled: cancel them first. Its turns stay, as responses. */
  deleteSession(tenant: string, id: string): Promise<boolean | 'busy'>;
  /**
   * The items of a session, one page of `limit` at a time, in time that does not grow with the session.
   * undefined when the page begins behind an item that is not in it.
   */
  readSessionItems(session: SessionRow, page: ItemPage): Promise<readonly Item[] | undefined>;
  readSessionItem(session: SessionRow, item: string): Promise<Item | undefined>;
  /** Items put in by hand: a turn without a model call, durably. undefined when there is no such session. */
  addItems(turn: HandTurn): Promise<readonly Item[] | undefined>;
  /** Gone for every session that shares the turn it stands in. False when it is not in this session. */
  deleteSessionItem(session: SessionRow, item: string): Promise<boolean>;
  /** The tenant's items of these ids, by id; what is not there is left out. */
  findItems(tenant: string, ids: readonly string[]): Promise<ReadonlyMap<string, Item>>;
  /** Does the chain that ends in this turn hold a function call of this id? */
  hasCall(leaf: string, callId: string): Promise<boolean>;
  /** Sessions whose first turn is to give them a title, as long as nobody has begun to. */
  listUntitled(limit: number): Promise<readonly { readonly session: string; readonly turn: string }[]>;
  markTitleStarted(session: string): Promise<void>;
  /** Sets `metadata.title`, unless there is one. */
  setTitle(session: string, title: string): Promise<void>;

  // Turns ----------------------------------------------------------------------------------------

  /**
   * Takes a turn in, with its first events, durably: from here on it cannot be lost.
   * The same id or the same idempotency key of the same tenant again gives the turn that is there already.
   * One whose cancel came first (`requestCancel`) is in as one to be cancelled.
   */
  insertTurn(turn: NewTurn): Promise<InsertTurn>;
  /** Any turn, for those who carry it out. Who asks for a tenant calls `findTurn`. */
  readTurn(id: string): Promise<TurnRow | undefined>;
  /** A turn as its owner may see it: not when it was deleted, or was not to be stored and has ended. */
  findTurn(tenant: string, id: string): Promise<TurnRow | undefined>;
  /** The unsettled turns of a session, oldest first: the first is the one that runs. */
  listUnsettledOf(tenant: string, session: string): Promise<readonly TurnRow[]>;
  /** A client got the turn's end: a resend of its request is a new message from now on. */
  acknowledge(turn: string): Promise<void>;
  /** False when it is not there or not settled. Its words stay where others go on from them. */
  deleteTurn(tenant: string, id: string, atMs: number): Promise<boolean>;
  /** Temporal has taken the turn over; before this the sweep may hand it over again. */
  markDispatched(turn: string): Promise<void>;
  /**
   * Turns that are not done with, oldest first: unsettled, or with an input that is not in the transcript yet
   * (cancelled before they ran). A page at a time, by ordinal.
   */
  listUnfinished(query: UnfinishedQuery): Promise<readonly { readonly ordinal: number; readonly turn: TurnRow }[]>;
  /** Earlier turns of the same session that nobody has handed over yet, oldest first. */
  listUndispatchedBefore(turn: string): Promise<readonly TurnRow[]>;
  /**
   * Puts the user's items into the transcript and moves the session's pointer to this turn: once,
   * however often it is called (T1).
   */
  recordInput(turn: string): Promise<TurnRow>;
  /** The turns before this one, oldest first, up the chain of `previous`. */
  readTranscript(turn: string): Promise<readonly TranscriptTurn[]>;
  /** Remembers that the turn is to be cancelled, for 10 minutes also when there is no such turn yet. */
  requestCancel(tenant: string, id: string, atMs: number): Promise<CancelRequest>;
  /** Unsettled turns whose cancel was accepted before this, and not carried out: whoever accepted it is gone. */
  listStuckCancels(acceptedBeforeMs: number, limit: number): Promise<readonly TurnRow[]>;

  // What is dropped ------------------------------------------------------------------------------

  /** Turns that were not to be stored, once ended, and cancels whose turn never came. Returns how many turns of them there were; call it again while there are any. */
  purgeUnstored(cut: { readonly acknowledgedBeforeMs: number; readonly settledBeforeMs: number }): Promise<number>;
  /**
   * Journals, then turns and sessions that ended before the cut, `limit` of each; returns how many rows it took.
   * The past of what is kept is kept.
   */
  expire(cut: RetentionCut): Promise<number>;

  // Attempts and the journal -----------------------------------------------------------------------

  /**
   * The only way to a request (T2): raises the journal's epoch, so that whoever held it before can write no
   * more, and books the request, unless the turn is settled, the step has started, or its three requests are spent.
   */
  claim(claim: ClaimRequest): Promise<Claim>;
  /** Raises the epoch to close a turn that nobody can be trusted to write any more. */
  fence(turn: string): Promise<{ readonly epoch: number; readonly settled?: TurnStatus }>;
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
  follow(turn: string, after: number, signal: AbortSignal): JournalFollower;

  // For the metrics --------------------------------------------------------------------------------

  /** Of all tenants. Cheap enough to be asked every few seconds: it looks at unsettled turns only. */
  counts(): Promise<TurnCounts>;
  /** The `seq` of a turn's newest event; undefined when there is no such turn. */
  newestSeq(turn: string): Promise<number | undefined>;

  /** Throws when the database cannot be written. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

/** Rows as they come, and how far whoever reads them has got. */
export interface JournalFollower extends AsyncIterable<readonly JournalRow[]> {
  /** The `seq` of the last row that is done with: those behind it may wait for a slow reader. */
  readonly taken: number;
  /** Nothing comes any more, for whatever reason. */
  readonly hasEnded: boolean;
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
