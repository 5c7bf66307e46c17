import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openConnection } from '../../../src/providers/http/connection.ts';
import { jsonPieces } from '../../../src/providers/http/json-pieces.ts';
import { startModelServer } from '../../../src/testing/model-server/index.ts';

const long = {
  model: 'scripted',
  left: undefined,
  messages: Array.from({ length: 40 }, (_, at) => ({ role: 'user', content: `${at} "ä€😀\ud800\n`.repeat(8_000), none: undefined })),
  stop: [],
  seed: null,
  stream: true,
};
/** No server takes half a surrogate pair. */
const sentOf = (body: object): string => JSON.stringify(body).replaceAll('\\ud800', '\ufffd');

test('the pieces are what JSON.stringify says, in UTF-8', async () => {
  for (const body of [{}, { model: 'a' }, { messages: [] }, { a: undefined, b: [1, [2, { c: [3] }], null] }, long]) {
    assert.equal(Buffer.concat(await jsonPieces(body)).toString(), sentOf(body));
  }
});

test('T13 · half a surrogate pair is sent as U+FFFD, wherever it stands', async () => {
  const body = { a: 'x\ud83d', messages: [{ content: ['\udc00', '😀'], '\ud83d': 1 }], written: '\\ud83d' };
  const sent = { a: 'x\ufffd', messages: [{ content: ['\ufffd', '😀'], '\ufffd': 1 }], written: '\\ud83d' };
  assert.equal(Buffer.concat(await jsonPieces(body)).toString(), JSON.stringify(sent));
});

test('T14 · a long prompt is made in pieces, and other work is done between any two of them', async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const pieces = await jsonPieces(long);
  clearImmediate(next);
  assert.ok(pieces.length > 10, `${pieces.length} pieces`);
  assert.ok(turns >= pieces.length - 1, `${turns} turns of the loop for ${pieces.length} pieces`);
});

test('a body of many pieces is sent with its length, whole', async () => {
  await using server = await startModelServer();
  const connection = openConnection({ connectTimeoutMs: 1_000 });
  const request = { method: 'POST', url: new URL(`${server.baseUrl}/chat/completions`), body: await jsonPieces(long) } as const;
  await connection.send({ ...request, headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(10_000) });
  const [logged] = server.requests;
  assert.equal(logged?.headers['content-length'], String(Buffer.byteLength(sentOf(long))));
  assert.equal(logged.headers['transfer-encoding'], undefined);
  assert.equal(logged.bodyText, sentOf(long));
  await connection.close();
});
