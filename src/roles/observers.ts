/** What stands around the store of each role: the metrics of its process, and the log's line of a turn's end. */
import type { Logger } from 'pino';
import { type Config, readVersion } from '../config/config.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { WebhookReport } from '../domain/turn/webhook.ts';
import type { EndedTurn } from '../metrics/observed-store.ts';

/** @param agents whose names stand for models, too */
export function createMetrics({ provider }: Config, agents: Iterable<string> = []): Metrics {
  const models = [...(provider.model === undefined ? [] : [provider.model]), ...agents];
  return new Metrics({ version: readVersion(), models });
}

/** A failure is a warning, so that it is seen at every level that operators use. */
export function logTurnEnd(log: Logger): (turn: EndedTurn) => void {
  return (turn) => {
    log[turn.status === 'failed' ? 'warn' : 'info'](turn, 'turn ended');
  };
}

export interface WebhookObservers {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Instead of the log. */
  readonly onWebhook?: ((report: WebhookReport) => void) | undefined;
}

/** An event that its endpoint has not taken is a warning: the endpoint is the operator's. */
export function webhookObserver({ metrics, log, onWebhook }: WebhookObservers): (report: WebhookReport) => void {
  return (report) => {
    // One that nobody has tried yet has made no request.
    if (report.status !== 'pending' || report.attempts > 0) metrics.webhookReported(report);
    if (onWebhook !== undefined) onWebhook(report);
    else if (report.status === 'delivered') log.info(report, 'webhook delivered');
    else log.warn(report, 'webhook not delivered');
  };
}
