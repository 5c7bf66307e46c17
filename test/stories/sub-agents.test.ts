/** An agent calls another one: a turn of its own, which ends with the turn that called it. */
import assert from 'node:assert/strict';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  hold,
  httpError,
  type LoggedRequest,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { turnSchema } from '../../src/gateway/http/turn-schemas.ts';
import { until } from '../support/until.ts';
import type { Viewer } from '../support/viewer.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';
import { z } from 'zod';

const agents = () =>
  readAgentConfig(
    defineConfig({
      tools: {
        erase: defineTool({ description: 'Erases.', input: z.object({}), needsApproval: true, run: () => 'erased' }),
      },
      agents: {
        lead: { model: 'lead-model', tools: ['agent:helper'] },
        frugal: { model: 'lead-model', tools: ['agent:helper'], limits: { steps: 3, costUsd: 9 } },
        helper: { model: 'helper-model', description: 'Knows the weather.', instructions: 'Be brief.', tools: ['agent:clerk', 'erase'] },
        clerk: { model: 'clerk-model' },
      },
      prices: Object.fromEntries(['lead-model', 'helper-model', 'clerk-model'].map((model) => [model, { input: 0, output: 500_000 }])),
    }),
  );

type Answers = { readonly [model: string]: readonly Script[] };

/** A model server that answers each model's requests in the order of its list. */
function answering(answers: Answers): WorldOptions {
  return {
    agents,
    model: () => {
      const counts = new Map<string, number>();
      return {
        fallback: (request: LoggedRequest): Script => {
          const { model } = request.body as { readonly model: string };
          const count = counts.get(model) ?? 0;
          counts.set(model, count + 1);
          return answers[model]?.[count] ?? chatAnswer('never');
        },
      };
    },
  };
}

const call = (id: string, input: string, name = 'helper'): Script => chatToolCalls({ id, name, arguments: { input } });

interface Timeline {
  readonly id: string;
  readonly status: string;
  readonly parent?: { readonly id: string; readonly call_id: string };
  readonly usage: { readonly total_tokens: number } | null;
  readonly steps: readonly {
    readonly kind: string;
    readonly calls?: readonly { readonly turn?: string; readonly outcome: string; readonly runs: number; readonly usage?: object }[];
  }[];
}

async function timeline(world: World, id: string): Promise<Timeline> {
  const { status, body } = await world.call('GET', `/turns/${id}`);
  assert.equal(status, 200);
  turnSchema.parse(body);
  return body as unknown as Timeline;
}

const callsOf = ({ steps }: Timeline) => steps.flatMap(({ calls = [] }) => calls);

/** The id of the turn of its first call, once there is one. */
async function childOf(world: World, { id }: Viewer): Promise<string> {
  let child: string | undefined;
  await until(async () => (child = callsOf(await timeline(world, id))[0]?.turn) !== undefined);
  return child ?? '';
}

function itemOf(viewer: Viewer): {
  readonly output: string | null;
  readonly error: { readonly content: readonly { readonly text: string }[] } | null;
} {
  const item = viewer.last.response.output.find(({ type }) => type === 'mcp_call');
  assert.ok(item);
  return item as never;
}

const modelsOf = (world: World): string[] => world.model.requests.map(({ body }) => (body as { readonly model: string }).model);

story(
  'a call of an agent is a turn of its own: its answer is the call’s output, both name each other, its tokens are counted with its caller’s',
  async (world) => {
    const viewer = await world.hear('Weather?', { model: 'lead' });
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'It snows.']);
    assert.equal(itemOf(viewer).output, 'Snow.');
    const own = await timeline(world, viewer.id);
    const [call] = callsOf(own);
    const child = await timeline(world, call?.turn ?? '');
    assert.deepEqual(child.parent, { id: viewer.id, call_id: 'c1' });
    assert.equal(child.status, 'completed');
    assert.equal(own.usage?.total_tokens, 2 * Number(child.usage?.total_tokens) + Number(child.usage?.total_tokens));
    const watcher = await world.watch(child.id);
    await watcher.ended;
    assert.equal(watcher.text, 'Snow.', 'it is followed by its id');
    const asked = world.model.requests[1]?.body as { readonly messages: unknown } | undefined;
    assert.deepEqual(asked?.messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Oslo?' },
    ]);
    assert.deepEqual(modelsOf(world), ['lead-model', 'helper-model', 'lead-model']);
  },
  answering({ 'lead-model': [call('c1', 'Oslo?'), chatAnswer('It snows.')], 'helper-model': [chatAnswer('Snow.')] }),
);

story(
  'T5 · a cancel of the turn reaches the agents that it called, and those that they called: their sockets are closed',
  async (world) => {
    const viewer = await world.say('go', { model: 'lead' });
    const child = await childOf(world, viewer);
    await world.model.reached('clerk');
    await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    await viewer.ended;
    assert.equal(viewer.last.response.status, 'cancelled');
    await world.model.clientClosed(3);
    await until(async () => (await timeline(world, child)).status === 'cancelled');
    const [grandchild] = callsOf(await timeline(world, child));
    await until(async () => (await timeline(world, grandchild?.turn ?? '')).status === 'cancelled');
    assert.equal(world.model.requests.length, 3);
  },
  answering({
    'lead-model': [call('c1', 'go')],
    'helper-model': [call('c2', 'go on', 'clerk')],
    'clerk-model': [[sseHead, chat.content('on my way'), hold('clerk'), stall]],
  }),
);

