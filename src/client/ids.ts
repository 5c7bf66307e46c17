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

/** Of the id of a turn: when it was made. */
const timeBytes = 6;

/**
 * Ids as OpenAI's look: a prefix that tells the kind, and 24 bytes in hex. They are random (192 bits: never guessed, never met
 * twice), but for the first 6 of the id of a turn: its time, ms since the epoch, so that what is kept by turn lies in the order of
 * time, and is dropped a day at once. The other 144 bits are no easier to guess.
 */
export function newId(prefix: IdPrefix): string {
  if (usedBytes === pool.length) {
    crypto.getRandomValues(pool);
    usedBytes = 0;
  }
  const from = usedBytes;
  usedBytes += idBytes;
  if (prefix === 'resp') pool.writeUIntBE(Date.now(), from, timeBytes);
  return `${prefix}_${pool.toString('hex', from, usedBytes)}`;
}

const timeOfTurn = /^resp_([0-9a-f]{12})[0-9a-f]{36}$/;

/**
 * Of the turn that carries out a call of an agent: one call has one turn, however often it is begun. It has the time of the turn
 * that calls it, which is not dropped before it.
 */
export function childIdOf(call: ParentCall): string {
  const time = timeOfTurn.exec(call.turn)?.[1] ?? '';
  const hash = createHash('sha256').update(idempotencyKeyOf(call)).digest('hex');
  return `resp_${time}${hash.slice(0, idBytes * 2 - time.length)}`;
}
