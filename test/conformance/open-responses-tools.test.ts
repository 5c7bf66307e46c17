/** The same for turns that end with tool calls, and for the settings that go with tools and formats. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatAnswer, chatToolCalls, responsesToolCalls } from '../../src/testing/model-server/index.ts';
import { assertOpenItem, assertOpenResponse, assertOpenStream } from '../support/open-responses.ts';
import { World } from '../support/world.ts';

const call = { id: 'call_1', name: 'weather', arguments: { city: 'Oslo' } };
const tool = { type: 'function', name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } };

for (const api of ['chat', 'responses'] as const) {
  test(`Open Responses knows every event and item of a turn that ends with tool calls (${api})`, async () => {
    await using world = await World.open({
      api,
      model: () => ({ fallback: (api === 'chat' ? chatToolCalls : responsesToolCalls)(call, { ...call, id: 'call_2' }) }),
    });
    const conversation = await world.session();
    const viewer = await world.hear('what is the weather?', { tools: [tool], parallel_tool_calls: true, conversation });
    assert.equal(viewer.last.response.status, 'completed');
    assert.deepEqual(
      viewer.last.response.output.map((item) => item.type),
      ['function_call', 'function_call'],
    );
    assertOpenStream(viewer.events);
    const outputs = ['call_1', 'call_2'].map((call_id) => ({ type: 'function_call_output', call_id, output: 'rain' }));
    await world.call('POST', `/v1/conversations/${conversation}/items`, { items: outputs });
    const { body } = await world.call('GET', `/v1/conversations/${conversation}/items?order=asc`);
    const items = body['data'] as { type: string }[];
    assert.deepEqual(
      items.map(({ type }) => type),
      ['message', 'function_call', 'function_call', 'function_call_output', 'function_call_output'],
    );
    for (const item of items) assertOpenItem(item);
  });
}

test('Open Responses knows a response to every setting that it has', async () => {
  await using world = await World.open({ api: 'responses', model: () => ({ fallback: responsesToolCalls(call) }) });
  const settings: Record<string, unknown>[] = [
    { tools: [tool], tool_choice: 'required' },
    { tools: [tool], tool_choice: { type: 'function', name: 'weather' } },
    { tools: [{ ...tool, strict: true, description: 'the weather of a city' }], tool_choice: 'none', parallel_tool_calls: false },
    { text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' }, strict: true }, verbosity: 'low' } },
    { text: { format: { type: 'json_schema', name: 'answer', schema: { type: 'object' } } } },
    { reasoning: { effort: 'low', summary: 'auto' }, truncation: 'auto', service_tier: 'default' },
    { safety_identifier: 'somebody', prompt_cache_key: 'a key', max_tool_calls: 3 },
    { store: false },
  ];
  for (const setting of settings) {
    const viewer = await world.hear('hi', setting);
    assertOpenStream(viewer.events);
    assertOpenResponse(viewer.last.response);
  }
});

test('Open Responses knows the items of a conversation of images, files and refusals', async () => {
  await using world = await World.open({ model: () => ({ fallback: chatAnswer('I see') }) });
  const items = [
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'what is this?' },
        { type: 'input_image', image_url: 'data:image/png;base64,iVBORw0KGgo=' },
        { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' },
      ],
    },
    { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }] },
  ];
  const { status, body } = await world.call('POST', '/v1/conversations', { items });
  assert.equal(status, 200, JSON.stringify(body));
  const { body: list } = await world.call('GET', `/v1/conversations/${String(body['id'])}/items?order=asc`);
  const listed = list['data'] as unknown[];
  assert.equal(listed.length, 3);
  for (const item of listed) assertOpenItem(item);
});
