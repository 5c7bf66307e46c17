/** A base URL without `/v1`: the user reads which address answered and what to mend, Temporal gets neither (T11). */
import assert from 'node:assert/strict';
import { htmlPage, httpResponse } from '../../src/testing/model-server/index.ts';
import { story } from '../support/world.ts';

story(
  'a base URL without /v1 fails the turn with the address that was asked and the usual cause, which are in no history',
  async (world) => {
    const { origin } = new URL(world.model.baseUrl);
    world.model.enqueue(htmlPage(), httpResponse(404, '404 page not found', { 'content-type': 'text/plain' }));
    const cause = 'The usual cause is a base URL (OPENAI_BASE_URL) without /v1 at its end.';
    for (const [code, message] of [
      [
        'provider_protocol',
        `The model server does not speak the expected API (html). A web page came from ${origin}/chat/completions. ${cause}`,
      ],
      [
        'provider_rejected',
        `The model provider rejected the request (404). It was asked at ${origin}/chat/completions. ${cause} The provider said: 404 page not found`,
      ],
    ] as const) {
      const viewer = await world.hear('hi');
      assert.deepEqual([viewer.last.type, viewer.last.response.error], ['response.failed', { code, message }]);
      assert.doesNotMatch(JSON.stringify(await world.history(viewer.id)), /chat\/completions|OPENAI_BASE_URL/);
    }
    assert.equal(world.model.requests.length, 2);
  },
  { baseUrl: ({ baseUrl }) => new URL(baseUrl).origin },
);
