/** T13 · agents of a reasoning model: each step, turn and called agent goes on from its own thoughts, and no client sees them. */
import assert from 'node:assert/strict';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import { end, type LoggedRequest, ResponsesWriter, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';
import { z } from 'zod';

const look = defineTool({ description: 'Looks.', input: z.object({}), run: () => 'here' });
const encrypted = ['reasoning.encrypted_content'];

const agents = () =>
  readAgentConfig(
    defineConfig({
      tools: { look },
      agents: {
        lead: { model: 'lead-model', tools: ['agent:scout'] },
        scout: { model: 'scout-model', tools: ['look'] },
        other: { model: 'other-model', tools: ['look'] },
      },
    }),
  );

/** Its thought is named after the model and the number of its request: `E scout-model 1`. */
function answered({ body }: LoggedRequest, count: number): Script {
  const { model } = body as { readonly model: string };
  const say = new ResponsesWriter();
  const isCalling = count % 2 === 1;
  const begun = say.begin();
  const thought = say.encryptedReasoning(`E ${model} ${count}`, ...(isCalling ? [] : ['Hm.']));
  const [name, args] = model === 'lead-model' ? ['scout', '{"input":"go"}'] : ['look', '{}'];
  const said = isCalling ? say.functionCall(`c${count}`, name, args) : say.text(`said by ${model}`);
  return [sseHead, ...begun, ...thought, ...said, ...say.completed(), end];
}

const options: WorldOptions = {
  agents,
  api: 'responses',
  model: () => {
    const counts = new Map<string, number>();
    return {
      fallback: (request: LoggedRequest): Script => {
        const { model } = request.body as { readonly model: string };
        const count = (counts.get(model) ?? 0) + 1;
        counts.set(model, count);
        return answered(request, count);
      },
    };
  },
};

interface Told {
  readonly model: string;
  readonly input: readonly { readonly type: string; readonly encrypted_content?: string }[];
}

/** What each request to a model brought of earlier thoughts. */
function thoughtsTold({ model }: World, name: string): readonly (readonly string[])[] {
  const asked = model.requests.map(({ body }) => body as Told).filter((body) => body.model === name);
  return asked.map(({ input }) => input.flatMap(({ encrypted_content: text }) => (text === undefined ? [] : [text])));
}

/** All that its client can see of a turn. */
async function seen(world: World, id: string): Promise<string> {
  const paths = [`/v1/responses/${id}`, `/v1/responses/${id}/input_items`, `/turns/${id}`];
  const bodies = await Promise.all(paths.map(async (path) => (await world.call('GET', path)).body));
  return JSON.stringify(bodies);
}

story(
  'a called agent and its caller each go on from their own thoughts, and so does the next turn; nothing of them is shown',
  async (world) => {
    const conversation = await world.session();
    const first = await world.hear('go', { model: 'lead', conversation });
    assert.equal(first.last.type, 'response.completed');
    assert.deepEqual(thoughtsTold(world, 'lead-model'), [[], ['E lead-model 1']]);
    assert.deepEqual(thoughtsTold(world, 'scout-model'), [[], ['E scout-model 1']]);
    const second = await world.hear('and again', { model: 'lead', conversation });
    assert.equal(second.last.type, 'response.completed');
    const before = ['E lead-model 1', 'E lead-model 2'];
    assert.deepEqual(thoughtsTold(world, 'lead-model').slice(2), [before, [...before, 'E lead-model 3']]);
    for (const viewer of [first, second]) {
      assert.doesNotMatch(JSON.stringify(viewer.events), /E lead-model|E scout-model|encrypted_content":"/);
      assert.doesNotMatch(await seen(world, viewer.last.response.id), /E lead-model|E scout-model|encrypted_content":"/);
    }
    const items = await world.call('GET', `/v1/conversations/${conversation}/items?limit=100`);
    assert.doesNotMatch(JSON.stringify(items.body), /E lead-model|encrypted_content":"/);
  },
  options,
);

story(
  'a client that asks is shown them, and the next turn is told those that were shown and those that were not, once',
  async (world) => {
    const conversation = await world.session();
    await world.hear('go', { model: 'other', conversation });
    const shown = await world.hear('again', { model: 'other', conversation, include: encrypted });
    assert.match(JSON.stringify(shown.events), /E other-model 3/);
    assert.match(await seen(world, shown.last.response.id), /E other-model 3/);
    await world.hear('and again', { model: 'other', conversation });
    const [, , , , last] = thoughtsTold(world, 'other-model');
    assert.deepEqual(
      last,
      [1, 2, 3, 4].map((n) => `E other-model ${n}`),
    );
  },
  options,
);

story(
  'another model is told nothing of them, whatever name it is asked by',
  async (world) => {
    const conversation = await world.session();
    await world.hear('go', { model: 'other', conversation });
    await world.hear('go on', { model: 'scout', conversation });
    await world.hear('and you', { model: 'plain-model', conversation });
    assert.deepEqual(thoughtsTold(world, 'scout-model'), [[], ['E scout-model 1']]);
    assert.deepEqual(thoughtsTold(world, 'plain-model'), [[]]);
  },
  options,
);
