/**
 * AES-256-GCM on the payloads that Temporal stores, in the form of Temporal's own samples, so that their codec servers
 * can decrypt it: the data is a nonce and the whole payload as encrypted protobuf, the metadata `encoding` and key id.
 *
 * **Contract.** The first key encrypts, every key decrypts. Payloads that are not encrypted pass unchanged.
 * Nonces are random, 96 bits: good for 2^32 payloads a key (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Payload, type PayloadCodec, ValueError } from '@temporalio/common';
// The package is CommonJS of a kind whose named exports Node does not recognise.
import proto from '@temporalio/proto';

export interface CodecKey {
  /** Stored unencrypted with each payload. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

const algorithm = 'aes-256-gcm';
const encoding = 'binary/encrypted';
const encodingKey = 'encoding';
const keyIdKey = 'encryption-key-id';
const nonceBytes = 12;
const tagBytes = 16;

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

/**
 * @param keys at least one
 * @param onError called once for each key that is missing or wrong, since Temporal only shows the encrypted error
 */
export function createEncryption(keys: readonly CodecKey[], onError: (message: string) => void = () => {}): PayloadCodec {
  const [current] = keys;
  if (current === undefined) throw new Error('an encryption needs a key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  const reported = new Set<string>();
  function decoded(payload: Payload): Payload {
    if (!isEncrypted(payload)) return payload;
    const id = textOf(payload.metadata?.[keyIdKey]);
    const key = byId.get(id);
    const plain = key === undefined ? undefined : decrypted(payload, key);
    if (plain !== undefined) return plain;
    const message =
      key === undefined
        ? `a history was encrypted with the key ${JSON.stringify(id)}, which TURNKEEP_CODEC_KEYS does not have: add it again, behind the first`
        : `the key ${JSON.stringify(id)} of TURNKEEP_CODEC_KEYS does not decrypt a history: it is not the one it was encrypted with`;
    if (!reported.has(message)) onError(message);
    reported.add(message);
    throw new ValueError(message);
  }
  return {
    encode: async (payloads) => payloads.map((payload) => encrypted(payload, current)),
    decode: async (payloads) => payloads.map(decoded),
  };
}

export function isEncrypted({ metadata }: { readonly metadata?: Record<string, Uint8Array> | null }): boolean {
  return textOf(metadata?.[encodingKey]) === encoding;
}

function encrypted(payload: Payload, { id, key }: CodecKey): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  const data = [nonce, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return { metadata: { [encodingKey]: Buffer.from(encoding), [keyIdKey]: Buffer.from(id) }, data: Buffer.concat(data) };
}

/** Undefined if the key is wrong, or the data was changed. */
function decrypted(payload: Payload, { key }: CodecKey): Payload | undefined {
  const data = payload.data ?? new Uint8Array();
  try {
    const decipher = createDecipheriv(algorithm, key, data.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAuthTag(data.subarray(-tagBytes));
    return PayloadMessage.decode(Buffer.concat([decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()]));
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
