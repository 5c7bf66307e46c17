/** A worker that is full of one tenant's streams, none of which says anything, and the turns of another. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chat, chatAnswer, done, end, event, hold, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { asked } from '../support/cases.ts';
import { until } from '../support/until.ts';
import { Viewer } from '../support/viewer.ts';
import { story, type World } from '../support/world.ts';

function keyOf(name: string) {
  return { name, hash: createHash('sha256').update(name).digest('hex') };
}

async function say(world: World, tenant: string, input: string): Promise<Viewer> {
  const viewer = await Viewer.open(`${world.url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${tenant}` },
    body: JSON.stringify({ input, stream: true }),
  });
  await viewer.until((seen) => seen.events.length > 0);
  return viewer;
}

const silent: Script = [sseHead, hold('go'), chat.content('late'), chat.finish(), done, end];

story(
  'T14 · the silent streams of one tenant leave room for another, whose turns get their answer, their failure and their cancel',
  async (world) => {
    const ofMany = await Promise.all(Array.from({ length: 6 }, (_, index) => say(world, 'many', `silent ${index}`)));
    await world.model.nextRequest(2);
    const answered = await say(world, 'few', 'answer');
    await answered.ended;
    const failed = await say(world, 'few', 'fail');
    await failed.ended;
    const cancelled = await say(world, 'few', 'silent');
    await world.model.nextRequest(5);
    await fetch(`${world.url}/v1/responses/${cancelled.id}/cancel`, { method: 'POST', headers: { authorization: 'Bearer few' } });
    await cancelled.ended;
    assert.deepEqual(
      [answered, failed, cancelled].map(({ last }) => last.response.error?.code ?? last.response.status),
      ['completed', 'provider_protocol', 'cancelled'],
    );
    const requests = world.model.requests.map(asked).filter((input) => /^silent \d/.test(input));
    assert.equal(requests.length, 2, 'half of the room is the most that one tenant has');

    await until(() => ofMany.filter(({ types }) => types.includes('response.in_progress')).length === 2);
    // Those that wait are cancelled where they wait, or have their turn.
    const waiting = ofMany.filter((viewer) => !viewer.types.includes('response.in_progress'));
    assert.equal(waiting.length, 4);
    const [first] = waiting;
    assert.ok(first);
    await fetch(`${world.url}/v1/responses/${first.id}/cancel`, { method: 'POST', headers: { authorization: 'Bearer many' } });
    await first.ended;
    world.model.release('go');
    await Promise.all(ofMany.map((viewer) => viewer.ended));
    assert.deepEqual(ofMany.map(({ last }) => last.response.status).toSorted(), [
      'cancelled',
      ...Array.from({ length: 5 }, () => 'completed'),
    ]);
    assert.equal(world.model.requests.map(asked).filter((input) => /^silent \d/.test(input)).length, 5);
  },
  {
    maxAttempts: 4,
    config: { apiKeys: [keyOf('many'), keyOf('few')] },
    model: () => ({
      fallback: (request) => {
        const input = asked(request);
        if (input === 'answer') return chatAnswer('Hello');
        return input === 'fail' ? [sseHead, event('nonsense'), end] : silent;
      },
    }),
  },
);
