/** The port to the turns: taken in, looked up, dispatched, recorded in the transcript, cancelled. */
import type { LastOfPage } from '../item-cursor.ts';
import type { Admission, AdmissionRequest } from '../../domain/turn/admission.ts';
import type { InputItem } from '../../domain/item.ts';
import type { AnsweredRequest, NewToolCall } from '../../domain/agents/tool-call.ts';
import type { TranscriptTurn } from '../../domain/prompt/prompt.ts';
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import type { TurnOwner, TurnRow } from '../../domain/turn/turn.ts';
import type { CompletionQuery, StoredCompletion, TurnFilter, TurnSummary } from '../../domain/turn/turn-list.ts';
import type { CountedTurn } from '../../domain/turn/turn-stats.ts';
import type { WebhookEvent } from '../../domain/turn/webhook.ts';
import type { GrantedTurn } from './journal.ts';
import type { Lease } from './leases.ts';
import type { Page } from './sessions.ts';

/**
 * **Contract**, besides that of `Store`. A turn that was inserted cannot be lost, and its id and its idempotency key are
 * its own from then on. Methods find nothing, or do nothing, for a turn that is not there.
 *
 * A method that takes a tenant takes the turn's public id, and treats other tenants' turns as not there: an id is free as
 * long as the tenant itself has not given it to a turn. All other methods take the turn's own id.
 */
export interface TurnStore {
  /**
   * Takes a turn in as `decideAdmission` says, with its first events, durably. Of several at once one is the first. A turn
   * that is ready has its input in the transcript in the same commit (T1), and with a head start its first claim too. A
   * very long input may be written before, in slices that nobody sees until the turn is in.
   * @throws the reason of `turn.signal`, where that has aborted and the turn would be a new one: nothing is taken in
   */
  insertTurn(turn: NewTurn): Promise<InsertTurn>;

  /** Any turn, by its own id, for those who carry it out. For a tenant's own look at it there is `findTurn`. */
  readTurn(id: string): Promise<TurnRow | undefined>;

  /** A turn as its owner may see it, by its public id: not when it was deleted, or was not to be stored and has ended. */
  findTurn(tenant: string, publicId: string): Promise<TurnRow | undefined>;

  /**
   * Which model each of these turns asked for, by public id: as long as anything is left of a turn, whether or not its tenant
   * may still see it. What is not there is left out.
   */
  findModels(tenant: string, publicIds: Iterable<string>): Promise<ReadonlyMap<string, string>>;

  /** What the turn brought, without what was deleted since; empty for a turn that is erased. */
  readInput(turn: string): Promise<readonly InputItem[]>;

  /** A page of it. undefined when the page begins behind an item that is not in it. */
  readInputPage(turn: string, page: Page): Promise<readonly InputItem[] | undefined>;

  /** The `after` of the page behind this one, where that ends with this item. */
  readInputCursor(turn: string, page: Page, last: LastOfPage): Promise<string>;

  /** The response as the turn's last event has it; undefined before, and once it is erased. It outlives the journal. */
  readResponse(turn: string): Promise<ResponseObject | undefined>;

  /** The turns on the way to this one, itself included, a page of them; undefined when it begins behind a turn that is not on the way. */
  readChain(leaf: string, page: Page): Promise<readonly TurnRow[] | undefined>;

  /** The tenant's turns that it may see, newest first; undefined when the page begins behind a turn that is not there. */
  listTurns(tenant: string, query: TurnListQuery): Promise<readonly TurnSummary[] | undefined>;

  /**
   * The turns of the tenant's that a filter asks for and that it may see, with their requests, newest first: those among the
   * next rows, of which a page looks at so many that it is short (T14). The next page begins before `last`.
   */
  readCounted(tenant: string, query: CountedQuery): Promise<CountedPage>;

  /** The turns that carry out this one's calls of agents, visible or not. */
  readChildren(turn: string): Promise<readonly ChildTurn[]>;

  /** The ids of a session's unsettled turns, oldest first: the first is the one that runs. */
  listUnsettledOf(tenant: string, session: string): Promise<readonly string[]>;

  /** Temporal has the turns, each in this run of its workflow; before this, every process's dispatcher may start it again. */
  markDispatched(runs: readonly DispatchedRun[]): Promise<void>;

  /** Ready turns that Temporal has not got, ready for this long, oldest first. */
  listUndispatched(query: { readonly readyForMs: number; readonly limit: number }): Promise<readonly string[]>;

  /** Turns that wait although nothing of their session runs or waits before them: they become ready, as by a seal. */
  makeStrandedReady(): Promise<void>;

  /** Unsettled turns that Temporal has, ready for this long, and that no attempt holds a lease of; a page behind an ordinal. */
  listUnattended(query: UnattendedQuery): Promise<readonly UnattendedTurn[]>;

  /**
   * The turns before this one that have items, oldest first, up the chain of `previous`; with `isIncluded` the turn itself
   * too. Empty while the turn is not ready.
   */
  readTranscript(turn: string, options?: { readonly isIncluded: boolean }): Promise<readonly TranscriptTurn[]>;

  /** Remembers that the turn is to be cancelled, for `earlyCancelMs` also when there is no such turn yet. */
  requestCancel(tenant: string, publicId: string, atMs: number): Promise<CancelRequest>;

  /** Unsettled turns whose cancel was accepted this long ago, and not carried out: whoever accepted it is gone. */
  listStuckCancels(query: { readonly acceptedForMs: number; readonly limit: number }): Promise<readonly string[]>;

  /**
   * A client has the turn's end: a resend of its request is a new message from now on. Does nothing to an unsettled turn.
   * False: nothing has changed by this, since it was known before, or there is nothing to be known.
   */
  acknowledge(turn: string): Promise<boolean>;

