/** The deadlines of a request: what resets them, and what does not. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chat, comment, event, hold, ResponsesWriter, type Script, sseHead, stall } from '../../../src/testing/model-server/index.ts';
import { apis, collect, helloRequest, limits, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { inTime } from '../../support/in-time.ts';
import { within } from '../../support/within.ts';

void suite('deadlines are model_timeout, which is never retried', () => {
  /** Events without content, for five times as long as the limit. */
  const emptyEvents = (api: 'chat' | 'responses', limitMs: number): Script => {
    const idle =
      api === 'chat'
        ? [comment('hm'), chat.empty(), chat.role(''), chat.usage()]
        : [
            comment('hm'),
            event({ type: 'response.in_progress' }),
            event({ type: 'keepalive' }),
            ...new ResponsesWriter().encryptedReasoning('E'),
          ];
    return [...Array.from({ length: 100 }, () => [...idle, { type: 'wait', ms: limitMs / 20 } as const]).flat(), stall];
  };
  for (const api of apis) {
    const firstDelta = api === 'chat' ? [chat.content('a')] : new ResponsesWriter().text('a');
    const rows: Readonly<Record<string, readonly [(limitMs: number) => Script, string]>> = {
      'no head': [() => [stall], 'first_event'],
      'no event': [() => [sseHead, stall], 'first_event'],
      'comments and empty deltas only': [(limitMs) => [sseHead, ...emptyEvents(api, limitMs)], 'first_event'],
      'silence after a delta': [() => [sseHead, ...firstDelta, stall], 'next_event'],
      'comments and empty deltas after a delta': [(limitMs) => [sseHead, ...firstDelta, ...emptyEvents(api, limitMs)], 'next_event'],
    };
    for (const [name, [script, detail]] of Object.entries(rows)) {
      void test(`${api}: ${name}`, async (t) => {
        await inTime(200, async (limitMs) => {
          const server = await serverFor(t, { fallback: script(limitMs) });
          const own = { ...limits, firstEventTimeoutMs: limitMs, idleTimeoutMs: limitMs };
          const result = await collect(providerFor(t, api, server.baseUrl, { limits: own }).stream(helloRequest, neverAborted));
          assert.equal(outcomeOf(result), 'model_timeout');
          // A machine that is very busy sends it when its deadline is over: then there is no request.
          if (server.requests.length === 0) return false;
          const closed = within('the request to be closed', server.clientClosed(1), () => `${server.requests.length} requests`);
          const { arrivedAtMs, endedAtMs = Infinity } = await closed;
          // Only deltas with content reset a deadline: the others would have gone on for longer.
          return result.failure?.detail === detail && endedAtMs - arrivedAtMs < 3 * limitMs;
        });
      });
    }
  }

  void test('the time that the caller takes does not count', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('a'), hold('go'), chat.content('b'), chat.finish(), chat.usage(), stall],
    });
    using clock = new FakeClock();
    const provider = providerFor(t, 'chat', server.baseUrl);
    const result = await collect(provider.stream(helloRequest, neverAborted), async (each) => {
      if (each.type !== 'delta' || each.delta.text !== 'a') return;
      let isLate = false;
      void clock.sleep(2 * (limits.firstEventTimeoutMs + limits.idleTimeoutMs)).then(() => (isLate = true));
      await clock.run(() => isLate, 60_000);
      server.release('go');
    });
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'ab']);
  });

  void test('each delta restarts the deadline', async (t) => {
    const pieces = Array.from({ length: 12 }, () => [chat.content('a'), { type: 'wait', ms: 20 } as const]).flat();
    const server = await serverFor(t, { fallback: [sseHead, ...pieces, chat.finish(), chat.usage(), stall] });
    const result = await collect(
      providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, idleTimeoutMs: 150 } }).stream(helloRequest, neverAborted),
    );
    assert.equal(outcomeOf(result), 'finished');
  });
});
