/** Keys of the HTTP API, as hashes, and the mark of the key that encrypts what Temporal stores. */
import { type ApiKeyRow, type KeyRotation, rotated, type Scope } from '../../domain/api-key.ts';
import { type CodecKeyDecision, type CodecKeyMark, codecKeyMarkOf, codecKeyMarkText, decideCodecKey } from '../../domain/codec-key.ts';
import { numberOrNull, text } from './rows.ts';
import { all, one, run, type Row, type SqlDatabase, type Work } from './work.ts';

/** In `meta`, where the database has the mark. */
export const codecKey = 'codec_key';

function* insertKey({ id, tenant, hash, scopes, createdAtMs, expiresAtMs }: ApiKeyRow): Work<void> {
  const sql = 'INSERT INTO api_keys (id, tenant, hash, scopes, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)';
  yield* run(sql, id, tenant, hash, scopes.join(','), createdAtMs, expiresAtMs);
}

export async function createKey(db: SqlDatabase, key: ApiKeyRow): Promise<void> {
  await db.commit('durable', () => insertKey(key));
}

export function* findKey(hash: string): Work<ApiKeyRow | undefined> {
  const row = yield* one('SELECT * FROM api_keys WHERE hash = ?', hash);
  return row && keyOf(row);
}

export function* listKeys(tenant: string | undefined): Work<ApiKeyRow[]> {
  const rows =
    tenant === undefined
      ? yield* all('SELECT * FROM api_keys ORDER BY created_at DESC, id')
      : yield* all('SELECT * FROM api_keys WHERE tenant = ? ORDER BY created_at DESC, id', tenant);
  return rows.map(keyOf);
}

function* readKey(id: string): Work<ApiKeyRow | undefined> {
  const row = yield* one('SELECT * FROM api_keys WHERE id = ?', id);
  return row && keyOf(row);
}

export async function rotateKey(db: SqlDatabase, rotation: KeyRotation): Promise<ApiKeyRow | undefined> {
  return db.commit('durable', function* () {
    const before = yield* readKey(rotation.id);
    const keys = before && rotated(before, rotation);
    if (keys === undefined) return undefined;
    // Two rotations at the same moment must not both replace it.
    const sql = 'UPDATE api_keys SET expires_at = ? WHERE id = ? AND revoked_at IS NULL AND expires_at IS NOT DISTINCT FROM ?';
    if ((yield* run(sql, keys.old.expiresAtMs, rotation.id, before?.expiresAtMs ?? null)) === 0) return undefined;
    yield* insertKey(keys.replacement);
    return keys.replacement;
  });
}

export async function revokeKey(db: SqlDatabase, id: string, atMs: number): Promise<ApiKeyRow | undefined> {
  return db.commit('durable', function* () {
    yield* run('UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL', atMs, id);
    return yield* readKey(id);
  });
}

export async function noteKeyUse(db: SqlDatabase, id: string, atMs: number): Promise<void> {
  const sql = 'UPDATE api_keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)';
  await db.commit('quick', () => run(sql, atMs, id, atMs));
}

export async function useCodecKey(db: SqlDatabase, ring: readonly CodecKeyMark[]): Promise<CodecKeyDecision> {
  const [first] = ring;
  // Nothing is written then: a process without keys starts while the database is held.
  if (first === undefined) {
    return db.read(function* () {
      return decideCodecKey(yield* readMark(), ring);
    });
  }
  return db.commit('durable', function* () {
    yield* run('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', codecKey, codecKeyMarkText(first));
    const decision = decideCodecKey(yield* readMark(), ring);
    if (decision.type === 'use' && decision.inUse !== null)
      yield* run('UPDATE meta SET value = ? WHERE name = ?', codecKeyMarkText(decision.inUse), codecKey);
    return decision;
  });
}

export async function forgetCodecKey(db: SqlDatabase): Promise<void> {
  await db.commit('durable', () => run('DELETE FROM meta WHERE name = ?', codecKey));
}

function* readMark(): Work<CodecKeyMark | null> {
  const row = yield* one('SELECT value FROM meta WHERE name = ?', codecKey);
  return row === undefined ? null : codecKeyMarkOf(text(row['value']));
}

function keyOf(row: Row): ApiKeyRow {
  return {
    id: text(row['id']),
    tenant: text(row['tenant']),
    hash: text(row['hash']),
    scopes: text(row['scopes']).split(',') as Scope[],
    createdAtMs: Number(row['created_at']),
    expiresAtMs: numberOrNull(row['expires_at']),
    revokedAtMs: numberOrNull(row['revoked_at']),
    lastUsedAtMs: numberOrNull(row['last_used_at']),
  };
}
