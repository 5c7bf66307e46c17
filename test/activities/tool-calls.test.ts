/** T8 · tool calls leave a step only after the provider's finish, and as the provider wrote them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputItem } from '../../src/domain/item.ts';
import { chat, done, end, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { sceneOf } from './support.ts';

const say = (): ResponsesWriter => new ResponsesWriter();
const bytes = '{"city": "Par';
const cut: OutputItem['status'][] = ['incomplete'];

const chatCall = [sseHead, chat.role(null), chat.toolCall(0, { id: 'call_a', name: 'look' }), chat.toolCall(0, { arguments: bytes })];
function responsesCall(ending: (writer: ResponsesWriter) => Script): Script {
  const writer = say();
  return [sseHead, ...writer.begin(), ...writer.functionCall('call_a', 'look', bytes), ...ending(writer), end];
}

type Row = readonly [api: 'chat' | 'responses', script: Script, status: string, calls: OutputItem['status'][]];
const rows: Readonly<Record<string, Row>> = {
  'chat: the end is stated, and the arguments are broken JSON': [
    'chat',
    [...chatCall, chat.finish('tool_calls'), done, end],
    'failed',
    cut,
  ],
  'responses: proved, though the arguments are broken JSON': ['responses', responsesCall((writer) => writer.completed()), 'failed', cut],
  'chat: cut off by the length limit': ['chat', [...chatCall, chat.finish('length'), done, end], 'incomplete', cut],
  'responses: cut off by the length limit': ['responses', responsesCall((writer) => writer.incomplete()), 'incomplete', cut],
  'chat: an end without a finish': ['chat', [...chatCall, done, end], 'failed', cut],
  'responses: the call is done, the answer is not': ['responses', responsesCall((writer) => writer.close()), 'failed', cut],
};

for (const [name, [api, script, status, calls]] of Object.entries(rows)) {
  test(`T8 · ${name}: the call is ${calls.join()}`, async () => {
    await using at = await sceneOf({ api, scripts: [script] });
    await at.attempt();
    const turn = await at.store.readTurn('resp_a');
    assert.equal(turn?.status, status);
    assert.deepEqual(
      (await at.store.readResponse('resp_a'))?.output.map(
        (item) => item.type === 'function_call' && [item.call_id, item.name, item.arguments, item.status],
      ),
      calls.map((each) => ['call_a', 'look', bytes, each]),
    );
  });
}

test('T14 · a custom call whose arguments go on and show no input ends the turn as too large, with what was shown', async () => {
  const filler = Array.from({ length: 12 }, () => chat.toolCall(0, { arguments: 'x'.repeat(100_000) }));
  const script = [sseHead, chat.toolCall(0, { id: 'call_a', name: 'patch', arguments: '{"other":"' }), ...filler, done, end];
  const tools = [{ type: 'custom', name: 'patch', description: null }] as const;
  await using at = await sceneOf({ api: 'chat', scripts: [script], settings: { tools } });
  assert.deepEqual(await at.attempt(), { status: 'failed', code: 'output_too_large' });
  assert.equal(at.model.requests.length, 1, 'it has started: never again (T2)');
  assert.deepEqual(
    (await at.store.readResponse('resp_a'))?.output.map((item) => item.type === 'custom_tool_call' && [item.name, item.input, item.status]),
    [['patch', '', 'incomplete']],
  );
});
