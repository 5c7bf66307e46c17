/** What goes into the database and what comes out of it: the shapes that the port in `store.ts` speaks of. Times are ms since the epoch. */
import type { AttemptEnd, AttemptKey } from '../../domain/attempt.ts';
import type { NewSession } from '../../domain/session.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { TurnStatus } from '../../domain/turn-state.ts';
import type { InputItem, OutputItem } from '../../domain/item.ts';
import type { JournalRow, ResponseEvent } from '../../domain/response-event.ts';
import type { ResponseSettings } from '../../domain/response-settings.ts';
import type { ResponseObject, Usage } from '../../domain/response.ts';

export interface Page {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  /** An id: the page begins behind it. */
  readonly after?: string;
}
export type ItemPage = Page;
export type SessionPage = Page;

export interface HandTurn {
  readonly id: string;
  readonly tenant: string;
  readonly session: string;
  readonly items: readonly InputItem[];
  readonly createdAtMs: number;
  /** The session is made in the same commit. */
  readonly creates?: NewSession;
}

export interface TurnCounts {
  /** Unsettled, and claimed by a worker. */
  readonly running: number;
  /** Unsettled, and not claimed yet: the queue. */
  readonly waiting: number;
}

export interface RetentionCut {
  readonly beforeMs: number;
  readonly atMs: number;
  readonly limit: number;
}

export interface UnfinishedQuery {
  readonly createdBeforeMs: number;
  /** Those that Temporal has not got, or all. */
  readonly onlyUndispatched: boolean;
  readonly afterOrdinal: number;
  readonly limit: number;
}

export type CancelRequest =
  | { readonly type: 'accepted'; readonly turn: TurnRow }
  | { readonly type: 'settled' }
  /** There is no such turn; one of this id that comes within 10 minutes is cancelled as it comes. */
  | { readonly type: 'unknown' };

export type InsertTurn =
  /** `interrupted`: an earlier turn that is now to be cancelled. */
  | { readonly type: 'inserted'; readonly turn: TurnRow; readonly interrupted?: string }
  | { readonly type: 'joined'; readonly turn: TurnRow }
  /** The id or the idempotency key belongs to another request. */
  | { readonly type: 'conflict' }
  | { readonly type: 'busy'; readonly running: string }
  | { readonly type: 'queue_full' | 'too_many' }
  /** It was deleted meanwhile. */
  | { readonly type: 'unknown_session' };

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
  /** A turn of the session whose place this one takes: it follows the turn before that. */
  readonly replaces?: string;
  /** A resend: it joins a twin, one that is unsettled, or settled after this and whose end no client got. */
  readonly joins?: { readonly settledAfterMs: number };
  /** While an earlier turn of the session is unsettled: wait for it, be refused, or have it cancelled. */
  readonly whenBusy: 'enqueue' | 'reject' | 'interrupt';
  /** The first turn of its session gives it a title. */
  readonly wantsTitle?: boolean;
  readonly limits: { readonly maxWaitingTurns: number; readonly maxRunningTurns: number };
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
  | { readonly type: 'settled'; readonly settled: TurnStatus }
  /** The step has started elsewhere: it is never asked again (T2). */
  | { readonly type: 'started' }
  | { readonly type: 'exhausted' }
  /** A cancel was accepted before: it is not asked at all. */
  | { readonly type: 'cancelled' };

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
