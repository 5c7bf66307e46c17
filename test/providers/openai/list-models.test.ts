/** The list of models: the same failures as of a stream. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { head, htmlPage, httpError, httpResponse, reset, type Script, stall, text } from '../../../src/testing/model-server/index.ts';
import { limits, neverAborted, providerFor, serverFor } from '../support.ts';

void suite('the list of models', () => {
  void test('is their ids', async (t) => {
    assert.deepEqual(await providerFor(t, 'chat', (await serverFor(t)).baseUrl).listModels(neverAborted), ['scripted']);
  });
  const rows: readonly (readonly [Script, string])[] = [
    [httpError(401), 'provider_rejected'],
    [httpError(503), 'provider_busy'],
    [[reset], 'transport_failed'],
    [htmlPage(), 'provider_protocol'],
    [httpResponse(200, { models: [] }), 'provider_protocol'],
    [httpResponse(200, '[1'), 'provider_protocol'],
  ];
  rows.forEach(([models, code], row) => {
    void test(`fails as a stream does, row ${row}: ${code}`, async (t) => {
      const provider = providerFor(t, 'responses', (await serverFor(t, { models })).baseUrl);
      await assert.rejects(provider.listModels(neverAborted), (error: { failure?: { code: string } }) => error.failure?.code === code);
    });
  });
  void test('a list that does not come is a model_timeout', async (t) => {
    const server = await serverFor(t, { models: [head({ headers: { 'content-type': 'application/json' } }), text('{"data":['), stall] });
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, firstEventTimeoutMs: 50 } });
    await assert.rejects(
      provider.listModels(neverAborted),
      (error: { failure?: { code: string } }) => error.failure?.code === 'model_timeout',
    );
  });
});
