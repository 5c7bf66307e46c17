/** A process that could not read what the others have Temporal store, or whose words they could not read, does not start. */
import { fingerprintOf } from '../codec/encryption.ts';
import type { Config } from '../config/config.ts';
import { type CodecKeyDecision, type CodecKeyMark, decideCodecKey } from '../domain/codec-key.ts';
import type { KeyStore } from '../store/ports/keys.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';

/** With a database that another process holds. */
const patienceMs = 30_000;

/**
 * Its first key is in use from then on.
 * @throws where the key in use is not among `codecKeys`
 */
export async function requireCodecKey(store: Pick<KeyStore, 'useCodecKey'>, codecKeys: Config['codecKeys']): Promise<void> {
  const decision = await retryWhileBusy(() => store.useCodecKey(marksOf(codecKeys)), undefined, patienceMs);
  const refusal = refusalOf(decision, codecKeys);
  if (refusal !== undefined) throw new Error(`${refusal.seen}: ${refusal.mend}.`);
}

/** Why no process with `codecKeys` starts, and the way out; undefined: it may. @param inUse by the database */
export function codecKeyRefusal(inUse: CodecKeyMark | null, codecKeys: Config['codecKeys']): CodecKeyRefusal | undefined {
  return refusalOf(decideCodecKey(inUse, marksOf(codecKeys)), codecKeys);
}

interface CodecKeyRefusal {
  readonly seen: string;
  readonly mend: string;
}

function marksOf(codecKeys: Config['codecKeys']): readonly CodecKeyMark[] {
  return codecKeys.map(({ id, key }) => ({ id, fingerprint: fingerprintOf(key) }));
}

function refusalOf(decision: CodecKeyDecision, codecKeys: Config['codecKeys']): CodecKeyRefusal | undefined {
  if (decision.type === 'use') return undefined;
  const id = JSON.stringify(decision.inUse.id);
  const seen =
    decision.reason === 'different'
      ? `the key ${id} of TURNKEEP_CODEC_KEYS is not the key ${id} that encrypts what Temporal stores: it has other bytes`
      : `what Temporal stores is encrypted with the key ${id}, and TURNKEEP_CODEC_KEYS ${codecKeys.length === 0 ? 'is unset' : 'does not have it'}`;
  const mend =
    'give it the keys of the other gateways and workers, this one among them; if nothing that it encrypted is needed any more, `turnkeep keys forget-codec` forgets it';
  return { seen, mend };
}
