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
  const hashed = keys.map(({ name, hash }) => ({ name, hash: Buffer.from(hash, 'hex') }));
  return (authorization) => {
    if (hashed.length === 0) return defaultTenant;
    const given = sha256(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '');
    let tenant: string | undefined;
    // Every key is compared, so that the time it takes does not depend on which one matches.
    for (const { name, hash } of hashed) if (timingSafeEqual(hash, given)) tenant ??= name;
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

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
