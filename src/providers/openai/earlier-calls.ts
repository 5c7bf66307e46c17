/**
 * The calls of earlier answers, in a form that every provider takes. Models write much that servers refuse, and one such call
 * would make every later request of its conversation fail (T13). What the model wrote is told, not repaired. Pure.
 */
import { createHash } from 'node:crypto';
import { isCall, isCallOutput, type Item } from '../../domain/item.ts';
import { asRecord, parseJson, wellFormedJson } from '../json.ts';

/** In UTF-16 code units. */
const longestRead = 1_048_576;

/** The text of a JSON object: servers read it, and many fail on what is none. */
export function sendableArguments(text: string): string {
  const given = text.toWellFormed();
  if (given.trim() === '') return '{}';
  // Nothing but a client writes so much, and to look into it would keep everybody else waiting (T14).
  if (given.length > longestRead) return /^\{[^]*\}$/.test(given) ? given : JSON.stringify({ invalid_arguments: given });
  const value = parseJson(given);
  if (value === null) return '{}';
  if (asRecord(value) === undefined) return JSON.stringify({ invalid_arguments: given });
  // An escape may be half a surrogate pair, too. All else stays as the model wrote it.
  if (!/\\u[dD][89a-fA-F]/.test(given)) return given;
  try {
    const wellFormed = wellFormedJson(value);
    return JSON.stringify(value) === wellFormed ? given : wellFormed;
  } catch {
    // Nested too deep to be written again.
    return JSON.stringify({ invalid_arguments: given });
  }
}

/** A name that no tool has was made up, or has pieces of the model's own format in it: `look<|channel|>commentary`. */
export function sendableName(name: string, isOpenAiHost: boolean): string {
  return isOpenAiHost ? name.replaceAll(/[^\w-]/g, '_').slice(0, 64) : name.replaceAll(/[^\w.:-]/g, '_').slice(0, 128);
}

/** As given, but for OpenAI, which takes 64 characters: there the long id of a call was made by another provider. */
export function sendableCallId(id: string, isOpenAiHost: boolean): string {
  return isOpenAiHost && id.length > 64 ? `call_${createHash('sha256').update(id).digest('hex').slice(0, 48)}` : id;
}

/**
 * The calls and outputs with ids of nine letters and digits, of which no two calls have one. The same items get the same ids in
 * every request, whatever follows them.
 */
export function withShortIds(items: readonly Item[]): readonly Item[] {
  const short = new Map<string, string>();
  const used = new Set<string>();
  const shortOf = (id: string): string => {
    let found = short.get(id) ?? (/^[a-zA-Z0-9]{9}$/.test(id) ? id : hashed(id));
    if (short.has(id)) return found;
    for (let n = 1; used.has(found); n += 1) found = hashed(`${id} ${n}`);
    short.set(id, found);
    used.add(found);
    return found;
  };
  return items.map((item) => (isCall(item) || isCallOutput(item) ? { ...item, call_id: shortOf(item.call_id) } : item));
}

function hashed(id: string): string {
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 16);
  return BigInt(`0x${digest}`).toString(36).padStart(9, '0').slice(-9);
}
