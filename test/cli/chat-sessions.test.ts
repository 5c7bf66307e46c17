/** Lists of sessions, page by page, at a real gateway; and at one of another version, which has no such list. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { World } from '../support/world.ts';
import { ChatProcess } from './chat-process.ts';

const now = Math.floor(Date.now() / 1_000);
const sessions = Array.from({ length: 45 }, (_, index) => ({
  id: `conv_${index + 1}`,
  tenant: 'default',
  metadata: index === 0 ? { title: 'The first' } : {},
  // Two hours ago, each a little before the one above it.
  createdAtMs: (now - 7_205) * 1_000 - index,
}));

async function worldOfSessions(): Promise<World> {
  const world = await World.open({ hasWorker: false });
  for (const session of sessions) await world.store.createSession(session);
  return world;
}

/** A gateway of before there was such a list. */
async function olderGateway(context: TestContext): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    response.setHeader('content-type', 'application/json');
    if (url.startsWith('/v1/conversations/conv_7')) {
      response.end(JSON.stringify({ id: 'conv_7', object: 'conversation', created_at: now, metadata: {} }));
    } else {
      response.writeHead(405).end(JSON.stringify({ error: { message: 'Method not allowed.', type: 'invalid_request_error' } }));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test('--list prints every session of every page, one a line, on stdout', async (context) => {
  await using world = await worldOfSessions();
  const list = new ChatProcess(context, ['--list', '--url', `${world.url}/v1`]);
  assert.equal(await list.finished(), 0, list.stderr);
  const lines = list.stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    sessions.map(({ id }) => id),
  );
  assert.equal(lines[0], 'conv_1  2 h ago     The first');
});

test('/sessions shows them in a pipe too, and /session goes to one', async (context) => {
  await using world = await worldOfSessions();
  const talk = new ChatProcess(context, ['--url', `${world.url}/v1`]).say('/sessions', '/session conv_7', '/session');
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.equal(talk.stdout, '');
  assert.ok(talk.stderr.startsWith('   1  conv_1  2 h ago     The first\n   2  conv_2  2 h ago     (nothing said yet)\n'), talk.stderr);
  assert.ok(talk.stderr.endsWith('· session: conv_7\n· session: conv_7\n· turnkeep chat --session conv_7 goes on here\n'), talk.stderr);
});

test('a gateway without such a list is told so, and can be talked to', async (context) => {
  const url = await olderGateway(context);
  const list = new ChatProcess(context, ['--list', '--url', url]);
  assert.equal(await list.finished(), 2);
  assert.match(
    list.stderr,
    /^turnkeep: .*this gateway is too old to list sessions: update it, or name one by its id \(--session, \/session\)\n$/,
  );
  const talk = new ChatProcess(context, ['--url', url]).say('/sessions', '/session conv_7');
  assert.equal(await talk.finished(), 1);
  assert.match(talk.stderr, /too old to list sessions[^\n]*\n· session: conv_7\n/);
});
