/** Of several processes one does what any of them could, and another one where that one is dead or gets nowhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { Leader, type Task } from '../../src/client/leader.ts';
import { startSweep } from '../../src/client/sweep.ts';
import { inserted, newTurn } from '../store/contract.ts';
import { temporaryDatabase } from '../store/temporary.ts';
import { until } from '../support/until.ts';

const task: Task = { name: 'a task', leaseMs: 600_000 };

test('one leads, as long as it gets somewhere; where it fails the others go on, and it again where there are none', async () => {
  await using database = temporaryDatabase();
  const [one, two] = [new Leader(database.open()), new Leader(database.open())];
  const rounds: string[] = [];
  const round = (leader: Leader, name: string, isDone = true) =>
    leader.round(task, async () => {
      rounds.push(name);
      return isDone;
    });
  await round(one, 'one');
  await round(two, 'two');
  await round(one, 'one again');
  assert.deepEqual(rounds.splice(0), ['one', 'one again']);

  await round(one, 'one fails', false);
  await delay(2);
  await round(one, 'one stands back');
  await round(two, 'two');
  await round(one, 'one is late');
  assert.deepEqual(rounds.splice(0), ['one fails', 'two']);

  await assert.rejects(
    two.round(task, async () => {
      rounds.push('two fails');
      throw new Error('away');
    }),
    /away/,
  );
  await delay(2);
  await round(two, 'two stands back');
  await round(two, 'two, since nobody else has');
  assert.deepEqual(rounds, ['two fails', 'two, since nobody else has']);
});

/** A Temporal that counts what it is asked to start. */
function countingDispatcher(
  store: ReturnType<ReturnType<typeof temporaryDatabase>['open']>,
  started: string[],
  isAway = false,
): Dispatcher {
  const { workflow } = new Client({ connection: Connection.lazy() });
  const start = async (_type: string, { args }: { readonly args: readonly { readonly turn: string }[] }) => {
    started.push(args[0]?.turn ?? '');
    if (isAway) throw new Error('Temporal is away');
    return { firstExecutionRunId: 'run' };
  };
  const workflows = Object.assign(Object.create(workflow) as typeof workflow, {
    start,
    withDeadline: async (_at: unknown, call: () => unknown) => call(),
  });
  return new Dispatcher({
    workflows,
    taskQueue: 'none',
    store,
    limits: { heartbeatTimeoutMs: 1_000, turnTimeoutMs: 1_000 },
    isEager: false,
  });
}

test('of two gateways one hands over what was left behind, each turn once; the other does it where the first does not reach Temporal', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const ids = Array.from({ length: 20 }, (_, n) => `resp_${n}`);
  for (const id of ids) await inserted(store, newTurn(id));
  const started: string[] = [];
  const away: string[] = [];
  const sweepOf = (dispatcher: Dispatcher) =>
    startSweep({ store: database.open(), dispatcher, retentionDays: 30, cancel: async () => {}, onError: () => undefined });
  const sweeps = [sweepOf(countingDispatcher(store, away, true))];
  await until(() => away.length >= ids.length);
  sweeps.push(...[1, 2, 3].map(() => sweepOf(countingDispatcher(store, started))));
  await until(async () => (await store.listUndispatched({ readyForMs: 0, limit: 99 })).length === 0);
  for (const sweep of sweeps) sweep.stop();
  assert.deepEqual(started.toSorted(), ids.toSorted());
});
