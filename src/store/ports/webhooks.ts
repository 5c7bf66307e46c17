/** The port to the webhooks that are owed: whether an event is owed is decided with its turn, and written with the turn's end. */
import type { WebhookRow, WebhookStatus } from '../../domain/turn/webhook.ts';

/**
 * **Contract**, besides that of `Store`. An event is owed from the commit that gives its turn its end (`NewTurn.webhookEvents`,
 * `SealResult.owesWebhook`) as long as the turn is there for its owner: with a turn that is deleted, or past retention, it is
 * gone. Methods find nothing, or do nothing, for a turn that owes none.
 */
export interface WebhookStore {
  /**
   * Turns whose event is to be handed to Temporal, `limit` at the most: nobody has within `startGraceMs` of the turn's end, or
   * it is pending `startAgainAfterMs` after it was. A time further ahead than that was written by a clock that has been set
   * back since, and counts as past.
   */
  listUnstartedWebhooks(limit: number): Promise<readonly { readonly turn: string; readonly owedAtMs: number }[]>;

  /** Temporal has the event of this turn: it is not listed for `startAgainAfterMs`. */
  markWebhookStarted(turn: string): Promise<void>;

  /** undefined: no event is owed, not yet or not any more. */
  readWebhook(turn: string): Promise<WebhookRow | undefined>;

  /** What became of a request to the endpoint. An end that is there is kept; behind one it is not listed any more. */
  noteWebhook(turn: string, note: WebhookNote): Promise<void>;
}

export interface WebhookNote {
  readonly status: WebhookStatus;
  /** All in all, this one included. */
  readonly attempts: number;
  readonly lastError: string | null;
}
