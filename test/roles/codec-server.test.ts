/** `turnkeep codec-server`, as Temporal's UI and command line ask it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { pino } from 'pino';
import { createEncryption } from '../../src/codec/encryption.ts';
import { readCodecServerConfig } from '../../src/config/codec-server-config.ts';
import { ConfigError } from '../../src/config/config.ts';
import { type CodecServer, startCodecServer } from '../../src/roles/codec-server.ts';
import { openPage } from '../conformance/browser.ts';
import { needChromium } from '../support/programs.ts';

const key = { id: '2026', key: randomBytes(32) };
const secret = 'codec-caller-0123456789abcdef';
const caller = { name: 'ops', hash: createHash('sha256').update(secret).digest('hex') };
const bearer = { authorization: `Bearer ${secret}` };
const uiOrigin = 'http://ui.test:8233';
const place = { type: 'workflow', namespace: 'prod', workflowId: 'turn/resp_1' } as const;

interface Running extends CodecServer, AsyncDisposable {
  readonly lines: readonly string[];
}

async function start(origins: readonly string[] = [uiOrigin]): Promise<Running> {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const config = { host: '127.0.0.1', port: 0, codecKeys: [key], callers: [caller], origins };
  const server = await startCodecServer({ config, log });
  return { ...server, lines, [Symbol.asyncDispose]: () => server.close() };
}

/** In protobuf's JSON. */
interface JsonPayload {
  readonly metadata: { readonly [name: string]: string };
  readonly data: string;
}

function jsonOf({ metadata, data }: Payload): JsonPayload {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return {
    metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, bytes]) => [name, text(bytes)])),
    data: text(data ?? new Uint8Array()),
  };
}

function valueOf({ metadata, data }: JsonPayload): unknown {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
  return defaultPayloadConverter.fromPayload({
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, text]) => [name, bytes(text)])),
    data: bytes(data),
  });
}

async function encrypted(...values: readonly unknown[]): Promise<readonly JsonPayload[]> {
  const payloads = values.map((value) => defaultPayloadConverter.toPayload(value));
  return (await createEncryption([key]).encode(payloads, place)).map(jsonOf);
}

async function post(
  server: CodecServer,
  path: string,
  body: unknown,
  headers: Record<string, string> = { ...bearer, 'x-namespace': 'prod' },
): Promise<{
  readonly status: number;
  readonly headers: Headers;
  readonly body: { payloads: JsonPayload[]; error: { message: string; code: string } };
}> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as never };
}

test('what is encrypted is decrypted, what is not passes as it is, in order', async () => {
  await using server = await start();
  const plain = jsonOf(defaultPayloadConverter.toPayload('plain'));
  const { status, body } = await post(server, '/decode', { payloads: [...(await encrypted({ a: 1 }, 'words')), plain] });
  assert.equal(status, 200);
  assert.deepEqual(body.payloads.map(valueOf), [{ a: 1 }, 'words', 'plain']);
  assert.deepEqual((await post(server, '/decode', { payloads: [] })).body, { payloads: [] });
});

test("what is encoded, as arguments that are typed into Temporal's UI, is read by the workflows of its namespace alone", async () => {
  await using server = await start();
  const { body } = await post(server, '/encode', { payloads: [jsonOf(defaultPayloadConverter.toPayload('typed'))] });
  const [payload] = body.payloads;
  assert.ok(payload);
  assert.equal(Buffer.from(payload.metadata['encoding'] ?? '', 'base64').toString(), 'binary/encrypted');
  const read = async (namespace: string): Promise<Payload[]> =>
    createEncryption([key], { checksPlace: true }).decode(
      [
        {
          metadata: Object.fromEntries(Object.entries(payload.metadata).map(([name, text]) => [name, Buffer.from(text, 'base64')])),
          data: Buffer.from(payload.data, 'base64'),
        },
      ],
      { ...place, namespace },
    );
  const [decoded] = await read('prod');
  assert.ok(decoded);
  assert.equal(defaultPayloadConverter.fromPayload(decoded), 'typed');
  await assert.rejects(read('staging'), /another workflow/);
});

test('payloads of another namespace than the one that is asked for, and of a key that is not there, are refused', async () => {
  await using server = await start();
  const payloads = await encrypted('x');
  const elsewhere = await post(server, '/decode', { payloads }, { ...bearer, 'x-namespace': 'staging' });
  assert.deepEqual([elsewhere.status, elsewhere.body.error.code], [400, 'payload_not_decrypted']);
  const foreign = await createEncryption([{ id: 'lost', key: randomBytes(32) }]).encode([defaultPayloadConverter.toPayload('x')]);
  const missing = await post(server, '/decode', { payloads: foreign.map(jsonOf) });
  assert.equal(missing.status, 400);
  assert.match(missing.body.error.message, /the key "lost", which TURNKEEP_CODEC_KEYS does not have/);
});

