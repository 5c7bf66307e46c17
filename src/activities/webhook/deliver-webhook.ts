/**
 * The activity `deliverWebhook`: one request to the endpoint of a turn's tenant, and what follows from its answer. Temporal
 * runs it again where it throws. A run that finds the event delivered sends nothing.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { OwnTurn, WebhookEnd } from '../../contract/activities.ts';
import type { WebhookInput } from '../../contract/workflows.ts';
import { eventIdOf, judgeAnswer, payloadOf, reportOf, type WebhookReport } from '../../domain/turn/webhook.ts';
import type { WebhookStore } from '../../store/ports/webhooks.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { webhookHeaders } from './signature.ts';
import type { WebhookSender } from './webhook-sender.ts';

export interface DeliverWebhookDeps {
  readonly store: WebhookStore;
  /** Absent: this worker has no endpoints. */
  readonly webhooks?: {
    readonly sender: WebhookSender;
    readonly onReport: (report: WebhookReport) => void;
  };
}

/** By then the worker that goes takes no tasks any more: one that it got as it went would be missed only by its heartbeats. */
const handOverMs = 1_000;
/** The workflow misses them after 5 s. */
const heartbeatEveryMs = 1_000;
const longestBusyWaitMs = 600_000;
/** How long a busy database is asked again, within the time that the workflow gives: before the request, and to note what came of it. */
const readPatienceMs = 5_000;
const notePatienceMs = 60_000;

export async function deliverWebhook({ store, webhooks }: DeliverWebhookDeps, { turn }: OwnTurn<WebhookInput>): Promise<WebhookEnd> {
  using _heartbeats = heartbeats();
  const webhook = await retryWhileBusy(() => store.readWebhook(turn), undefined, readPatienceMs);
  // Deleted, or past retention: whoever was told could fetch nothing.
  if (webhook === undefined) return { status: 'gone' };
  if (webhook.status !== 'pending') return { status: webhook.status };
  const endpoint = webhooks?.sender.endpointOf(webhook.tenant);
  // One of another configuration may have it, or this one soon.
  if (webhooks === undefined || endpoint === undefined) throw again('no_endpoint', 'this worker has no endpoint for the tenant');
  using slot = webhooks.sender.takeSlot(endpoint);
  if (slot === undefined) throw again('endpoint_busy', 'the endpoint has as many requests as it gets at once', busyWaitMs());

  const startedAt = performance.now();
  const id = eventIdOf(turn);
  const body = payloadOf(webhook);
  const headers = webhookHeaders({ id, atMs: Date.now(), body }, endpoint.secrets);
  const { cancellationSignal: signal } = Context.current();
  const answer = await webhooks.sender.send({ endpoint, headers, body, signal }).catch((error: unknown) => {
    // The worker shuts down: nothing is known of the request, which is made again elsewhere.
    if (signal.aborted) throw again('worker_shutdown', 'the worker shut down amid the request', handOverMs);
    throw error;
  });

  const attempts = webhook.attempts + 1;
  const verdict = judgeAnswer(answer, { attempts, sinceOwedMs: Date.now() - webhook.owedAtMs }, Math.random());
  const { status, error, waitMs } = verdict;
  const lastError = error ?? webhook.lastError;
  // What the endpoint has taken it must not get again for a database that is busy.
  await retryWhileBusy(() => store.noteWebhook(turn, { status, attempts, lastError }), undefined, notePatienceMs).catch(() => undefined);
  const durationMs = Math.round(performance.now() - startedAt);
  webhooks.onReport(reportOf(webhook, { ...verdict, attempts, durationMs }));
  if (status === 'pending') throw again('webhook_failed', `the endpoint did not take the event: ${error ?? 'unknown'}`, waitMs);
  return { status };
}

/** For Temporal, to run the activity again. Only constant words and codes: they are stored in plain (T11). */
function again(type: string, message: string, waitMs?: number): ApplicationFailure {
  // The log has a line of its own for each request.
  const category = ApplicationFailureCategory.BENIGN;
  return ApplicationFailure.create({ type, message, category, ...(waitMs === undefined ? {} : { nextRetryDelay: waitMs }) });
}

function heartbeats(): Disposable {
  // A timer runs outside of the activity's async context.
  const context = Context.current();
  const timer = setInterval(() => {
    context.heartbeat();
  }, heartbeatEveryMs);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
    },
  };
}

/** Longer from try to try, so that a thousand events for an endpoint that hangs do not keep Temporal busy. */
function busyWaitMs(): number {
  const { attempt } = Context.current().info;
  return Math.round(Math.min(1_000 * 2 ** (attempt - 1), longestBusyWaitMs) * (0.5 + Math.random() / 2));
}
