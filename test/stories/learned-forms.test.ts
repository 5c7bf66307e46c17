/** T13 · what the template of a model refuses is refused once: the next request has the form that it demands. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Item, isCall, isCallOutput } from '../../src/domain/item.ts';
import { withShortIds } from '../../src/providers/openai/earlier-calls.ts';
import { LearnedForms } from '../../src/providers/openai/learned-forms.ts';
import { modelFailure } from '../../src/providers/failures/model-failure.ts';
import { chatAnswer, chatToolCalls, end, head, type Script, text } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

const refusal = (status: number, message: string): Script => [
  head({ status, headers: { 'content-type': 'application/json' } }),
  text(JSON.stringify({ error: { message } })),
  end,
];
const say = (content: string) => ({ role: 'user', content });

interface Message {
  readonly role: string;
  readonly content: string | null;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string }[];
}
const messages = (world: World): readonly Message[] => (world.model.requests.at(-1)!.body as { messages: Message[] }).messages;
const told = (world: World): string[] => messages(world).map(({ role, content }) => `${role}: ${content}`);

void suite('T13 · a form that a server demands', () => {
  test('two messages in a row stay two, until a template has refused them; then they are one, in that conversation and in others', async () => {
    await using world = await World.open();
    const conversation = await world.session();
    const words = 'Conversation roles must alternate user/assistant/user/assistant/...';
    world.model.enqueue(chatAnswer('Hi.'), refusal(400, words), chatAnswer('Yes.'), chatAnswer('Yes.'));
    await world.hear([say('a'), say('b')] as never);
    assert.deepEqual(told(world), ['user: a', 'user: b']);
    const refused = await world.hear([say('a'), say('b')] as never, { conversation });
    assert.equal(refused.last.response.error?.code, 'provider_rejected');
    const next = await world.hear('c', { conversation });
    assert.equal(next.last.response.status, 'completed');
    assert.deepEqual(told(world), [
      'user: a\n\nb',
      'assistant: [This answer failed before it was complete: provider_rejected.]',
      'user: c',
    ]);
    await world.hear([say('a'), say('b')] as never, { model: 'another' });
    assert.deepEqual(told(world), ['user: a', 'user: b'], 'another model has another template');
  });

  test('a template whose error is a 500 is asked again in the form that it demands', async () => {
    await using world = await World.open();
    world.model.enqueue(refusal(500, 'Jinja Exception: Conversation roles must alternate user/assistant/...'), chatAnswer('Yes.'));
    const viewer = await world.hear([say('a'), say('b')] as never);
    assert.deepEqual([viewer.last.response.status, told(world)], ['completed', ['user: a\n\nb']]);
  });

  test('ids of calls have nine letters and digits, where a server has refused others', async () => {
    await using world = await World.open();
    const conversation = await world.session();
    const tools = [{ type: 'function', name: 'look', parameters: {} }];
    const words = 'Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.';
    world.model.enqueue(chatToolCalls({ id: 'call_1', name: 'look', arguments: {} }, { id: 'abcDEF123', name: 'look', arguments: {} }));
    world.model.enqueue(refusal(400, words), chatAnswer('Yes.'));
    await world.hear('go', { conversation, tools });
    const outputs = ['call_1', 'abcDEF123'].map((call_id) => ({ type: 'function_call_output', call_id, output: call_id }));
    await world.hear(outputs as never, { conversation, tools });
    await world.hear('again', { conversation, tools });
    const [first = '', second] = messages(world).flatMap(({ tool_calls: calls = [] }) => calls.map(({ id }) => id));
    assert.match(first, /^[a-z0-9]{9}$/);
    assert.equal(second, 'abcDEF123');
    assert.deepEqual(
      messages(world).flatMap(({ tool_call_id: id, content }) => (id === undefined ? [] : [[id, content]])),
      [
        [first, 'call_1'],
        [second, 'abcDEF123'],
      ],
    );
  });

  test('Mistral is known by its address', () => {
    assert.deepEqual(new LearnedForms('https://api.mistral.ai/v1').of('m'), {
      joinsRows: false,
      hasShortIds: true,
      refusesToEncrypt: false,
    });
    const others = new LearnedForms('https://api.example.com/v1');
    others.learn(
      'm',
      modelFailure('provider_rejected', { providerMessage: 'Tool call IDs should be alphanumeric strings with length 9!' }),
    );
    assert.deepEqual([others.of('m').hasShortIds, others.of('n').hasShortIds], [true, false]);
  });

  test('short ids are the same whatever follows, and no two calls share one', () => {
    const call = (call_id: string): Item => ({
      id: call_id,
      type: 'function_call',
      status: 'completed',
      call_id,
      name: 'f',
      arguments: '{}',
    });
    const short = (...ids: string[]) => withShortIds(ids.map(call)).map((item) => (isCall(item) || isCallOutput(item) ? item.call_id : ''));
    const [one = ''] = short('call_1');
    // The second is called as the first was renamed.
    const ids = short('call_1', one, 'call_1');
    assert.deepEqual([ids[0], ids[2]], [one, one]);
    assert.notEqual(ids[1], one);
    assert.match(ids[1] ?? '', /^[a-z0-9]{9}$/);
  });
});
