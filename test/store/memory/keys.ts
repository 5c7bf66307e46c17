import { rotated } from '../../../src/domain/api-key.ts';
import { decideCodecKey } from '../../../src/domain/codec-key.ts';
import type { KeyStore } from '../../../src/store/ports/keys.ts';
import type { Connection } from './database.ts';

export function keyStore(connection: Connection): KeyStore {
  return {
    createKey: (key) =>
      connection.transaction(({ keys }) => {
        if (keys.has(key.id) || [...keys.values()].some(({ hash }) => hash === key.hash)) throw new Error('there is such a key');
        keys.set(key.id, key);
      }),
    findKey: (wanted) => connection.transaction(({ keys }) => [...keys.values()].find(({ hash }) => hash === wanted)),
    listKeys: (tenant) =>
      connection.transaction(({ keys }) =>
        [...keys.values()]
          .filter((key) => tenant === undefined || key.tenant === tenant)
          .toSorted((one, other) => other.createdAtMs - one.createdAtMs || (one.id < other.id ? -1 : 1)),
      ),
    rotateKey: (rotation) =>
      connection.transaction(({ keys }) => {
        const before = keys.get(rotation.id);
        const after = before && rotated(before, rotation);
        if (after === undefined) return undefined;
        keys.set(after.old.id, after.old).set(after.replacement.id, after.replacement);
        return after.replacement;
      }),
    revokeKey: (id, atMs) =>
      connection.transaction(({ keys }) => {
        const key = keys.get(id);
        if (key !== undefined && key.revokedAtMs === null) keys.set(id, { ...key, revokedAtMs: atMs });
        return keys.get(id);
      }),
    noteKeyUse: (id, atMs) =>
      connection.transaction(({ keys }) => {
        const key = keys.get(id);
        if (key !== undefined && (key.lastUsedAtMs ?? -1) < atMs) keys.set(id, { ...key, lastUsedAtMs: atMs });
      }),
    useCodecKey: (ring) =>
      connection.transaction((database) => {
        const decision = decideCodecKey(database.codecKey, ring);
        if (decision.type === 'use') database.codecKey = decision.inUse;
        return decision;
      }),
    forgetCodecKey: () =>
      connection.transaction((database) => {
        database.codecKey = null;
      }),
  };
}
