/** `@langchain/openai`: ChatOpenAI over the Responses API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatOpenAI } from '@langchain/openai';
import { HumanMessage } from '@langchain/core/messages';
import { World } from '../support/world.ts';

test('LangChain: ChatOpenAI over Responses, invoked, streamed and chained', async () => {
  await using world = await World.open();
  const model = new ChatOpenAI({
    model: 'scripted',
    apiKey: 'none',
    useResponsesApi: true,
    maxRetries: 0,
    configuration: { baseURL: `${world.url}/v1` },
  });
  const answer = await model.invoke([new HumanMessage('hi')]);
  assert.equal(answer.text, 'Hello world');
  assert.partialDeepStrictEqual(answer.usage_metadata, { total_tokens: 5 });
  const pieces: string[] = [];
  for await (const chunk of await model.stream('hi')) pieces.push(chunk.text);
  assert.deepEqual(
    pieces.filter((piece) => piece !== ''),
    ['Hello', ' world'],
  );
  await model.invoke('and now?', { previous_response_id: String(answer.response_metadata['id']) });
  assert.equal((world.model.requests[2]!.body as { messages: unknown[] }).messages.length, 3);
});
