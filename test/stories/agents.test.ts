/** A turn of several steps: the model, its tools, the model again. */
import assert from 'node:assert/strict';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { type AgentTurnInput, agentTurnType, workflowIdOf } from '../../src/contract/workflows.ts';
import { chat, chatAnswer, chatToolCalls, done, end, sseHead } from '../../src/testing/model-server/index.ts';
import { post } from '../support/post.ts';
import { until } from '../support/until.ts';
import type { FinalResponse, Viewer } from '../support/viewer.ts';
import type { World } from '../support/world.ts';
import { agentStory, bigResult, call, helper, itemsOf, keys, shown, told } from './agent-story.ts';

async function historyOf(world: World, id: string): Promise<{ readonly events: number; readonly bytes: number; readonly words: string }> {
  const history = await world.history(id);
  const { historyLength, historySize } = await world.temporal.workflow.getHandle(workflowIdOf(await world.ownId(id))).describe();
  return { events: historyLength, bytes: historySize ?? Number.NaN, words: JSON.stringify(history) };
}

agentStory(
  'three steps with two tools side by side: each is asked once with what the steps before left, and told in its order',
  async (world, tools) => {
    world.model.enqueue(
      chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'held', 'two')),
      [
        sseHead,
        chat.content('Now '),
        chat.toolCall(0, { id: 'c3', name: 'echo', arguments: '{"name":"three"}' }),
        chat.finish('tool_calls'),
        chat.usage(),
        done,
        end,
      ],
      chatAnswer('done'),
    );
    const viewer = await world.say('go', helper);
    await tools.begun('two');
    await viewer.until(({ types }) => types.includes('response.mcp_call.completed'));
    assert.equal(
      viewer.types.filter((type) => type === 'response.mcp_call.completed').length,
      1,
      'what is done is shown while the other runs',
    );
    tools.release('two');
    await viewer.ended;
    assert.deepEqual(shown(viewer), [
      ['mcp_call', 'completed'],
      ['mcp_call', 'completed'],
      ['message', 'completed'],
      ['mcp_call', 'completed'],
      ['message', 'completed'],
    ]);
    assert.deepEqual([viewer.last.type, viewer.last.response.usage?.output_tokens, viewer.isDone], ['response.completed', 6, true]);
    assert.deepEqual(told(world, 2), [
      ['system', 'Help.'],
      ['user', 'go'],
      ['assistant', ['c1', 'c2']],
      ['tool', 'echo of one', 'c1'],
      ['tool', 'two went on', 'c2'],
      ['assistant', ['c3']],
      ['tool', 'echo of three', 'c3'],
    ]);
    assert.deepEqual([world.model.requests.length, tools.runs.length], [3, 3]);
  },
);

agentStory(
  'T2 · a run that was begun by hand at a later step waits for the one in front, and nothing is asked twice',
  async (world, tools) => {
    world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')), chatAnswer('done'));
    const viewer = await world.say('go', helper);
    await tools.begun('one');
    const turn = await world.ownId(viewer.id);
    const { heartbeatTimeoutMs, turnTimeoutMs } = world.config.limits;
    const input: AgentTurnInput = { turn, database: world.store.databaseId, heartbeatTimeoutMs, turnTimeoutMs, step: 3 };
    const { taskQueue } = world.config;
    const byHand = await world.temporal.workflow.start(agentTurnType, { workflowId: `by-hand/${turn}`, taskQueue, args: [input] });
    // Its activity is on a worker, and has looked at the turn.
    await until(async () => ((await byHand.describe()).raw.pendingActivities ?? []).some(({ lastStartedTime }) => lastStartedTime != null));
    tools.release('one');
    await viewer.ended;
    assert.equal(viewer.last.response.status, 'completed');
    await byHand.result();
    assert.deepEqual([tools.named('held'), world.model.requests.length], [['one'], 2]);
    assert.deepEqual(
      (await world.attempts(viewer.id)).map(({ step, attempt }) => [step, attempt]),
      [
        [1, 1],
        [2, 1],
      ],
    );
  },
);

