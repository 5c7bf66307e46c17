/** The provider is asked, and what it answers, or that it does not, is data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listModels } from '../../src/roles/provider-answers.ts';
import { httpError, stall } from '../../src/testing/model-server/index.ts';
import { providerFor, serverFor } from '../providers/support.ts';

test('the list, a refusal, and a provider that does not answer in time', async (t) => {
  for (const [models, withinMs, expected] of [
    [undefined, 5_000, ['scripted']],
    [httpError(401), 5_000, 'provider_rejected'],
    [httpError(429), 5_000, 'provider_busy'],
    [[stall], 50, 'model_timeout'],
  ] as const) {
    const server = await serverFor(t, models === undefined ? {} : { models });
    const list = await listModels(providerFor(t, 'chat', server.baseUrl), withinMs);
    assert.deepEqual(list.type === 'listed' ? list.ids : list.failure.code, expected);
  }
});
