/** What of a submission makes it the same as another (T1), and that a long one is made in slices (T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serialize } from '../../src/client/serialize.ts';
import { type Known, type SubmittedItem, resolveItems } from '../../src/client/submission.ts';
import type { InputItem } from '../../src/domain/item.ts';
import { defaultSettings } from '../../src/domain/response/response-settings.ts';

const nothing: Known = { items: new Map(), models: new Map(), asked: 'm' };

type What = Parameters<typeof serialize>[0];

const plain: What = { settings: defaultSettings('m'), session: null, previous: null };

function said(...texts: readonly string[]): SubmittedItem[] {
  return texts.map((text) => ({ type: 'message', status: 'completed', role: 'user', content: [{ type: 'input_text', text }] }));
}

function withIds(items: readonly SubmittedItem[]): readonly InputItem[] {
  const input = resolveItems(items, nothing);
  assert.ok(!('type' in input));
  return input;
}

async function hashOf(items: readonly SubmittedItem[], what: Partial<What> = {}): Promise<string> {
  return (await serialize({ ...plain, ...what }, withIds(items))).bodyHash;
}

test('T1 · the same words are the same, whatever the ids of their items; each other word is another', async () => {
  const same = await hashOf(said('a', 'b'));
  assert.equal(await hashOf(said('a', 'b')), same);
  const others = await Promise.all([
    hashOf(said('b', 'a')),
    hashOf(said('a')),
    hashOf(said('ab')),
    hashOf(said('a', 'b', 'c')),
    hashOf(said('a', 'b'), { session: 'conv_a' }),
    hashOf(said('a', 'b'), { previous: 'conv_a' }),
    hashOf(said('a', 'b'), { replaces: 'conv_a' }),
    hashOf(said('a', 'b'), { settings: { ...plain.settings, instructions: 'a' } }),
  ]);
  assert.equal(new Set([same, ...others]).size, others.length + 1);
});

test('T1 · items that are passed on as they came differ by all their members and by the id that they came with, wherever it stands', async () => {
  const output = (members: object, id: object = { id: 'sho_0123456789abcdef' }): SubmittedItem =>
    ({ ...id, type: 'shell_call_output', call_id: 'c', ...members }) as unknown as SubmittedItem;
  const hashes = await Promise.all([
    hashOf([output({ output: 'exit 0' })]),
    hashOf([output({ output: 'exit 1' })]),
    hashOf([output({ output: 'exit 1' }, { id: 'sho_1' })]),
    hashOf([output({ output: 'exit 1' }, {})]),
  ]);
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(await hashOf([output({ output: 'exit 0' })]), hashes[0]);
  assert.equal(await hashOf([output({ output: 'exit 1' }, {})]), hashes[3]);
});

test('T1 · a reference is the same as the next one to that item', async () => {
  const answer = {
    id: 'msg_1',
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [{ type: 'output_text', text: 'hello', annotations: [], logprobs: [] }],
  } as const;
  const hash = async (): Promise<string> => {
    const input = resolveItems([{ type: 'item_reference', id: 'msg_1' }], {
      ...nothing,
      items: new Map([['msg_1', { item: answer, model: 'm' }]]),
    });
    assert.ok(!('type' in input));
    return (await serialize(plain, input)).bodyHash;
  };
  assert.equal(await hash(), await hash());
});

test('T1 · a request stays the same when what was sealed in it is not known any more to be of another model', async () => {
  const thought = { type: 'reasoning', status: 'completed', summary: [{ type: 'summary_text', text: 'hm' }] } as const;
  const sealed = { ...thought, encrypted_content: 'E', provider_fields: { field: 'reasoning' } };
  const call = { type: 'function_call', status: 'completed', call_id: 'c', name: 'look', arguments: '{}' } as const;
  const same = await hashOf([thought, call]);
  assert.equal(await hashOf([sealed, { ...call, provider_fields: { signature: 's' } }]), same);
  assert.notEqual(await hashOf([{ ...sealed, summary: [] }, call]), same);
});

test('a text of any length counts to its last character', async () => {
  const long = '\u{1F600}ü'.repeat(400_000);
  assert.equal(await hashOf(said(long)), await hashOf(said(long)));
  assert.notEqual(await hashOf(said(long)), await hashOf(said(`${long.slice(0, -1)}u`)));
  assert.notEqual(await hashOf(said(long)), await hashOf(said(long.replace('ü', 'u'))));
});

test('T14 · the JSON is that of the items, and many of them leave the event loop to others in between', async () => {
  const input = withIds(said(...Array.from({ length: 10_000 }, (_, index) => `word ${index} "\\\n`)));
  let turns = 0;
  let isMade = false;
  const others = (): void => {
    turns += 1;
    if (!isMade) setImmediate(others);
  };
  others();
  const { json } = await serialize(plain, input);
  isMade = true;
  assert.deepEqual(
    json.input.map((text) => JSON.parse(text) as unknown),
    input,
  );
  assert.deepEqual(JSON.parse(json.settings), plain.settings);
  assert.ok(turns >= 20, `others ran ${turns} times meanwhile`);
});
