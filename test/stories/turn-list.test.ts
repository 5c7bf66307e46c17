/** `GET /turns`: what happened lately, and what of it failed. */
import assert from 'node:assert/strict';
import { chat, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { errorOf } from '../support/post.ts';
import { story } from '../support/world.ts';

story('the turns of a tenant are listed newest first, a page at a time, and by what became of them', async (world) => {
  const conversation = await world.session();
  const completed = await world.hear('hi', { conversation });
  world.model.enqueue(httpError(401, { error: { message: 'no', code: 'invalid_api_key' } }), [sseHead, chat.content('Hel'), stall]);
  const failed = await world.hear('ho');
  const running = await world.say('hey', { model: 'larger' });
  await running.untilText('Hel');
  const list = async (query: string) => world.call('GET', `/turns${query}`);
  const ids = async (query: string) => ((await list(query)).body['data'] as { id: string }[]).map(({ id }) => id);

  assert.deepEqual(await ids(''), [running.id, failed.id, completed.id]);
  assert.deepEqual(await ids('?status=failed'), [failed.id]);
  assert.deepEqual(await ids('?code=provider_rejected&since=1d'), [failed.id]);
  assert.deepEqual(await ids('?since=2001-01-01&until=1d'), []);
  assert.deepEqual(await ids(`?session=${conversation}`), [completed.id]);
  assert.deepEqual(await ids('?model=larger&status=in_progress'), [running.id]);
  const { body: page } = await list('?limit=2');
  assert.deepEqual([page['first_id'], page['last_id'], page['has_more']], [running.id, failed.id, true]);
  assert.deepEqual(await ids(`?after=${failed.id}`), [completed.id]);

  const [turn] = (await list('?status=failed')).body['data'] as [Record<string, unknown>];
  const { created_at, settled_at, ...facts } = turn;
  assert.ok(new Date(String(created_at)) <= new Date(String(settled_at)));
  const error = { code: 'provider_rejected', message: (turn['error'] as { message: string }).message, detail: '401 invalid_api_key' };
  assert.deepEqual(facts, { id: failed.id, session: null, status: 'failed', model: 'scripted', error, requests: 1, usage: null });

  for (const [query, param] of [
    ['?status=broken', 'status'],
    ['?code=oops', 'code'],
    ['?since=yesterday', 'since'],
    ['?until=3', 'until'],
    ['?limit=0', 'limit'],
    ['?after=resp_nobody', 'after'],
    ['?order=asc', 'order'],
  ] as const) {
    const { status, body } = await list(query);
    assert.deepEqual(errorOf({ status, json: body }).slice(0, 2), [400, param], query);
  }
  await world.call('POST', `/v1/responses/${running.id}/cancel`);
  await running.ended;
});
