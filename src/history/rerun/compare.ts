/** The journal that came out of a rerun beside the recorded one: the first difference, and where it is. Pure. */
import type { JournalRow } from '../../domain/response/response-event.ts';

export interface JournalDifference {
  readonly seq: number;
  /** Of the recorded event; of the one that was made, where none was recorded. */
  readonly type: string;
  /** Inside of the event's JSON, such as `response.output[0].status`; empty where there is an event on one side alone. */
  readonly path: string;
  /** JSON, shortened; undefined: nothing. */
  readonly expected: string | undefined;
  readonly found: string | undefined;
}

/** Of a value that is told. */
const longestValue = 400;
/** Of a text, before the place where it differs. */
const charsBefore = 40;

/** undefined: they are the same, byte for byte. */
export function firstDifference(expected: readonly JournalRow[], found: readonly JournalRow[]): JournalDifference | undefined {
  for (let at = 0; at < Math.max(expected.length, found.length); at += 1) {
    const [one, other] = [expected[at], found[at]];
    if (one?.type === other?.type && one?.data === other?.data) continue;
    const { seq, type } = (one ?? other) as JournalRow;
    if (one === undefined || other === undefined)
      return { seq, type, path: '', expected: one?.data.slice(0, longestValue), found: other?.data.slice(0, longestValue) };
    const place = placeOf(JSON.parse(one.data), JSON.parse(other.data), '');
    if (place !== undefined) return { seq, type, ...place };
    // The same values in another order, or written in another way.
    const from = Math.max(0, firstOther(one.data, other.data) - charsBefore);
    return { seq, type, path: '', expected: one.data.slice(from, from + longestValue), found: other.data.slice(from, from + longestValue) };
  }
  return undefined;
}

type Place = Pick<JournalDifference, 'path' | 'expected' | 'found'>;

function placeOf(expected: unknown, found: unknown, path: string): Place | undefined {
  if (isObject(expected) && isObject(found) && Array.isArray(expected) === Array.isArray(found)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const inner = Array.isArray(expected) ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`;
      const place = placeOf(expected[key], found[key], inner);
      if (place !== undefined) return place;
    }
    return undefined;
  }
  if (expected === found) return undefined;
  const from = typeof expected === 'string' && typeof found === 'string' ? Math.max(0, firstOther(expected, found) - charsBefore) : 0;
  return { path, expected: told(expected, from), found: told(found, from) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function firstOther(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

/** Of a long text the part where it differs. */
function told(value: unknown, from: number): string | undefined {
  if (value === undefined) return undefined;
  const text =
    typeof value === 'string' ? JSON.stringify(value.slice(from, from + longestValue)) : JSON.stringify(value).slice(0, longestValue);
  return from > 0 ? `…${text}` : text;
}
