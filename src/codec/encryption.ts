/**
 * AES-256-GCM on the payloads that Temporal stores: the data is a nonce and the whole payload as encrypted protobuf, the
 * metadata `encoding`, the key's id, and the place that the payload was made for (namespace and workflow id), which is
 * authenticated with it. A payload that is copied into another workflow is refused there.
 *
 * **Contract.** The first key encrypts, every key decrypts. Payloads that are not encrypted pass unchanged, and those of
 * before there were places (the form of Temporal's own samples) decrypt anywhere.
 * Nonces are random, 96 bits: good for 2^32 payloads a key (NIST SP 800-38D, 8.3).
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { type Payload, type PayloadCodec, type SerializationContext, ValueError } from '@temporalio/common';
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
const placeKey = 'encryption-place';
/** The first line of a place. Another one was written by a later turnkeep. */
const placeVersion = 'v1';
const nonceBytes = 12;
const tagBytes = 16;

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

export interface EncryptionOptions {
  /** Called once for each kind of payload that cannot be decrypted, since Temporal only shows the encrypted error. */
  readonly onError?: ((message: string) => void) | undefined;
  /**
   * Refuses payloads of another workflow or namespace. Off for replays: Temporal's SDK tells them the namespace `default`
   * and the workflow id `fake`, whichever the history is of.
   */
  readonly checksPlace?: boolean | undefined;
}

/** Where a payload belongs. Empty: it was made where this is not known, such as a signal by Temporal's command line. */
interface Place {
  readonly namespace: string;
  readonly workflowId: string;
}

/** Tells two keys apart, and nothing of either: a key is 256 random bits, which nobody finds by trying. */
export function fingerprintOf(key: Uint8Array): string {
  return createHmac('sha256', key).update('turnkeep codec key').digest('hex').slice(0, 32);
}

/** @param keys at least one */
export function createEncryption(keys: readonly CodecKey[], options: EncryptionOptions = {}): PayloadCodec {
  const { onError = () => {}, checksPlace = false } = options;
  const [current] = keys;
  if (current === undefined) throw new Error('an encryption needs a key');
  const byId = new Map(keys.map((key) => [key.id, key]));
  const reported = new Set<string>();
  function refuse(message: string): never {
    if (!reported.has(message)) onError(message);
    reported.add(message);
    throw new ValueError(message);
  }
  function decoded(payload: Payload, context: SerializationContext | undefined): Payload {
    if (!isEncrypted(payload)) return payload;
    const id = textOf(payload.metadata?.[keyIdKey]);
    const key = byId.get(id);
    if (key === undefined) {
      refuse(
        `a history was encrypted with the key ${JSON.stringify(id)}, which TURNKEEP_CODEC_KEYS does not have: add it again, behind the first`,
      );
    }
    const place = textOf(payload.metadata?.[placeKey]);
    if (place !== '' && !place.startsWith(`${placeVersion}\n`)) {
      refuse(`a history was encrypted in a form that this version of turnkeep does not know (${JSON.stringify(place.split('\n')[0])})`);
    }
    const plain = decrypted(payload, key, place);
    if (plain === undefined) {
      refuse(`the key ${JSON.stringify(id)} of TURNKEEP_CODEC_KEYS does not decrypt a history: it is not the one it was encrypted with`);
    }
    if (checksPlace && place !== '' && context !== undefined && !isOf(placeOf(place), context)) {
      refuse('a history has a payload that was encrypted for another workflow: it was copied there by somebody');
    }
    return plain;
  }
  return {
    encode: async (payloads, context) => payloads.map((payload) => encrypted(payload, current, placeText(context))),
    decode: async (payloads, context) => payloads.map((payload) => decoded(payload, context)),
  };
}

export function isEncrypted({ metadata }: { readonly metadata?: Record<string, Uint8Array> | null }): boolean {
  return textOf(metadata?.[encodingKey]) === encoding;
}

function encrypted(payload: Payload, { id, key }: CodecKey, place: string): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(associatedData(id, place));
  const data = [nonce, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return {
    metadata: { [encodingKey]: Buffer.from(encoding), [keyIdKey]: Buffer.from(id), [placeKey]: Buffer.from(place) },
    data: Buffer.concat(data),
  };
}

/** Undefined if the key is wrong, or data, key id or place were changed. */
function decrypted(payload: Payload, { id, key }: CodecKey, place: string): Payload | undefined {
  const data = payload.data ?? new Uint8Array();
  try {
    const decipher = createDecipheriv(algorithm, key, data.subarray(0, nonceBytes), { authTagLength: tagBytes });
    if (place !== '') decipher.setAAD(associatedData(id, place));
    decipher.setAuthTag(data.subarray(-tagBytes));
    return PayloadMessage.decode(Buffer.concat([decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()]));
  } catch {
    return undefined;
  }
}

/** The id of a key holds no line feed, and of a place only the last line may. */
function associatedData(keyId: string, place: string): Buffer {
  return Buffer.from(`${encoding}\n${keyId}\n${place}`);
}

function placeText(context: SerializationContext | undefined): string {
  return `${placeVersion}\n${context?.namespace ?? ''}\n${context?.workflowId ?? ''}`;
}

function placeOf(text: string): Place {
  const [, namespace = '', ...workflowId] = text.split('\n');
  return { namespace, workflowId: workflowId.join('\n') };
}

/** What Temporal appends to the workflow id of a schedule, for each run of it. Its arguments were encrypted without. */
const runOfSchedule = /^-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

function isOf(place: Place, { namespace, workflowId }: SerializationContext): boolean {
  if (place.namespace !== '' && place.namespace !== namespace) return false;
  if (place.workflowId === '' || workflowId === undefined || place.workflowId === workflowId) return true;
  return workflowId.startsWith(place.workflowId) && runOfSchedule.test(workflowId.slice(place.workflowId.length));
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString('utf8');
}
