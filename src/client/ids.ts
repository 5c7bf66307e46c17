/** Ids as OpenAI's look: a prefix that tells the kind, and 24 random bytes in hex (192 bits: never guessed, never met twice). */
export function newId(prefix: 'resp' | 'conv' | 'msg'): string {
  return `${prefix}_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('hex')}`;
}
