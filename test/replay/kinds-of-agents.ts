/** Turns of several steps: tools, approvals, other agents, summaries and budgets. */
import { z } from 'zod';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  httpError,
  reset,
  type Script,
  sseHead,
  stall,
  wait,
} from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { ToolBench } from '../support/tool-bench.ts';
import type { World } from '../support/world.ts';
import { inWorld, type Kind } from './kind.ts';

const helper = { model: 'helper' };
const call = (id: string, tool: string) => ({ id, name: tool, arguments: { name: id } });

/** A kind with the tools of a `ToolBench`. */
function withTools(
  name: string,
  tell: (world: World, tools: ToolBench) => Promise<void>,
  options: Parameters<typeof inWorld>[2] = {},
): Kind {
  let tools = new ToolBench();
  const agents = () => (tools = new ToolBench('word '.repeat(2_000))).config;
  return inWorld(name, async (world) => tell(world, tools), { ...options, agents });
}

/** One turn of the agent `helper`. */
function agent(name: string, ...scripts: readonly Script[]): Kind {
  return withTools(name, async (world) => {
    world.model.enqueue(...scripts);
    await world.hear('go', helper);
  });
}

const overflow = httpError(400, {
  error: { message: "This model's maximum context length is 8192 tokens.", type: 'invalid_request_error', code: 'context_length_exceeded' },
});

const tooled: readonly Kind[] = [
  agent(
    'agent',
    chatToolCalls(call('c1', 'echo'), call('c2', 'big'), call('c3', 'broken')),
    chatToolCalls(call('c4', 'echo')),
    chatAnswer('All is ', 'done.'),
  ),
  agent('agent-one-call', chatToolCalls(call('c1', 'echo')), chatAnswer('done')),
  agent('agent-timed-out-tool', chatToolCalls(call('c1', 'slow')), chatAnswer('too slow')),
  agent('agent-unknown-tool', chatToolCalls(call('c1', 'nothing')), chatAnswer('no such thing')),
  agent('agent-retried', chatToolCalls(call('c1', 'echo')), [reset], httpError(429, undefined, { 'retry-after': '0' }), chatAnswer('done')),
  agent('agent-failed-stream_interrupted', chatToolCalls(call('c1', 'echo')), chatToolCalls(call('c2', 'echo')), [
    sseHead,
    chat.content('All'),
    wait(20),
    reset,
  ]),
  withTools('agent-cancelled', async (world, tools) => {
    world.model.enqueue(chatToolCalls(call('c1', 'echo'), call('c2', 'held')));
    const viewer = await world.say('go', helper);
    await tools.begun('c2');
    await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    await viewer.ended;
  }),
  withTools('agent-cancelled-later', async (world) => {
    world.model.enqueue(chatToolCalls(call('c1', 'echo')), [sseHead, chat.content('Hel'), stall]);
    const viewer = await world.say('go', helper);
    await viewer.untilText('Hel');
    await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    await viewer.ended;
  }),
  withTools('approvals', async (world) => {
    world.model.enqueue(chatToolCalls(call('ann', 'mail'), call('bob', 'mail')), chatAnswer('one is sent'));
    const asking = await world.hear('write', helper);
    const input = (asking.last.response.output as readonly unknown[] as readonly { readonly id: string }[]).map(({ id }, index) => ({
      type: 'mcp_approval_response',
      approval_request_id: id,
      approve: index === 0,
    }));
    await post(world.url, { ...helper, previous_response_id: asking.id, input });
  }),
  withTools('failed-tool_failed', async (world) => {
    const other = readAgentConfig(defineConfig({ agents: { other: { model: 'scripted' } } }));
    const [own] = world.workers;
    own?.shutdown();
    await own?.stopped;
    await world.startWorker(world.openStore(), {}, other);
    const { url } = await world.startGateway(null);
    await post(url, { ...helper, input: 'go' });
  }),
  withTools('continue-as-new', async (world) => {
    const calls = Array.from({ length: 24 }, (_, at) => chatToolCalls(call(`c${at}`, 'echo')));
    world.model.enqueue(...calls, chatAnswer('done'));
    await world.hear('go', helper);
  }),
];

const agents = () =>
  readAgentConfig(
    defineConfig({
      tools: { look: defineTool({ description: 'Looks.', input: z.object({ name: z.string() }), run: ({ name }) => `saw ${name}` }) },
      agents: {
        short: { model: 'scripted', tools: ['look'], limits: { steps: 2 } },
        frugal: { model: 'scripted', tools: ['look'], limits: { outputTokens: 3 } },
        lead: { model: 'scripted', tools: ['agent:scout'] },
        scout: { model: 'scripted', description: 'Looks around.', tools: ['look'] },
      },
    }),
  );

/** One turn of one of these. */
function of(name: string, model: string, ...scripts: readonly Script[]): Kind {
  return inWorld(
    name,
    async (world) => {
      world.model.enqueue(...scripts);
      await world.hear('go', { model });
    },
    { agents },
  );
}

const others: readonly Kind[] = [
  of('failed-budget_exceeded', 'short', chatToolCalls(call('c1', 'look')), chatToolCalls(call('c2', 'look'))),
  of('failed-budget_exceeded-tokens', 'frugal', chatToolCalls(call('c1', 'look')), chatToolCalls(call('c2', 'look'))),
  of(
    'sub-agent',
    'lead',
    chatToolCalls({ id: 'c1', name: 'scout', arguments: { input: 'look' } }),
    chatToolCalls(call('moss', 'look')),
    chatAnswer('a moss'),
    chatAnswer('Moss.'),
  ),
  inWorld('compaction', async (world) => {
    const conversation = await world.session();
    world.model.enqueue(chatAnswer('Once upon a time. '.repeat(400)), overflow, chatAnswer('A tale was told.'), chatAnswer('They lived.'));
    await world.hear('Tell me a tale', { conversation });
    await world.hear('How does it end?', { conversation, truncation: 'auto' });
  }),
];

export const kindsOfAgents: readonly Kind[] = [...tooled, ...others];