  /** Takes an acknowledgement back, whose client's connection was reset: a resend of its request joins the turn again. */
  retractAcknowledgement(turn: string): Promise<void>;

  /** How many turns of the tenant have got their end in the last so many ms, `mostEnded` at the most. */
  countEnded(tenant: string, withinMs: number): Promise<number>;

  /** Of all tenants. Cheap enough to be asked every few seconds: it looks at unsettled turns only. */
  counts(): Promise<TurnCounts>;
}

/**
 * Stored Chat Completions: turns whose client asked for that by `store`.
 *
 * **Contract**, besides that of `Store`. A completion is there from the moment its turn is `completed` or `incomplete`, as
 * long as the tenant may see the turn. Ids are public ids of turns; other tenants' completions are not there.
 */
export interface CompletionStore {
  findCompletion(tenant: string, publicId: string): Promise<StoredCompletion | undefined>;

  /** A page of the tenant's; undefined when it begins behind a completion that is not there. */
  listCompletions(tenant: string, query: CompletionQuery): Promise<readonly StoredCompletion[] | undefined>;

  /** Takes the place of all metadata, durably. */
  updateCompletion(tenant: string, publicId: string, metadata: StoredCompletion['metadata']): Promise<StoredCompletion | undefined>;
}

export interface NewTurn extends AdmissionRequest {
  /**
   * Aborts when nobody waits for the turn any more. Who has gone has said the same again elsewhere, and may have the end of that:
   * taken in behind it, this would be a message that nobody has sent (T1).
   */
  readonly signal?: AbortSignal;
  /** Made by us, and unique; also the public id, where the client has chosen none. */
  readonly id: string;
  /** The id of a turn of the session whose place this one takes: it follows the turn before that. */
  readonly replaces?: string;
  readonly settings: ResponseSettings;
  readonly input: readonly InputItem[];
  /** The settings and each item of the input as JSON, made once: the call may have to be repeated. */
  readonly json: { readonly settings: string; readonly input: readonly string[] };
  /** Of the workflow that runs it. */
  readonly workflowId: string;
  /** The first run of that workflow, where it is not one of ours: the turn counts as dispatched from the start. */
  readonly ownerRunId?: string;
  /** The first rows of its journal, numbered from 0. */
  readonly events: readonly JournalRow[];
  /** Claims attempt 1 of step 1 in the same commit, if the turn is ready: `row` is `response.in_progress`. */
  readonly headStart?: { readonly lease: Lease; readonly row: JournalRow };
  /** The first turn of its session gives it a title. */
  readonly wantsTitle?: boolean;
  /** The ends of it that an endpoint is to be told of: see `WebhookStore`. */
  readonly webhookEvents?: readonly WebhookEvent[];
  /** What it says to calls that wait for an approval: `calls` are to be carried out before its first request. */
  readonly approvals?: { readonly answered: readonly AnsweredRequest[]; readonly calls: readonly NewToolCall[] };
  /** It is to be found as a stored Chat Completion, with the metadata of its settings. */
  readonly completion?: { readonly isLegacy: boolean };
}

export type InsertTurn =
  | {
      readonly type: 'inserted';
      readonly turn: TurnRow;
      /** The id of an earlier turn that is now to be cancelled. */
      readonly interrupted?: string;
      /** The head start: attempt 1 of step 1 is the caller's to send. */
      readonly begun?: Pick<GrantedTurn, 'epoch' | 'leaseUntilMs'>;
      /** It is the first turn of its session, and is to give it a title. */
      readonly givesTitle?: true;
    }
  /** The request for an approval of this id was answered before. */
  | { readonly type: 'approval_answered'; readonly id: string }
  | Exclude<Admission, { type: 'admitted' }>;

/** A turn that carries out a call of another. */
export interface ChildTurn {
  /** Of the call: see `ToolCallRow`. */
  readonly number: number;
  readonly publicId: string;
}

export interface DispatchedRun {
  readonly turn: string;
  readonly runId: string;
}

export interface TurnListQuery {
  readonly filter: TurnFilter;
  readonly limit: number;
  /** A public id: the page begins behind it. */
  readonly after?: string;
}

export interface CountedQuery {
  readonly filter: TurnFilter;
  /** An ordinal; the newest where nothing is said. */
  readonly before?: number;
}

export interface CountedPage {
  readonly turns: readonly CountedTurn[];
  /** How many were looked at, of turns and requests. */
  readonly rows: number;
  /** The last turn that was looked at, asked for or not; absent: there are no more. */
  readonly last?: { readonly ordinal: number; readonly createdAtMs: number };
}

export interface UnattendedQuery {
  readonly readyForMs: number;
  readonly afterOrdinal: number;
  readonly limit: number;
}

export interface UnattendedTurn {
  readonly ordinal: number;
  readonly turn: string;
  readonly readyAtMs: number;
  /** Who is to go on with it, where that is a workflow of somebody's own. */
  readonly owner?: TurnOwner;
}

export type CancelRequest =
  | { readonly type: 'accepted' | 'settled'; readonly turn: TurnRow }
  /** There is no such turn; one of this id that comes within `earlyCancelMs` is cancelled as it comes. */
  | { readonly type: 'unknown' };

export interface TurnCounts {
  /** Unsettled, and claimed by a worker. */
  readonly running: number;
  /** Unsettled, and not claimed yet: the queue. */
  readonly waiting: number;
  /** Since when the oldest of those that wait has been ready, ms since the epoch; null: none is. */
  readonly oldestReadyAtMs: number | null;
  /** When the lease that was renewed the longest ago was renewed, or begun, ms since the epoch; null: there is none. */
  readonly oldestRenewalAtMs: number | null;
}
