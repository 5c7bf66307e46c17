/** How turns of somebody's own workflows are taken in, without a Temporal server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection, type WorkflowClient } from '@temporalio/client';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { ownTurns } from '../../src/roles/own-turns.ts';
import { temporaryDatabase } from '../store/temporary.ts';

const owner = { workflowId: 'research/1', firstRunId: 'run 1' };

const hasWorkers = async (): Promise<boolean> => true;

function agents(instructions: string) {
  return readAgentConfig(defineConfig({ agents: { clerk: { model: 'gpt-5', instructions, limits: { steps: 9, toolCalls: 3 } } } }));
}

test('T1 · a turn that is taken in twice is one turn, also where its agent is configured otherwise by then', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const config = readConfig({ env: {} });
  const { workflow: workflows } = new Client({ connection: Connection.lazy() });
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits: config.limits, isEager: false });
  const turnkeep = new Turnkeep({ store, dispatcher });
  const accept = (instructions: string) => ownTurns({ config, agents: agents(instructions), store, turnkeep, hasWorkers });
  const request = { agent: 'clerk', input: 'hi', limits: { steps: 2 }, instructions: 'Briefly.' };
  const input = { turn: 'resp_one', owner, request };
  const first = await accept('Be kind.')(input);
  assert.deepEqual(first, {
    isReady: true,
    heartbeatTimeoutMs: config.limits.heartbeatTimeoutMs,
    turnTimeoutMs: config.limits.turnTimeoutMs,
  });
  assert.deepEqual(await accept('Be brief.')(input), first);
  assert.equal((await store.listTurns('default', { filter: {}, limit: 9 }))?.length, 1);
  const turn = await store.readTurn('resp_one');
  assert.deepEqual(
    [turn?.settings.instructions, turn?.settings.agent?.limits, turn?.isDispatched, turn?.workflowId, turn?.ownerRunId],
    ['Be kind.\n\nBriefly.', { steps: 2, toolCalls: 3 }, true, 'research/1', 'run 1'],
  );

  await assert.rejects(accept('Be kind.')({ ...input, owner: { ...owner, firstRunId: 'run 2' } }), {
    type: 'turn_refused',
    nonRetryable: true,
  });
  await assert.rejects(accept('Be kind.')({ ...input, turn: 'one' }), { type: 'turn_refused', message: "Invalid 'id': one." });
});

test('a turn whose own time is longer than that of the configuration has it, with its workflow and with the sweep', async () => {
  await using database = temporaryDatabase();
  const store = database.open();
  const config = readConfig({ env: {} });
  const described = { status: { name: 'RUNNING' }, raw: {} };
  // Its owner runs for ever.
  const workflows = {
    getHandle: () => ({ describe: async () => described }),
    withDeadline: async (_until: number, call: () => Promise<unknown>) => call(),
  } as unknown as WorkflowClient;
  const dispatcher = new Dispatcher({ workflows, taskQueue: 'none', store, limits: config.limits, isEager: false });
  const accept = ownTurns({ config, agents: agents('Be kind.'), store, turnkeep: new Turnkeep({ store, dispatcher }), hasWorkers });
  const wallTimeMs = config.limits.turnTimeoutMs * 3;
  const begun = await Promise.all([
    accept({ turn: 'resp_long', owner, request: { agent: 'clerk', input: 'hi', limits: { wallTimeMs } } }),
    accept({ turn: 'resp_usual', owner, request: { agent: 'clerk', input: 'ho' } }),
  ]);
  assert.deepEqual(
    begun.map(({ turnTimeoutMs }) => turnTimeoutMs),
    [wallTimeMs, config.limits.turnTimeoutMs],
  );
  const readyAtMs = Date.now() - config.limits.turnTimeoutMs * 2;
  const owned = await Promise.all(['resp_long', 'resp_usual'].map((turn) => dispatcher.isOwned({ turn, owner, readyAtMs })));
  assert.deepEqual(owned, [true, false]);
  assert.equal(await dispatcher.isOwned({ turn: 'resp_long', owner, readyAtMs: readyAtMs - wallTimeMs }), false);
});
