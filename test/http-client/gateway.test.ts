/** The client at a real gateway, behind a line that breaks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayClient } from '../../src/http-client/calls.ts';
import { cancelResponse, streamResponse, type StreamUpdate } from '../../src/http-client/resume.ts';
import { chat, chatAnswer, done, end, hold, sseHead } from '../../src/testing/model-server/index.ts';
import { startProxy } from '../conformance/proxy.ts';
import { World } from '../support/world.ts';

const options = { timeout: 60_000 };

test(
  'T1, T7 · an answer that is cut between all its pieces has every event of the journal once, and is asked for once',
  options,
  async () => {
    await using world = await World.open();
    const pieces = ['one ', 'two ', 'three ', 'four'];
    const script = pieces.flatMap((piece, index) => [chat.content(piece), hold(`cut ${index}`)]);
    world.model.enqueue([sseHead, ...script, chat.finish(), done, end]);
    await using proxy = await startProxy(world.url);
    const client = new GatewayClient({ baseUrl: `${proxy.url}/v1` });
    proxy.dropNextAnswer();
    const updates: StreamUpdate[] = [];
    let cuts = 0;
    let id = '';
    for await (const update of streamResponse(client, { input: 'count' })) {
      updates.push(update);
      if (update.type === 'id') ({ id } = update);
      if (update.type !== 'event' || update.event.delta === undefined) continue;
      proxy.cut();
      world.model.release(`cut ${cuts}`);
      cuts += 1;
    }
    assert.equal(cuts, pieces.length);
    const seen = updates.flatMap((update) => (update.type === 'event' ? [update.event] : []));
    const journal = await world.watch(id);
    await journal.ended;
    assert.deepEqual(
      seen.map(({ type, sequence_number: seq }) => [type, seq]),
      journal.events.map(({ type, sequence_number: seq }) => [type, seq]),
    );
    assert.equal(seen.map(({ delta = '' }) => delta).join(''), 'one two three four');
    assert.deepEqual([world.model.requests.length, await world.acceptedInputs()], [1, ['count']]);
    assert.ok(updates.filter(({ type }) => type === 'retry').length >= pieces.length);
  },
);

test('T5 · a cancel ends the stream by its last event; an abort ends the stream alone', options, async () => {
  await using world = await World.open();
  world.model.enqueue([sseHead, chat.content('Hel'), hold('never'), end], chatAnswer('Hello'));
  const client = new GatewayClient({ baseUrl: `${world.url}/v1` });
  const types: string[] = [];
  let id = '';
  for await (const update of streamResponse(client, { input: 'hi' })) {
    if (update.type === 'id') ({ id } = update);
    if (update.type !== 'event') continue;
    types.push(update.event.type);
    if (update.event.delta !== undefined) await cancelResponse(client, id);
  }
  assert.equal(types.at(-1), 'response.incomplete');

  const abort = new AbortController();
  const aborted = streamResponse(client, { input: 'hi' }, { signal: abort.signal });
  for (;;) {
    const { value } = await aborted.next();
    if ((value as StreamUpdate).type !== 'id') continue;
    ({ id } = value as { readonly id: string });
    abort.abort();
    await assert.rejects(aborted.next(), { name: 'AbortError' });
    break;
  }
  const viewer = await world.watch(id);
  await viewer.ended;
  assert.deepEqual([viewer.last.type, viewer.text], ['response.completed', 'Hello']);
  // A turn has its end before its workflow has, and Temporal's worker may fail when it is shut down in between.
  await world.history(id);
});
