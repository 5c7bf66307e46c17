/** The port to the journals, for those who write a turn's events and those who follow them. */
import type { AttemptEnd, AttemptKey, AttemptRow } from '../../domain/turn/attempt.ts';
import type { Spending } from '../../domain/turn/budget.ts';
import type { Away } from '../../domain/turn/breaker.ts';
import type { ClaimDecision } from '../../domain/turn/claim.ts';
import type { OutputItem } from '../../domain/item.ts';
import type { HiddenReasoning } from '../../domain/response/hidden-reasoning.ts';
import type { JournalRow, ResponseEvent } from '../../domain/response/response-event.ts';
import type { Usage } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { TurnStatus } from '../../domain/turn/turn-state.ts';
import type { Recorded } from './recordings.ts';
import type { Beat, ExpiredLease, Lease, OverdueQuery, OverdueTurn, TurnPulse } from './leases.ts';

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
   * The only way to a request (T2), besides the head start of `TurnStore.insertTurn`: raises the epoch, books the request,
   * appends `response.in_progress` to the journal of a queued turn, and begins a lease, if `decideClaim` grants it.
   * Earlier requests of the step without an end are booked as lost.
   */
  claim(request: ClaimRequest): Promise<Claim>;

  /**
   * Renews the leases of these attempts, all in one commit, and tells for each of their turns how it stands. A lease that
   * another one has taken over is not renewed: the epoch says so. A turn that is gone is left out.
   */
  beat(beat: Beat): Promise<readonly TurnPulse[]>;

  /**
   * The user has said more: whoever runs the turn finds it with the next beat, and ends it where nothing is torn. Does nothing
   * to a turn that has its end.
   */
  requestSteer(turn: string): Promise<void>;

  /**
   * Unsettled turns with an attempt whose lease has run out, `limit` at the most: whoever ran it is dead, or stands still.
   * For a process without a worker only those that it can end: started, and not kept for others, or to be cancelled; and those that
   * were passed on `keptForMs` ago. Of a lease that the clock was set back behind no more is left than it was given for.
   */
  listExpiredLeases(query: {
    readonly limit: number;
    readonly hasWorker: boolean;
    readonly keptForMs?: number;
  }): Promise<readonly ExpiredLease[]>;

  /**
   * Unsettled turns that nobody holds and whose next request has been due for so long, `limit` at the most, those due first
   * before others. A request is due when Temporal has the turn (`markDispatched`), and when the wait behind the one before
   * is over (`endAttempt`), until it is claimed. So is one that would be due later than the longest wait: the clock was set
   * back behind it. Never those of an owner's (`NewTurn.ownerRunId`), which may be gone.
   */
  listOverdue(query: OverdueQuery): Promise<readonly OverdueTurn[]>;

  /**
   * Raises the epoch to close a turn that nobody can be trusted to write any more. Several that fence it one after the other
   * share an epoch, so that the first of them to seal it is not refused for the others. A lease that the turn has ends now,
   * and is listed as one that has run out until the turn is sealed: whoever fenced it may be dead.
   * `settled`: it has its end, nothing was raised.
   * @param dead who is taken for dead, from an earlier look. Where that lease lives after all, or the epoch is another by now,
   * nothing is raised, and this resolves with undefined: whoever judged may have stood still in between
   */
  fence(turn: string): Promise<Fence>;
  fence(turn: string, dead: DeadHolder | undefined): Promise<Fence | undefined>;

  /** How the request ended, without an end of the turn; its lease ends too. Once; later calls change nothing. */
  endAttempt(attempt: AttemptKey, epoch: number, end: AttemptEnd): Promise<void>;

  /**
   * What a turn has used up before a step, and its session with it: on earlier steps, and on requests of this one that have
   * ended. What is deleted stays spent. undefined: there is no such turn.
   */
  readSpending(turn: string, before: number): Promise<Spending | undefined>;

  /** The requests of a turn, in the order they were booked. */
  readAttempts(turn: string): Promise<readonly AttemptRow[]>;

  /**
   * Appends rows in order. With `starts` it marks the step as started in the same commit, durably. False, and nothing
   * written: the epoch is no longer the writer's, the turn is sealed, or the first row does not follow the last one.
   */
  append(append: Append): Promise<boolean>;

  /**
   * The one end of a turn (T6), durably: the closing rows, the output items, the turn's row, the attempt's end. In the same
   * commit the next waiting turn of its session becomes ready and its input joins the transcript (T1). `next` names it, unless a
   * workflow of somebody's own waits for that and goes on by itself.
   */
  seal(seal: Seal): Promise<SealResult>;

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
   * missing: never an end that looks like the turn's. `onEnd` is called once, when nothing comes any more, for whatever reason.
   */
  follow(turn: string, after: number, signal: AbortSignal, onEnd?: () => void): JournalFollower;

  /**
   * Resolves with true once the turn is sealed, as soon as `follow` would see its last row; with false when `signal`
   * aborts before. No row wakes or costs it. Rejects with `JournalGoneError` when there is no such journal (any more).
   */
  untilSealed(turn: string, signal: AbortSignal): Promise<boolean>;
}

