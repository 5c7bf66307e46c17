/**
 * Who calls, and what may be done: by the keys of `TURNKEEP_API_KEYS`, which may do everything, and by those that the database has
 * (`turnkeep keys`), each with its scopes. The gateway knows only hashes.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type ApiKeyRow, isApiKey, type Scope, scopes, statusOf } from '../../domain/api-key.ts';
import { ApiError } from './errors.ts';

/** Of the environment. Its name is its tenant. */
export interface ApiKey {
  readonly name: string;
  /** SHA-256, in hex. */
  readonly hash: string;
}

export interface Caller {
  /** Of a key of the database. */
  readonly id?: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
}

/** Of the `authorization` header. Throws a 401 `ApiError` for an unknown key. A promise only where the database has to be asked. */
export type Authenticator = (authorization: string | undefined) => Caller | Promise<Caller>;

/** As the port of the store has it. */
export interface StoredKeys {
  findKey(hash: string): Promise<ApiKeyRow | undefined>;
  noteKeyUse(id: string, atMs: number): Promise<void>;
}

export interface AuthOptions {
  readonly keys: readonly ApiKey[];
  readonly store: StoredKeys;
  /** Without one a request is refused. Off: it is one of the tenant `default`, which may do everything. */
  readonly isKeyNeeded: boolean;
  readonly now?: () => number;
}

/** Of the error that refuses a key, or a request without one. */
export const invalidApiKey = 'invalid_api_key';

/** The tenant of all requests where no key is needed. */
const defaultTenant = 'default';

/** A key of the database is looked at again after this: so long one that was revoked may still be taken. */
const freshMs = 5_000;
/** Also of keys that there are not, so that who tries many costs a look each and no memory. */
const mostRemembered = 10_000;
const noteUseEveryMs = 60_000;

export function createAuthenticator({ keys, store, isKeyNeeded, now = Date.now }: AuthOptions): Authenticator {
  const nameOf = keyFinder(keys);
  const readStored = storedKeys(store, now);
  return (authorization) => {
    const secret = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '';
    const name = nameOf(secret);
    if (name !== undefined) return { tenant: name, scopes };
    if (isApiKey(secret)) return readStored(secret).then((key) => callerOf(key, now()));
    if (isKeyNeeded) throw unknownKey('Missing or unknown API key.');
    return { tenant: defaultTenant, scopes };
  };
}

/** @throws ApiError 403 that names the scope */
export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.includes(scope)) return;
  throw new ApiError({
    status: 403,
    code: 'insufficient_scope',
    message: `This needs a key with the scope '${scope}'; this one has ${caller.scopes.map((each) => `'${each}'`).join(', ')}. \`turnkeep keys create --scopes\` makes another.`,
  });
}

function callerOf(key: ApiKeyRow | undefined, nowMs: number): Caller {
  if (key === undefined) throw unknownKey('Unknown API key.');
  const status = statusOf(key, nowMs);
  if (status !== 'good') throw unknownKey(status === 'revoked' ? 'This API key was revoked.' : 'This API key has expired.');
  return key;
}

function unknownKey(what: string): ApiError {
  return new ApiError({
    status: 401,
    code: invalidApiKey,
    message: `${what} Send one of TURNKEEP_API_KEYS or of \`turnkeep keys\` as "Authorization: Bearer <secret>".`,
    headers: { 'www-authenticate': 'Bearer' },
  });
}

/** Returns a function from a secret to its row in the database, as it was `freshMs` ago at the most. It notes that the key is used. */
function storedKeys(store: StoredKeys, now: () => number): (secret: string) => Promise<ApiKeyRow | undefined> {
  const remembered = new Map<string, { readonly key: Promise<ApiKeyRow | undefined>; readonly atMs: number }>();
  const notedAtMs = new Map<string, number>();

  function noteUse({ id }: ApiKeyRow, nowMs: number): void {
    if (nowMs - (notedAtMs.get(id) ?? -Infinity) < noteUseEveryMs) return;
    notedAtMs.set(id, nowMs);
    // Nobody waits for it, and the next minute tries again.
    store.noteKeyUse(id, nowMs).catch(() => undefined);
  }

  function look(hash: string, nowMs: number): Promise<ApiKeyRow | undefined> {
    const known = remembered.get(hash);
    if (known !== undefined && nowMs - known.atMs < freshMs) return known.key;
    const key = store.findKey(hash);
    remembered.delete(hash);
    remembered.set(hash, { key, atMs: nowMs });
    // A database that is away is asked again by the next request.
    key.catch(() => {
      if (remembered.get(hash)?.key === key) remembered.delete(hash);
    });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= mostRemembered) break;
      remembered.delete(oldest);
    }
    return key;
  }

  return async (secret) => {
    const nowMs = now();
    const key = await look(hashOf(secret).toString('hex'), nowMs);
    if (key !== undefined && statusOf(key, nowMs) === 'good') noteUse(key, nowMs);
    return key;
  };
}

/** Returns a function from a secret to the name of its key; undefined where there is none. */
export function keyFinder(keys: readonly ApiKey[]): (secret: string) => string | undefined {
  const hashed = keys.map(({ name, hash }) => ({ name, hash: Buffer.from(hash, 'hex') }));
  return (secret) => {
    const given = hashOf(secret);
    let found: string | undefined;
    // Every key is compared, so that the time it takes does not depend on which one matches.
    for (const { name, hash } of hashed) if (timingSafeEqual(hash, given)) found ??= name;
    return found;
  };
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
