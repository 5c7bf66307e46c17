/** A turn of several steps: the model, its tools, the model again. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { type AgentTurnInput, agentTurnType, workflowIdOf } from '../../src/contract/workflows.ts';
import {
  chat,
  chatAnswer,
  chatToolCalls,
  done,
  end,
  hold,
  httpError,
  reset,
  type Script,
  type ScriptedCall,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { messagesOf } from '../support/cases.ts';
import { errorOf, post } from '../support/post.ts';
import { SocketClient } from '../support/socket-client.ts';
import { steerHeard } from '../support/steers.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { until } from '../support/until.ts';
import { UiChat } from '../support/ui-chat.ts';
import type { FinalResponse, Viewer } from '../support/viewer.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';

const helper = { model: 'helper' };
const keys = ['ann', 'bob'].map((name) => ({ name, hash: createHash('sha256').update(`secret of ${name}`).digest('hex') }));
const bigResult = 'ä'.repeat(200_000);

/** A story with tools of its own. */
function agentStory(title: string, tell: (world: World, tools: ToolBench) => Promise<void>, options: WorldOptions = {}): void {
  let tools: ToolBench | undefined;
  const agents = () => (tools = new ToolBench(bigResult)).config;
  story(
    title,
    async (world) => {
      assert.ok(tools);
      await tell(world, tools);
    },
    { ...options, agents },
  );
}

function call(id: string, tool: string, name = id): ScriptedCall {
  return { id, name: tool, arguments: { name } };
}

/** What the model is told in a request, in short: role, text or the names of calls, and whose output it is. */
function told(world: World, request: number): readonly unknown[] {
  return messagesOf(world.model.requests[request]).map((message) => {
    const { role, content, tool_calls: calls, tool_call_id: id } = message as unknown as Told;
    return [role, ...(calls === undefined ? [content] : [calls.map((each) => each.id)]), ...(id === undefined ? [] : [id])];
  });
}

interface Told {
  readonly role: string;
  readonly content: string | null;
  readonly tool_calls?: readonly { readonly id: string }[];
  readonly tool_call_id?: string;
}

interface CallItem {
  readonly id: string;
  readonly type: string;
  readonly status?: string;
  readonly name?: string;
  readonly output?: string | null;
  readonly error?: { readonly content: readonly { readonly text: string }[] } | null;
}

function itemsOf({ output }: FinalResponse): readonly CallItem[] {
  return output as readonly unknown[] as readonly CallItem[];
}

/** Type and status of each item. */
function shown({ last }: Viewer): readonly unknown[] {
  return itemsOf(last.response).map(({ type, status }) => [type, status]);
}

async function historyOf(world: World, id: string): Promise<{ readonly events: number; readonly bytes: number; readonly words: string }> {
  const history = await world.history(id);
  const { historyLength, historySize } = await world.temporal.workflow.getHandle(workflowIdOf(world.ownId(id))).describe();
  return { events: historyLength, bytes: historySize ?? Number.NaN, words: JSON.stringify(history) };
}

function assertPrefix(viewer: Viewer, whole: Viewer, from: number): void {
  assert.deepEqual(viewer.data, whole.data.slice(from));
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
    const turn = world.ownId(viewer.id);
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
  assert.equal(world.toolResult(viewer.id, 0), bigResult);
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

interface Asked {
  readonly id: string;
  readonly requests: readonly string[];
}

/** A turn that ends with requests for approvals of mails to these. */
async function ask(world: World, body: Record<string, unknown>, ...names: readonly string[]): Promise<Asked> {
  world.model.enqueue(chatToolCalls(...names.map((name) => call(`mail_${name}`, 'mail', name))));
  const viewer = await world.hear('write', { ...helper, ...body });
  const items = itemsOf(viewer.last.response);
  assert.deepEqual(
    items.map(({ type }) => type),
    names.map(() => 'mcp_approval_request'),
  );
  return { id: viewer.id, requests: items.map(({ id }) => id) };
}

function answerTo(id: string | undefined, approve: boolean, reason?: string): object {
  return { type: 'mcp_approval_response', approval_request_id: id, approve, ...(reason === undefined ? {} : { reason }) };
}

agentStory('approvals: one is agreed to and one refused in one input, by another gateway, in a conversation', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann', 'bob');
  assert.deepEqual(tools.runs, []);
  const elsewhere = await world.startGateway();
  world.model.enqueue(chatAnswer('one is sent'));
  const input = [answerTo(requests[0], true), answerTo(requests[1], false, 'not him')];
  const next = await post(elsewhere.url, { ...helper, conversation, input });
  assert.deepEqual([next.status, next.json?.['status']], [200, 'completed']);
  assert.deepEqual(tools.named('mail'), ['ann']);
  const outputs = told(world, 1).filter((message) => (message as string[])[0] === 'tool') as [string, string, string][];
  assert.deepEqual(outputs[0], ['tool', 'sent to ann', 'mail_ann']);
  assert.match(outputs[1]?.[1] ?? '', /refused.*not him/);
  assert.equal(outputs[1]?.[2], 'mail_bob');
  for (const approve of [true, false]) {
    const second = await post(world.url, { ...helper, conversation, input: [answerTo(requests[0], approve)] });
    assert.equal(second.status, 400, second.text);
  }
  assert.deepEqual(tools.named('mail'), ['ann'], 'an approved call runs once');
});

