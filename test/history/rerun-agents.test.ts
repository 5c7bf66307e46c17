/** Turns of agents are run again: their tools are not, and what befell them from outside befalls them where it did. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AbortReason } from '../../src/activities/attempt/abort-reason.ts';
import type { ResponseSettings } from '../../src/domain/response/response-settings.ts';
import { failureOf } from '../../src/domain/failure.ts';
import { rerunTurn } from '../../src/history/rerun/rerun.ts';
import { RerunDatabase } from '../../src/history/rerun/scene.ts';
import { settleTurn } from '../../src/settle/settle-turn.ts';
import { chat, chatAnswer, end, hold, reset, sseHead } from '../../src/testing/model-server/index.ts';
import type { ToolBox, ToolContext, WorkerTool } from '../../src/tools/tool.ts';
import { called, tool } from '../activities/agent-scene.ts';
import { bundleOf } from '../support/bundle.ts';
import { TurnRunner } from '../support/run-turns.ts';
import { until } from '../support/until.ts';

function boxOf(...tools: readonly WorkerTool[]): ToolBox {
  return {
    unknownOf: () => [],
    listsOf: async () => [{ serverLabel: 'turnkeep', tools }],
    [Symbol.asyncDispose]: async () => undefined,
  };
}

const agent: Partial<ResponseSettings> = {
  agent: { name: 'helper', provider: 'default', model: 'scripted', tools: ['tool'], settings: {}, limits: {}, compaction: 'off' },
};

async function assertSame(turns: TurnRunner, id = 'resp_a', events?: readonly string[]): Promise<void> {
  await using database = new RerunDatabase();
  const bundle = await bundleOf(turns.store, id);
  const { outcome, reason, difference } = await rerunTurn(database, bundle);
  assert.deepEqual([outcome, reason, difference], ['same', undefined, undefined]);
  for (const type of events ?? [])
    assert.ok(
      bundle.journal.some((row) => row.type === type),
      type,
    );
}

const two = called({ id: 'c1', name: 'slow', arguments: '{"a":1}' }, { id: 'c2', name: 'quick', arguments: '{"b":2}' });

test('two calls side by side, of which the second ended first, and a third that failed, in two rounds', async () => {
  await using turns = await TurnRunner.open();
  let runs = 0;
  const count = async <T>(result: T): Promise<T> => {
    runs += 1;
    return result;
  };
  const toolBox = boxOf(
    tool('slow', async () => count(delay(60).then(() => 'slow result'))),
    tool('quick', async () => count('quick result')),
    tool('broken', async () => count(Promise.reject(new Error('it broke')))),
  );
  const more = called(
    { id: 'c3', name: 'broken', arguments: '{}' },
    { id: 'c4', name: 'nothing', arguments: '{}' },
    { id: 'c5', name: 'quick', arguments: '{"b"' },
  );
  await turns.run({ id: 'resp_a', settings: agent, toolBox }, two, more, chatAnswer('done'));
  const before = runs;
  await assertSame(turns, 'resp_a', ['response.mcp_call.completed', 'response.mcp_call.failed', 'response.completed']);
  assert.equal(runs, before, 'no tool was run again');
});

test('a call that needs an approval is asked about again', async () => {
  await using turns = await TurnRunner.open();
  const toolBox = boxOf(
    tool('slow', async () => 'x', { needsApproval: ({ a }) => a === 1 }),
    tool('quick', async () => 'y'),
  );
  await turns.run({ id: 'resp_a', settings: agent, toolBox }, two);
  await assertSame(turns, 'resp_a', ['response.mcp_call.completed', 'response.completed']);
  const { journal } = await bundleOf(turns.store, 'resp_a');
  assert.ok(journal.some(({ data }) => data.includes('mcp_approval_request')));
});

for (const reason of ['cancelled', 'shutdown', 'deadline'] satisfies AbortReason[]) {
  test(`given up while a call runs: ${reason}`, async () => {
    await using turns = await TurnRunner.open();
    const stopped = ({ signal }: ToolContext) =>
      new Promise<string>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    let runs = 0;
    const toolBox = boxOf(
      tool(
        'slow',
        async (_args, context) => {
          runs += 1;
          return runs > 1 ? 'again' : stopped(context);
        },
        { attempts: 2 },
      ),
      tool('quick', async () => 'y'),
    );
    const turn = await turns.begin({ id: 'resp_a', settings: agent, toolBox });
    turns.model.enqueue(two, chatAnswer('done'));
    await (
      await turn.next()
    )?.result;
    const running = await turn.next();
    await until(async () => runs === 1 && (await turns.store.readToolCalls('resp_a')).some(({ endedAtMs }) => endedAtMs !== undefined));
    running?.abort(reason);
    await running?.result;
    for (let next = await turn.next(); next !== undefined; next = await turn.next()) await next.result;
    await assertSame(turns);
  });
}

test('the user said more while a call ran: the turn ends behind it', async () => {
  await using turns = await TurnRunner.open();
  const go = Promise.withResolvers<string>();
  const toolBox = boxOf(
    tool('slow', async () => go.promise),
    tool('quick', async () => 'y'),
  );
  const turn = await turns.begin({ id: 'resp_a', settings: agent, toolBox });
  turns.model.enqueue(two);
  await (
    await turn.next()
  )?.result;
  const running = await turn.next();
  running?.steer();
  go.resolve('x');
  await running?.result;
  assert.equal((await turns.store.readTurn('resp_a'))?.status, 'incomplete');
  await assertSame(turns);
});

test('a worker that was killed in a call: its outcome is unknown, and the turn goes on', async () => {
  await using turns = await TurnRunner.open();
  const toolBox = boxOf(
    tool('slow', async () => new Promise<string>(() => undefined)),
    tool('quick', async () => 'y'),
  );
  const turn = await turns.begin({ id: 'resp_a', settings: agent, toolBox });
  turns.model.enqueue(two, chatAnswer('done'));
  await (
    await turn.next()
  )?.result;
  await turn.next();
  await until(async () => {
    const calls = await turns.store.readToolCalls('resp_a');
    return calls.some(({ endedAtMs }) => endedAtMs !== undefined) && calls.every(({ runs }) => runs === 1);
  });
  for (let next = await turn.next(); next !== undefined; next = await turn.next()) await next.result;
  await assertSame(turns, 'resp_a', ['response.mcp_call.failed', 'response.completed']);
});

test('a worker that was killed in its answer, at once and seconds into it: what no recording has is taken as it is', async () => {
  await using turns = await TurnRunner.open();
  for (const [id, longMs] of [
    ['resp_a', 0],
    ['resp_b', 1_300],
  ] as const) {
    const turn = await turns.begin({ id });
    turns.model.enqueue([
      sseHead,
      chat.content('Hel'),
      chat.content('lo'),
      hold(`${id} more`),
      chat.content(' world'),
      hold(`${id} last`),
      chat.content('!'),
      hold('never'),
      end,
    ]);
    await turn.next();
    const deltas = async (): Promise<number> =>
      (await turns.store.readJournal(id)).filter(({ type }) => type.endsWith('text.delta')).length;
    await until(async () => (await deltas()) >= 1);
    await delay(longMs);
    for (const name of ['more', 'last']) {
      const before = await deltas();
      turns.model.release(`${id} ${name}`);
      await until(async () => (await deltas()) > before);
    }
    await settleTurn({ store: turns.store, onReady: () => undefined }, id, { status: 'failed', failure: failureOf('worker_lost') });
    await assertSame(turns, id, ['response.failed']);
  }
});

test('the user cancelled, and whoever held the turn was dead; and a turn that was cancelled before it ran', async () => {
  await using turns = await TurnRunner.open();
  const turn = await turns.begin({ id: 'resp_a' });
  turns.model.enqueue([sseHead, chat.content('Hel'), hold('never'), end]);
  await turn.next();
  await until(async () => (await turns.store.readJournal('resp_a')).some(({ type }) => type.endsWith('text.delta')));
  await turns.begin({ id: 'resp_b' });
  for (const id of ['resp_a', 'resp_b']) {
    await turns.store.requestCancel('default', id, Date.now());
    await settleTurn({ store: turns.store, onReady: () => undefined }, id, { status: 'cancelled' });
    await assertSame(turns, id);
  }
});

test('a cancel that was accepted while the request failed wins again', async () => {
  await using turns = await TurnRunner.open();
  const turn = await turns.begin({ id: 'resp_a' });
  turns.model.enqueue([sseHead, chat.content('Hel'), hold('more'), reset]);
  const running = await turn.next();
  await until(async () => (await turns.store.readJournal('resp_a')).some(({ type }) => type.endsWith('text.delta')));
  await turns.store.requestCancel('default', 'resp_a', Date.now());
  turns.model.release('more');
  await running?.result;
  assert.equal((await turns.store.readTurn('resp_a'))?.status, 'cancelled');
  await assertSame(turns);
});
