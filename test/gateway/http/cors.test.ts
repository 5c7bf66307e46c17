import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headersFor, isForeign, isHostLocal } from '../../../src/gateway/http/cors.ts';

for (const [request, expected] of [
  [{}, false],
  [{ host: '127.0.0.1:8484' }, false],
  [{ host: '127.0.0.1:8484', origin: 'http://127.0.0.1:8484' }, false],
  [{ host: '127.0.0.1:8484', origin: 'https://evil.example' }, true],
  [{ host: '127.0.0.1:8484', origin: 'http://127.0.0.1:3000' }, true],
  [{ host: '127.0.0.1:8484', origin: 'null' }, true],
  // A browser says so itself, also where a proxy has changed the host.
  [{ host: 'upstream', origin: 'https://turnkeep.example', 'sec-fetch-site': 'same-origin' }, false],
  [{ host: '127.0.0.1:8484', 'sec-fetch-site': 'none' }, false],
  [{ host: '127.0.0.1:8484', 'sec-fetch-site': 'same-site' }, true],
  [{ host: '127.0.0.1:8484', 'sec-fetch-site': 'cross-site' }, true],
] as const) {
  test(`${JSON.stringify(request)} is ${expected ? 'of a foreign page' : 'not'}`, () => assert.equal(isForeign(request), expected));
}

for (const [host, expected] of [
  [undefined, true],
  ['127.0.0.1:8484', true],
  ['127.1.2.3', true],
  ['localhost:8484', true],
  ['app.localhost', true],
  ['[::1]:8484', true],
  ['ui.example', true],
  ['evil.example:8484', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['10.0.0.1', false],
  ['', false],
] as const) {
  test(`without keys ${String(host)} is ${expected ? 'served' : 'nobody we know'}`, () =>
    assert.equal(isHostLocal(['https://ui.example'], host), expected));
}

test('with no origins named there is not a header more than before', () => {
  assert.deepEqual(headersFor([], { origin: 'https://a.example' }), {});
});
