/** How much of a tool's result the model is shown: the whole of it is stored. Pure. */

/** Bytes of UTF-8. About 65,000 tokens of English: more would leave little of a model's context for anything else. */
export const maxToolResultBytes = 262_144;

export interface CutResult {
  /** The result, or its beginning: whole characters, at most `maxToolResultBytes`. */
  readonly text: string;
  /** In words for the model, where something is missing. */
  readonly note?: string;
}

/** The beginning of a result that is too long for the model, and a note that says how long it was. */
export function cutForModel(text: string, maxBytes = maxToolResultBytes): CutResult {
  // A code unit has at most three bytes: most results need not be counted.
  if (text.length * 3 <= maxBytes) return { text };
  let bytes = 0;
  let end = 0;
  let keptBytes = 0;
  for (let at = 0; at < text.length;) {
    const { units, size } = characterAt(text, at);
    at += units;
    bytes += size;
    if (bytes <= maxBytes) {
      end = at;
      keptBytes = bytes;
    }
  }
  if (bytes <= maxBytes) return { text };
  return { text: text.slice(0, end), note: `[This result is cut: it has ${bytes} bytes, and only its first ${keptBytes} are shown.]` };
}

/** Half of a pair, alone, becomes U+FFFD in UTF-8: three bytes. */
function characterAt(text: string, at: number): { readonly units: number; readonly size: number } {
  const unit = text.charCodeAt(at);
  if (unit < 0x80) return { units: 1, size: 1 };
  if (unit < 0x800) return { units: 1, size: 2 };
  const isPair = unit >= 0xd8_00 && unit <= 0xdb_ff && (text.charCodeAt(at + 1) & 0xfc_00) === 0xdc_00;
  return isPair ? { units: 2, size: 4 } : { units: 1, size: 3 };
}
