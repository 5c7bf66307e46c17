/** The port to the journals, for those who write a turn's events (an attempt, a settlement) and those who follow them. */
import type { AttemptEnd, AttemptKey, AttemptRow } from '../../domain/attempt.ts';
import type { ClaimDecision } from '../../domain/claim.ts';
import type { OutputItem } from '../../domain/item.ts';
import type { JournalRow, ResponseEvent } from '../../domain/response-event.ts';
import type { ResponseObject, Usage } from '../../domain/response.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { TurnStatus } from '../../domain/turn-state.ts';

/**
 * **Contract**, besides that of `Store`. A journal has one writer at a time: whoever holds its epoch. A higher epoch
 * refuses all lower ones for ever (T7); the seal refuses everybody (T6). A refusal is an answer, not an error: `false`,
 * or an end to adopt. Rows are numbered from 0 without a gap, and are handed back byte for byte as they were appended.
 *
 * Rejects with `JournalGoneError` in `follow` and `untilSealed` alone; `claim` and `fence` reject for a turn that is not
 * there; the other methods find nothing, or do nothing.
 */
export interface JournalStore {
  /**
   * The only way to a request (T2): raises the epoch and books the request, if `decideClaim` grants it. Earlier requests
   * of the step without an end are booked as lost.
   */
  claim(request: ClaimRequest): Promise<Claim>;

  /** Raises the epoch to close a turn that nobody can be trusted to write any more. `settled`: it has its end, nothing was raised. */
  fence(turn: string): Promise<{ readonly epoch: number; readonly settled?: TurnStatus }>;

  /** How the request ended. Once; later calls change nothing. */
  endAttempt(attempt: AttemptKey, end: AttemptEnd): Promise<void>;

  /** The requests of a turn, in the order they were booked. */
  readAttempts(turn: string): Promise<readonly AttemptRow[]>;

  /**
   * Appends rows in order. With `starts` it marks the step as started in the same commit, durably. False, and nothing
   * written: the epoch is no longer the writer's, the turn is sealed, or the first row does not follow the last one.
   */
  append(append: Append): Promise<boolean>;

  /**
   * The one end of a turn (T6), durably: the closing rows, the output items, the turn's row, the attempt's end. False,
   * and nothing written: as with `append`.
   */
  seal(seal: Seal): Promise<boolean>;

  /** The rows behind `after` (all, without it), `limit` at the most. */
  readJournal(turn: string, range?: { readonly after?: number; readonly limit?: number }): Promise<readonly JournalRow[]>;

  /** undefined: there is no journal (any more). */
  readHead(turn: string): Promise<JournalHead | undefined>;

  /**
   * The rows behind `after` as they come, in batches, from the past into the live tail, until the turn is sealed and
   * read to its end, or `signal` aborts. Rows of this process are seen at once, those of another within 10 ms.
   * It pulls: while nobody asks for the next batch, nothing is kept for it (T12). A batch that is read from the database
   * is at most 256 rows, and ends with the row that brings it to 65,536 characters. Those who follow a turn at the same
   * place may get the very same array: it must not be changed, and what is made of it may be shared.
   * Rejects with `JournalGoneError` when there is no such journal (any more), or rows it has yet to hand out are
   * missing: never an end that looks like the turn's.
   */
  follow(turn: string, after: number, signal: AbortSignal): JournalFollower;

  /**
   * Resolves with true once the turn is sealed, as soon as `follow` would see its last row; with false when `signal`
   * aborts before. No row wakes or costs it. Rejects with `JournalGoneError` when there is no such journal (any more).
   */
  untilSealed(turn: string, signal: AbortSignal): Promise<boolean>;
}

export interface JournalHead {
  /** Of whoever may write: raised by each claim and fence. 0: nobody has claimed the turn yet. */
  readonly epoch: number;
  /** The last row's number; -1 without any. */
  readonly last: number;
  /** Behind `last` nothing comes any more. */
  readonly isSealed: boolean;
}

/** Rows as they come, and how far whoever reads them has got. */
export interface JournalFollower extends AsyncIterable<readonly JournalRow[]> {
  /** The `seq` of the last row that is done with: those behind it may wait for a slow reader. */
  readonly taken: number;
  /** Nothing comes any more, for whatever reason. */
  readonly hasEnded: boolean;
}

/** The journal of a turn is not there (any more): deleted, or older than is kept. */
export class JournalGoneError extends Error {
  override readonly name = 'JournalGoneError';

  constructor(turn: string) {
    super(`the journal of ${turn} is gone`);
  }
}

export interface ClaimRequest {
  readonly turn: string;
  readonly step: number;
  readonly atMs: number;
  /** Of the run that asks. */
  readonly workflowId: string;
  readonly runId: string;
}

export type Claim =
  | Exclude<ClaimDecision, { type: 'granted' }>
  | {
      readonly type: 'granted';
      readonly epoch: number;
      readonly attempt: number;
      /** As it stood before the claim. */
      readonly turn: TurnRow;
      /** What the journal has: the new writer goes on from there. */
      readonly events: readonly ResponseEvent[];
    };

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
  /** false: its output joins no transcript. */
  readonly isStored: boolean;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  readonly response: ResponseObject;
  readonly output: readonly OutputItem[];
  readonly settled: TurnStatus;
  readonly atMs: number;
  readonly usage: Usage | null;
  readonly retryAtMs?: number;
  readonly attempt?: AttemptKey & { readonly end: AttemptEnd };
}
