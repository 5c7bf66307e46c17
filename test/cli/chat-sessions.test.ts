/** Lists of sessions, page by page, over HTTP: more pages than a story would fill, and a gateway that has no such list. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { ChatProcess } from './chat-process.ts';

const now = Math.floor(Date.now() / 1_000);
const sessions = Array.from({ length: 45 }, (_, index) => ({
  id: `conv_${index + 1}`,
  object: 'conversation',
  created_at: now - 7_205,
  metadata: index === 0 ? { title: 'The first' } : {},
}));

async function listing(context: TestContext, hasList: boolean): Promise<{ readonly url: string; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const { pathname, searchParams } = new URL(url, 'http://gateway');
    const one = sessions.find(({ id }) => pathname === `/v1/conversations/${id}`);
    response.setHeader('content-type', 'application/json');
    if (one !== undefined) {
      response.end(JSON.stringify(one));
    } else if (hasList && pathname === '/v1/conversations') {
      const first = sessions.findIndex(({ id }) => id === searchParams.get('after')) + 1;
      const limit = Number(searchParams.get('limit'));
      const data = sessions.slice(first, first + limit);
      const list = { object: 'list', data, first_id: data[0]?.id, last_id: data.at(-1)?.id, has_more: first + limit < sessions.length };
      response.end(JSON.stringify(list));
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
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked };
}

test('--list prints every session of every page, one a line, on stdout', async (context) => {
  const { url, asked } = await listing(context, true);
  const list = new ChatProcess(context, ['--list', '--url', url]);
  assert.equal(await list.finished(), 0, list.stderr);
  const lines = list.stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    sessions.map(({ id }) => id),
  );
  assert.equal(lines[0], 'conv_1  2 h ago     The first');
  assert.deepEqual(
    asked,
    ['', '&after=conv_20', '&after=conv_40'].map((after) => `/v1/conversations?limit=20&order=desc${after}`),
  );
});

test('/sessions shows them in a pipe too, and /session goes to one', async (context) => {
  const { url } = await listing(context, true);
  const talk = new ChatProcess(context, ['--url', url]).say('/sessions', '/session conv_7', '/session');
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.equal(talk.stdout, '');
  assert.ok(talk.stderr.startsWith('   1  conv_1  2 h ago     The first\n   2  conv_2  2 h ago     (no title)\n'), talk.stderr);
  assert.ok(talk.stderr.endsWith('· session: conv_7\n· session: conv_7\n· turnkeep chat --session conv_7 goes on here\n'), talk.stderr);
});

test('a gateway without such a list is told so, and can be talked to', async (context) => {
  const { url } = await listing(context, false);
  const list = new ChatProcess(context, ['--list', '--url', url]);
  assert.equal(await list.finished(), 1);
  assert.match(
    list.stderr,
    /^turnkeep: .*this gateway is too old to list sessions: update it, or name one by its id \(--session, \/session\)\n$/,
  );
  const talk = new ChatProcess(context, ['--url', url]).say('/sessions', '/session conv_7');
  assert.equal(await talk.finished(), 1);
  assert.match(talk.stderr, /too old to list sessions[^\n]*\n· session: conv_7\n/);
});
