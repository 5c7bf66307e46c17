/** Bearer keys. The gateway has only their hashes, and compares them in constant time; a key's name is its tenant. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from './errors.ts';

export interface ApiKey {
  readonly name: string;
  /** SHA-256, in hex. */
  readonly hash: string;
}

/** The tenant of all requests where no keys are set. */
const defaultTenant = 'default';

/** Returns a function from the `authorization` header to the tenant. It throws a 401 `ApiError` for an unknown key. */
export function createAuthenticator(keys: readonly ApiKey[]): (authorization: string | undefined) => string {
  const nameOf = keyFinder(keys);
  return (authorization) => {
    if (keys.length === 0) return defaultTenant;
    const tenant = nameOf(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '');
    if (tenant === undefined) {
      throw new ApiError({
        status: 401,
        code: 'invalid_api_key',
        message: 'Missing or unknown API key. Send one of TURNKEEP_API_KEYS as "Authorization: Bearer <secret>".',
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    return tenant;
  };
}

/** Returns a function from a secret to the name of its key; undefined where there is none. */
export function keyFinder(keys: readonly ApiKey[]): (secret: string) => string | undefined {
  const hashed = keys.map(({ name, hash }) => ({ name, hash: Buffer.from(hash, 'hex') }));
  return (secret) => {
    const given = createHash('sha256').update(secret).digest();
    let found: string | undefined;
    // Every key is compared, so that the time it takes does not depend on which one matches.
    for (const { name, hash } of hashed) if (timingSafeEqual(hash, given)) found ??= name;
    return found;
  };
}
