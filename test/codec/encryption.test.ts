import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { createEncryption } from '../../src/codec/encryption.ts';

const first = { id: '2026', key: randomBytes(32) };
const second = { id: '2027', key: randomBytes(32) };

function payloadOf(value: unknown): Payload {
  return defaultPayloadConverter.toPayload(value);
}

async function encrypted(payload: Payload, keys = [first]): Promise<Payload> {
  const [result] = await createEncryption(keys).encode([payload]);
  assert.ok(result);
  return result;
}

async function decrypted(payload: Payload, keys = [first]): Promise<unknown> {
  const [result] = await createEncryption(keys).decode([payload]);
  assert.ok(result);
  return defaultPayloadConverter.fromPayload(result);
}

test('a payload is the same after encryption and decryption, and unreadable in between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const payload = await encrypted(payloadOf({ secretWords: value }));
      assert.equal(Buffer.from(payload.metadata?.['encoding'] ?? []).toString(), 'binary/encrypted');
      assert.equal(Buffer.from(payload.metadata?.['encryption-key-id'] ?? []).toString(), '2026');
      assert.ok(!Buffer.from(payload.data ?? []).includes('secretWords'));
      assert.deepEqual(await decrypted(payload), JSON.parse(JSON.stringify({ secretWords: value })));
    }),
  );
});

test('equal payloads are never encrypted equally', async () => {
  const all = await createEncryption([first]).encode(Array.from({ length: 1_000 }, () => payloadOf('same')));
  const nonces = all.map(({ data }) =>
    Buffer.from(data ?? [])
      .subarray(0, 12)
      .toString('hex'),
  );
  assert.equal(new Set(nonces).size, 1_000);
});

test('the first key encrypts, all decrypt; what was stored before there were keys is read as it is', async () => {
  const old = await encrypted(payloadOf('old'));
  const fresh = await encrypted(payloadOf('fresh'), [second, first]);
  assert.equal(Buffer.from(fresh.metadata?.['encryption-key-id'] ?? []).toString(), '2027');
  assert.deepEqual([await decrypted(old, [second, first]), await decrypted(fresh, [second, first])], ['old', 'fresh']);
  assert.equal(await decrypted(payloadOf('plain')), 'plain');
});

test('a missing key is named, with what to do', async () => {
  const payload = await encrypted(payloadOf('x'));
  await assert.rejects(
    decrypted(payload, [second]),
    /encrypted with the key "2026", which TURNKEEP_CODEC_KEYS does not have: add it again, behind the first/,
  );
});

test('another key under the same id, and bytes that were changed or cut off, are errors', async () => {
  const payload = await encrypted(payloadOf('x'));
  const data = Buffer.from(payload.data ?? []);
  const expected = /the key "2026" of TURNKEEP_CODEC_KEYS does not decrypt a history/;
  await assert.rejects(decrypted(payload, [{ ...first, key: second.key }]), expected);
  for (let at = 0; at < data.length; at += 1) {
    const changed = Buffer.from(data);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await assert.rejects(decrypted({ ...payload, data: changed }), expected);
    await assert.rejects(decrypted({ ...payload, data: data.subarray(0, at) }), expected);
  }
});
