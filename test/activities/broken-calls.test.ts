/** Calls of a worker's tools that cannot be made as the model wrote them: it is told, nothing is mended, and the turn goes on. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { OutputItem } from '../../src/domain/item.ts';
import { promptOf } from '../../src/domain/prompt/prompt.ts';
import { defaultSettings, type Tool } from '../../src/domain/response/response-settings.ts';
import { chat, done, end, event, responsesAnswer, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { callDialects } from '../support/call-dialects.ts';
import { agentScene, tool } from './agent-scene.ts';

const broken = '{"city": "Graz", "days": three}';
const completed = { type: 'final', turn: { status: 'completed', code: null } } as const;

/** Name, arguments, status and what the model is told of each call of a worker's. */
function shown(output: readonly OutputItem[]): readonly unknown[] {
  return output.map((item) =>
    item.type === 'mcp_call' ? [item.name, item.arguments, item.status, item.output ?? item.error?.content[0]?.text] : item.type,
  );
}

for (const api of ['chat', 'responses'] as const) {
  const { calls, cut, answer, told } = callDialects[api];
  void suite(`calls of a worker's tools by a ${api} provider`, () => {
    void test('one whose arguments are no JSON is an error that says where; the one beside it is made, and the turn goes on', async () => {
      const weather = tool('weather', async () => 'sunny');
      const clock = tool('clock', async () => 'noon');
      await using scene = await agentScene({
        api,
        tools: [weather, clock],
        scripts: [
          calls({ id: 'c1', name: 'weather', arguments: broken }, { id: 'c2', name: 'clock', arguments: '{}' }),
          answer('It is noon.'),
        ],
      });
      assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
      assert.deepEqual(await scene.step(2), completed);
      assert.deepEqual([weather.calls, clock.calls, scene.errors], [[], [{}], []]);
      const error = `The arguments are not valid JSON: Unexpected token 'h', ..." "days": three}" is not valid JSON`;
      assert.deepEqual(shown((await scene.response()).output), [
        ['weather', broken, 'failed', error],
        ['clock', '{}', 'completed', 'noon'],
        'message',
      ]);
      assert.deepEqual(told(scene.model.requests[1]), [
        [JSON.stringify({ invalid_arguments: broken }), `Error: ${error}`],
        ['{}', 'noon'],
      ]);
      assert.deepEqual(
        (await scene.store.readToolCalls('resp_a')).map(({ outcome }) => outcome),
        ['failed', 'completed'],
      );
    });

    void test('arguments that are JSON and no object are an error that says so', async () => {
      const weather = tool('weather', async () => 'sunny');
      const texts = ['[1]', '3', '"Graz"', '"{Graz}"'];
      const scripts = [calls(...texts.map((text, at) => ({ id: `c${at}`, name: 'weather', arguments: text }))), answer('Sorry.')];
      await using scene = await agentScene({ api, tools: [weather], scripts });
      assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
      assert.deepEqual(await scene.step(2), completed);
      assert.deepEqual(weather.calls, []);
      const kinds = ['an array', 'a number', 'a string', 'a string'];
      assert.deepEqual(
        told(scene.model.requests[1]),
        texts.map((text, at) => [
          JSON.stringify({ invalid_arguments: text }),
          `Error: The arguments have to be a JSON object, not ${kinds[at]}.`,
        ]),
      );
    });

    void test('one of a tool that nobody has is an error, whatever its arguments', async () => {
      const texts = ['{}', broken];
      const scripts = [calls(...texts.map((text, at) => ({ id: `c${at}`, name: 'wether', arguments: text }))), answer('Sorry.')];
      await using scene = await agentScene({ api, tools: [tool('weather', async () => 'sunny')], scripts });
      assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
      assert.deepEqual(await scene.step(2), completed);
      const error = "There is no tool 'wether'.";
      assert.deepEqual(shown((await scene.response()).output), [
        ['wether', '{}', 'failed', error],
        ['wether', broken, 'failed', error],
        'message',
      ]);
    });

    void test('nobody is asked to approve one that cannot be made', async () => {
      const mail = tool('mail', async () => 'sent', { needsApproval: () => true });
      const scripts = [calls({ id: 'c1', name: 'mail', arguments: '{"to": ' }), answer('Sorry.')];
      await using scene = await agentScene({ api, tools: [mail], scripts });
      assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
      assert.deepEqual(await scene.step(2), completed);
      assert.deepEqual(mail.calls, []);
      assert.deepEqual(
        (await scene.response()).output.map(({ type }) => type),
        ['mcp_call', 'message'],
      );
    });

    void test('T8 · of an answer that was cut off by its length none is made, not even one that is whole', async () => {
      const weather = tool('weather', async () => 'sunny');
      const mail = tool('mail', async () => 'sent', { needsApproval: () => true });
      const scripts = [cut({ id: 'c1', name: 'weather', arguments: '{}' }, { id: 'c2', name: 'mail', arguments: '{"to": "Gr' })];
      await using scene = await agentScene({ api, tools: [weather, mail], scripts });
      assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'incomplete', code: null } });
      assert.deepEqual([weather.calls, await scene.store.readToolCalls('resp_a'), scene.model.requests.length], [[], [], 1]);
      const { status, incomplete_details: details, output } = await scene.response();
      assert.deepEqual([status, details?.reason], ['incomplete', 'max_output_tokens']);
      // What was asked for is shown, as a call of the client's is.
      const notMade = 'The answer was cut off with this call. It was not made.';
      assert.deepEqual(shown(output), [
        ['weather', '{}', 'incomplete', notMade],
        ['mail', '{"to": "Gr', 'incomplete', notMade],
      ]);
      // As of a client's call, the next turn tells the model nothing of it but that the answer was cut off.
      const told = promptOf([{ status, errorCode: null, model: 'scripted', items: output, inputCount: 0 }], [], 'scripted');
      assert.deepEqual(
        told.map(({ type }) => type),
        ['message'],
      );
    });

    void test('T8 · broken arguments of a function of the client are provider_protocol, and no tool is run beside it', async () => {
      const weather = tool('weather', async () => 'sunny');
      const settings = { ...defaultSettings('helper'), tools: [clientFunction('ask')] };
      const scripts = [calls({ id: 'c1', name: 'weather', arguments: '{}' }, { id: 'c2', name: 'ask', arguments: '{"what": ' })];
      await using scene = await agentScene({ api, tools: [weather], scripts, settings: { tools: settings.tools } });
      assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'failed', code: 'provider_protocol' } });
      assert.deepEqual([weather.calls, await scene.store.readToolCalls('resp_a')], [[], []]);
    });
  });
}