test('nobody decrypts without a key: neither a missing nor a wrong one, by Bearer or by Basic', async () => {
  await using server = await start();
  const payloads = await encrypted('x');
  const basic = (password: string): string => `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`;
  for (const authorization of [undefined, 'Bearer wrong', `Bearer ${secret}x`, 'Bearer ', secret, basic('wrong'), basic('')]) {
    for (const path of ['/decode', '/encode']) {
      const { status, headers } = await post(server, path, { payloads }, authorization === undefined ? {} : { authorization });
      assert.deepEqual([status, headers.get('www-authenticate')?.split(' ')[0]], [401, 'Basic'], authorization);
    }
  }
  const { status } = await post(server, '/decode', { payloads }, { authorization: basic(secret) });
  assert.equal(status, 200);
});

test('a wrong request is told what is wrong with it', async () => {
  await using server = await start();
  for (const [path, body, status, message] of [
    ['/decode', '{', 400, /JSON/],
    ['/decode', {}, 400, /payloads/],
    ['/decode', { payloads: [{ metadata: { encoding: 'not base64!' }, data: '' }] }, 400, /payloads\[0\]|payloads\.0|encoding/],
    ['/elsewhere', {}, 404, /POST \/decode/],
  ] as const) {
    const answer = await post(server, path, body);
    assert.equal(answer.status, status, path);
    assert.match(answer.body.error.message, message);
  }
  const got = await fetch(`${server.url}/decode`, { headers: bearer });
  assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST']);
});

test("only pages of the UI's origin may call, with what the browser knows of this server", async () => {
  await using server = await start();
  const preflight = async (origin: string): Promise<Response> =>
    fetch(`${server.url}/decode`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
  const allowed = await preflight(uiOrigin);
  assert.deepEqual(
    [allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('access-control-allow-credentials')],
    [204, uiOrigin, 'true'],
  );
  assert.equal(allowed.headers.get('access-control-allow-headers'), 'authorization, content-type, x-namespace');
  const foreign = await preflight('http://evil.test');
  assert.deepEqual([foreign.status, foreign.headers.get('access-control-allow-origin')], [405, null]);
});

test('its log says who asked for how many payloads of which namespace, and has no secret and nothing decrypted', async () => {
  await using server = await start();
  await post(server, '/decode', { payloads: await encrypted('canary-words') });
  await post(server, '/decode', { payloads: await encrypted('canary-words') }, { authorization: 'Bearer canary-key' });
  const lines = server.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ caller: who, namespace, path, payloads }) => [who, namespace, path, payloads]),
    [['ops', 'prod', '/decode', 1]],
  );
  assert.doesNotMatch(server.lines.join(''), /canary|codec-caller/);
});

test("a browser that has signed in once decodes for pages of the UI's origin, as Temporal's UI calls with its credentials", async (t) => {
  const program = await needChromium(t);
  if (program === undefined) return;
  const ui = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<title>ui</title>'));
  await new Promise<void>((resolve) => ui.listen(0, '127.0.0.1', resolve));
  t.after(() => ui.close());
  const origin = `http://127.0.0.1:${(ui.address() as AddressInfo).port}`;
  await using server = await start([origin]);
  await using page = await openPage(program);
  const body = JSON.stringify({ payloads: await encrypted('for the page') });
  const call = `fetch(${JSON.stringify(`${server.url}/decode`)}, {
    method: 'POST', credentials: 'include', body: ${JSON.stringify(body)},
    headers: { 'content-type': 'application/json', 'x-namespace': 'prod' },
  }).then(async (response) => [response.status, await response.json()])`;
  await page.goto(`http://anybody:${secret}@${new URL(server.url).host}/`);
  await page.until("document.body.innerText.includes('Signed in as ops')");
  await page.goto(`${origin}/`);
  const [status, answer] = (await page.evaluate(call)) as [number, { payloads: JsonPayload[] }];
  assert.deepEqual([status, answer.payloads.map(valueOf)], [200, ['for the page']]);
});

test('its settings: keys and callers are needed, and no origin stands for all', () => {
  const env = { TURNKEEP_CODEC_KEYS: `a:${randomBytes(32).toString('base64')}`, TURNKEEP_CODEC_SERVER_KEYS: `ops:${secret}` };
  const { port, host, callers, origins } = readCodecServerConfig({ env, flags: {} });
  assert.deepEqual([port, host, callers, origins], [8485, '127.0.0.1', [caller], []]);
  const flags = { host: '0.0.0.0', port: '0', 'cors-origins': uiOrigin };
  assert.deepEqual(readCodecServerConfig({ env, flags }).origins, [uiOrigin]);
  assert.throws(
    () => readCodecServerConfig({ env: { TURNKEEP_PORT: 'x' }, flags: { 'cors-origins': '*' } }),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(' ')[0]),
        ['TURNKEEP_PORT', 'TURNKEEP_CODEC_KEYS', 'TURNKEEP_CODEC_SERVER_KEYS', '--cors-origins'],
      );
      return true;
    },
  );
});
