/** `GET /stats`: what became of the turns, and what they cost. */
import assert from 'node:assert/strict';
import { readAgentConfig } from '../../src/config/agent-config.ts';
import { defineConfig } from '../../src/config/define-config.ts';
import { chatAnswer, httpError } from '../../src/testing/model-server/index.ts';
import { errorOf } from '../support/post.ts';
import { story } from '../support/world.ts';

const agents = () =>
  readAgentConfig(defineConfig({ agents: { support: { model: 'big' } }, prices: { big: { input: 1_000, output: 20_000 } } }));

story(
  'what turns ended with, how long people waited, what a retry saved and what was spent: by agent, and by what is asked for',
  async (world) => {
    world.model.enqueue(httpError(503, {}), chatAnswer('Well.'), httpError(401, { error: { message: 'no' } }));
    await world.hear('hi', { model: 'support' });
    await world.hear('ho');
    const { status, body } = await world.call('GET', '/stats?since=1d');
    assert.equal(status, 200);
    const { since, first_token_ms: first, ...facts } = body as { since: string; first_token_ms: { turns: number; p50: number } };
    assert.ok(Date.parse(since) < Date.now());
    assert.deepEqual([first.turns, first.p50 > 0], [1, true]);
    const nothing = { requests: 1, input_tokens: 0, cached_tokens: 0, output_tokens: 0, cost_usd: 0 };
    const spent = { requests: 2, input_tokens: 3, cached_tokens: 0, output_tokens: 2, cost_usd: 0.043 };
    assert.deepEqual(facts, {
      object: 'turn_stats',
      until: null,
      complete: true,
      turns: 2,
      ends: [
        { status: 'completed', code: null, turns: 1 },
        { status: 'failed', code: 'provider_rejected', turns: 1 },
      ],
      retries: { requests: 1, turns_saved: 1 },
      spent: { ...spent, requests: 3 },
      lost: { ...nothing, requests: 2, uncounted_requests: 2 },
      models: [
        { model: 'support', turns: 1, spent, lost: nothing },
        { model: 'scripted', turns: 1, spent: nothing, lost: nothing },
      ],
    });

    const ofSupport = (await world.call('GET', '/stats?agent=support')).body;
    assert.deepEqual([ofSupport['turns'], ofSupport['since']], [1, null]);
    assert.equal((await world.call('GET', '/v1/stats?status=failed&code=provider_rejected')).body['turns'], 1);
    assert.equal((await world.call('GET', '/stats?until=1d')).body['turns'], 0);
    for (const [query, param] of [
      ['?since=yesterday', 'since'],
      ['?code=oops', 'code'],
      ['?limit=3', 'limit'],
    ] as const) {
      const refused = await world.call('GET', `/stats${query}`);
      assert.deepEqual(errorOf({ status: refused.status, json: refused.body }).slice(0, 2), [400, param], query);
    }
  },
  { agents: agents() },
);
