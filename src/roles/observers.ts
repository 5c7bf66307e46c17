/** What stands around the store of each role: the metrics of its process, and the log's line of a turn's end. */
import type { Logger } from 'pino';
import { type Config, readVersion } from '../config/config.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { WebhookAttempt } from '../domain/webhook.ts';
import type { EndedTurn } from '../metrics/observed-store.ts';

export function createMetrics({ provider }: Config): Metrics {
  return new Metrics({ version: readVersion(), models: provider.model === undefined ? [] : [provider.model] });
}

/** A failure is a warning, so that it is seen at every level that operators use. */
export function logTurnEnd(log: Logger): (turn: EndedTurn) => void {
  return (turn) => {
    log[turn.status === 'failed' ? 'warn' : 'info'](turn, 'turn ended');
  };
}

/** An event that its endpoint has not taken is a warning: the endpoint is the operator's. */
export function logWebhookAttempt(log: Logger): (attempt: WebhookAttempt) => void {
  return (attempt) => {
    const isDelivered = attempt.status === 'delivered';
    log[isDelivered ? 'info' : 'warn'](attempt, isDelivered ? 'webhook delivered' : 'webhook not delivered');
  };
}
