/** The name of a request's route in log and metrics: one for each route, whichever way it was asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndedRequest } from '../../../src/http/ended-request.ts';
import { appFor, serve } from '../served-app.ts';

test('a route is one with and without /v1, with an id and with a wrong method', async (t) => {
  const ended: EndedRequest[] = [];
  const url = await serve(t, appFor(t, { onRequestEnd: (request) => ended.push(request) }));
  const table = [
    ['GET', '/v1/responses/resp_a', '/v1/responses/:id', 404],
    ['GET', '/responses/resp_a', '/v1/responses/:id', 404],
    ['POST', '/responses', '/v1/responses', 400],
    ['PUT', '/responses', '/v1/responses', 405],
    ['PUT', '/v1/responses/resp_a', '/v1/responses/:id', 405],
    ['GET', '/v1/responses/resp_a/cancel', '/v1/responses/:id/cancel', 405],
    ['GET', '/turns/resp_a', '/turns/:id', 404],
    ['GET', '/v1/turns/resp_a', '/turns/:id', 404],
    ['POST', '/v1/api/chat', '/api/chat', 400],
    ['DELETE', '/healthz', '/healthz', 405],
    ['GET', '/healthz', '/healthz', 200],
    ['GET', '/v1/healthz', 'unmatched', 404],
    ['GET', '/v1', 'unmatched', 404],
    ['GET', '/v1/nowhere', 'unmatched', 404],
  ] as const;
  for (const [method, path] of table) await (await fetch(url + path, { method })).text();
  assert.deepEqual(
    ended.map(({ method, route, status, isStream }, index) => [method, table[index]?.[1], route, status, isStream]),
    table.map((row) => [...row, false]),
  );
});
