/** A wrong address is the first mistake that everybody makes: the failure names what was asked, and what to look at. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fullMessageOf } from '../../../src/domain/model.ts';
import { adviceOn } from '../../../src/providers/failures/advice.ts';
import { modelFailure, redactKeys } from '../../../src/providers/failures/model-failure.ts';
import { ProviderError } from '../../../src/providers/provider.ts';
import { htmlPage, httpError, httpResponse } from '../../../src/testing/model-server/index.ts';
import { apis, collect, helloRequest, neverAborted, providerFor, serverFor } from '../support.ts';

const withoutV1 = 'The usual cause is a base URL (OPENAI_BASE_URL) without /v1 at its end.';

void suite('an answer from a wrong address', () => {
  void test('a web page: the address that was asked, without its query, and the usual cause', async (t) => {
    const server = await serverFor(t, { fallback: htmlPage() });
    for (const api of apis) {
      const provider = providerFor(t, api, `${server.baseUrl.replace(/\/v1$/, '')}?token=hunter2hunter2`);
      const { failure } = await collect(provider.stream(helloRequest, neverAborted));
      const asked = `${new URL(server.baseUrl).origin}/${api === 'chat' ? 'chat/completions' : 'responses'}`;
      assert.ok(failure !== undefined);
      assert.equal(
        fullMessageOf(failure),
        `The model server does not speak the expected API (html). A web page came from ${asked}. ${withoutV1}`,
      );
      assert.doesNotMatch(failure.message, /127\.0\.0\.1/, 'T11 · the address is not in what Temporal gets');
    }
  });

  void test('with a version in the path the cause is another', async (t) => {
    const server = await serverFor(t, { fallback: htmlPage() });
    const { failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.equal(
      failure?.advice,
      `A web page came from ${server.baseUrl}/chat/completions. Is its base URL (OPENAI_BASE_URL) that of an API of OpenAI's kind?`,
    );
  });

  void test('no such path, and no list of models', async (t) => {
    const server = await serverFor(t, { fallback: httpResponse(404, '404 page not found'), models: htmlPage() });
    const { origin } = new URL(server.baseUrl);
    const provider = providerFor(t, 'chat', origin);
    const { failure } = await collect(provider.stream(helloRequest, neverAborted));
    assert.equal(failure?.advice, `It was asked at ${origin}/chat/completions. ${withoutV1}`);
    await assert.rejects(provider.listModels(neverAborted), (error: unknown) => {
      assert.ok(error instanceof ProviderError);
      assert.equal(error.failure.advice, `It was asked at ${origin}/models. ${withoutV1}`);
      return true;
    });
  });

  void test('a 404 that has a code of its own is about something else', async (t) => {
    const script = httpError(404, { message: 'no such model', code: 'model_not_found', type: 'invalid_request_error' });
    const server = await serverFor(t, { fallback: script });
    const { failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([failure?.detail, failure?.advice], ['404 model_not_found', undefined]);
  });

  void test('T11 · a key in the path is removed', () => {
    const failure = modelFailure('provider_protocol', { detail: 'html' });
    const advice = adviceOn(failure, new URL('https://user:password@gateway.test/hunter2hunter2/sk-abc123456/chat/completions?key=secret'));
    const clean = redactKeys({ ...failure, ...(advice === undefined ? {} : { advice }) }, 'hunter2hunter2');
    assert.equal(clean.advice, `A web page came from https://gateway.test/[key]/[key]/chat/completions. ${withoutV1}`);
  });
});
