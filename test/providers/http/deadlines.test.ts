/** The deadlines of a request: what resets them, and what does not. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chat, comment, event, hold, ResponsesWriter, type Script, sseHead, stall } from '../../../src/testing/model-server/index.ts';
import { apis, collect, helloRequest, limits, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';
import { within } from '../../support/within.ts';

void suite('deadlines are model_timeout, which is never retried', () => {
  const short = { ...limits, firstEventTimeoutMs: 60, idleTimeoutMs: 60 };
  /** Long enough for the request to arrive on a busy machine: only then can the server see it closed. */
  const afterArrival = { ...limits, firstEventTimeoutMs: 200, idleTimeoutMs: 200 };
  /** Events without content, every 10 ms, for a second. */
  const emptyEvents = (api: 'chat' | 'responses'): Script => {
    const idle =
      api === 'chat'
        ? [comment('hm'), chat.empty(), chat.role(''), chat.usage()]
        : [
            comment('hm'),
            event({ type: 'response.in_progress' }),
            event({ type: 'keepalive' }),
            ...new ResponsesWriter().encryptedReasoning('E'),
          ];
    return [...Array.from({ length: 100 }, () => [...idle, { type: 'wait', ms: 10 } as const]).flat(), stall];
  };
  for (const api of apis) {
    const firstDelta = api === 'chat' ? [chat.content('a')] : new ResponsesWriter().text('a');
    const rows: Readonly<Record<string, readonly [Script, string]>> = {
      'no head': [[stall], 'first_event'],
      'no event': [[sseHead, stall], 'first_event'],
      'comments and empty deltas only': [[sseHead, ...emptyEvents(api)], 'first_event'],
      'silence after a delta': [[sseHead, ...firstDelta, stall], 'next_event'],
      'comments and empty deltas after a delta': [[sseHead, ...firstDelta, ...emptyEvents(api)], 'next_event'],
    };
    for (const [name, [script, detail]] of Object.entries(rows)) {
      void test(`${api}: ${name}`, async (t) => {
        const server = await serverFor(t, { fallback: script });
        const result = await collect(providerFor(t, api, server.baseUrl, { limits: afterArrival }).stream(helloRequest, neverAborted));
        assert.deepEqual([outcomeOf(result), result.failure?.detail], ['model_timeout', detail]);
        // A machine that is very busy sends it when its deadline is over: then there is no request.
        const closed = within('the request to be closed', server.clientClosed(1), () => `${server.requests.length} requests`);
        const { arrivedAtMs, endedAtMs = Infinity } = await closed;
        assert.ok(endedAtMs - arrivedAtMs < 600, 'only deltas with content reset a deadline');
      });
    }
  }

  void test('the time that the caller takes does not count', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('a'), hold('go'), chat.content('b'), chat.finish(), chat.usage(), stall],
    });
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: short });
    const result = await collect(provider.stream(helloRequest, neverAborted), async (each) => {
      if (each.type !== 'delta' || each.delta.text !== 'a') return;
      // Longer than both limits.
      await new Promise((resolve) => setTimeout(resolve, 150));
      server.release('go');
    });
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'ab']);
  });

  void test('each delta restarts the deadline', async (t) => {
    const pieces = Array.from({ length: 12 }, () => [chat.content('a'), { type: 'wait', ms: 20 } as const]).flat();
    const server = await serverFor(t, { fallback: [sseHead, ...pieces, chat.finish(), chat.usage(), stall] });
    const result = await collect(
      providerFor(t, 'chat', server.baseUrl, { limits: { ...short, idleTimeoutMs: 150 } }).stream(helloRequest, neverAborted),
    );
    assert.equal(outcomeOf(result), 'finished');
  });
});
