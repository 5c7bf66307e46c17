/** A turn as the database keeps it: what was asked, where it stands in the tree, and how it ended. Times are milliseconds since the epoch. */
import type { FailureCode } from '../failure.ts';
import type { ResponseSettings } from '../response/response-settings.ts';
import type { ResponseStatus, Usage } from '../response/response.ts';

/** The call of an agent that a turn carries out, for another turn. */
export interface ParentCall {
  /** The other turn's own id. */
  readonly turn: string;
  /** Of its calls of tools, from 0. */
  readonly number: number;
}

export interface TurnRow {
  /** Our own, and never what a client chose: it names the turn in the database and in Temporal. */
  readonly id: string;
  /** What its tenant calls it, in every event and answer: the id that the client chose, else the turn's own. */
  readonly publicId: string;
  readonly tenant: string;
  /** `items`: put into its session by hand. */
  readonly kind: 'response' | 'items';
  readonly session: string | null;
  readonly previous: string | null;
  readonly replaces: string | null;
  /** null: a client asked for it. */
  readonly parent: ParentCall | null;
  readonly status: ResponseStatus;
  readonly settings: ResponseSettings;
  /** How many items it brought; they are read apart from the row, since there may be very many. */
  readonly inputCount: number;
  /** All of these items are outputs of calls, or answers to requests for approvals: it goes on with the answer of the turn before. */
  readonly bringsOutputs: boolean;
  readonly bodyHash: string;
  readonly createdAtMs: number;
  /** false: it leaves nothing once it has ended. */
  readonly isStored: boolean;
  /** When it could run: nothing of its session ran or waited before it any more. null: it waits. */
  readonly readyAtMs: number | null;
  readonly isDispatched: boolean;
  readonly isRecorded: boolean;
  readonly cancelRequestedAtMs: number | null;
  readonly settledAtMs: number | null;
  /** What it said is gone: deleted, or past retention. */
  readonly erasedBy: 'owner' | 'retention' | null;
  readonly errorCode: FailureCode | null;
  readonly retryAtMs: number | null;
  readonly usage: Usage | null;
  /** Of the run that last claimed the turn; null before. */
  readonly workflowId: string | null;
  readonly runId: string | null;
  /** Of a turn that is carried out by a workflow of somebody's own, `workflowId`: the id of that workflow's first run. Else null. */
  readonly ownerRunId: string | null;
}

/** A workflow of somebody's own that carries out a turn: nobody else starts one for it. */
export interface TurnOwner {
  readonly workflowId: string;
  /** Of the runs that are one execution to its user: it outlives a reset and a continue-as-new. */
  readonly firstRunId: string;
}

/** May its tenant see it? Not what was deleted, nor what was not to be stored and has ended. */
export function isVisible({ kind, isStored, settledAtMs, erasedBy }: TurnRow): boolean {
  return kind === 'response' && (isStored || settledAtMs === null) && erasedBy !== 'owner';
}
