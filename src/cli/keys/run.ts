/** `turnkeep keys`: on the database itself, whether a gateway runs or not. */
import { createHash, randomBytes } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import { readConfig } from '../../config/read-config.ts';
import { type ApiKeyRow, statusOf } from '../../domain/api-key.ts';
import type { Store } from '../../store/ports/store.ts';
import { openStore } from '../../roles/open-store.ts';
import { openDataDir } from '../open-data-dir.ts';
import type { CreateFlags, KeysActions, KeysFlags } from './command.ts';

/** 1: the answer is no. */
const noSuchKey = 1;

export const runKeys: KeysActions = {
  create: (flags) =>
    withStore(flags, async (store, config) => {
      const { key, ...made } = newApiKey();
      const row = rowOf(flags, made);
      await store.createKey(row);
      show(row, key, flags);
      if (config.apiKeys.length === 0 && !config.requiresKey) {
        process.stderr.write(
          'turnkeep: gateways answer requests without a key too, until TURNKEEP_REQUIRE_KEY=on or TURNKEEP_API_KEYS is set for them\n',
        );
      }
    }),

  list: (flags) =>
    withStore(flags, async (store) => {
      const keys = await store.listKeys(flags.tenant);
      if (keys.length === 0 && flags.json !== true) process.stderr.write('no keys yet\n');
      for (const key of keys) process.stdout.write(`${flags.json === true ? JSON.stringify(jsonOf(key)) : lineOf(key)}\n`);
    }),

  rotate: (id, flags) =>
    withStore(flags, async (store) => {
      const { key, ...replacement } = newApiKey();
      const row = await store.rotateKey({ id: idOf(id), replacement, atMs: Date.now(), overlapMs: flags.overlap });
      if (row === undefined) return no(`there is no key ${idOf(id)} that is good`);
      show(row, key, flags);
    }),

  revoke: (id, flags) =>
    withStore(flags, async (store) => {
      const row = await store.revokeKey(idOf(id), Date.now());
      if (row === undefined) return no(`there is no key ${idOf(id)}`);
      process.stdout.write(`${flags.json === true ? JSON.stringify(jsonOf(row)) : lineOf(row)}\n`);
    }),

  forgetCodec: (flags) => withStore(flags, (store) => store.forgetCodecKey()),
};

/** @returns the key, to be shown once, with what the database has of it */
export function newApiKey(): Pick<ApiKeyRow, 'id' | 'hash'> & { readonly key: string } {
  const id = `tk_${randomBytes(6).toString('hex')}`;
  const key = `${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, hash: createHash('sha256').update(key).digest('hex') };
}

/** Of a whole key, so that it may be pasted as it was found. */
function idOf(text: string): string {
  return text.slice(0, 'tk_'.length + 12);
}

async function withStore(flags: KeysFlags, work: (store: Store, config: Config) => Promise<void>): Promise<void> {
  const { dataDir, databaseUrl } = flags;
  const config = readConfig({ env: process.env, flags: { 'data-dir': dataDir, 'database-url': databaseUrl } });
  for (const notice of await openDataDir(config)) process.stderr.write(`turnkeep: ${notice}\n`);
  const store = await openStore(config);
  try {
    await work(store, config);
  } finally {
    await store.close();
  }
}

function rowOf({ tenant, scopes, expires }: CreateFlags, { id, hash }: Pick<ApiKeyRow, 'id' | 'hash'>): ApiKeyRow {
  const createdAtMs = Date.now();
  const expiresAtMs = expires === undefined ? null : createdAtMs + expires;
  return { id, hash, tenant, scopes, createdAtMs, expiresAtMs, revokedAtMs: null, lastUsedAtMs: null };
}

function show(row: ApiKeyRow, key: string, { json }: KeysFlags): void {
  process.stdout.write(`${json === true ? JSON.stringify({ ...jsonOf(row), key }) : key}\n`);
  if (json !== true) process.stderr.write(`${lineOf(row)}\nIt is shown this once.\n`);
}

function jsonOf({ id, tenant, scopes, createdAtMs, expiresAtMs, revokedAtMs, lastUsedAtMs }: ApiKeyRow): object {
  return {
    id,
    tenant,
    scopes,
    status: statusOf({ expiresAtMs, revokedAtMs }, Date.now()),
    created_at: timeOf(createdAtMs),
    expires_at: timeOf(expiresAtMs),
    revoked_at: timeOf(revokedAtMs),
    last_used_at: timeOf(lastUsedAtMs),
  };
}

function lineOf(key: ApiKeyRow): string {
  const { id, tenant, scopes, expiresAtMs, lastUsedAtMs } = key;
  const status = statusOf(key, Date.now());
  const life = status === 'good' && expiresAtMs !== null ? `good until ${timeOf(expiresAtMs)}` : status;
  const used = lastUsedAtMs === null ? 'never used' : `used about ${timeOf(lastUsedAtMs)}`;
  return `${id}  ${tenant}  ${scopes.join(',')}  ${life}  ${used}`;
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function no(reason: string): void {
  process.stderr.write(`turnkeep: ${reason}\n`);
  process.exitCode = noSuchKey;
}
