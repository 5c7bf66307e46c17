/**
 * Which key encrypts what Temporal stores. The database knows the one in use, so that a process that could not read what the others
 * write finds out when it starts, and not by workflow tasks that fail.
 */

export interface CodecKeyMark {
  readonly id: string;
  /** Of the key's bytes, which it does not tell. */
  readonly fingerprint: string;
}

export type CodecKeyDecision =
  /** Null: nothing is encrypted. */
  | { readonly type: 'use'; readonly inUse: CodecKeyMark | null }
  | { readonly type: 'refuse'; readonly inUse: CodecKeyMark; readonly reason: 'missing' | 'different' };

/**
 * The first key of a process that has the one in use as well is in use from then on: that is how keys are changed.
 * @param ring of the process that starts, the key that encrypts first
 */
export function decideCodecKey(inUse: CodecKeyMark | null, ring: readonly CodecKeyMark[]): CodecKeyDecision {
  if (inUse === null) return { type: 'use', inUse: ring[0] ?? null };
  const own = ring.find(({ id }) => id === inUse.id);
  if (own === undefined) return { type: 'refuse', inUse, reason: 'missing' };
  if (own.fingerprint !== inUse.fingerprint) return { type: 'refuse', inUse, reason: 'different' };
  return { type: 'use', inUse: ring[0] ?? inUse };
}

/** As it is stored. */
export function codecKeyMarkText({ id, fingerprint }: CodecKeyMark): string {
  return `${fingerprint} ${id}`;
}

export function codecKeyMarkOf(text: string): CodecKeyMark {
  const [fingerprint = '', id = ''] = text.split(' ');
  return { id, fingerprint };
}
