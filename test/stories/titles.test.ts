/** Titles: a session's first turn gives it one, and no turn ever waits for it, fails or is cancelled with it. */
import assert from 'node:assert/strict';
import {
  chat,
  chatAnswer,
  hold,
  httpError,
  type LoggedRequest,
  type ModelServerOptions,
  type Script,
  sseHead,
  stall,
} from '../../src/testing/model-server/index.ts';
import { until } from '../support/until.ts';
import { story, type World, type WorldOptions } from '../support/world.ts';

const asksForTitle = ({ bodyText }: LoggedRequest): boolean => bodyText.includes('Write a title');

/** A model that answers the request for a title with these scripts, the last one again and again. */
function titled(...scripts: readonly Script[]): WorldOptions {
  return {
    config: { titles: { isOn: true } },
    model: (): ModelServerOptions => {
      let made = 0;
      return {
        fallback: (request) => {
          if (!asksForTitle(request))
            return request.bodyText.includes('stalls') ? [sseHead, chat.content('Hel'), stall] : chatAnswer('Hello');
          made += 1;
          return scripts[Math.min(made, scripts.length) - 1] ?? httpError(500);
        },
      };
    },
  };
}

function titleRequests(world: World): readonly LoggedRequest[] {
  return world.model.requests.filter(asksForTitle);
}

/** Resolves with how the run that gives the session its title has ended. */
async function titleRun(world: World, session: string): Promise<unknown> {
  return world.temporal.workflow.getHandle(`title/${session}`).result();
}

async function metadata(world: World, session: string): Promise<unknown> {
  return (await world.call('GET', `/v1/conversations/${session}`)).body['metadata'];
}

story(
  'the first turn of a session gives it a title: one request, whatever the number of gateways, and nothing of it in a history',
  async (world) => {
    await world.startGateway();
    const session = await world.session();
    const viewers = [await world.say('secret words', { conversation: session }), await world.say('more', { conversation: session })];
    await Promise.all(viewers.map((viewer) => viewer.ended));
    assert.deepEqual(
      viewers.map(({ text }) => text),
      ['Hello', 'Hello'],
    );
    await until(() => titleRequests(world).length > 0);
    assert.deepEqual(await titleRun(world, session), { hasTitle: true });
    assert.deepEqual(await metadata(world, session), { title: 'Tea and cake' });
    await world.hear('again', { conversation: session });
    assert.equal(titleRequests(world).length, 1);
    const { bodyText } = titleRequests(world)[0]!;
    assert.ok(bodyText.includes('secret words') && !bodyText.includes('more'));
    assert.deepEqual(await world.userTexts(session), ['secret words', 'more', 'again'], 'it stands in no conversation');
    // `replayAll` looks for the secret words in this run's history as in any other's.
    const handle = world.temporal.workflow.getHandle(`title/${session}`);
    assert.ok(!JSON.stringify(await handle.fetchHistory()).includes('Tea and cake'));
  },
  titled(chatAnswer('"Tea and', ' cake".')),
);

story(
  'a title that fails takes nothing with it',
  async (world) => {
    const session = await world.session();
    const viewer = await world.hear('hi', { conversation: session });
    assert.equal(viewer.last.response.status, 'completed');
    await until(() => titleRequests(world).length > 0);
    assert.deepEqual(await titleRun(world, session), { hasTitle: false });
    assert.deepEqual(await metadata(world, session), {});
    assert.equal((await world.hear('next', { conversation: session })).last.response.status, 'completed');
    assert.equal(titleRequests(world).length, 1);
  },
  titled(httpError(400)),
);

story(
  'a title that hangs delays no turn; after a title of the user’s own, or in a deleted conversation, it comes in vain',
  async (world) => {
    const named = await world.session();
    const deleted = await world.session();
    for (const session of [named, deleted]) {
      assert.equal((await world.hear('hi', { conversation: session })).last.response.status, 'completed');
      assert.equal((await world.hear('next', { conversation: session })).last.response.status, 'completed');
    }
    await world.model.reached('title');
    await until(() => titleRequests(world).length === 2);
    assert.equal((await world.call('POST', `/v1/conversations/${named}`, { metadata: { title: 'Mine' } })).status, 200);
    assert.equal((await world.call('DELETE', `/v1/conversations/${deleted}`)).status, 200);
    world.model.release('title');
    await Promise.all([titleRun(world, named), titleRun(world, deleted)]);
    assert.deepEqual(await metadata(world, named), { title: 'Mine' });
    assert.equal((await world.call('GET', `/v1/conversations/${deleted}`)).status, 404);
  },
  titled([sseHead, chat.content('Tea'), hold('title'), ...chatAnswer().slice(2)]),
);

story(
  'T14 · titles that hang take no slot from turns, however many there are',
  async (world) => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => world.session()));
    const viewers = await Promise.all(sessions.map((session) => world.hear('hi', { conversation: session })));
    assert.deepEqual(new Set(viewers.map(({ last }) => last.response.status)), new Set(['completed']));
    await world.model.reached('titles');
    // Those that have no slot yet have not asked.
    assert.ok(titleRequests(world).length <= 4);
    assert.equal((await world.hear('next', { conversation: sessions[0] })).last.response.status, 'completed');
    world.model.release('titles');
    const runs = await Promise.all(sessions.map((session) => titleRun(world, session)));
    assert.deepEqual(
      runs,
      sessions.map(() => ({ hasTitle: true })),
    );
    assert.equal(titleRequests(world).length, sessions.length);
  },
  titled([sseHead, chat.content('Tea'), hold('titles'), ...chatAnswer().slice(2)]),
);

story(
  'a cancelled first turn gives its session a title all the same, and a turn that is not to be stored is no first one',
  async (world) => {
    const session = await world.session();
    await world.hear('not stored', { conversation: session, store: false });
    assert.equal(titleRequests(world).length, 0);
    const viewer = await world.say('stalls', { conversation: session });
    await world.call('POST', `/v1/responses/${viewer.id}/cancel`);
    await viewer.ended;
    assert.equal(viewer.last.response.status, 'cancelled');
    await until(() => titleRequests(world).length > 0);
    await titleRun(world, session);
    assert.deepEqual(await metadata(world, session), { title: 'Tea' });
    assert.ok(titleRequests(world)[0]?.bodyText.includes('stalls'));
  },
  titled(chatAnswer('Tea')),
);
