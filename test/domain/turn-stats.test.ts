/** What became of turns, summed up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Usage } from '../../src/domain/response/response.ts';
import { type CountedAttempt, type CountedTurn, TurnTally } from '../../src/domain/turn/turn-stats.ts';

const usage = (input: number, cached: number, output: number): Usage => ({
  input_tokens: input,
  input_tokens_details: { cached_tokens: cached },
  output_tokens: output,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: input + output,
});

const answered: CountedAttempt = { attempt: 1, outcome: 'completed', firstEventAtMs: 1_100, usage: usage(10, 4, 2) };

function turn(fields: Partial<CountedTurn> = {}): CountedTurn {
  return { status: 'completed', errorCode: null, model: 'support', createdAtMs: 1_000, attempts: [answered], ...fields };
}

function reportOf(...turns: readonly CountedTurn[]): Record<string, unknown> {
  const tally = new TurnTally();
  for (const each of turns) tally.add(each);
  return tally.report() as Record<string, unknown>;
}

const none = { requests: 0, input_tokens: 0, cached_tokens: 0, output_tokens: 0, cost_usd: 0 };

test('of no turns nothing is known, and no share is made up', () => {
  assert.deepEqual(reportOf(), {
    turns: 0,
    ends: [],
    first_token_ms: { turns: 0, p50: null, p90: null, p99: null },
    retries: { requests: 0, turns_saved: 0 },
    spent: none,
    lost: { ...none, uncounted_requests: 0 },
    models: [],
  });
});

test('ends are told apart by status and code, the most frequent first', () => {
  const busy = turn({ status: 'failed', errorCode: 'provider_busy' });
  const lost = turn({ status: 'failed', errorCode: 'worker_lost' });
  assert.deepEqual(reportOf(busy, turn(), lost, turn(), busy, turn())['ends'], [
    { status: 'completed', code: null, turns: 3 },
    { status: 'failed', code: 'provider_busy', turns: 2 },
    { status: 'failed', code: 'worker_lost', turns: 1 },
  ]);
});

test('the first token of a turn is that of its first step, counted from its acceptance; a turn without one has no part in it', () => {
  const after = (ms: number): CountedTurn =>
    turn({
      attempts: [
        { attempt: 1, outcome: 'failed' },
        { ...answered, firstEventAtMs: 1_000 + ms },
        { ...answered, firstEventAtMs: 9_000 },
      ],
    });
  const turns = Array.from({ length: 100 }, (_, index) => after(index + 1));
  assert.deepEqual(reportOf(turn({ attempts: [] }), ...turns.toReversed())['first_token_ms'], { turns: 100, p50: 50, p90: 90, p99: 99 });
  // The clock was set back between the two.
  assert.deepEqual(reportOf(after(-500))['first_token_ms'], { turns: 1, p50: 0, p90: 0, p99: 0 });
});

test('a retry has saved a turn that completed with it, whichever step it was of', () => {
  const failed: CountedAttempt = { attempt: 1, outcome: 'failed' };
  const again = { ...answered, attempt: 2 };
  const saved = turn({ attempts: [answered, failed, again] });
  const inVain = turn({
    status: 'failed',
    errorCode: 'transport_failed',
    attempts: [failed, { ...failed, attempt: 2 }, { ...failed, attempt: 3 }],
  });
  const twice = turn({ attempts: [failed, again, failed, again] });
  assert.deepEqual(reportOf(turn(), saved, inVain, twice)['retries'], { requests: 5, turns_saved: 2 });
});

test('lost is what failed requests and those of dead workers took, as far as the provider has said; what was stopped is not', () => {
  const spent = { outputTokens: 3, costUsd: 0.5 };
  const report = reportOf(
    turn({
      attempts: [
        { attempt: 1, outcome: 'failed', usage: usage(7, 0, 3), spent },
        { ...answered, spent: { outputTokens: 2, costUsd: 0.25 } },
      ],
    }),
    turn({ status: 'failed', errorCode: 'worker_lost', attempts: [{ attempt: 1, outcome: 'lost', firstEventAtMs: 1_010 }] }),
    turn({ status: 'cancelled', attempts: [{ attempt: 1, outcome: 'cancelled', usage: usage(1, 0, 1) }] }),
  );
  assert.deepEqual(report['spent'], { requests: 4, input_tokens: 18, cached_tokens: 4, output_tokens: 6, cost_usd: 0.75 });
  assert.deepEqual(report['lost'], {
    requests: 2,
    input_tokens: 7,
    cached_tokens: 0,
    output_tokens: 3,
    cost_usd: 0.5,
    uncounted_requests: 1,
  });
});

test('T14 · clients choose the names of models: the fifty that cost most are told apart, and the sum is still of all', () => {
  const turns = Array.from({ length: 60 }, (_, index) =>
    turn({ model: `m${index}`, attempts: [{ ...answered, spent: { outputTokens: 2, costUsd: 0.1 * (index + 1) } }] }),
  );
  const { models, other_models, spent } = reportOf(...turns) as {
    models: { model: string }[];
    other_models: { names: number; turns: number; spent: { cost_usd: number } };
    spent: { cost_usd: number };
  };
  assert.deepEqual([models.length, models[0]?.model, models.at(-1)?.model], [50, 'm59', 'm10']);
  assert.deepEqual([other_models.names, other_models.turns, other_models.spent.cost_usd], [10, 10, 5.5]);
  assert.equal(spent.cost_usd, 183);
});
