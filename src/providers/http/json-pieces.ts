/** The JSON of a request's body, made in pieces with the event loop free in between: a prompt may be 100 MB long (T14). */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { wellFormedJson } from '../json.ts';

/** Takes a millisecond to make. A single element of a list may be longer. */
const pieceChars = 262_144;

/** As long as a string can be. */
const longestBytes = 512 * 1024 * 1024;

/**
 * @returns what `JSON.stringify` makes of an object without methods, as UTF-8, with U+FFFD for half a surrogate pair
 * @throws RangeError when it is longer than 512 MiB
 */
export async function jsonPieces(body: Readonly<Record<string, unknown>>): Promise<readonly Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  let text = '{';
  let bytes = 0;
  const cut = (): void => {
    const piece = Buffer.from(text);
    text = '';
    bytes += piece.length;
    if (bytes > longestBytes) throw new RangeError('the body is longer than 512 MiB');
    pieces.push(piece);
  };
  const members = Object.entries(body).filter(([, value]) => value !== undefined);
  for (const [index, [name, value]] of members.entries()) {
    text += `${index === 0 ? '' : ','}${JSON.stringify(name)}:`;
    if (!Array.isArray(value)) {
      text += wellFormedJson(value);
      continue;
    }
    const elements: readonly unknown[] = value;
    for (const [at, element] of elements.entries()) {
      text += (at === 0 ? '[' : ',') + wellFormedJson(element);
      if (text.length < pieceChars) continue;
      cut();
      await nextTurnOfTheLoop();
    }
    text += elements.length === 0 ? '[]' : ']';
  }
  text += '}';
  cut();
  return pieces;
}
