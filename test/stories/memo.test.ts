/** What Temporal's own UI shows of a turn: its names, and how it ended where that is not "completed". */
import assert from 'node:assert/strict';
import { chat, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { story, type World } from '../support/world.ts';

async function memoOf(world: World, id: string): Promise<Record<string, unknown> | undefined> {
  await world.history(id);
  return (await world.temporal.workflow.getHandle(`turn/${await world.ownId(id)}`).describe()).memo;
}

story('a run has the names of its turn, and how it ended unless it completed', async (world) => {
  const session = await world.session();
  const plain = await world.hear('hi');
  assert.deepEqual(await memoOf(world, plain.id), {});
  world.model.enqueue(httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }), [sseHead, chat.content('Hel'), stall]);
  const failed = await world.say('ho', { conversation: session }, { 'x-turnkeep-response-id': 'resp_mine' });
  await failed.ended;
  const ended = { status: 'failed', code: 'provider_rejected' };
  assert.deepEqual(await memoOf(world, 'resp_mine'), { response_id: 'resp_mine', session, ...ended });
  const stopped = await world.say('hey');
  await stopped.untilText('Hel');
  assert.equal((await world.call('POST', `/v1/responses/${stopped.id}/cancel`)).status, 200);
  assert.deepEqual(await memoOf(world, stopped.id), { status: 'cancelled' });
});