agentStory(
  'approvals by previous_response_id; of what was never asked for, and of another tenant, there are none',
  async (world, tools) => {
    const { id, requests } = await ask(world, {}, 'ann');
    const wrong = await post(world.url, { ...helper, previous_response_id: id, input: [answerTo('mcpr_never', true)] });
    assert.equal(wrong.status, 400);
    const alone = await post(world.url, { ...helper, input: [answerTo(requests[0], true)] });
    assert.equal(alone.status, 400);
    const other = await post(world.url, { model: 'short', previous_response_id: id, input: [answerTo(requests[0], true)] });
    assert.deepEqual(errorOf(other), [400, 'input[0].approval_request_id', 'approval_without_tool'], 'and the call is not used up');
    world.model.enqueue(chatAnswer('sent'));
    const next = await world.hear('', { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)] });
    assert.deepEqual(shown(next), [
      ['mcp_call', 'completed'],
      ['message', 'completed'],
    ]);
    assert.deepEqual(tools.named('mail'), ['ann']);
  },
);

agentStory('approvals in the history of a client that keeps its own are history: nothing is run for them', async (world, tools) => {
  const { id, requests } = await ask(world, {}, 'ann');
  world.model.enqueue(chatAnswer('sent'));
  const next = await world.hear('', { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)] });
  assert.deepEqual(tools.named('mail'), ['ann']);
  const { output } = (await world.call('GET', `/v1/responses/${id}`)).body as { readonly output: readonly object[] };
  const message = (content: string) => ({ role: 'user', content });
  const asked = [message('write'), ...output];
  const fresh = await post(world.url, { ...helper, input: [...asked, answerTo(requests[0], true)] });
  assert.equal(fresh.status, 400, 'what is agreed to now is answered where it was asked');

  world.model.enqueue(chatAnswer('you are welcome'), chatAnswer('as you wish'));
  const history = [...asked, answerTo(requests[0], true), ...itemsOf(next.last.response), message('thanks')];
  const past = await post(world.url, { ...helper, input: history });
  assert.deepEqual([past.status, past.json?.['status']], [200, 'completed'], past.text);
  assert.deepEqual(told(world, 2).slice(1), [
    ['user', 'write'],
    ['assistant', ['mail_ann']],
    ['tool', 'sent to ann', 'mail_ann'],
    ['assistant', 'sent'],
    ['user', 'thanks'],
  ]);
  const refused = await post(world.url, { ...helper, input: [...asked, answerTo(requests[0], false)] });
  assert.equal(refused.json?.['status'], 'completed', refused.text);
  assert.match(JSON.stringify(told(world, 3).at(-1)), /refused/);
  assert.deepEqual(tools.named('mail'), ['ann']);
});

agentStory('a request that is answered twice in one input is a 400 that names the second answer', async (world, tools) => {
  const { id, requests } = await ask(world, {}, 'ann');
  for (const second of [true, false]) {
    const input = [answerTo(requests[0], true), answerTo(requests[0], second)];
    const answer = await post(world.url, { ...helper, previous_response_id: id, input });
    assert.deepEqual(errorOf(answer), [400, 'input[1].approval_request_id', 'approval_answered_twice'], answer.text);
  }
  world.model.enqueue(chatAnswer('sent'));
  const body = { ...helper, previous_response_id: id, input: [answerTo(requests[0], true)], tool_choice: 'none' };
  assert.equal((await post(world.url, body)).json?.['status'], 'completed', 'nothing was used up');
  assert.deepEqual(tools.named('mail'), ['ann'], 'tool_choice is of what the model may call: this it has called before');
});

