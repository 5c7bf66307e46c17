/** `@langchain/openai`: tools, by Responses and by Chat Completions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatOpenAI } from '@langchain/openai';
import { type BaseMessage, HumanMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { z } from 'zod';
import { World } from '../support/world.ts';
import { weatherModel, weatherOf } from './weather.ts';

const weather = tool(({ city }: { city: string }) => weatherOf(city), {
  name: 'weather',
  description: 'the weather of a city',
  schema: z.object({ city: z.string() }),
});

function chatOpenAI(world: World, useResponsesApi: boolean): ChatOpenAI {
  return new ChatOpenAI({
    model: 'scripted',
    apiKey: 'none',
    useResponsesApi,
    maxRetries: 0,
    configuration: { baseURL: `${world.url}/v1` },
  });
}

for (const useResponsesApi of [true, false]) {
  const api = useResponsesApi ? 'Responses' : 'Chat Completions';

  test(`LangChain: tools over ${api}, the history sent again`, async () => {
    await using world = await World.open({ model: weatherModel });
    const model = chatOpenAI(world, useResponsesApi).bindTools([weather]);
    const messages: BaseMessage[] = [new HumanMessage('what is the weather?')];
    const asking = await model.invoke(messages);
    assert.deepEqual(
      asking.tool_calls?.map(({ name, args }) => [name, args]),
      [
        ['weather', { city: 'Oslo' }],
        ['weather', { city: 'Rome' }],
      ],
    );
    messages.push(asking);
    for (const call of asking.tool_calls ?? []) messages.push(await weather.invoke({ ...call, type: 'tool_call' }));
    assert.equal((await model.invoke(messages)).text, 'It is snow and sun.');
  });

  test(`LangChain: calls streamed over ${api}`, async () => {
    await using world = await World.open({ model: weatherModel });
    const model = chatOpenAI(world, useResponsesApi).bindTools([weather]);
    let whole;
    for await (const chunk of await model.stream('what is the weather?')) whole = whole === undefined ? chunk : whole.concat(chunk);
    assert.deepEqual(
      whole?.tool_calls?.map(({ args }) => args),
      [{ city: 'Oslo' }, { city: 'Rome' }],
    );
  });
}

test('LangChain: ChatOpenAI over Chat Completions, invoked and streamed', async () => {
  await using world = await World.open();
  const model = chatOpenAI(world, false);
  const answer = await model.invoke('hi');
  assert.equal(answer.text, 'Hello world');
  assert.partialDeepStrictEqual(answer.usage_metadata, { total_tokens: 5 });
  const pieces: string[] = [];
  for await (const chunk of await model.stream('hi')) pieces.push(chunk.text);
  assert.deepEqual(
    pieces.filter((piece) => piece !== ''),
    ['Hello', ' world'],
  );
});
