/** Usage is reported as soon as the provider sends it, however the request then ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Usage } from '../../../src/domain/response/response.ts';
import { chat, end, event, hold, reset, ResponsesWriter, type Script, sseHead, stall } from '../../../src/testing/model-server/index.ts';
import { type Api, collect, helloRequest, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';

const writer = (): ResponsesWriter => new ResponsesWriter();
const counts = { input: 7, output: 3 };
const withUsage = [sseHead, chat.content('a'), chat.usage(7, 3)];
const failing = writer();

const rows: Readonly<Record<string, readonly [Api, Script, string, readonly number[]]>> = {
  'chat: usage, then a reset': ['chat', [...withUsage, hold('reported'), reset], 'stream_interrupted', [10]],
  'chat: usage, then an end without a finish': ['chat', [...withUsage, end], 'stream_truncated', [10]],
  'chat: usage with every chunk, then an error': [
    'chat',
    [sseHead, chat.usage(7, 0), chat.content('a'), hold('reported'), chat.usage(7, 3), chat.error('overloaded'), end],
    'provider_busy',
    [7, 10],
  ],
  'chat: usage before the first delta, then a reset': [
    'chat',
    [sseHead, chat.usage(7, 0), hold('reported'), reset],
    'transport_failed',
    [7],
  ],
  'responses: response.failed': [
    'responses',
    [sseHead, ...failing.begin(), ...failing.text('a'), ...failing.failed('server_error', 'm', counts), end],
    'provider_busy',
    [10],
  ],
  'responses: response.in_progress, then a reset': [
    'responses',
    [sseHead, ...writer().inProgress(counts), hold('reported'), reset],
    'transport_failed',
    [10],
  ],
  'responses: response.incomplete for an unknown reason': [
    'responses',
    [sseHead, ...writer().incomplete('moonlight', 7, 3), end],
    'provider_protocol',
    [10],
  ],
  'responses: usage that a later event leaves out is kept': [
    'responses',
    [sseHead, ...writer().inProgress(counts), event({ type: 'response.failed', response: { status: 'failed', usage: null } }), end],
    'provider_rejected',
    [10],
  ],
  'responses: no usage': ['responses', [sseHead, ...writer().begin(), ...writer().failed('server_error', 'm'), end], 'provider_busy', []],
};

for (const [name, [api, script, code, totals]] of Object.entries(rows)) {
  void test(name, async (t) => {
    const server = await serverFor(t, { fallback: script });
    const reported: number[] = [];
    const onUsage = ({ total_tokens }: Usage): void => {
      reported.push(total_tokens);
      server.release('reported');
    };
    const result = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted, { onUsage }));
    assert.deepEqual([outcomeOf(result), reported], [code, totals]);
  });
}

test('usage is reported before a cancel takes effect', async (t) => {
  const server = await serverFor(t, { fallback: [...withUsage, stall] });
  const abort = new AbortController();
  const reported: Usage[] = [];
  const onUsage = (usage: Usage): void => {
    reported.push(usage);
    abort.abort('stop');
  };
  const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, abort.signal, { onUsage }));
  assert.deepEqual([result.thrown, reported.map(({ total_tokens }) => total_tokens)], ['stop', [10]]);
});
