/** What every driver of the store must do: keys of the HTTP API, and which key encrypts what Temporal stores. */
import assert from 'node:assert/strict';
import type { ApiKeyRow } from '../../src/domain/api-key.ts';
import type { Contract } from './contract.ts';

function keyRow(id: string, fields: Partial<ApiKeyRow> = {}): ApiKeyRow {
  return {
    id,
    tenant: 'ann',
    hash: `hash of ${id}`,
    scopes: ['read', 'write'],
    createdAtMs: 1_000,
    expiresAtMs: null,
    revokedAtMs: null,
    lastUsedAtMs: null,
    ...fields,
  };
}

const old = { id: 'old', fingerprint: 'f0' };
const fresh = { id: 'fresh', fingerprint: 'f1' };

export function keysContract(contract: Contract): void {
  contract('keys are found by their hash and listed, the newest first, in every process', async (store, database) => {
    const one = keyRow('tk_1');
    const two = keyRow('tk_2', { createdAtMs: 2_000, expiresAtMs: 9_000, scopes: ['export'] });
    const other = keyRow('tk_3', { tenant: 'bob', createdAtMs: 3_000 });
    for (const key of [one, two, other]) await store.createKey(key);
    const elsewhere = database.open();
    assert.deepEqual(await elsewhere.findKey('hash of tk_2'), two);
    assert.equal(await elsewhere.findKey('hash of nothing'), undefined);
    assert.deepEqual(await elsewhere.listKeys('ann'), [two, one]);
    assert.deepEqual(await elsewhere.listKeys(), [other, two, one]);
    await assert.rejects(store.createKey(keyRow('tk_1', { hash: 'another' })));
    await assert.rejects(store.createKey(keyRow('tk_4', { hash: 'hash of tk_1' })));
  });

  contract('a rotation makes a key of the same tenant, scopes and life, and lets the old one go after the overlap', async (store) => {
    await store.createKey(keyRow('tk_1', { expiresAtMs: 101_000, scopes: ['read'] }));
    const rotation = { id: 'tk_1', replacement: { id: 'tk_2', hash: 'hash of tk_2' }, atMs: 51_000, overlapMs: 10_000 };
    const replacement = keyRow('tk_2', { createdAtMs: 51_000, expiresAtMs: 151_000, scopes: ['read'] });
    assert.deepEqual(await store.rotateKey(rotation), replacement);
    assert.deepEqual(await store.listKeys(), [replacement, keyRow('tk_1', { expiresAtMs: 61_000, scopes: ['read'] })]);
    const late = { ...rotation, replacement: { id: 'tk_3', hash: 'hash of tk_3' } };
    assert.equal(await store.rotateKey({ ...late, atMs: 61_000 }), undefined, 'it is past its overlap');
    assert.equal(await store.rotateKey({ ...late, id: 'tk_9' }), undefined, 'there is none');
    assert.equal((await store.listKeys()).length, 2);
  });

  contract('a key that is revoked is so for good, for all: it is not rotated, and its time stands', async (store, database) => {
    await store.createKey(keyRow('tk_1'));
    const revoked = keyRow('tk_1', { revokedAtMs: 5_000 });
    assert.deepEqual(await store.revokeKey('tk_1', 5_000), revoked);
    assert.deepEqual(await database.open().findKey('hash of tk_1'), revoked);
    assert.deepEqual(await store.revokeKey('tk_1', 6_000), revoked);
    const replacement = { id: 'tk_2', hash: 'hash of tk_2' };
    assert.equal(await store.rotateKey({ id: 'tk_1', replacement, atMs: 7_000, overlapMs: 1 }), undefined);
    assert.equal(await store.revokeKey('tk_9', 1), undefined);
  });

  contract('the last use of a key is noted, and never an earlier one', async (store) => {
    await store.createKey(keyRow('tk_1'));
    await store.noteKeyUse('tk_1', 5_000);
    await store.noteKeyUse('tk_1', 4_000);
    await store.noteKeyUse('tk_9', 4_000);
    assert.deepEqual(await store.listKeys(), [keyRow('tk_1', { lastUsedAtMs: 5_000 })]);
  });

  contract(
    'the codec key: the first in use is known to all; who has it too may bring another, who lacks it is refused',
    async (store, database) => {
      const other = database.open();
      assert.deepEqual(await store.useCodecKey([]), { type: 'use', inUse: null });
      assert.deepEqual(await store.useCodecKey([old]), { type: 'use', inUse: old });
      assert.deepEqual(await other.useCodecKey([fresh]), { type: 'refuse', inUse: old, reason: 'missing' });
      assert.deepEqual(await other.useCodecKey([]), { type: 'refuse', inUse: old, reason: 'missing' });
      assert.deepEqual(await other.useCodecKey([{ ...old, fingerprint: 'f9' }]), { type: 'refuse', inUse: old, reason: 'different' });
      assert.deepEqual(await other.useCodecKey([old, fresh]), { type: 'use', inUse: old });
      assert.deepEqual(await other.useCodecKey([fresh, old]), { type: 'use', inUse: fresh });
      assert.deepEqual(await store.useCodecKey([old]), { type: 'refuse', inUse: fresh, reason: 'missing' });
      await store.forgetCodecKey();
      assert.deepEqual(await other.useCodecKey([]), { type: 'use', inUse: null });
      const both = await Promise.all([store.useCodecKey([old]), other.useCodecKey([fresh])]);
      assert.deepEqual(both.map(({ type }) => type).toSorted(), ['refuse', 'use']);
    },
  );
}
