import { createHash } from 'node:crypto';
import type { Item, OpaqueItemType } from '../domain/item.ts';
import { idempotencyKeyOf } from '../domain/agents/tool-call.ts';
import type { ParentCall } from '../domain/turn/turn.ts';

type KnownType = Exclude<Item['type'], OpaqueItemType>;
type IdPrefix = 'resp' | 'conv' | 'items' | 'item' | (typeof prefixes)[KnownType];

const prefixes = {
  message: 'msg',
  reasoning: 'rs',
  function_call: 'fc',
  function_call_output: 'fco',
  custom_tool_call: 'ctc',
  custom_tool_call_output: 'ctco',
  mcp_call: 'mcp',
  mcp_approval_request: 'mcpr',
} as const satisfies { [type in KnownType]: string };

export function itemPrefix(type: Item['type']): IdPrefix {
  return Object.hasOwn(prefixes, type) ? prefixes[type as KnownType] : 'item';
}

/** What the id of a turn looks like, whoever chose it. */
export const turnIdPattern = /^resp_[A-Za-z0-9_-]{1,64}$/;

const idBytes = 24;
/** Random bytes for many ids at once: to ask the system for each costs ten times as much, and an input may have thousands. */
const pool = Buffer.alloc(128 * idBytes);
let usedBytes = pool.length;

/** Ids as OpenAI's look: a prefix that tells the kind, and 24 random bytes in hex (192 bits: never guessed, never met twice). */
export function newId(prefix: IdPrefix): string {
  if (usedBytes === pool.length) {
    crypto.getRandomValues(pool);
    usedBytes = 0;
  }
  const from = usedBytes;
  usedBytes += idBytes;
  return `${prefix}_${pool.toString('hex', from, usedBytes)}`;
}

/** Of the turn that carries out a call of an agent: one call has one turn, however often it is begun. */
export function childIdOf(call: ParentCall): string {
  const hash = createHash('sha256').update(idempotencyKeyOf(call)).digest('hex');
  return `resp_${hash.slice(0, idBytes * 2)}`;
}