function clientFunction(name: string) {
  return { type: 'function', name, description: null, parameters: { type: 'object' }, strict: false } as const;
}

test('what a Responses provider adds to the item of a call does not make it one of the client', async () => {
  const weather = tool('weather', async () => 'sunny');
  const item = { id: 'fc_1', type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{}', caller: { type: 'direct' } };
  const response = { id: 'resp_1', object: 'response', status: 'completed', output: [item] };
  const script: Script = [
    sseHead,
    ...new ResponsesWriter().begin(),
    ...[
      { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', arguments: '' } },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ].map((event) => ({ type: 'text', text: `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n` }) as const),
    end,
  ];
  await using scene = await agentScene({ api: 'responses', tools: [weather], scripts: [script, responsesAnswer('It is sunny.')] });
  assert.deepEqual(await scene.step(1), { type: 'tool_calls' });
  assert.deepEqual(await scene.step(2), completed);
  assert.deepEqual(weather.calls, [{}]);
});

test("T8 · a call of a tool in a namespace of the client is the client's, whenever the namespace is told and however the arguments are written", async () => {
  const twice = JSON.stringify('{"path":"a"}');
  const call = { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'read' };
  const begun = { ...call, status: 'in_progress', arguments: '' };
  const whole = { ...call, status: 'completed', namespace: 'files' };
  const files = { type: 'namespace', name: 'files', description: 'files', tools: [{ type: 'function', name: 'read', parameters: {} }] };
  const told: Readonly<Record<string, readonly [begun: object, arguments: string]>> = {
    'with its beginning, arguments encoded twice': [{ ...begun, namespace: 'files' }, twice],
    'with its end': [begun, '{"path":"a"}'],
    'with its end, arguments encoded twice': [begun, twice],
  };
  for (const [when, [item, args]] of Object.entries(told)) {
    const done = { ...whole, arguments: args };
    const events: readonly object[] = [
      { type: 'response.created', response: { id: 'resp_p', status: 'in_progress', output: [] } },
      { type: 'response.output_item.added', output_index: 0, item },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: args.slice(0, 5) },
      { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 0, delta: args.slice(5) },
      { type: 'response.output_item.done', output_index: 0, item: done },
      { type: 'response.completed', response: { id: 'resp_p', status: 'completed', output: [done] } },
    ];
    const script = [sseHead, ...events.map((data, number) => event({ ...data, sequence_number: number })), end];
    await using scene = await agentScene({
      api: 'responses',
      tools: [tool('look', async () => 'seen')],
      scripts: [script],
      settings: { tools: [files as unknown as Tool] },
    });
    assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'completed', code: null } }, when);
    const { output } = await scene.response();
    assert.deepEqual(
      output.map((each) => (each.type === 'function_call' ? [each.name, each.arguments, Reflect.get(each, 'namespace')] : each.type)),
      [['read', '{"path":"a"}', 'files']],
      when,
    );
    assert.deepEqual(scene.errors, []);
  }
});

test('an answer that was cut off in what it said behind a call has that marked as cut off, and the call is not shown', async () => {
  const call = chat.toolCall(0, { id: 'c1', name: 'weather', arguments: '{}' });
  const script = [sseHead, chat.role(), call, chat.content('I ask'), chat.finish('length'), done, end];
  await using scene = await agentScene({ tools: [tool('weather', async () => 'sunny')], scripts: [script] });
  assert.deepEqual(await scene.step(1), { type: 'final', turn: { status: 'incomplete', code: null } });
  assert.deepEqual(
    (await scene.response()).output.map(({ type, status }) => [type, status]),
    [['message', 'incomplete']],
  );
});
