/** What a plain turn costs Temporal, as its server counts it: one of its own, since whatever else ran on it would count too. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { probeNamespace } from '../../src/cli/dev-server/probe.ts';
import { serverArguments } from '../../src/cli/dev-server/server-arguments.ts';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import type { Viewer } from '../support/viewer.ts';
import { World } from '../support/world.ts';

const lookEveryMs = 50;
const ip = '127.0.0.1';
const [port = 0, metricsPort = 0] = await freePorts([undefined, undefined]);
const server = spawn(
  await testTemporalProgram(),
  [...serverArguments({ ip, port, namespace: 'default' }), '--metrics-port', String(metricsPort)],
  { stdio: 'ignore' },
);
process.once('exit', () => server.kill('SIGKILL'));
after(() => server.kill('SIGKILL'));
while ((await probeNamespace(`${ip}:${port}`, 'default')) !== undefined) await delay(lookEveryMs);
process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'] = `${ip}:${port}`;

/** No turn's: long polls, which hang until there is something, the worker's own, and what this test asks. */
const notOfTurns = /^(Poll|Get|Describe|Count|RecordWorkerHeartbeat$)/;
const heartbeat = 'RecordActivityTaskHeartbeat';

type Requests = ReadonlyMap<string, number>;

/** Requests to the frontend so far, by operation. */
async function countRequests(): Promise<Requests> {
  const text = await (await fetch(`http://${ip}:${metricsPort}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, labels = '', count] of text.matchAll(/^service_requests\{(.*)\} (\S+)$/gm)) {
    const operation = /operation="([^"]*)"/.exec(labels)?.[1];
    if (operation === undefined || !labels.includes('service_name="frontend"')) continue;
    counts.set(operation, (counts.get(operation) ?? 0) + Number(count));
  }
  return counts;
}

/** The server publishes its counters now and then: all of them twice over once two requests of ours have come to show. */
async function settledRequests({ temporal }: World): Promise<Requests> {
  const operation = 'CountWorkflowExecutions';
  let counts = await countRequests();
  for (let marks = 0; marks < 2; marks += 1) {
    const before = counts.get(operation) ?? 0;
    await temporal.workflow.count();
    while ((counts.get(operation) ?? 0) === before) {
      await delay(lookEveryMs);
      counts = await countRequests();
    }
  }
  return counts;
}

/** What the turns of `work` made of requests, once their workflows are closed. */
async function requestsOf(world: World, work: () => Promise<readonly Viewer[]>): Promise<Record<string, number>> {
  const before = await settledRequests(world);
  for (const { id, last } of await work()) {
    assert.equal(last.type, 'response.completed');
    await world.history(id);
  }
  const made = [...(await settledRequests(world))].map(([operation, count]) => [operation, count - (before.get(operation) ?? 0)] as const);
  return Object.fromEntries(made.filter(([operation, count]) => count > 0 && !notOfTurns.test(operation)));
}

/** The worker has run a turn, and keeps the workflow code in memory. */
async function warmWorld(): Promise<World> {
  const world = await World.open();
  const { id } = await world.hear('warm up');
  await world.history(id);
  return world;
}

/** Three for the workflow, one for its activity, which comes with the answer to another. */
const requestsOfTurns = (turns: number): Record<string, number> => ({
  StartWorkflowExecution: turns,
  RespondWorkflowTaskCompleted: 2 * turns,
  RespondActivityTaskCompleted: turns,
});

test('a plain turn costs 4 requests to Temporal, no heartbeat among them where it is shorter than a second', async () => {
  await using world = await warmWorld();
  let wholeSeconds = 0;
  const made = await requestsOf(world, async () => {
    const viewers: Viewer[] = [];
    for (const text of ['one', 'two', 'three']) {
      const startedAt = performance.now();
      viewers.push(await world.hear(text));
      wholeSeconds += Math.floor((performance.now() - startedAt) / 1_000);
    }
    return viewers;
  });
  const { [heartbeat]: heartbeats = 0, ...rest } = made;
  // None, unless the machine stands still for longer than a second.
  assert.ok(heartbeats <= wholeSeconds, `${heartbeats} heartbeats in ${wholeSeconds} s`);
  assert.deepEqual(rest, requestsOfTurns(3));
});

test('a turn that waits for another of its session costs 4 requests too', async () => {
  await using world = await warmWorld();
  const conversation = await world.session();
  const made = await requestsOf(world, async () => {
    world.model.enqueue([sseHead, chat.role(), chat.content('first'), hold('rest'), chat.finish(), done, end], chatAnswer('second'));
    const first = await world.say('one', { conversation });
    const second = await world.say('two', { conversation });
    world.model.release('rest');
    await Promise.all([first.ended, second.ended]);
    return [first, second];
  });
  delete made[heartbeat];
  assert.deepEqual(made, requestsOfTurns(2));
});

test('the history of a plain turn has 11 events and less than 4 KiB, whatever the length of its session', async () => {
  await using world = await warmWorld();
  const conversation = await world.session();
  for (const text of ['short', 'a second message. '.repeat(1_000), 'a third']) {
    const { id } = await world.hear(text, { conversation });
    await world.history(id);
    const { historyLength, historySize } = await world.temporal.workflow.getHandle(workflowIdOf(id)).describe();
    assert.equal(historyLength, 11);
    assert.ok(historySize !== undefined && historySize < 4_096, `${historySize} bytes`);
  }
});
