/** What every driver of the store must do: what turns and sessions have used up. */
import assert from 'node:assert/strict';
import type { AttemptEnd } from '../../src/domain/turn/attempt.ts';
import type { RequestSpent, Spent } from '../../src/domain/turn/budget.ts';
import type { Store } from '../../src/store/ports/store.ts';
import { claimed, type Contract, inserted, lease, newTurn, sealOf, settle } from './contract.ts';
import { endOf, newCall } from './contract-tool-calls.ts';

const nothing = { steps: 0, toolCalls: 0, outputTokens: 0, costUsd: 0 };

/** Without time, which passes as it likes. */
async function spentBefore(store: Store, turn: string, step: number): Promise<{ turn: object; caller: object; session: object }> {
  const spending = await store.readSpending(turn, step);
  assert.ok(spending);
  const withoutTime = ({ wallTimeMs, ...rest }: Spent): object => {
    assert.ok(wallTimeMs >= 0);
    return rest;
  };
  return { turn: withoutTime(spending.turn), caller: withoutTime(spending.caller), session: withoutTime(spending.session) };
}

function endWith(spent: RequestSpent | undefined, fields: Partial<AttemptEnd> = {}): AttemptEnd {
  return { endedAtMs: Date.now(), outcome: 'completed', ...(spent === undefined ? {} : { spent }), ...fields };
}

const usage = {
  input_tokens: 9,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 16,
};

/** Books the next request of a turn's step, and ends the turn with it. */
async function sealWith(store: Store, turn: string, step: number, end: AttemptEnd): Promise<void> {
  const { epoch, attempt } = await claimed(store, turn, { step });
  await store.seal(sealOf(turn, epoch, { attempt: { turn, step, attempt, end } }));
}

export function spendingContract(contract: Contract): void {
  contract('a turn has spent what its requests took, whatever became of them, and the calls of tools that were begun', async (store) => {
    await inserted(store, newTurn('resp_a'));
    assert.equal(await store.readSpending('resp_b', 1), undefined);
    const first = await claimed(store, 'resp_a');
    assert.deepEqual(await spentBefore(store, 'resp_a', 1), { turn: nothing, caller: nothing, session: nothing });
    const failed = endWith({ outputTokens: 3, costUsd: 0.25 }, { outcome: 'failed', waitMs: 0 });
    await store.endAttempt({ turn: 'resp_a', step: 1, attempt: 1 }, first.epoch, failed);
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt };
    const end = endWith({ outputTokens: 5, costUsd: 0.5 });
    await store.endStep(await endOf(store, key, epoch, { attempt: { ...key, end }, calls: [newCall(0), newCall(1)] }));
    const tools = await store.claim({ turn: 'resp_a', step: 2, lease });
    assert.equal(tools.type, 'tools');
    const spent = { steps: 1, toolCalls: 0, outputTokens: 8, costUsd: 0.75 };
    assert.deepEqual(await spentBefore(store, 'resp_a', 2), { turn: spent, caller: spent, session: spent });
    for (const _ of [1, 2]) await store.startToolCall({ turn: 'resp_a', number: 1, epoch: tools.epoch });
    assert.deepEqual((await spentBefore(store, 'resp_a', 2)).turn, { ...spent, toolCalls: 1 });
  });

  contract('where nothing was counted for budgets, what the provider has counted stands', async (store) => {
    await inserted(store, newTurn('resp_a'));
    await sealWith(store, 'resp_a', 1, endWith(undefined, { usage }));
    assert.deepEqual((await spentBefore(store, 'resp_a', 2)).turn, { ...nothing, steps: 1, outputTokens: 7 });
  });

  contract('a session has spent what its turns have, and keeps it when they are deleted', async (store, database) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    await sealWith(store, 'resp_a', 1, endWith({ outputTokens: 5, costUsd: 0.5 }));
    await inserted(store, newTurn('resp_b', { session: 'conv_a' }));
    await claimed(store, 'resp_b');
    await settle(store, 'resp_b');
    await store.deleteTurn('default', 'resp_a', 9);
    await inserted(store, newTurn('resp_c', { session: 'conv_a' }));
    await inserted(store, newTurn('resp_d'));
    const other = database.open();
    const spent = { steps: 2, toolCalls: 0, outputTokens: 5, costUsd: 0.5 };
    assert.deepEqual(await spentBefore(other, 'resp_c', 1), { turn: nothing, caller: nothing, session: spent });
    assert.deepEqual(await spentBefore(other, 'resp_d', 1), { turn: nothing, caller: nothing, session: nothing });
  });

  contract('what a turn calls has spent of its budget, and of that of its session', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    const { epoch, attempt } = await claimed(store, 'resp_a');
    const key = { turn: 'resp_a', step: 1, attempt };
    const end = endWith({ outputTokens: 5, costUsd: 0.5 });
    await store.endStep(await endOf(store, key, epoch, { attempt: { ...key, end } }));
    await inserted(store, newTurn('resp_b', { parent: { turn: 'resp_a', number: 0 } }));
    await inserted(store, newTurn('resp_c', { parent: { turn: 'resp_b', number: 0 } }));
    await sealWith(store, 'resp_c', 1, endWith({ outputTokens: 7, costUsd: 0.25 }));
    await claimed(store, 'resp_b');
    const called = { ...nothing, steps: 1, outputTokens: 7, costUsd: 0.25 };
    const all = { ...nothing, steps: 2, outputTokens: 12, costUsd: 0.75 };
    assert.deepEqual(await spentBefore(store, 'resp_b', 1), { turn: called, caller: all, session: all });
    // The step that the middle one is in counts for whoever waits for it.
    const withIt = { ...all, steps: 3 };
    assert.deepEqual(await spentBefore(store, 'resp_a', 2), { turn: withIt, caller: withIt, session: withIt });
    await settle(store, 'resp_a');
    await inserted(store, newTurn('resp_d', { session: 'conv_a' }));
    assert.deepEqual((await spentBefore(store, 'resp_d', 1)).session, withIt);
  });

  contract('what called turns have spent stays spent when they are deleted, and counts once, however deep they were', async (store) => {
    await store.createSession({ id: 'conv_a', tenant: 'default', metadata: {}, createdAtMs: 1 });
    await inserted(store, newTurn('resp_a', { session: 'conv_a' }));
    await inserted(store, newTurn('resp_b', { parent: { turn: 'resp_a', number: 0 } }));
    await inserted(store, newTurn('resp_c', { parent: { turn: 'resp_b', number: 0 } }));
    await sealWith(store, 'resp_c', 1, endWith({ outputTokens: 7, costUsd: 0.25 }));
    const deep = { ...nothing, steps: 1, outputTokens: 7, costUsd: 0.25 };
    assert.equal(await store.deleteTurn('default', 'resp_c', 9), true);
    assert.deepEqual(await spentBefore(store, 'resp_b', 1), { turn: deep, caller: deep, session: deep });
    await sealWith(store, 'resp_b', 1, endWith({ outputTokens: 5, costUsd: 0.5 }));
    const all = { ...nothing, steps: 2, outputTokens: 12, costUsd: 0.75 };
    assert.deepEqual(await spentBefore(store, 'resp_b', 2), { turn: all, caller: all, session: all });
    assert.equal(await store.deleteTurn('default', 'resp_b', 9), true);
    assert.deepEqual(await spentBefore(store, 'resp_a', 1), { turn: all, caller: all, session: all });
    await settle(store, 'resp_a');
    await inserted(store, newTurn('resp_d', { session: 'conv_a' }));
    assert.deepEqual((await spentBefore(store, 'resp_d', 1)).session, all);
  });
}
