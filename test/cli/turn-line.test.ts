/** What a person sees of a turn in the terminal of `turnkeep dev`. */
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { turnLine, webhookLine } from '../../src/cli/turn-line.ts';
import type { WebhookReport } from '../../src/domain/turn/webhook.ts';

const turn = {
  responseId: 'resp_a',
  conversationId: null,
  workflowId: 'turn/resp_a',
  tenant: 'default',
  status: 'completed',
  code: null,
  model: 'gemma',
  requests: 1,
  tokens: 42,
  durationMs: 1_234,
};

test('how it ended and why, with which model, how long it took and what it cost', () => {
  const line = (fields: object): string => stripVTControlCharacters(turnLine({ ...turn, ...fields }, new PassThrough()));
  assert.equal(line({}), '✓ completed  gemma, 1.2 s, 42 tokens  resp_a');
  assert.equal(
    line({ status: 'failed', code: 'provider_rejected', detail: '401 invalid_api_key', tokens: null, durationMs: 30 }),
    '✗ failed: provider_rejected (401 invalid_api_key)  gemma, 0.0 s  resp_a',
  );
  assert.equal(
    line({ status: 'failed', code: 'transport_failed', requests: 3, tokens: null, durationMs: 61_500, tenant: 'ada' }),
    '✗ failed: transport_failed  gemma, 62 s, 3 requests, ada  resp_a',
  );
  assert.equal(line({ status: 'cancelled' }), '– cancelled  gemma, 1.2 s, 42 tokens  resp_a');
  const narrow = (columns: number): string =>
    stripVTControlCharacters(turnLine({ ...turn, status: 'cancelled' }, Object.assign(new PassThrough(), { columns })));
  assert.equal(narrow(45), '– cancelled  gemma, 1.2 s, 42 tokens  resp_a');
  assert.equal(narrow(43), '– cancelled  gemma, 1.2 s, 42 tokens\n  resp_a');
});

test('whether the event of its end was taken, and when it is sent again', () => {
  const report = { eventId: 'evt_a', event: 'response.completed', responseId: 'resp_a', tenant: 'default' } as const;
  const line = (fields: Pick<WebhookReport, 'status' | 'attempts' | 'error' | 'waitMs'>): string =>
    stripVTControlCharacters(webhookLine({ ...report, ...fields }, new PassThrough()));
  assert.equal(line({ status: 'delivered', attempts: 1 }), '✓ webhook response.completed delivered  resp_a');
  assert.equal(
    line({ status: 'pending', attempts: 2, error: 'ECONNREFUSED', waitMs: 4_100 }),
    '✗ webhook response.completed not delivered: ECONNREFUSED, again in 4.1 s  request 2  resp_a',
  );
  assert.equal(
    line({ status: 'refused', attempts: 1, error: '410' }),
    '✗ webhook response.completed not delivered: 410, and it is not sent again  resp_a',
  );
});
