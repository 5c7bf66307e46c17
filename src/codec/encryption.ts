/**
 * AES-256-GCM on the payloads that Temporal stores. The form is that of Temporal's own samples, so that their codec
 * servers read it: the whole payload as protobuf, encrypted, behind the nonce; `encoding` and the key's id as metadata.
 *
 * **Contract.** The first key encrypts, every key decrypts. What was stored before there were keys is read as it is.
 * A nonce is random and never used twice: 96 bits are good for 2^32 payloads a key (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Payload, type PayloadCodec, ValueError } from '@temporalio/common';
// CommonJS made in a way that Node cannot name its exports.
import proto from '@temporalio/proto';

export interface CodecKey {
  /** Stored in plain beside each payload. */
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
 * @param onError told once of each key that is missing or wrong: the error itself is encrypted where Temporal shows it
 */
export function createEncryption(keys: readonly CodecKey[], onError: (message: string) => void = () => {}): PayloadCodec {
  const [current] = keys;
  if (current === undefined) throw new Error('an encryption needs a key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  const told = new Set<string>();
  function decoded(payload: Payload): Payload {
    if (textOf(payload.metadata?.[encodingKey]) !== encoding) return payload;
    const id = textOf(payload.metadata?.[keyIdKey]);
    const key = byId.get(id);
    const plain = key === undefined ? undefined : decrypted(payload, key);
    if (plain !== undefined) return plain;
    const message =
      key === undefined
        ? `a history was encrypted with the key ${JSON.stringify(id)}, which TURNKEEP_CODEC_KEYS does not have: add it again, behind the first`
        : `the key ${JSON.stringify(id)} of TURNKEEP_CODEC_KEYS does not decrypt a history: it is not the one it was encrypted with`;
    if (!told.has(message)) onError(message);
    told.add(message);
    throw new ValueError(message);
  }
  return {
    encode: async (payloads) => payloads.map((payload) => encrypted(payload, current)),
    decode: async (payloads) => payloads.map(decoded),
  };
}

function encrypted(payload: Payload, { id, key }: CodecKey): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  const data = [nonce, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return { metadata: { [encodingKey]: Buffer.from(encoding), [keyIdKey]: Buffer.from(id) }, data: Buffer.concat(data) };
}

/** Undefined when this is not the key, or not the bytes. */
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
