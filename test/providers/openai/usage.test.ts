/** What a request has cost is told as soon as the provider says so, however it ends then. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Usage } from '../../../src/domain/response.ts';
import { chat, end, event, reset, ResponsesWriter, type Script, sseHead, stall, hold } from '../../../src/testing/model-server/index.ts';
import { type Api, endOf, follow, hello, never, providerFor, serverFor } from '../support.ts';

const say = (): ResponsesWriter => new ResponsesWriter();
const counts = { input: 7, output: 3 };
const shown = [sseHead, chat.content('a'), chat.usage(7, 3)];
const failing = say();

const rows: Readonly<Record<string, readonly [Api, Script, string, readonly number[]]>> = {
  'chat: usage, then a reset': ['chat', [...shown, hold('told'), reset], 'stream_interrupted', [10]],
  'chat: usage, then an end without proof': ['chat', [...shown, end], 'stream_truncated', [10]],
  'chat: usage with every chunk, then an error': [
    'chat',
    [sseHead, chat.usage(7, 0), chat.content('a'), hold('told'), chat.usage(7, 3), chat.error('overloaded'), end],
    'provider_busy',
    [7, 10],
  ],
  'chat: usage before anything is shown, then a reset': ['chat', [sseHead, chat.usage(7, 0), hold('told'), reset], 'transport_failed', [7]],
  'responses: response.failed': [
    'responses',
    [sseHead, ...failing.begin(), ...failing.text('a'), ...failing.failed('server_error', 'm', counts), end],
    'provider_busy',
    [10],
  ],
  'responses: response.in_progress, then a reset': [
    'responses',
    [sseHead, ...say().inProgress(counts), hold('told'), reset],
    'transport_failed',
    [10],
  ],
  'responses: response.incomplete for a reason nobody knows': [
    'responses',
    [sseHead, ...say().incomplete('moonlight', 7, 3), end],
    'provider_protocol',
    [10],
  ],
  'responses: usage that a later event leaves out is kept': [
    'responses',
    [sseHead, ...say().inProgress(counts), event({ type: 'response.failed', response: { status: 'failed', usage: null } }), end],
    'provider_rejected',
    [10],
  ],
  'responses: nothing said, nothing told': [
    'responses',
    [sseHead, ...say().begin(), ...say().failed('server_error', 'm'), end],
    'provider_busy',
    [],
  ],
};

for (const [name, [api, script, code, totals]] of Object.entries(rows)) {
  void test(name, async (t) => {
    const server = await serverFor(t, { fallback: script });
    const told: number[] = [];
    const onUsage = ({ total_tokens }: Usage): void => {
      told.push(total_tokens);
      server.release('told');
    };
    const seen = await follow(providerFor(t, api, server.baseUrl).stream(hello, never, { onUsage }));
    assert.deepEqual([endOf(seen), told], [code, totals]);
  });
}

test('a cancel loses none of it', async (t) => {
  const server = await serverFor(t, { fallback: [...shown, stall] });
  const abort = new AbortController();
  const told: Usage[] = [];
  const onUsage = (usage: Usage): void => {
    told.push(usage);
    abort.abort('stop');
  };
  const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, abort.signal, { onUsage }));
  assert.deepEqual([seen.thrown, told.map(({ total_tokens }) => total_tokens)], ['stop', [10]]);
});
