/** How much of a tool's result is kept, and how much of that the model is shown. Pure, and in time that the bounds bound (T14). */

/** Bytes of UTF-8. About 65,000 tokens of English: more would leave little of a model's context for anything else. */
export const maxToolResultBytes = 262_144;

export interface CutResult {
  /** The result, or its beginning: whole characters, at most as many bytes as were allowed. */
  readonly text: string;
  /** In words for the model, where something is missing. */
  readonly note?: string;
}

/** A result as it is stored. */
export interface KeptResult {
  /** All of it; where it is too long its beginning, with a note. */
  readonly text: string;
  /** Of all of it, in UTF-16 code units, where not all is kept: its bytes are not counted, which would take as long as it is. */
  readonly length?: number;
}

/** @param maxBytes of UTF-8 */
export function keptResult(text: string, maxBytes: number): KeptResult {
  const kept = beginningOf(text, maxBytes);
  if (kept.length === text.length) return { text };
  return {
    text: withNote({ text: kept, note: `[This result is cut: it has ${text.length} characters, and no more of it is kept.]` }),
    length: text.length,
  };
}

/**
 * The beginning of a result that is too long for the model, and a note that says how long it was.
 * @param length as in `KeptResult`, where `text` is no more than that
 */
export function cutForModel(text: string, maxBytes = maxToolResultBytes, length?: number): CutResult {
  const shown = beginningOf(text, maxBytes);
  if (shown.length === text.length) return { text };
  const shownBytes = Buffer.byteLength(shown);
  const facts =
    length === undefined
      ? `${Buffer.byteLength(text)} bytes, and only its first ${shownBytes}`
      : `${length} characters, and only its first ${shownBytes} bytes`;
  return { text: shown, note: `[This result is cut: it has ${facts} are shown.]` };
}

export function withNote({ text, note }: CutResult): string {
  return note === undefined ? text : `${text}\n\n${note}`;
}

/** Whole characters; half of a pair, alone, becomes U+FFFD in UTF-8: three bytes. */
function beginningOf(text: string, maxBytes: number): string {
  // A code unit has at most three bytes: most results need not be counted.
  if (text.length * 3 <= maxBytes) return text;
  // And at least one: what is behind so many is not even looked at.
  const { read } = new TextEncoder().encodeInto(text.slice(0, maxBytes), new Uint8Array(maxBytes));
  return text.slice(0, read);
}
