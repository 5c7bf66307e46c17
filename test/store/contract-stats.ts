/** What every driver of the store must do: turns with their requests, in pages, to be summed up. */
import assert from 'node:assert/strict';
import { failureOf } from '../../src/domain/failure.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { TurnFilter } from '../../src/domain/turn/turn-list.ts';
import type { CountedTurn } from '../../src/domain/turn/turn-stats.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, ended, inserted, newTurn, settle } from './contract.ts';

/** Over all pages. */
async function counted(store: Store, filter: TurnFilter = {}, tenant = 'default'): Promise<{ turns: CountedTurn[]; rows: number }> {
  const turns: CountedTurn[] = [];
  let rows = 0;
  for (
    let page = await store.readCounted(tenant, { filter });
    ;
    page = await store.readCounted(tenant, { filter, before: page.last.ordinal })
  ) {
    turns.push(...page.turns);
    rows += page.rows;
    if (page.last === undefined) return { turns, rows };
  }
}

export function statsContract(contract: Contract): void {
  contract(
    'the turns that a tenant may see come with their requests, newest first, each once, over as many pages as that takes',
    async (store) => {
      for (const each of [1, 2, 3, 4, 5]) await ended(store, `resp_${each}`, { createdAtMs: 1_000 * each });
      await ended(store, 'resp_other', { tenant: 'other' });
      await ended(store, 'resp_deleted');
      await store.deleteTurn('default', 'resp_deleted', 9);
      await ended(store, 'resp_unstored', { settings: { ...defaultSettings('scripted'), store: false } });
      await inserted(store, newTurn('resp_6', { createdAtMs: 6_000, settings: defaultSettings('larger') }));
      await claimed(store, 'resp_6');
      const usage = {
        input_tokens: 9,
        input_tokens_details: { cached_tokens: 3 },
        output_tokens: 7,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 16,
      };
      const spent = { outputTokens: 7, costUsd: 0.5 };
      const end = { endedAtMs: 9, outcome: 'failed', code: 'transport_failed', usage, spent, waitMs: 0 } as const;
      await store.endAttempt({ turn: 'resp_6', step: 1, attempt: 1 }, 1, end);
      await claimed(store, 'resp_6');
      await settle(store, 'resp_6', { status: 'failed', failure: failureOf('transport_failed') });

      const { turns, rows } = await counted(store);
      assert.deepEqual(
        turns.map(({ createdAtMs }) => createdAtMs),
        [6_000, 5_000, 4_000, 3_000, 2_000, 1_000],
      );
      // What is not seen is looked at too, and counts against what one question may look at.
      assert.ok(rows >= 6 + turns.flatMap(({ attempts }) => attempts).length, String(rows));
      const [failed] = turns;
      assert.deepEqual([failed?.status, failed?.errorCode, failed?.model], ['failed', 'transport_failed', 'larger']);
      assert.deepEqual(
        failed?.attempts.map((attempt) => [attempt.attempt, attempt.outcome, attempt.usage, attempt.spent]),
        [
          [1, 'failed', usage, spent],
          [2, 'lost', undefined, undefined],
        ],
      );
      for (const [filter, count] of [
        [{ status: 'failed' }, 1],
        [{ code: 'provider_busy' }, 0],
        [{ model: 'scripted' }, 5],
        [{ session: 'conv_a' }, 0],
        [{ sinceMs: 3_000, untilMs: 5_000 }, 2],
      ] as const) {
        assert.equal((await counted(store, filter)).turns.length, count, JSON.stringify(filter));
      }
      assert.equal((await counted(store, {}, 'other')).turns.length, 1);
    },
  );
}
