/** T13 · one bad turn never poisons a session: what the provider has refused once is told in words from then on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatAnswer, end, head, responsesAnswer, type Script, text } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

const refusal = (param: string): Script => [
  head({ status: 400, headers: { 'content-type': 'application/json' } }),
  text(JSON.stringify({ error: { message: 'no', type: 'invalid_request_error', param, code: 'invalid_value' } })),
  end,
];
const image = { type: 'input_image', image_url: 'https://a.test/gone.png' };
const question = { role: 'user', content: [{ type: 'input_text', text: 'What is it?' }, image] };
const unknown = { type: 'x_search_call', id: 'xs_1', found: 1 };

for (const api of ['chat', 'responses'] as const) {
  const answer = api === 'chat' ? chatAnswer : responsesAnswer;
  const list = api === 'chat' ? 'messages' : 'input';
  const told = (world: World): string => JSON.stringify((world.model.requests.at(-1)!.body as Record<string, unknown>)[list]);

  test(`T1, T13 · the turn behind one that was refused goes on, with all of its words, in a conversation and by its id (${api})`, async () => {
    await using world = await World.open({ api });
    for (const way of ['conversation', 'previous_response_id']) {
      const conversation = await world.session();
      const input = api === 'chat' ? [question] : [question, unknown];
      world.model.enqueue(refusal(`${list}[0].content[1].image_url`), answer('Yes.'));
      const first = await world.hear(input as never, way === 'conversation' ? { conversation } : {});
      const { id, error } = first.last.response;
      assert.deepEqual(
        [error?.code, error?.message],
        ['provider_rejected', error?.message.replace(/\(.*\)/, `(400 invalid_value at ${list}[0])`)],
      );
      assert.ok(told(world).includes('gone.png'));
      const going = way === 'conversation' ? { conversation } : { previous_response_id: id };
      const { body: counted } = await world.call('POST', '/v1/responses/input_tokens', { ...going, input: 'And?' });
      assert.equal(counted['object'], 'response.input_tokens');
      const second = await world.hear('And?', going);
      assert.equal(second.last.response.status, 'completed');
      assert.ok(!told(world).includes('gone.png') && !told(world).includes('"x_search_call"'));
      for (const words of ['What is it?', 'an image that cannot be shown here', ...(api === 'chat' ? [] : ['[x_search_call: '])])
        assert.ok(told(world).includes(words), words);
      if (way !== 'conversation') continue;
      const { body } = await world.call('GET', `/v1/conversations/${conversation}/items?order=asc`);
      assert.deepEqual(
        (body['data'] as { content?: { type: string }[] }[])[0]?.content?.map(({ type }) => type),
        ['input_text', 'input_image'],
      );
    }
  });

  test(`a turn that was refused for one of its tools is told again as it was (${api})`, async () => {
    await using world = await World.open({ api });
    const conversation = await world.session();
    world.model.enqueue(refusal('tools[0].function.parameters'), answer('Yes.'));
    await world.hear([question] as never, { conversation });
    await world.hear('And?', { conversation });
    assert.ok(told(world).includes('gone.png'));
  });
}
