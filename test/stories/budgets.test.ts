/** What an agent's turn may use up, as its clients see it. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import { chat, chatAnswer, chatToolCalls, done, end, type Script, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { story } from '../support/world.ts';

function agents() {
  const look = defineTool({ description: 'Looks.', input: z.object({ at: z.string() }), run: async ({ at }) => `saw ${at}` });
  return readAgentConfig(
    defineConfig({
      tools: { look },
      agents: {
        short: { model: 'big', tools: ['look'], limits: { steps: 2 } },
        frugal: { model: 'big', tools: ['look'], limits: { outputTokens: 50 } },
        patient: { model: 'big', limits: { wallTimeMs: 3_600_000 } },
        hasty: { model: 'big', limits: { wallTimeMs: 1_500 } },
        lead: { model: 'big', tools: ['agent:helper'], limits: { outputTokens: 50 } },
        helper: { model: 'big' },
      },
      prices: { big: { input: 1_000, output: 20_000 } },
      limits: { session: { costUsd: 1 } },
    }),
  );
}

const look = (id: string): Script => chatToolCalls({ id, name: 'look', arguments: { at: id } });
/** At 0.043 dollars. */
const answer: Script = chatAnswer('Well.');

story(
  'an agent is told before its last step; past it the turn fails, names the limit, and keeps what was shown',
  async (world) => {
    world.model.enqueue(look('the tree'), answer, look('the sea'), look('the sky'));
    const whole = await world.hear('Look twice', { model: 'short' });
    assert.equal(whole.last.response.status, 'completed');
    const last = world.model.requests[1];
    assert.match(last?.bodyText ?? '', /"tool_choice":"none"/);
    assert.match(messagesOf(last).at(-1)?.content ?? '', /This is your last step/);

    const past = await world.hear('Look on', { model: 'short' });
    assert.deepEqual([past.last.response.status, past.last.response.error?.code], ['failed', 'budget_exceeded']);
    assert.match(past.last.response.error?.message ?? '', /its limit of steps is 2, and 2 were spent/);
    assert.deepEqual(
      past.last.response.output.map(({ type, status }) => [type, status]),
      [['mcp_call', 'completed']],
    );
    const { body } = await world.call('GET', `/turns/${past.id}`);
    // Both of its requests were answered in full, and what they brought is kept.
    const usage = {
      input_tokens: 6,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 4,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 10,
    };
    assert.deepEqual(past.last.response.usage, usage);
    assert.deepEqual(body['usage'], { ...usage, cost_usd: 0.086 });
    assert.equal((body['lost_usage'] as { total_tokens: number }).total_tokens, 0);
    const metrics = await (await fetch(`${world.url}/metrics`)).text();
    assert.match(metrics, /turnkeep_output_tokens_total\{model="short"\} 8\n/);
    assert.doesNotMatch(metrics, /turnkeep_lost_tokens_total\{model="short"\} [1-9]/);
    assert.match(metrics, /turnkeep_cost_dollars_total\{model="short"\} 0\.17/);
  },
  { agents },
);

story(
  'a stream past its limit is cut, and the conversation goes on',
  async (world) => {
    world.model.enqueue([sseHead, chat.content('z'.repeat(100)), chat.content('z'.repeat(101)), stall], answer);
    const conversation = await world.session();
    const cut = await world.hear('Talk', { model: 'frugal', conversation });
    assert.deepEqual(
      [cut.last.response.status, cut.last.response.error?.code, cut.last.response.output.length],
      ['failed', 'budget_exceeded', 1],
    );
    const next = await world.hear('Go on', { model: 'frugal', conversation });
    // What was cut off is estimated, and costs the conversation more than it may.
    assert.deepEqual([next.last.response.status, next.last.response.error?.code], ['failed', 'budget_exceeded']);
    assert.match(next.last.response.error?.message ?? '', /The budget of the conversation is used up: its limit of costUsd is 1,/);
    assert.equal(world.model.requests.length, 1);
    const elsewhere = await world.hear('Go on', { model: 'frugal' });
    assert.equal(elsewhere.last.response.status, 'completed');
  },
  { agents },
);

story(
  'an agent has the time of its own limits, longer or shorter than that of all turns',
  async (world) => {
    world.model.enqueue([sseHead, chat.content('Wait'), chat.finish(), done, end], [sseHead, chat.content('Wait'), stall]);
    const patient = await world.hear('Hello', { model: 'patient' });
    assert.equal(patient.last.response.status, 'completed');
    const { events } = await world.history(patient.id);
    const input = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
    assert.equal((JSON.parse(Buffer.from(input ?? []).toString()) as { turnTimeoutMs: number }).turnTimeoutMs, 3_600_000);
    const hasty = await world.hear('Hurry', { model: 'hasty' });
    assert.deepEqual([hasty.last.response.status, hasty.last.response.error?.code], ['failed', 'budget_exceeded']);
    assert.match(hasty.last.response.error?.message ?? '', /its limit of wallTimeMs is 1500/);
  },
  { agents },
);

story(
  'agents that are called draw on the budget of whoever called them: all of them end past it',
  async (world) => {
    const ask = chatToolCalls({ id: 'ask', name: 'helper', arguments: { input: 'Talk' } });
    world.model.enqueue(ask, answer, answer);
    const within = await world.hear('Ask', { model: 'lead' });
    assert.equal(within.last.response.status, 'completed');

    world.model.enqueue(ask, [sseHead, chat.content('z'.repeat(100)), chat.content('z'.repeat(120)), stall]);
    const past = await world.hear('Ask again', { model: 'lead' });
    assert.deepEqual([past.last.response.status, past.last.response.error?.code], ['failed', 'budget_exceeded']);
    assert.match(past.last.response.error?.message ?? '', /its limit of outputTokens is 50, and 5\d were spent/);
    const { body } = await world.call('GET', `/turns/${past.id}`);
    const steps = body['steps'] as { readonly kind: string; readonly calls?: readonly { readonly turn: string }[] }[];
    const child = steps.flatMap(({ calls = [] }) => calls.map(({ turn }) => turn))[0];
    const { body: called } = await world.call('GET', `/v1/responses/${child}`);
    assert.deepEqual((called['error'] as { readonly code: string }).code, 'budget_exceeded');
    assert.match(JSON.stringify(called['error']), /The budget of the turn that called this one is used up/);
    assert.equal(world.model.requests.length, 5);
  },
  { agents },
);
