/**
 * Keys of the HTTP API that the database has, beside those of `TURNKEEP_API_KEYS`. Of a key the database has the SHA-256 alone: a key
 * is 256 random bits, which nobody finds by trying, so that a slow hash, made for passwords, would cost each request and hold
 * nothing back.
 */

/** `read`: what a tenant has; `write`: turns are begun, and things changed and deleted; `export`: turns as files, with their histories. */
export const scopes = ['read', 'write', 'export'] as const;
export type Scope = (typeof scopes)[number];

/** Has it the form of such a key? `tk_`, 12 digits that may be shown, and 256 bits in base64url. */
export function isApiKey(text: string): boolean {
  return /^tk_[0-9a-f]{12}_[\w-]{43}$/.test(text);
}

export interface ApiKeyRow {
  /** The beginning of the key, which may be shown: `tk_` and 12 digits. */
  readonly id: string;
  readonly tenant: string;
  /** SHA-256 of the whole key, in hex. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  /** Roughly: noted once a minute at the most. */
  readonly lastUsedAtMs: number | null;
}

export interface KeyRotation {
  readonly id: string;
  readonly replacement: Pick<ApiKeyRow, 'id' | 'hash'>;
  readonly atMs: number;
  /** How long the old key is still good. */
  readonly overlapMs: number;
}

export type KeyStatus = 'good' | 'expired' | 'revoked';

export function statusOf({ revokedAtMs, expiresAtMs }: Pick<ApiKeyRow, 'revokedAtMs' | 'expiresAtMs'>, nowMs: number): KeyStatus {
  if (revokedAtMs !== null) return 'revoked';
  return expiresAtMs !== null && expiresAtMs <= nowMs ? 'expired' : 'good';
}

/**
 * The two keys after a rotation: the new one may do what the old one might, and lives as long as that was given. Undefined where
 * the old one is good no more: that would bring it back.
 */
export function rotated(
  old: ApiKeyRow,
  { replacement, atMs, overlapMs }: KeyRotation,
): { readonly old: ApiKeyRow; readonly replacement: ApiKeyRow } | undefined {
  if (statusOf(old, atMs) !== 'good') return undefined;
  const { tenant, scopes: sameScopes, createdAtMs, expiresAtMs } = old;
  return {
    old: { ...old, expiresAtMs: Math.min(expiresAtMs ?? Infinity, atMs + overlapMs) },
    replacement: {
      ...replacement,
      tenant,
      scopes: sameScopes,
      createdAtMs: atMs,
      expiresAtMs: expiresAtMs === null ? null : atMs + (expiresAtMs - createdAtMs),
      revokedAtMs: null,
      lastUsedAtMs: null,
    },
  };
}
