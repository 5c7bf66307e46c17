import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
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

/** As turnkeep wrote payloads before they had places, and as Temporal's own samples do. */
function withoutPlace(payload: Payload): Payload {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', first.key, nonce);
  const plain = proto.temporal.api.common.v1.Payload.encode(payload).finish();
  return {
    metadata: { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(first.id) },
    data: Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]),
  };
}

const place = { type: 'workflow', namespace: 'prod', workflowId: 'turn/resp_1' } as const;

async function madeFor(context?: SerializationContext): Promise<Payload> {
  const [result] = await createEncryption([first]).encode([payloadOf('x')], context);
  assert.ok(result);
  return result;
}

async function readAt(payload: Payload, context?: SerializationContext, checksPlace = true): Promise<unknown> {
  const [result] = await createEncryption([first], { checksPlace }).decode([payload], context);
  assert.ok(result);
  return defaultPayloadConverter.fromPayload(result);
}

const otherWorkflow = /was encrypted for another workflow/;

test('a payload is read in the workflow and the namespace that it was made for, and refused in any other', async () => {
  const payload = await madeFor(place);
  assert.equal(await readAt(payload, place), 'x');
  assert.equal(await readAt(payload, { ...place, type: 'activity', activityId: '1', isLocal: false }), 'x');
  await assert.rejects(readAt(payload, { ...place, workflowId: 'turn/resp_2' }), otherWorkflow);
  await assert.rejects(readAt(payload, { ...place, namespace: 'staging' }), otherWorkflow);
  await assert.rejects(readAt(payload, { ...place, type: 'activity', workflowId: 'turn/resp_2', isLocal: false }), otherWorkflow);
});

test('what does not know where a payload is reads it: exports, replays, the codec server and activities without a workflow', async () => {
  const payload = await madeFor(place);
  assert.equal(await readAt(payload), 'x');
  assert.equal(await readAt(payload, { type: 'workflow', namespace: 'default', workflowId: 'fake' }, false), 'x');
  assert.equal(await readAt(payload, { type: 'activity', namespace: 'prod', activityId: 'a', isLocal: false }), 'x');
});

test("a payload that was made where its workflow is not known, as a signal of Temporal's command line, is read in each", async () => {
  assert.equal(await readAt(await madeFor(), place), 'x');
  const ofNamespace = await madeFor({ type: 'activity', namespace: 'prod', isLocal: false });
  assert.equal(await readAt(ofNamespace, place), 'x');
  await assert.rejects(readAt(ofNamespace, { ...place, namespace: 'staging' }), otherWorkflow);
});

test('the arguments of a schedule, made for its workflow id, are read in its runs, and in nothing that is only called alike', async () => {
  const payload = await madeFor({ ...place, workflowId: 'nightly' });
  assert.equal(await readAt(payload, { ...place, workflowId: 'nightly-2026-11-26T00:00:00Z' }), 'x');
  for (const workflowId of ['nightly-2', 'nightly-2026-11-26T00:00:00Z-2', 'other-2026-11-26T00:00:00Z'])
    await assert.rejects(readAt(payload, { ...place, workflowId }), otherWorkflow);
});

test('the place cannot be changed or taken away, nor the key id: they are authenticated', async () => {
  const payload = await madeFor(place);
  const expected = /does not decrypt a history/;
  const withPlace = (text: string): Payload => ({ ...payload, metadata: { ...payload.metadata, 'encryption-place': Buffer.from(text) } });
  await assert.rejects(readAt(withPlace('v1\nprod\nturn/resp_2'), { ...place, workflowId: 'turn/resp_2' }), expected);
  await assert.rejects(readAt(withPlace('')), expected);
  await assert.rejects(readAt(withPlace('v2\nprod\nturn/resp_1')), /in a form that this version of turnkeep does not know \("v2"\)/);
  const renamed = { ...payload, metadata: { ...payload.metadata, 'encryption-key-id': Buffer.from('alias') } };
  await assert.rejects(createEncryption([{ id: 'alias', key: first.key }]).decode([renamed]), expected);
});

test('what was encrypted before there were places is read anywhere', async () => {
  const old = withoutPlace(payloadOf('old'));
  assert.deepEqual([await readAt(old), await readAt(old, place)], ['old', 'old']);
});