agentStory('T5 · an approval that was taken back before its call began can be given again', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann');
  const body = { ...helper, conversation, input: [answerTo(requests[0], true)] };
  await world.call('POST', '/v1/responses/resp_early/cancel');
  const early = await post(world.url, body, { 'x-turnkeep-response-id': 'resp_early' });
  assert.deepEqual([early.status, early.json?.['status'], tools.runs], [200, 'cancelled', []], early.text);

  world.model.enqueue([sseHead, chat.content('Hel'), stall]);
  const running = await world.say('one', { ...helper, conversation });
  await running.untilText('Hel');
  const waiting = await world.say('', body);
  for (const { id } of [waiting, running]) await world.call('POST', `/v1/responses/${id}/cancel`);
  await Promise.all([waiting.ended, running.ended]);
  assert.deepEqual([waiting.last.response.status, tools.runs], ['cancelled', []]);

  world.model.enqueue(chatAnswer('sent at last'));
  const last = await post(world.url, body);
  assert.deepEqual([last.status, last.json?.['status'], tools.named('mail')], [200, 'completed', ['ann']], last.text);
  const outputs = told(world, 2).flatMap((message) => ((message as string[])[0] === 'tool' ? [(message as string[])[1]] : []));
  assert.equal(outputs.at(-1), 'sent to ann');
});

agentStory('approvals that nobody answers: the talk goes on, and the model is told', async (world, tools) => {
  const conversation = await world.session();
  const { requests } = await ask(world, { conversation }, 'ann');
  world.model.enqueue(chatAnswer('never mind'));
  const next = await world.hear('something else', { ...helper, conversation });
  assert.equal(next.last.response.status, 'completed');
  assert.deepEqual(
    told(world, 1)
      .slice(2)
      .map((message) => (message as string[])[0]),
    ['assistant', 'tool', 'user'],
  );
  world.model.enqueue(chatAnswer('sent late'));
  const late = await world.hear('', { ...helper, conversation, input: [answerTo(requests[0], true)] });
  assert.equal(late.last.response.status, 'completed');
  assert.deepEqual(tools.named('mail'), ['ann'], 'it may be answered turns later');
  assert.ok(
    told(world, 2).some((message) => (message as string[])[1] === 'sent to ann'),
    JSON.stringify(told(world, 2)),
  );
});

agentStory(
  'T5 · a cancel while a tool runs reaches its signal, and the next turn says that its outcome is unknown',
  async (world, tools) => {
    const conversation = await world.session();
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'held', 'two')));
    const viewer = await world.say('go', { ...helper, conversation });
    const { context } = await tools.begun('two');
    await viewer.until(({ types }) => types.includes('response.mcp_call.completed'));
    const { status, body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    assert.deepEqual([status, body['status']], [200, 'cancelled']);
    assert.equal(context.signal.aborted, true);
    await viewer.ended;
    assert.deepEqual(shown(viewer), [
      ['mcp_call', 'completed'],
      ['mcp_call', 'incomplete'],
    ]);
    tools.release('two');
    world.model.enqueue(chatAnswer('I see'));
    await world.hear('and now', { ...helper, conversation });
    const outputs = told(world, 1).filter((message) => (message as string[])[0] === 'tool') as [string, string, string][];
    assert.deepEqual(
      outputs.map(([, , id]) => id),
      ['c1', 'c2'],
    );
    assert.match(outputs[1]?.[1] ?? '', /outcome is unknown/);
    assert.equal(world.model.requests.length, 2);
  },
);

agentStory('T5 · a cancel in the stream of step 2 keeps what step 1 has shown', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [sseHead, chat.content('Hel'), stall]);
  const viewer = await world.say('go', helper);
  await viewer.untilText('Hel');
  const { body } = await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
  assert.equal(body['status'], 'cancelled');
  await viewer.ended;
  await world.model.clientClosed(2);
  assert.deepEqual(shown(viewer), [
    ['mcp_call', 'completed'],
    ['message', 'incomplete'],
  ]);
});

