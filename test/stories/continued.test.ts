/**
 * A turn of so many steps that Temporal wants its history begun anew: on a server of its own, which wants that early. Its viewers
 * see nothing of it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../src/cli/dev-server/ports.ts';
import { probeNamespace } from '../../src/cli/dev-server/probe.ts';
import { serverArguments } from '../../src/cli/dev-server/server-arguments.ts';
import { workflowIdOf } from '../../src/contract/workflows.ts';
import { chat, chatAnswer, chatToolCalls, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { testTemporalProgram } from '../support/temporal-server.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { story, type World } from '../support/world.ts';

const lookEveryMs = 50;
const ip = '127.0.0.1';
const [port = 0] = await freePorts([undefined]);
/** Of events: a turn with two rounds of tools has more. */
const suggestedAt = 20;
const server = spawn(
  await testTemporalProgram(),
  [
    ...serverArguments({ ip, port, namespace: 'default' }),
    '--dynamic-config-value',
    `limit.historyCount.suggestContinueAsNew=${suggestedAt}`,
  ],
  { stdio: 'ignore' },
);
process.once('exit', () => server.kill('SIGKILL'));
after(() => server.kill('SIGKILL'));
while ((await probeNamespace(`${ip}:${port}`, 'default')) !== undefined) await delay(lookEveryMs);
process.env['TURNKEEP_TEST_TEMPORAL_ADDRESS'] = `${ip}:${port}`;

const steps = 9;

/** The runs of a turn's workflow. */
async function runsOf({ temporal }: World, id: string): Promise<number> {
  let count = 0;
  for await (const _ of temporal.workflow.list({ query: `WorkflowId = '${workflowIdOf(id)}'` })) count += 1;
  return count;
}

function continuedStory(title: string, tell: (world: World, tools: ToolBench) => Promise<void>): void {
  let tools = new ToolBench();
  const agents = () => (tools = new ToolBench()).config;
  story(title, async (world) => tell(world, tools), { agents });
}

const call = (step: number, tool = 'echo') => chatToolCalls({ id: `c${step}`, name: tool, arguments: { name: `step ${step}` } });

continuedStory(
  'T7, T10 · a history that is begun anew in mid-turn: the same bytes for all viewers, no step twice',
  async (world, tools) => {
    world.model.enqueue(...Array.from({ length: steps - 1 }, (_, at) => call(at + 1, at + 1 === 5 ? 'held' : 'echo')), chatAnswer('done'));
    const conversation = await world.session();
    const viewer = await world.say('go', { model: 'helper', conversation });
    await tools.begun('step 5');
    const second = await world.watch(viewer.id, 3);
    tools.release('step 5');
    await Promise.all([viewer.ended, second.ended]);
    assert.deepEqual([viewer.last.response.status, viewer.text, viewer.isDone], ['completed', 'done', true]);
    assert.deepEqual(second.data, viewer.data.slice(4));
    assert.deepEqual([world.model.requests.length, tools.runs.length], [steps, steps - 1]);
    assert.equal(viewer.last.response.usage?.output_tokens, 2 * steps);
    await world.history(viewer.id);
    assert.ok((await runsOf(world, viewer.id)) > 1, 'it was begun anew');
    const { memo, historyLength } = await world.temporal.workflow.getHandle(workflowIdOf(viewer.id)).describe();
    assert.equal(memo?.['session'], conversation, 'what names the turn to people goes with it');
    assert.ok(historyLength <= suggestedAt + 12, `${historyLength} events`);
  },
);

continuedStory('T5 · a cancel behind a history that was begun anew stops the turn', async (world) => {
  const last = [sseHead, chat.content('Hel'), hold('never'), chat.finish(), done, end];
  world.model.enqueue(...Array.from({ length: steps - 1 }, (_, at) => call(at + 1)), last);
  const viewer = await world.say('go', { model: 'helper' });
  await viewer.untilText('Hel');
  const { body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
  assert.equal(body['status'], 'cancelled');
  await viewer.ended;
  assert.equal(viewer.last.response.status, 'cancelled');
  await world.history(viewer.id);
  assert.ok((await runsOf(world, viewer.id)) > 1, 'it was begun anew');
});
