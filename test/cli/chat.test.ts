/** `turnkeep chat` against real gateways and workers, which are killed under it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import { chat, chatAnswer, done, end, hold, httpResponse, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { startCluster } from '../support/processes.ts';
import { ChatProcess } from './chat-process.ts';
import { folderOf } from './folder.ts';

const options = { timeout: 120_000 };
// Of all tests, and with it the worker and the gateway that none of them kills.
const cluster = await startCluster();
after(() => cluster[Symbol.asyncDispose]());
await cluster.startWorker();
const { url } = await cluster.startGateway();
const held = (name: string): Script => [sseHead, chat.content('Hel'), hold(name), chat.content('lo'), chat.finish(), done, end];

async function transcriptOf(url: string, session: string): Promise<string[]> {
  const response = await fetch(`${url}/v1/conversations/${session}/items?order=asc&limit=100`);
  const { data } = (await response.json()) as { data: { type: string; role: string; content: { text: string }[] }[] };
  const messages = data.filter(({ type }) => type === 'message');
  return messages.map(({ role, content }) => `${role}: ${content.map((part) => part.text).join('')}`);
}

/** A gateway whose answer to the first turn is lost on the way, wholly. */
async function lossyProxy(context: TestContext, url: string): Promise<{ readonly url: string; readonly lost: () => number }> {
  let lost = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const gateway = connect(Number(new URL(url).port), '127.0.0.1');
    sockets.add(client).add(gateway);
    let isTurn = false;
    client.on('data', (bytes) => {
      isTurn ||= bytes.toString('latin1').startsWith('POST /v1/responses ');
      gateway.write(bytes);
    });
    gateway.on('data', (bytes) => {
      if (!isTurn || lost > 0) {
        client.write(bytes);
        return;
      }
      lost += 1;
      client.resetAndDestroy();
      gateway.destroy();
    });
    for (const [one, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lost: () => lost };
}

test('a pipe has a message a line and the answers alone on stdout, in one session that can be gone on with', options, async (context) => {
  cluster.model.enqueue([sseHead, chat.reasoning('Hm.'), chat.content('Hello'), chat.finish(), done, end], chatAnswer('Again'));
  const first = new ChatProcess(context, ['--url', `${url}/v1/`]).say('hi', '', 'and now?');
  assert.equal(await first.finished(), 0, first.stderr);
  assert.equal(first.stdout, 'Hello\nAgain\n');
  assert.equal(first.notes, `Hm.\n· turnkeep chat --session ${first.session} goes on here\n`);

  cluster.model.enqueue(chatAnswer('Third'));
  const next = new ChatProcess(context, ['--session', first.session], { TURNKEEP_URL: `${url}/v1` }).say('//usr');
  assert.equal(await next.finished(), 0, next.stderr);
  assert.equal(next.stdout, 'Third\n');
  assert.deepEqual(await transcriptOf(url, first.session), [
    'user: hi',
    'assistant: Hello',
    'user: and now?',
    'assistant: Again',
    'user: /usr',
    'assistant: Third',
  ]);
});

test('T7 · kill -9 of the gateway in mid-answer: back at its port, the chat has the whole answer, once', options, async (context) => {
  cluster.model.enqueue(held('go'));
  const { role, url } = await cluster.startGateway();
  const talk = new ChatProcess(context, ['--url', `${url}/v1`]).say('hi');
  await talk.until(({ stdout }) => stdout.includes('Hel'));
  await role.kill();
  await talk.until(({ stderr }) => stderr.includes('· the gateway does not answer (ECONNREFUSED); trying for 2 minutes\n'));
  cluster.model.release('go');
  await cluster.startGateway({ TURNKEEP_PORT: new URL(url).port });
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.equal(talk.stdout, 'Hello\n');
  assert.deepEqual(await transcriptOf(url, talk.session), ['user: hi', 'assistant: Hello']);
});

test('a POST whose answer was lost is made again under its key: one turn, asked for once', options, async (context) => {
  cluster.model.enqueue(chatAnswer('Hello'));
  const before = cluster.model.requests.length;
  const proxy = await lossyProxy(context, url);
  const talk = new ChatProcess(context, ['--url', `${proxy.url}/v1`]).say('hi');
  assert.equal(await talk.finished(), 0, talk.stderr);
  assert.deepEqual([proxy.lost(), talk.stdout, cluster.model.requests.length - before], [1, 'Hello\n', 1]);
  assert.deepEqual(await transcriptOf(url, talk.session), ['user: hi', 'assistant: Hello']);
});

test('T5 · SIGINT once stops the turn and keeps what was said, twice leaves', options, async (context) => {
  cluster.model.enqueue(held('never'));
  const talk = new ChatProcess(context, ['--url', `${url}/v1`]).say('hi');
  await talk.until(({ stdout }) => stdout.includes('Hel'));
  talk.signal('SIGINT');
  await talk.until(({ stderr }) => stderr.includes('· stopped; what was said is kept\n'));
  assert.equal(talk.stdout, 'Hel\n');
  talk.signal('SIGINT');
  assert.equal(await talk.ended(), 130);
  assert.match(talk.notes, /^· stopping; Ctrl-C again leaves\n· stopped; what was said is kept\n· turnkeep chat --session /);
  assert.deepEqual(await transcriptOf(url, talk.session), ['user: hi', 'assistant: Hel']);
});

test('SIGINT twice in one turn leaves, though nobody can stop it: its gateway is gone', options, async (context) => {
  cluster.model.enqueue(held('never'));
  const { role, url } = await cluster.startGateway();
  const talk = new ChatProcess(context, ['--url', `${url}/v1`]).say('hi');
  await talk.until(({ stdout }) => stdout.includes('Hel'));
  await role.kill();
  talk.signal('SIGINT');
  await talk.until(({ stderr }) => stderr.includes('· stopping; Ctrl-C again leaves\n'));
  talk.signal('SIGINT');
  assert.equal(await talk.ended(), 130);
  assert.equal(talk.stdout, 'Hel\n');
});

test('T5 · a stop that meets no gateway is told to the next one', options, async (context) => {
  cluster.model.enqueue(held('never'));
  const { role, url } = await cluster.startGateway();
  const talk = new ChatProcess(context, ['--url', `${url}/v1`]).say('hi');
  await talk.until(({ stdout }) => stdout.includes('Hel'));
  await role.kill();
  talk.signal('SIGINT');
  await talk.until(({ stderr }) => stderr.includes('· stopping'));
  await cluster.startGateway({ TURNKEEP_PORT: new URL(url).port });
  assert.equal(await talk.finished(), 1);
  assert.ok(talk.stderr.includes('· stopped; what was said is kept\n'), talk.stderr);
  assert.equal(talk.stdout, 'Hel\n');
});

test(
  'a retry is one quiet line; a turn that fails is another, and the exit code is 1 after the rest was answered',
  options,
  async (context) => {
    const busy = httpResponse(429, { error: { message: 'slow down' } }, { 'retry-after': '3' });
    const rejected = httpResponse(400, { error: { message: 'no such model' } });
    cluster.model.enqueue(busy, chatAnswer('Hello'), rejected, chatAnswer('Still here'));
    const talk = new ChatProcess(context, ['--url', `${url}/v1`]).say('one', 'two', 'three');
    assert.equal(await talk.finished(), 1, talk.stderr);
    assert.equal(talk.stdout, 'Hello\nStill here\n');
    const [retry, failed, ...rest] = talk.notes.split('\n');
    assert.equal(retry, '· retry 2 of 3 in 3000 ms: provider_busy');
    assert.match(failed ?? '', /^· failed: provider_rejected: .*no such model/);
    assert.equal(rest.length, 2);
  },
);

test('keys: a wrong one is told with the fix, the right one is let in', options, async (context) => {
  const { url } = await cluster.startGateway({ TURNKEEP_API_KEYS: 'me:secret' });
  const stranger = new ChatProcess(context, ['--url', `${url}/v1`, '--api-key', 'guess']);
  assert.equal(await stranger.finished(), 2);
  assert.equal(
    stranger.stderr,
    `turnkeep: The gateway at ${url}/v1 does not let this key in (401): set TURNKEEP_API_KEY to one of the secrets of its TURNKEEP_API_KEYS, or to one of \`turnkeep keys\`.\n`,
  );
  const friend = new ChatProcess(context, ['--url', `${url}/v1`], { TURNKEEP_API_KEY: 'secret' }).say('hi');
  assert.equal(await friend.finished(), 0, friend.stderr);
  assert.equal(friend.stdout, 'Hello world\n');
  const lost = new ChatProcess(context, ['--url', `${url}/v1`, '--session', 'conv_none'], { TURNKEEP_API_KEY: 'secret' });
  assert.equal(await lost.finished(), 2);
  assert.match(lost.stderr, /^turnkeep: There is no session conv_none at \S+: turnkeep chat --list shows which there are\.\n$/);
});

test('with no gateway there, the error names its address and the fix', options, async (context) => {
  const dataDir = folderOf(context);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const url = `http://127.0.0.1:${port}/v1`;
  const talk = new ChatProcess(context, ['--url', url, '--data-dir', dataDir]).say('hi');
  assert.equal(await talk.finished(), 2);
  assert.equal(
    talk.stderr,
    `turnkeep: No turnkeep gateway answers at ${url} (ECONNREFUSED). Start one with \`turnkeep dev\` (in a checkout: npm start), or name another with --url or TURNKEEP_URL.\n`,
  );
  const nonsense = new ChatProcess(context, [], { TURNKEEP_URL: 'nonsense' });
  assert.equal(await nonsense.finished(), 2);
  assert.match(nonsense.stderr, /TURNKEEP_URL must be the http:\/\/ or https:\/\/ address of a gateway, such as \S+; it is "nonsense"/);
});