agentStory('T11 · a round of tools costs 6 events, and neither arguments nor results nor prompts are in the history', async (world) => {
  world.model.enqueue(
    chatToolCalls(call('c1', 'echo', 'secret words one')),
    chatToolCalls(call('c2', 'echo', 'secret words two')),
    chatAnswer('secret words'),
  );
  const viewer = await world.hear('secret words', helper);
  const plain = await world.hear('secret words', { model: 'scripted' });
  const [withTools, without] = [await historyOf(world, viewer.id), await historyOf(world, plain.id)];
  assert.ok(withTools.events <= without.events + 2 * 6, `${withTools.events} events, ${without.events} without tools`);
  assert.ok(withTools.bytes < 4_096, `${withTools.bytes} bytes`);
});

agentStory('a call that cannot be made goes back to the model as an error, and nothing is mended', async (world, tools) => {
  world.model.enqueue(
    chatToolCalls(
      { id: 'c1', name: 'echo', arguments: { nam: 'x' } },
      call('c2', 'nothing'),
      call('c3', 'broken', 'it'),
      call('c4', 'slow', 'never'),
    ),
    chatAnswer('sorry'),
  );
  const viewer = await world.hear('go', helper);
  assert.deepEqual(shown(viewer), [...Array.from({ length: 4 }, () => ['mcp_call', 'failed']), ['message', 'completed']]);
  const outputs = told(world, 1).slice(-4) as [string, string, string][];
  assert.match(outputs[0]?.[1] ?? '', /^Error: .*name/);
  assert.match(outputs[1]?.[1] ?? '', /^Error: There is no tool 'nothing'/);
  assert.deepEqual(
    outputs.slice(2).map(([, text]) => text),
    ['Error: it is broken', 'Error: timed out after 0.02 s'],
  );
  assert.deepEqual(tools.named('echo'), []);
});

agentStory('a function of the client beside a worker’s tools: those run first, then the turn ends with the call', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'held', 'mine'), call('c2', 'yours')), chatAnswer('done'));
  const own = [{ type: 'function', name: 'yours', parameters: { type: 'object', properties: {} } }];
  const conversation = await world.session();
  const viewer = await world.say('go', { ...helper, tools: own, conversation });
  await tools.begun('mine');
  assert.equal(world.model.requests.length, 1);
  tools.release('mine');
  await viewer.ended;
  assert.equal(viewer.last.response.status, 'completed');
  assert.deepEqual(new Set(itemsOf(viewer.last.response).map(({ type }) => type)), new Set(['mcp_call', 'function_call']));
  assert.equal(world.model.requests.length, 1);
  const output = { type: 'function_call_output', call_id: 'c2', output: 'yours, done' };
  const next = await post(world.url, { ...helper, tools: own, conversation, input: [output] });
  assert.equal(next.json?.['status'], 'completed');
  const outputs = told(world, 1).filter((message) => (message as string[])[0] === 'tool') as [string, string, string][];
  assert.deepEqual(
    new Map(outputs.map(([, text, id]) => [id, text])),
    new Map([
      ['c1', 'mine went on'],
      ['c2', 'yours, done'],
    ]),
  );
  assert.deepEqual(tools.named('held'), ['mine']);
});

agentStory('T14 · a result that is too long for the model is cut with a note, and stored whole', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'big')), chatAnswer('long'));
  const viewer = await world.hear('go', helper);
  const [, text = ''] = told(world, 1).at(-1) as string[];
  assert.ok(
    Buffer.byteLength(text) < 263_000 && /cut/.test(text.slice(-200)),
    `${Buffer.byteLength(text)} bytes, ends with ${text.slice(-100)}`,
  );
  assert.equal(await world.toolResult(viewer.id, 0), bigResult);
  assert.equal(viewer.last.response.status, 'completed');
});

