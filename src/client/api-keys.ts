/** How keys of the HTTP API are made, and what they look like: `tk_`, 12 letters and digits that may be shown, 256 random bits. */
import { createHash, randomBytes } from 'node:crypto';

export interface NewApiKey {
  /** The beginning of the key, by which it is named. */
  readonly id: string;
  /** To be shown once. */
  readonly key: string;
  /** SHA-256, in hex. */
  readonly hash: string;
}

export function newApiKey(): NewApiKey {
  const id = `tk_${randomBytes(6).toString('hex')}`;
  const key = `${id}_${randomBytes(32).toString('base64url')}`;
  return { id, key, hash: createHash('sha256').update(key).digest('hex') };
}

/** Has it the form of such a key? */
export function isApiKey(text: string): boolean {
  return /^tk_[0-9a-f]{12}_[\w-]{43}$/.test(text);
}