story(
  'a turn that fails while agents work for it stops them',
  async (world) => {
    let child: string | undefined;
    // On a machine that has other work too the time may be over before the other agent begins: then it is said again.
    while (child === undefined) {
      const viewer = await world.hear('go', { model: 'lead' });
      assert.equal(viewer.last.response.error?.code, 'turn_timeout');
      child = callsOf(await timeline(world, viewer.id))[0]?.turn;
    }
    const called = child;
    await until(async () => (await timeline(world, called)).status === 'cancelled');
  },
  {
    agents,
    model: () => ({
      fallback: ({ body }) =>
        (body as { readonly model: string }).model === 'lead-model' ? call('c1', 'go') : [sseHead, chat.content('on my way'), stall],
    }),
    limits: { turnTimeoutMs: 2_000 },
  },
);

story(
  'an agent that fails is an error of the call, with its code, and the turn goes on',
  async (world) => {
    const viewer = await world.hear('go', { model: 'lead' });
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Too bad.']);
    assert.match(itemOf(viewer).error?.content[0]?.text ?? '', /^The agent "helper" failed \(provider_rejected\)\./);
  },
  answering({ 'lead-model': [call('c1', 'go'), chatAnswer('Too bad.')], 'helper-model': [httpError(400)] }),
);

story(
  'an agent that needs an approval is an error of the call that names its turn, where the approval is given',
  async (world) => {
    const viewer = await world.hear('go', { model: 'lead' });
    const child = callsOf(await timeline(world, viewer.id))[0]?.turn ?? '';
    const words = itemOf(viewer).error?.content[0]?.text ?? '';
    const asked = /erase with \{\} \((mcpr_\w+)\)/.exec(words);
    assert.ok(asked, words);
    assert.ok(words.includes(`previous_response_id "${child}"`), words);
    const answer = { type: 'mcp_approval_response', approval_request_id: asked[1], approve: true };
    const { body } = await world.call('POST', '/v1/responses', { model: 'helper', previous_response_id: child, input: [answer] });
    const output = body['output'] as { readonly type: string; readonly output?: string }[];
    assert.deepEqual(
      output.map(({ type, output }) => [type, output]),
      [
        ['mcp_call', 'erased'],
        ['message', undefined],
      ],
    );
  },
  answering({
    'lead-model': [call('c1', 'go'), chatAnswer('You decide.')],
    'helper-model': [chatToolCalls({ id: 'e1', name: 'erase', arguments: {} }), chatAnswer('Done.')],
  }),
);

story(
  'T14 · a turn that waits for an agent leaves its room to it: one that fills its process waits for nobody',
  async (world) => {
    const viewer = await world.hear('go', { model: 'lead' });
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Thanks.']);
  },
  {
    ...answering({
      'lead-model': [call('c1', 'go'), chatAnswer('Thanks.')],
      'helper-model': [[sseHead, chat.content('Here'), chat.finish(), done, end]],
    }),
    maxAttempts: 2,
  },
);

story(
  'what is not to be stored is not stored of the agents that are called either',
  async (world) => {
    const viewer = await world.hear('go', { model: 'lead', store: false });
    assert.equal(itemOf(viewer).output, 'Here.');
    const { body } = await world.call('GET', '/turns');
    assert.deepEqual(body['data'], []);
  },
  answering({ 'lead-model': [call('c1', 'go'), chatAnswer('Thanks.')], 'helper-model': [chatAnswer('Here.')] }),
);

story(
  'an agent that is called draws on its caller’s budget, and what it took is counted there',
  async (world) => {
    const viewer = await world.hear('go', { model: 'frugal' });
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'Thanks.']);
    const own = await timeline(world, viewer.id);
    const child = await world.store.readTurn(callsOf(own)[0]?.turn ?? '');
    // What it takes is counted against the limits of its caller, which hold for both together.
    assert.deepEqual(child?.settings.budget?.caller, { steps: 3, costUsd: 9 });
    assert.equal(
      (world.model.requests[2]?.body as { readonly tool_choice?: unknown } | undefined)?.tool_choice,
      'none',
      'its third step is the last',
    );
    assert.equal((own.usage as { readonly cost_usd?: number } | null)?.cost_usd, 3);
  },
  answering({ 'lead-model': [call('c1', 'go'), chatAnswer('Thanks.')], 'helper-model': [chatAnswer('Here.')] }),
);

story(
  'an agent that takes more than its caller has left is over budget itself, and its caller’s next request is not sent',
  async (world) => {
    const viewer = await world.hear('go', { model: 'frugal' });
    assert.deepEqual([viewer.last.response.status, viewer.last.response.error?.code], ['failed', 'budget_exceeded']);
    assert.match(itemOf(viewer).error?.content[0]?.text ?? '', /failed \(budget_exceeded\)/);
    assert.deepEqual(modelsOf(world), ['lead-model', 'helper-model', 'clerk-model']);
  },
  answering({
    'lead-model': [call('c1', 'go')],
    'helper-model': [call('c2', 'go on', 'clerk')],
    'clerk-model': [chatAnswer('Here.')],
  }),
);