agentStory(
  'T3 · what goes wrong before step 2 has started is asked again, step 2 alone: a reset, then a busy provider',
  async (world, tools) => {
    const busy = httpError(429, undefined, { 'retry-after': '0' });
    world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [reset], busy, chatAnswer('done'));
    const viewer = await world.hear('go', helper);
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'done']);
    const attempts = await world.attempts(viewer.id);
    assert.deepEqual(
      attempts.map(({ step, attempt, outcome }) => [step, attempt, outcome]),
      [
        [1, 1, 'completed'],
        [2, 1, 'failed'],
        [2, 2, 'failed'],
        [2, 3, 'completed'],
      ],
    );
    assert.deepEqual(tools.named('echo'), ['one']);
    assert.equal(world.model.requests.length, 4);
    assert.deepEqual(world.model.requests.at(-1)?.body, world.model.requests[1]?.body, 'it is the same request');
  },
);

agentStory('T3 · three requests of step 2 that come to nothing end the turn, and what was shown stays', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), [reset], [reset], [reset], chatAnswer('never'));
  const viewer = await world.hear('go', helper);
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', 'transport_failed']);
  assert.deepEqual(shown(viewer), [['mcp_call', 'completed']]);
  assert.equal(world.model.requests.length, 4);
});

agentStory('T2 · a reset after step 2 has started is never asked again, also where nothing of its call was shown', async (world, tools) => {
  const torn: Script = [sseHead, chat.toolCall(0, { id: 'c2', name: 'echo', arguments: '{"na' }), hold('torn'), reset];
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), torn, chatAnswer('never'));
  const viewer = await world.say('go', helper);
  await world.model.reached('torn');
  await world.untilStarted(viewer.id, 2);
  world.model.release('torn');
  await viewer.ended;
  assert.deepEqual([viewer.last.type, viewer.last.response.error?.code], ['response.failed', 'stream_interrupted']);
  assert.deepEqual(shown(viewer), [['mcp_call', 'completed']]);
  assert.deepEqual([tools.named('echo'), world.model.requests.length], [['one'], 2]);
});

agentStory('T7 · viewers from any point, before, during and after, see the same bytes over all steps', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')), chatToolCalls(call('c2', 'held', 'two')), chatAnswer('done'));
  const whole = await world.say('go', helper);
  const viewers: [number, Viewer][] = [];
  for (const name of ['one', 'two']) {
    await tools.begun(name);
    for (const from of [1, 2, whole.events.length]) viewers.push([from, await world.watch(whole.id, from - 1)]);
    tools.release(name);
  }
  await whole.ended;
  for (const from of [1, 5, whole.events.length - 1]) viewers.push([from, await world.watch(whole.id, from - 1)]);
  for (const [from, viewer] of viewers) {
    await viewer.ended;
    assertPrefix(viewer, whole, from);
    assert.equal(viewer.isDone, true);
  }
  assert.deepEqual(
    whole.events.map(({ sequence_number }) => sequence_number),
    whole.events.map((_, index) => index),
  );
  const { body } = await world.call('GET', `/v1/responses/${whole.id}`);
  assert.deepEqual(body['output'], whole.last.response.output);
});

agentStory('an agent’s turn that is not to be stored runs like any other', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one')), chatAnswer('done'));
  const viewer = await world.hear('go', { ...helper, store: false });
  assert.deepEqual([viewer.last.response.status, viewer.text, tools.named('echo')], ['completed', 'done', ['one']]);
  assert.equal((await world.call('GET', `/v1/responses/${viewer.id}`)).status, 404);
});

agentStory('openai’s own stream helper reads a turn with tools and approvals without an error', async (world) => {
  world.model.enqueue(chatToolCalls(call('c1', 'echo', 'one'), call('c2', 'broken', 'two')), chatToolCalls(call('c3', 'mail', 'ann')));
  const stream = world.client.responses.stream({ model: 'helper', input: 'go' });
  const types: string[] = [];
  for await (const { type } of stream) types.push(type);
  const final = await stream.finalResponse();
  assert.deepEqual(
    final.output.map(({ type }) => type),
    ['mcp_call', 'mcp_call', 'mcp_approval_request'],
  );
  assert.equal(types.at(-1), 'response.completed');
});

