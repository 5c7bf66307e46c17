import type { InputItem } from '../domain/item.ts';

type IdPrefix = 'resp' | 'conv' | 'items' | (typeof itemPrefix)[InputItem['type']];

export const itemPrefix = { message: 'msg', reasoning: 'rs', function_call: 'fc', function_call_output: 'fco' } as const;

/** What the id of a turn looks like, whoever chose it. */
export const turnIdPattern = /^resp_[A-Za-z0-9_-]{1,64}$/;

/** Ids as OpenAI's look: a prefix that tells the kind, and 24 random bytes in hex (192 bits: never guessed, never met twice). */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('hex')}`;
}
