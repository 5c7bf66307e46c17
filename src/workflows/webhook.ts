/**
 * Tells an endpoint that a background response has ended: a run of its own, so that neither a slow endpoint nor a dead one
 * holds up a turn. The history holds ids alone: the event is read, and signed, by the activity (T11).
 */
import { ActivityFailure, isCancellation, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { TurnActivities, WebhookEnd } from '../contract/activities.ts';
import { type WebhookInput, webhookQueueOf } from '../contract/workflows.ts';
import { giveUpAfterMs, longestIntervalMs, webhookTimeoutMs } from '../domain/turn/webhook.ts';

/** Beside the request itself: what the activity reads and writes of a database that may be busy. */
const bookkeepingMs = 90_000;

/** A worker that died, or that got the task as it went, is noticed within this. */
const heartbeatTimeout = '5s';

/**
 * Delivers the event of a turn's end to the endpoint of its tenant. Its activity is on a queue of its own,
 * `<task queue>/webhooks`.
 *
 * @example
 *     // In the workflow code that a worker bundles
 *     export { webhook } from 'turnkeep/workflow';
 */
export async function webhook(input: WebhookInput): Promise<WebhookEnd> {
  const { deliverWebhook } = proxyActivities<TurnActivities>({
    taskQueue: webhookQueueOf(workflowInfo().taskQueue),
    startToCloseTimeout: webhookTimeoutMs + bookkeepingMs,
    heartbeatTimeout,
    // The activity gives up by itself before: this is for one that no worker takes.
    scheduleToCloseTimeout: giveUpAfterMs,
    // The failure of a request brings its own wait (`webhookWaitMs`): this is for a worker that died in it, or cannot deliver it.
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: longestIntervalMs },
  });
  try {
    return await deliverWebhook(input);
  } catch (error) {
    if (error instanceof ActivityFailure && !isCancellation(error)) return { status: 'given_up' };
    throw error;
  }
}
