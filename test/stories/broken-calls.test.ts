/** A model that calls a worker's tools badly: its calls go back to it as errors, nothing is run, and the talk goes on. */
import assert from 'node:assert/strict';
import { callDialects } from '../support/call-dialects.ts';
import { errorOf, post } from '../support/post.ts';
import { assertGrammar } from '../support/response-events.ts';
import { ToolBench } from '../support/tool-bench.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';

const helper = { model: 'helper' };
const broken = '{"name": "one", "words": [two]}';

/** A story with tools of its own. */
function agentStory(title: string, tell: (world: World, tools: ToolBench) => Promise<void>, options: WorldOptions = {}): void {
  let tools: ToolBench | undefined;
  story(
    title,
    async (world) => {
      assert.ok(tools);
      await tell(world, tools);
    },
    { ...options, agents: () => (tools = new ToolBench()).config },
  );
}

interface CallItem {
  readonly type: string;
  readonly status?: string;
  readonly arguments?: string;
  readonly output?: string | null;
  readonly error?: { readonly content: readonly { readonly text: string }[] } | null;
}

for (const api of ['chat', 'responses'] as const) {
  const { calls, cut, answer, told } = callDialects[api];

  agentStory(
    `${api}: a call whose arguments are no JSON goes back to the model as an error, and the conversation goes on with it in its past`,
    async (world, tools) => {
      world.model.enqueue(
        calls({ id: 'c1', name: 'echo', arguments: broken }, { id: 'c2', name: 'echo', arguments: '{"name":"two"}' }),
        answer('I will write it again.'),
        answer('Still here.'),
      );
      const conversation = await world.client.conversations.create();
      const viewer = await world.hear('go', { ...helper, conversation: conversation.id });
      assertGrammar(viewer.events);
      const { status, output } = viewer.last.response;
      const [first, second, last] = output as readonly unknown[] as readonly CallItem[];
      assert.deepEqual([status, output.length, last?.type], ['completed', 3, 'message']);
      assert.deepEqual(
        [first?.type, first?.status, first?.arguments, first?.output, second?.status, second?.output],
        ['mcp_call', 'failed', broken, null, 'completed', 'echo of two'],
      );
      assert.match(first?.error?.content[0]?.text ?? '', /^The arguments are not valid JSON: .*\[two\]/);
      assert.deepEqual(tools.named('echo'), ['two']);

      const replayed = await world.watch(viewer.id);
      await replayed.ended;
      assert.deepEqual(replayed.data, viewer.data);

      await world.hear('and now?', { ...helper, conversation: conversation.id });
      assert.equal(world.model.requests.length, 3);
      for (const request of world.model.requests.slice(1)) {
        const [bad, good] = told(request);
        assert.equal(bad?.[0], JSON.stringify({ invalid_arguments: broken }));
        assert.match(bad[1], /^Error: The arguments are not valid JSON: /);
        assert.deepEqual(good, ['{"name":"two"}', 'echo of two']);
      }
    },
    { api },
  );

  agentStory(
    `${api}: a call that is cut off by the length of the answer is not run, and the next turn is told nothing of it`,
    async (world, tools) => {
      world.model.enqueue(cut({ id: 'c1', name: 'echo', arguments: '{"name":"on' }), answer('Again.'));
      const conversation = await world.client.conversations.create();
      const viewer = await world.hear('go', { ...helper, conversation: conversation.id });
      assertGrammar(viewer.events);
      const { status, incomplete_details: details, output } = viewer.last.response;
      assert.deepEqual([status, details?.reason], ['incomplete', 'max_output_tokens']);
      assert.deepEqual(
        output.map((item) => [item.type, item.status, 'arguments' in item ? item.arguments : '']),
        [['mcp_call', 'incomplete', '{"name":"on']],
      );
      await world.hear('and now?', { ...helper, conversation: conversation.id });
      assert.deepEqual([tools.runs, world.model.requests.length, told(world.model.requests[1])], [[], 2, []]);
    },
    { api },
  );
}

agentStory(
  'a function of the client that has the name of a tool of the agent is refused by name, in each protocol',
  async (world, tools) => {
    const parameters = { type: 'object', properties: {} };
    const named = (name: string) => ({ type: 'function', name, parameters });
    const message = /'echo' is taken.*Agent 'helper'.*give it another name/;
    const responses = await post(world.url, { ...helper, input: 'go', tools: [named('mine'), named('echo')] });
    assert.deepEqual(errorOf(responses), [400, 'tools[1]', 'invalid_value']);
    assert.match(responses.text, message);
    const custom = await post(world.url, { ...helper, input: 'go', tools: [{ type: 'custom', name: 'echo' }] });
    assert.deepEqual(errorOf(custom), [400, 'tools[0]', 'invalid_value']);
    const messages = [{ role: 'user' as const, content: 'go' }];
    const completion = world.client.chat.completions.create({
      ...helper,
      messages,
      tools: [{ type: 'function', function: { name: 'echo', parameters } }],
    });
    await assert.rejects(completion, (error: Error & { readonly status?: number }) => error.status === 400 && message.test(error.message));
    assert.deepEqual([world.model.requests.length, tools.runs.length], [0, 0]);
  },
);
