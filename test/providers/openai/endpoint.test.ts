/** What goes out with a request, and that keys stay out of errors. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { httpError } from '../../../src/testing/model-server/index.ts';
import { collect, helloRequest, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';

void suite('T11 · what is sent to a provider, and what of its errors is passed on', () => {
  void test('the key, only the headers that are needed, and nothing of the environment', async (t) => {
    const env = {
      OPENAI_API_KEY: 'env-key',
      OPENAI_ORG_ID: 'env-org',
      OPENAI_PROJECT_ID: 'env-project',
      OPENAI_CUSTOM_HEADERS: 'x-env: 1',
      OPENAI_LOG: 'debug',
      OPENAI_BASE_URL: 'http://env.invalid',
    };
    const before = { ...process.env };
    Object.assign(process.env, env);
    t.after(() => {
      for (const name of Object.keys(env)) delete process.env[name];
      Object.assign(process.env, before);
    });
    const printed: unknown[] = [];
    for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const)
      t.mock.method(console, method, (...args: unknown[]) => printed.push(args));
    const server = await serverFor(t);
    for (const apiKey of ['secret-key', undefined]) {
      assert.equal(
        outcomeOf(await collect(providerFor(t, 'chat', server.baseUrl, { apiKey }).stream(helloRequest, neverAborted))),
        'finished',
      );
    }
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['authorization']),
      ['Bearer secret-key', 'Bearer none'],
    );
    assert.doesNotMatch(JSON.stringify(server.requests), /env-|x-env|openai-organization/);
    assert.deepEqual(printed, []);
  });

  void test('a key that the provider repeats is removed', async (t) => {
    const server = await serverFor(t, {
      fallback: httpError(401, { error: { message: 'Bad key secret-key-123', code: 'invalid_api_key' } }),
    });
    const { failure } = await collect(
      providerFor(t, 'chat', server.baseUrl, { apiKey: 'secret-key-123' }).stream(helloRequest, neverAborted),
    );
    assert.deepEqual(failure, {
      code: 'provider_rejected',
      message: 'The model provider rejected the request (401 invalid_api_key).',
      detail: '401 invalid_api_key',
      causes: [{ name: 'HttpStatusError', message: 'status 401' }],
      providerMessage: 'Bad key [key]',
    });
  });
});
