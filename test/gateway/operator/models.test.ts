/** `GET /v1/models` with agents and without, and where the provider gives none: what it said, by a code that tells "refused" from "not reached". */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failureOf } from '../../../src/domain/failure.ts';
import type { ModelFailure } from '../../../src/domain/model.ts';
import type { ModelList } from '../../../src/gateway/operator/models.ts';
import { failureOfStatus } from '../../../src/providers/failures/status-failure.ts';
import { failureOfTransport } from '../../../src/providers/failures/transport-failure.ts';
import { errorOf, read } from '../../support/post.ts';
import { appFor, serve } from '../served-app.ts';

function refused(status: number, error: object, headers: Record<string, string> = {}): ModelFailure {
  return failureOfStatus({ status, headers: new Headers(headers), bodyText: JSON.stringify({ error }), nowMs: 0 });
}

const reset = Object.assign(new Error('read'), { code: 'ECONNREFUSED' });
const wrongKey = { message: 'Incorrect API key provided.', code: 'invalid_api_key' };

interface Row {
  readonly failure: ModelFailure;
  readonly status: number;
  readonly code: string;
  readonly says: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const final = { 'x-should-retry': 'false' };
const table: readonly Row[] = [
  {
    failure: refused(401, wrongKey),
    status: 502,
    code: 'provider_rejected',
    says: 'The model provider rejected the request (401 invalid_api_key). The provider said: Incorrect API key provided.',
    headers: final,
  },
  {
    failure: refused(403, {}),
    status: 502,
    code: 'provider_rejected',
    says: 'The model provider rejected the request (403).',
    headers: final,
  },
  {
    failure: refused(429, { code: 'rate_limit_exceeded' }),
    status: 503,
    code: 'provider_busy',
    says: 'The model provider is busy (429 rate_limit_exceeded).',
    headers: { 'retry-after': '1' },
  },
  {
    failure: refused(429, {}, { 'retry-after-ms': '2500' }),
    status: 503,
    code: 'provider_busy',
    says: 'The model provider is busy (429). It may be asked again at 1970-01-01T00:00:02.500Z.',
    headers: { 'retry-after': '3' },
  },
  {
    failure: refused(429, { code: 'insufficient_quota' }),
    status: 502,
    code: 'provider_busy',
    says: 'The quota or the credit of the account at the model provider is used up (429 insufficient_quota).',
    headers: final,
  },
  {
    failure: failureOf('provider_protocol'),
    status: 502,
    code: 'provider_protocol',
    says: 'The model server does not speak the expected API.',
    headers: final,
  },
  {
    failure: failureOfTransport(reset, false),
    status: 502,
    code: 'provider_unreachable',
    says: 'The model provider cannot be reached (ECONNREFUSED).',
  },
  { failure: failureOf('model_timeout'), status: 502, code: 'provider_unreachable', says: 'The model provider did not answer in time.' },
];

void suite('the models of a provider that gives none', () => {
  for (const { failure, status, code, says, headers = {} } of table) {
    void test(`${code}: ${says}`, async (t) => {
      const listModels = async (): Promise<ModelList> => ({ type: 'failed', failure });
      const url = await serve(t, appFor(t, { listModels }));
      for (const path of ['/v1/models', '/v1/models/some']) {
        const response = await fetch(url + path);
        for (const name of ['retry-after', 'x-should-retry']) assert.equal(response.headers.get(name), headers[name] ?? null, name);
        const answer = await read(response);
        assert.deepEqual(errorOf(answer), [status, null, code]);
        assert.equal((answer.json as { error: { message: string } }).error.message, `The models cannot be listed. ${says}`);
      }
    });
  }

  void test('with a model of the configuration there is that one', async (t) => {
    const listModels = async (): Promise<ModelList> => ({ type: 'failed', failure: failureOf('provider_rejected') });
    const response = await fetch(`${await serve(t, appFor(t, { listModels, defaultModel: 'mine' }))}/v1/models`);
    assert.deepEqual(
      ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id),
      ['mine'],
    );
  });

  void test('with agents of the configuration there are those', async (t) => {
    const listModels = async (): Promise<ModelList> => ({ type: 'failed', failure: failureOf('provider_rejected') });
    const url = await serve(t, appFor(t, { listModels, agentNames: ['writer'] }));
    const writer = { id: 'writer', object: 'model', created: 0, owned_by: 'turnkeep' };
    assert.deepEqual(await (await fetch(`${url}/v1/models`)).json(), { object: 'list', data: [writer] });
    assert.deepEqual(await (await fetch(`${url}/v1/models/writer`)).json(), writer);
  });
});

test('agents stand before the models of the provider, and hide one of their name', async (t) => {
  const listModels = async (): Promise<ModelList> => ({ type: 'listed', ids: ['gpt-5', 'writer', 'mine'] });
  const url = await serve(t, appFor(t, { listModels, defaultModel: 'mine', agentNames: ['writer', 'reader'] }));
  const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string; owned_by: string }[] };
  assert.deepEqual(
    data.map(({ id, owned_by }) => [id, owned_by]),
    [
      ['mine', 'provider'],
      ['writer', 'turnkeep'],
      ['reader', 'turnkeep'],
      ['gpt-5', 'provider'],
    ],
  );
});
