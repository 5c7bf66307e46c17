/** The port to the turns: taken in, looked up, dispatched, recorded in the transcript, cancelled. */
import type { Admission, AdmissionRequest } from '../../domain/admission.ts';
import type { InputItem } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt.ts';
import type { JournalRow } from '../../domain/response-event.ts';
import type { ResponseSettings } from '../../domain/response-settings.ts';
import type { TurnRow } from '../../domain/turn.ts';

/**
 * **Contract**, besides that of `Store`. A turn that was inserted cannot be lost, and its id and its idempotency key are
 * its own from then on. `recordInput` rejects for a turn that is not there; the other methods find nothing, or do
 * nothing. A method that takes a tenant treats other tenants' turns as not there.
 */
export interface TurnStore {
  /** Takes a turn in as `decideAdmission` says, with its first events, durably. Of several at once one is the first. */
  insertTurn(turn: NewTurn): Promise<InsertTurn>;

  /** Any turn, for those who carry it out. For a tenant's own look at it there is `findTurn`. */
  readTurn(id: string): Promise<TurnRow | undefined>;

  /** A turn as its owner may see it: not when it was deleted, or was not to be stored and has ended. */
  findTurn(tenant: string, id: string): Promise<TurnRow | undefined>;

  /** The unsettled turns of a session, oldest first: the first is the one that runs. */
  listUnsettledOf(tenant: string, session: string): Promise<readonly TurnRow[]>;

  /** Temporal has the turn; before this, a sweep may dispatch it again. */
  markDispatched(turn: string): Promise<void>;

  /** Earlier turns of the same session that Temporal has not got, oldest first. */
  listUndispatchedBefore(turn: string): Promise<readonly TurnRow[]>;

  /**
   * Turns that are not done with, oldest first: unsettled, or with an input that is not in the transcript yet (cancelled
   * before they ran). A page at a time, by ordinal.
   */
  listUnfinished(query: UnfinishedQuery): Promise<readonly { readonly ordinal: number; readonly turn: TurnRow }[]>;

  /**
   * Puts the user's items into the transcript and moves the session's pointer to this turn, durably and once, however
   * often it is called (T1). Resolves with the turn as it then stands.
   */
  recordInput(turn: string): Promise<TurnRow>;

  /** The turns before this one that have items, oldest first, up the chain of `previous`. Empty before `recordInput`. */
  readTranscript(turn: string): Promise<readonly TranscriptTurn[]>;

  /** Remembers that the turn is to be cancelled, for `earlyCancelMs` also when there is no such turn yet. */
  requestCancel(tenant: string, id: string, atMs: number): Promise<CancelRequest>;

  /** Unsettled turns whose cancel was accepted before this, and not carried out: whoever accepted it is gone. */
  listStuckCancels(acceptedBeforeMs: number, limit: number): Promise<readonly TurnRow[]>;

  /** A client has the turn's end: a resend of its request is a new message from now on. Does nothing to an unsettled turn. */
  acknowledge(turn: string): Promise<void>;

  /** Of all tenants. Cheap enough to be asked every few seconds: it looks at unsettled turns only. */
  counts(): Promise<TurnCounts>;
}

export interface NewTurn extends AdmissionRequest {
  readonly id: string;
  /** Set when the client named it; a session's turn gets its own at `recordInput`. */
  readonly previous: string | null;
  /** A turn of the session whose place this one takes: it follows the turn before that. */
  readonly replaces?: string;
  readonly settings: ResponseSettings;
  readonly input: readonly InputItem[];
  readonly idempotencyKey: string | null;
  /** The first rows of its journal, numbered from 0. */
  readonly events: readonly JournalRow[];
  /** The first turn of its session gives it a title. */
  readonly wantsTitle?: boolean;
}

export type InsertTurn =
  /** `interrupted`: an earlier turn that is now to be cancelled. */
  { readonly type: 'inserted'; readonly turn: TurnRow; readonly interrupted?: string } | Exclude<Admission, { type: 'admitted' }>;

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
  /** There is no such turn; one of this id that comes within `earlyCancelMs` is cancelled as it comes. */
  | { readonly type: 'unknown' };

export interface TurnCounts {
  /** Unsettled, and claimed by a worker. */
  readonly running: number;
  /** Unsettled, and not claimed yet: the queue. */
  readonly waiting: number;
}
