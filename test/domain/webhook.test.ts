/** What webhooks say, and when they are sent again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  eventIdOf,
  giveUpAfterMs,
  judgeAnswer,
  longestIntervalMs,
  payloadOf,
  type WebhookAnswer,
  webhookWaitMs,
} from '../../src/domain/turn/webhook.ts';

/** Neither longer nor shorter. */
const middle = 0.5;

test('an event is named after its turn, and its body is the same whenever it is made', () => {
  const webhook = { turn: 'resp_abc', publicId: 'resp_chosen', event: 'response.completed', owedAtMs: 1_700_000_000_999 } as const;
  assert.equal(
    payloadOf(webhook),
    '{"id":"evt_abc","object":"event","created_at":1700000000,"type":"response.completed","data":{"id":"resp_chosen"}}',
  );
  assert.equal(eventIdOf('resp_abc'), 'evt_abc');
});

test('the waits grow fourfold from a second to six hours, and end with the third day', () => {
  const waits: number[] = [];
  let sinceOwedMs = 0;
  for (let attempts = 1; ; attempts += 1) {
    const waitMs = webhookWaitMs({ attempts, sinceOwedMs }, middle);
    if (waitMs === undefined) break;
    waits.push(waitMs / 1_000);
    sinceOwedMs += waitMs;
  }
  const six = 6 * 3_600;
  assert.deepEqual(waits, [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, ...Array.from({ length: 10 }, () => six)]);
  assert.ok(sinceOwedMs <= giveUpAfterMs && sinceOwedMs + six * 1_000 > giveUpAfterMs);
});

test('a wait is a fifth longer or shorter by chance, and longer where the endpoint asks for it, six hours at the most', () => {
  const first = { attempts: 1, sinceOwedMs: 0 };
  assert.deepEqual([webhookWaitMs(first, 0), webhookWaitMs(first, 1)], [800, 1_200]);
  assert.equal(webhookWaitMs({ ...first, retryAfterMs: 60_000 }, middle), 60_000);
  assert.equal(webhookWaitMs({ ...first, retryAfterMs: 1 }, middle), 1_000);
  assert.equal(webhookWaitMs({ ...first, retryAfterMs: giveUpAfterMs }, middle), 6 * 3_600_000);
});

test('whatever has happened, a wait is within its bounds and ends within the three days', () => {
  const facts = fc.record({
    attempts: fc.integer({ min: 1, max: 10_000 }),
    sinceOwedMs: fc.integer({ min: 0, max: 2 * giveUpAfterMs }),
    retryAfterMs: fc.integer({ min: 0, max: 400 * 86_400_000 }),
  });
  fc.assert(
    fc.property(facts, fc.double({ min: 0, max: 1, noNaN: true }), (of, random) => {
      const waitMs = webhookWaitMs(of, random);
      if (waitMs === undefined) return of.sinceOwedMs > giveUpAfterMs - longestIntervalMs;
      return waitMs >= 800 && waitMs < longestIntervalMs && of.sinceOwedMs + waitMs <= giveUpAfterMs;
    }),
  );
});

const early = { attempts: 1, sinceOwedMs: 0 };
for (const [answer, verdict] of [
  [{ status: 200 }, { status: 'delivered' }],
  [{ status: 204 }, { status: 'delivered' }],
  [{ status: 410 }, { status: 'refused', error: '410' }],
  [{ status: 302 }, { status: 'pending', error: 'redirect 302', waitMs: 1_000 }],
  [{ status: 400 }, { status: 'pending', error: '400', waitMs: 1_000 }],
  [{ status: 404 }, { status: 'pending', error: '404', waitMs: 1_000 }],
  [
    { status: 429, retryAfterMs: 30_000 },
    { status: 'pending', error: '429', waitMs: 30_000 },
  ],
  [{ status: 503 }, { status: 'pending', error: '503', waitMs: 1_000 }],
  [{ error: 'ECONNREFUSED' }, { status: 'pending', error: 'ECONNREFUSED', waitMs: 1_000 }],
] as const satisfies readonly (readonly [WebhookAnswer, object])[]) {
  test(`${JSON.stringify(answer)} comes to ${verdict.status}`, () => assert.deepEqual(judgeAnswer(answer, early, middle), verdict));
}

test('what fails when the time is over is given up, and what is taken then is delivered', () => {
  const late = { attempts: 20, sinceOwedMs: giveUpAfterMs - 1_000 };
  assert.deepEqual(judgeAnswer({ status: 500 }, late, middle), { status: 'given_up', error: '500' });
  assert.deepEqual(judgeAnswer({ status: 200 }, late, middle), { status: 'delivered' });
});
