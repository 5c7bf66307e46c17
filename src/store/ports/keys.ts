/** The port to the keys that the database knows of: those of the HTTP API, and which one encrypts what Temporal stores. */
import type { ApiKeyRow, KeyRotation } from '../../domain/api-key.ts';
import type { CodecKeyDecision, CodecKeyMark } from '../../domain/codec-key.ts';

/** **Contract**, besides that of `Store`. What is written of a key is durable, but for when it was used. */
export interface KeyStore {
  /** @throws where there is a key of this id or hash */
  createKey(key: ApiKeyRow): Promise<void>;

  /** Good, expired and revoked ones. */
  findKey(hash: string): Promise<ApiKeyRow | undefined>;

  /** Of all tenants where none is named; the newest first. */
  listKeys(tenant?: string): Promise<readonly ApiKeyRow[]>;

  /** As `rotated` says, in one commit. @returns the new key; undefined where the old one is not there, or good no more */
  rotateKey(rotation: KeyRotation): Promise<ApiKeyRow | undefined>;

  /** A key that is revoked stays as it is. Undefined: there is no such key. */
  revokeKey(id: string, atMs: number): Promise<ApiKeyRow | undefined>;

  /** An older use than the one that is known is not noted. */
  noteKeyUse(id: string, atMs: number): Promise<void>;

  /** As `decideCodecKey` says; of processes that start at the same moment the first decides for the others. */
  useCodecKey(ring: readonly CodecKeyMark[]): Promise<CodecKeyDecision>;

  /** No key is in use from then on. */
  forgetCodecKey(): Promise<void>;
}
