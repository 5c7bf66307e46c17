/** Bodies that are JSON, or nearly, and that nobody can do anything with. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readJson } from '../../../src/gateway/http/body.ts';
import { ApiError } from '../../../src/gateway/http/errors.ts';
import { createHttpServer } from '../../../src/http/server.ts';

async function responseTo(body: string | Buffer, headers: Record<string, string> = {}): Promise<string> {
  const server = createHttpServer((incoming, outgoing) => {
    readJson(incoming).then(
      (value) => outgoing.end(JSON.stringify(value)),
      (error: unknown) => outgoing.end(error instanceof ApiError ? `${error.fields.status} ${error.message}` : String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await (await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body: new Uint8Array(Buffer.from(body)) })).text();
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

test('a body is rejected for what no schema finds', async () => {
  assert.match(await responseTo(nested(100_000)), /^400 .*nested deeper than 256 levels/);
  assert.match(await responseTo(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`), /^400 .*nested deeper/);
  assert.equal(await responseTo(nested(256)), nested(256));
  assert.match(await responseTo('{"metadata":{"__proto__":"x"}}'), /^400 .*'__proto__'/);
  assert.match(await responseTo(Buffer.from([0x22, 0xe9, 0x22])), /^400 .*not valid UTF-8/);
  assert.match(await responseTo('{"a":{"\\udfff":1}}'), /^400 .*half a surrogate pair/);
  assert.match(await responseTo(gzipSync('{}'), { 'content-encoding': 'gzip' }), /^415 .*'gzip'/);
  assert.match(await responseTo('{"input":"x'), /^400 .*not valid JSON/);
});

test('T13 · half a surrogate pair, as clients make it where they cut a text, is U+FFFD', async () => {
  assert.equal(await responseTo('{"a":["\\ud800x"],"b":{"c":"\\udfff"}}'), '{"a":["\ufffdx"],"b":{"c":"\ufffd"}}');
  assert.equal(await responseTo('"\\ud83d"'), '"\ufffd"');
  const long = JSON.stringify({ input: Array.from({ length: 40 }, () => 'x'.repeat(1_000)), last: 'y' });
  assert.equal(await responseTo(long.replace('"y"', '"\\ud83d"')), long.replace('"y"', '"\ufffd"'));
});

test('a byte order mark, a surrogate pair and a null character come through', async () => {
  assert.equal(await responseTo('\uFEFF{"a":"\\ud83d\\ude00\\u0000"}'), '{"a":"\u{1F600}\\u0000"}');
});
