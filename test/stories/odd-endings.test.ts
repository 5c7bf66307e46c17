/** What a provider says of an answer's end beside the answer: a word that nobody knows, another tier, fields to send back. */
import assert from 'node:assert/strict';
import { chat, done, end, event, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { story } from '../support/world.ts';

const answer: Script = [
  sseHead,
  chat.delta({ reasoning: 'hm' }),
  chat.delta({ tool_calls: [{ index: 0, id: 'a', function: { name: 'look', arguments: '{}' }, extra_content: { signature: 'S' } }] }),
  event({ service_tier: 'flex', choices: [{ index: 0, delta: {}, finish_reason: 'because' }] }),
  done,
  end,
];

story(
  "T8 · an unknown finish reason completes the answer and is noted; the served tier and the provider's own fields are shown",
  async (world) => {
    const client = world.client;
    const response = await client.responses.create({
      model: 'scripted',
      input: 'Hello?',
      service_tier: 'priority',
      tools: [{ type: 'function', name: 'look', parameters: {}, strict: false }],
    });
    assert.deepEqual([response.status, response.service_tier], ['completed', 'flex']);
    assert.deepEqual(
      response.output.map((item) => [item.type, (item as { provider_fields?: unknown }).provider_fields]),
      [
        ['reasoning', { field: 'reasoning' }],
        ['function_call', { extra_content: { signature: 'S' } }],
      ],
    );
    const stored = await client.responses.retrieve(response.id);
    assert.deepEqual([stored.service_tier, stored.output], [response.service_tier, response.output]);
    const turn = (await (await fetch(`${world.url}/turns/${response.id}`)).json()) as { steps: { attempts: { detail?: string }[] }[] };
    assert.deepEqual(
      turn.steps[0]?.attempts.map(({ detail }) => detail),
      ['finish_reason=because'],
    );
  },
  { model: () => ({ fallback: answer }) },
);

const writer = new ResponsesWriter();
const served = event({ type: 'response.completed', response: { status: 'completed', service_tier: 'default', usage: null } });

story(
  'the served tier of a Responses provider is shown',
  async (world) => {
    const response = await world.client.responses.create({ model: 'scripted', input: 'Hello?', service_tier: 'priority' });
    assert.deepEqual([response.status, response.service_tier], ['completed', 'default']);
    const messages = [{ role: 'user', content: 'Hello?' }] as const;
    const chat = { model: 'scripted', messages: [...messages], service_tier: 'priority' as const };
    assert.equal((await world.client.chat.completions.create(chat)).service_tier, 'default');
    const streamed = await world.client.chat.completions.stream({ ...chat, stream: true }).finalChatCompletion();
    assert.equal(streamed.service_tier, 'default');
  },
  { api: 'responses', model: () => ({ fallback: [sseHead, ...writer.begin(), ...writer.text('a'), served, end] }) },
);
