/** Which gateway a command goes to, and what it says of one that does not answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayProblem, gatewayTarget } from '../../src/cli/gateway/target.ts';
import { refused } from '../../src/http-client/call-error.ts';
import { folderOf } from './folder.ts';

test('the flag comes before the variable, without the slash at its end', () => {
  const target = gatewayTarget(
    { url: 'http://flag/v1/', apiKey: 'flag' },
    { TURNKEEP_URL: 'http://variable/v1', TURNKEEP_API_KEY: 'variable' },
  );
  assert.deepEqual(target, { baseUrl: 'http://flag/v1', apiKey: 'flag' });
  assert.deepEqual(gatewayTarget({}, { TURNKEEP_URL: 'http://variable/v1' }), { baseUrl: 'http://variable/v1', apiKey: undefined });
});

test('without either, and without a dev on the data dir, it is the default port', (context) => {
  const { baseUrl } = gatewayTarget({ dataDir: folderOf(context) }, {});
  assert.equal(typeof baseUrl === 'string' ? baseUrl : baseUrl(), 'http://127.0.0.1:8484/v1');
});

test('a gateway behind a proxy that is down is told by its status', () => {
  assert.equal(
    gatewayProblem('http://x/v1', refused(502, new Headers(), '')),
    'The gateway at http://x/v1 answered 502: the answer was HTTP 502',
  );
});
