/**
 * The activities of a turn, as the workflow sees them: their names, inputs and results.
 * Ids and small facts only: prompts, tokens and keys never pass through Temporal (T11).
 */
import type { RequestedOutcome, StepResult, TurnStatus } from '../domain/turn/turn-state.ts';
import type { WebhookStatus } from '../domain/turn/webhook.ts';
import type { AwaitTurnInput, BeginTurnInput, BegunTurn, ReadResultInput, TurnResult } from './own-turns.ts';
import type { TitleInput, WebhookInput } from './workflows.ts';

export interface TurnActivities {
  /** One request to the model. Throws `ApplicationFailure` typed with a `FailureCode`; see `StreamFailureDetails`. */
  readonly streamModel: (input: StreamModelInput) => Promise<StepResult>;
  /** Local. Gives the turn the end that `streamModel` could not write. */
  readonly settleTurn: (input: SettleTurnInput) => Promise<TurnStatus>;
  /** Takes in a turn of a workflow of somebody's own. Throws `ApplicationFailure` of the type `turn_refused`. */
  readonly beginTurn: (input: BeginTurnInput) => Promise<BegunTurn>;
  /** Resolves once the turns before it in its session have ended, or it has its own end. */
  readonly awaitTurn: (input: AwaitTurnInput) => Promise<void>;
  /** What a turn that has ended came to. Throws `ApplicationFailure` of the type `result_too_large`. */
  readonly readResult: (input: ReadResultInput) => Promise<TurnResult>;
  /** Asks the model for the title of a session and stores it. On a queue of its own: see `titleQueueOf`. */
  readonly writeTitle: (input: TitleInput) => Promise<{ readonly hasTitle: boolean }>;
  /**
   * One request to the endpoint of the turn's tenant. Throws while it is to be tried again, with the wait before that. On a
   * queue of its own: see `webhookQueueOf`.
   */
  readonly deliverWebhook: (input: WebhookInput) => Promise<WebhookEnd>;
}

/** `gone`: the turn was deleted, or is past retention, before its event was delivered. */
export interface WebhookEnd {
  readonly status: Exclude<WebhookStatus, 'pending'> | 'gone';
}

/**
 * The type of the failure that every activity ends in on a worker of another database: two deployments poll one task queue.
 * The turn is left to a worker of its own.
 */
export const wrongDatabase = 'wrong_database';

/** What is left of an activity's input once it is known to be of this worker's database. */
export type OwnTurn<Input extends { readonly database: string }> = Omit<Input, 'database'>;

export interface SettleTurnInput {
  readonly database: string;
  readonly turn: string;
  readonly requested: RequestedOutcome;
}

export interface StreamModelInput {
  readonly database: string;
  readonly turn: string;
  /** 1-based. */
  readonly step: number;
}

/** What a failure of `streamModel` carries through Temporal. */
export interface StreamFailureDetails {
  /** Requests made for this step so far, over all attempts and workers. */
  readonly requestsMade: number;
  /** Such as `ECONNRESET` or `429`. */
  readonly detail?: string;
  readonly retryAfterMs?: number;
  readonly retryAtMs?: number;
  /** The provider does not want to be asked again. */
  readonly final?: boolean;
}
