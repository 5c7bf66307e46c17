/** What is told of a delivery, where, and what of it is counted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { WebhookReport } from '../../src/domain/turn/webhook.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import { webhookObserver } from '../../src/roles/observers.ts';

const report: WebhookReport = {
  eventId: 'evt_a',
  event: 'response.completed',
  responseId: 'resp_a',
  tenant: 'default',
  status: 'delivered',
  attempts: 1,
};

test('what is not delivered is a warning; what nobody has tried is no request, and is not counted as one', async () => {
  const metrics = new Metrics();
  const lines: string[] = [];
  const observe = webhookObserver({ metrics, log: pino({ level: 'trace' }, { write: (line) => void lines.push(line) }) });
  observe(report);
  observe({ ...report, status: 'pending', error: '500', waitMs: 1_000 });
  observe({ ...report, status: 'pending', attempts: 0, error: 'not_tried' });
  observe({ ...report, status: 'given_up', attempts: 0, error: 'not_tried' });
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { readonly level: number }).level),
    [30, 40, 40, 40],
  );
  const counts = (await metrics.text()).match(/^turnkeep_webhook_deliveries_total.*$/gm);
  assert.deepEqual(
    counts,
    ['delivered', 'failed', 'given_up'].map((outcome) => `turnkeep_webhook_deliveries_total{outcome="${outcome}"} 1`),
  );
});

test('whoever takes the reports has them instead of the log', () => {
  const reports: WebhookReport[] = [];
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line) => void lines.push(line) });
  webhookObserver({ metrics: new Metrics(), log, onWebhook: (each) => reports.push(each) })(report);
  assert.deepEqual([reports, lines], [[report], []]);
});