export interface JournalHead {
  /** Of whoever may write: raised by each claim, and by the first fence behind it. 0: nobody has claimed the turn yet. */
  readonly epoch: number;
  /** The last row's number; -1 without any. */
  readonly last: number;
  /** Behind `last` nothing comes any more. */
  readonly isSealed: boolean;
  /** Of an attempt that has not ended. `expired`: whoever holds it has not renewed it in time, and may be dead, or come back. */
  readonly lease: 'none' | 'live' | 'expired';
}

export interface Fence {
  readonly epoch: number;
  readonly settled?: TurnStatus;
}

export interface DeadHolder {
  readonly epoch: number;
}

/** Rows as they come, and how far whoever reads them has got. */
export interface JournalFollower extends AsyncIterable<readonly JournalRow[]> {
  /** The `seq` of the last row that is done with: those behind it may wait for a slow reader. */
  readonly taken: number;
}

/** The journal of a turn is not there (any more): deleted, or past retention. */
export class JournalGoneError extends Error {
  override readonly name = 'JournalGoneError';

  constructor(turn: string) {
    super(`the journal of ${turn} is gone`);
  }
}

export interface ClaimRequest {
  readonly turn: string;
  readonly step: number;
  readonly lease: Lease;
  /** The run that asks; absent where no workflow does: in a head start, or for a dead worker. */
  readonly run?: { readonly workflowId: string; readonly runId: string };
  /** Of its provider, where it may not be asked just now. */
  readonly away?: Away | undefined;
}

export type Claim =
  | Exclude<ClaimDecision, { type: 'granted' | 'tools' }>
  | (GrantedTurn & Extract<ClaimDecision, { type: 'granted' }>)
  /** Calls of tools are the caller's to carry out. `isLast`: the turn ends once they have. */
  | (GrantedTurn & { readonly type: 'tools'; readonly isLast: boolean });

/** The right to write a turn. */
export interface GrantedTurn {
  readonly epoch: number;
  /** The end of its lease, by the clock of this machine, ms since the epoch: not later than it ends in the database. */
  readonly leaseUntilMs: number;
  /** Earlier requests without an end, booked as lost now. */
  readonly lostAttempts: number;
  /** As it stood before the claim. */
  readonly turn: TurnRow;
  /** How long the turn has been ready, ms: its time limit counts from there. */
  readonly readySinceMs: number;
  /** What the journal has: the new writer goes on from there. Absent: it has shown something, and is read apart, in pages. */
  readonly events?: readonly ResponseEvent[];
}

export interface Append extends Recorded {
  readonly turn: string;
  readonly epoch: number;
  readonly rows: readonly JournalRow[];
  /** These rows are the first that show anything of this attempt. */
  readonly starts?: AttemptKey & { readonly providerRequestId?: string };
}

export interface Seal {
  readonly turn: string;
  /** false: its output joins no transcript. */
  readonly isStored: boolean;
  readonly epoch: number;
  /** The last one holds the response as it ended: it is written nowhere else. */
  readonly rows: readonly JournalRow[];
  readonly output: readonly OutputItem[];
  /** See `StepEnd`. */
  readonly hidden?: readonly HiddenReasoning[];
  readonly settled: TurnStatus;
  /** false: an accepted cancel refuses it, and wins (T5). */
  readonly winsOverCancel: boolean;
  readonly usage: Usage | null;
  readonly retryAtMs?: number;
  readonly attempt?: AttemptKey & { readonly end: AttemptEnd };
}

export type SealResult =
  /** `next`: the turn of the session that may run now, ready and recorded. Whoever has this dispatches it. */
  | {
      readonly type: 'sealed';
      readonly next?: string;
      /** The turns that carry out its calls of agents, and are to be cancelled with it: booked, and to be carried out by whoever has this. */
      readonly cancels?: readonly string[];
      readonly lostAttempts: number;
      /** Ids of answers that are lost with it, and that their provider goes on with until stopped. */
      readonly stops?: readonly string[];
      /** An event is owed to an endpoint from this commit on: see `WebhookStore`. Whoever has this hands it to Temporal. */
      readonly owesWebhook?: true;
    }
  /** The epoch is no longer the caller's, or the turn has its end already. */
  | { readonly type: 'refused' }
  | { readonly type: 'cancel_requested' };