agentStory(
  'nobody answers for another tenant',
  async (world, tools) => {
    const of = (name: string) => ({ authorization: `Bearer secret of ${name}` });
    world.model.enqueue(chatToolCalls(call('c1', 'mail', 'carl')), chatAnswer('sent'));
    const first = await post(world.url, { ...helper, input: 'write' }, of('ann'));
    const { id, output } = first.json as unknown as FinalResponse;
    const answer = { ...helper, previous_response_id: id, input: [answerTo(itemsOf({ output } as FinalResponse)[0]?.id, true)] };
    assert.equal((await post(world.url, answer, of('bob'))).status, 400);
    const alone = await post(world.url, { ...helper, input: answer.input }, of('bob'));
    assert.deepEqual(errorOf(alone), [400, 'input[0].approval_request_id', 'unknown_approval_request']);
    assert.deepEqual(tools.runs, []);
    assert.equal((await post(world.url, answer, of('ann'))).json?.['status'], 'completed');
    assert.deepEqual(tools.named('mail'), ['carl']);
  },
  { config: { apiKeys: keys } },
);

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

agentStory('a steer while a tool runs: the call has its end, and the response that follows knows of both', async (world, tools) => {
  world.model.enqueue(chatToolCalls(call('c1', 'held', 'one')), chatAnswer('shorter'));
  using socket = await SocketClient.open(world.client);
  socket.create('plan', helper);
  await tools.begun('one');
  const { response } = await socket.untilType('response.created');
  const heard = steerHeard(world, response.id);
  socket.sdk.send({ type: 'response.steer', previous_response_id: response.id, input: 'keep it short' });
  await heard;
  tools.release('one');
  const steered = await socket.untilEnd();
  assert.deepEqual([steered.status, steered.incomplete_details?.reason], ['incomplete', 'steered']);
  assert.deepEqual(
    itemsOf(steered as unknown as FinalResponse).map(({ type, status }) => [type, status]),
    [['mcp_call', 'completed']],
  );
  const next = await socket.untilEnd(socket.types.indexOf('response.incomplete') + 1);
  assert.equal(next.status, 'completed');
  const messages = told(world, 1);
  assert.deepEqual(messages.slice(2, 4), [
    ['assistant', ['c1']],
    ['tool', 'one went on', 'c1'],
  ]);
  assert.deepEqual(messages.at(-1), ['user', 'keep it short']);
  assert.equal(world.model.requests.length, 2);
});

agentStory('Chat Completions with an agent: the tools are the server’s own, and the client sees the answer', async (world, tools) => {
  world.model.enqueue(
    chatToolCalls(call('c1', 'echo', 'one')),
    chatAnswer('first'),
    chatToolCalls(call('c2', 'echo', 'two')),
    chatAnswer('second'),
  );
  const messages: { role: 'user' | 'assistant'; content: string }[] = [{ role: 'user', content: 'go' }];
  const whole = await world.client.chat.completions.create({ model: 'helper', messages });
  assert.deepEqual([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason], ['first', 'stop']);
  messages.push({ role: 'assistant', content: 'first' }, { role: 'user', content: 'on' });
  const runner = world.client.chat.completions.stream({ model: 'helper', messages });
  const streamed = await runner.finalChatCompletion();
  assert.deepEqual([streamed.choices[0]?.message.content, streamed.choices[0]?.finish_reason], ['second', 'stop']);
  assert.deepEqual(tools.named('echo'), ['one', 'two']);
});

agentStory('useChat with an agent: two messages, tools in each, no error', async (world, tools) => {
  world.model.enqueue(
    chatToolCalls(call('c1', 'echo', 'one')),
    chatAnswer('first'),
    chatToolCalls(call('c2', 'echo', 'two')),
    chatAnswer('second'),
  );
  const ui = new UiChat(world.url, `chat of ${world.config.taskQueue}`, { body: helper });
  await ui.sendMessage({ text: 'go' });
  assert.deepEqual([ui.error, ui.text], [undefined, 'first']);
  await ui.sendMessage({ text: 'on' });
  assert.deepEqual([ui.error, ui.text], [undefined, 'second']);
  assert.deepEqual(tools.named('echo'), ['one', 'two']);
  assert.deepEqual(
    told(world, 3).map((message) => (message as string[])[0]),
    ['system', 'user', 'assistant', 'tool', 'assistant', 'user', 'assistant', 'tool'],
  );
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