agentStory(
  'GET /turns/{id} shows the runs of a call, and leads to all that it came to, for nobody but its tenant',
  async (world) => {
    const of = (name: string) => ({ headers: { authorization: `Bearer secret of ${name}` } });
    world.model.enqueue(chatToolCalls(call('c1', 'big')), chatAnswer('long'));
    const { json } = await post(world.url, { ...helper, input: 'go' }, of('ann').headers);
    const turn = await fetch(`${world.url}/turns/${String(json?.['id'])}`, of('ann'));
    const { steps } = (await turn.json()) as {
      steps: { kind: string; calls?: { result: string; attempts: { outcome: string; worker: string }[] }[] }[];
    };
    const [called] = steps.find(({ kind }) => kind === 'tools')?.calls ?? [];
    assert.deepEqual(
      called?.attempts.map(({ outcome, worker }) => [outcome, worker.length > 0]),
      [['completed', true]],
    );
    const path = `${world.url}${called?.result ?? ''}`;
    const whole = await fetch(path, of('ann'));
    assert.deepEqual(
      ['content-type', 'x-content-type-options', 'content-length'].map((name) => whole.headers.get(name)),
      ['text/plain; charset=utf-8', 'nosniff', String(Buffer.byteLength(bigResult))],
    );
    assert.equal(await whole.text(), bigResult);
    for (const [url, who] of [
      [path, 'bob'],
      [path.replace(/0$/, '1'), 'ann'],
      [path.replace(/0$/, '-1'), 'ann'],
      [path.replace(/0$/, 'c1'), 'ann'],
    ] as const) {
      const refused = await fetch(url, of(who));
      await refused.text();
      assert.equal(refused.status, 404, url);
    }
  },
  { config: { apiKeys: keys } },
);

agentStory('an agent’s turn that is not to be stored runs like any other', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), chatAnswer('done'));
  const viewer = await world.hear('go', { ...helper, store: false });
  assert.deepEqual([viewer.last.response.status, viewer.text, tools.named('echo')], ['completed', 'done', ['one']]);
  assert.equal((await world.call('GET', `/v1/responses/${viewer.id}`)).status, 404);
});

agentStory('a worker whose configuration is another one says what it lacks, and does not guess', async (world) => {
  const other = readAgentConfig(defineConfig({ agents: { other: { model: 'scripted' } } }));
  const [own] = world.workers;
  own?.shutdown();
  await own?.stopped;
  await world.startWorker(world.openStore(), {}, other);
  await world.startGateway(null);
  const url = world.gateways[1]?.url ?? '';
  for (const [model, lack] of [
    ['helper', /no .echo./],
    ['elsewhere', /provider 'other'|no .echo./],
  ] as const) {
    const { json } = await post(url, { model, input: 'go' });
    const { status, error } = json as unknown as FinalResponse;
    assert.deepEqual([status, error?.code], ['failed', 'tool_failed']);
    assert.match(error?.message ?? '', lack);
    assert.match(error?.message ?? '', /turnkeep\.config\.ts/);
  }
  assert.equal(world.model.requests.length, 0);
});

agentStory(
  'the time of a turn ends in a tool too: the turn fails, and its call is cut off',
  async (world, tools) => {
    let viewer: Viewer | undefined;
    // On a machine that has other work too the time may be over before the tool begins: then it is said again.
    while (tools.runs.length === 0) {
      world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')));
      viewer = await world.hear('go', helper);
      assert.deepEqual([viewer.last.response.status, viewer.last.response.error?.code], ['failed', 'turn_timeout']);
    }
    assert.deepEqual(viewer && shown(viewer), [['mcp_call', 'incomplete']]);
    assert.equal((await tools.begun('one')).context.signal.aborted, true);
  },
  { limits: { turnTimeoutMs: 2_000 } },
);
