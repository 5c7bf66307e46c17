/** Reads when a provider wants to be asked again, from headers or from the fields of an error. Pure. Sources: RFC 9110 10.2.3, and `retry-after-ms` as OpenAI sends it. */
import { asText, type JsonRecord } from '../json.ts';

/** A year: no server means more, and `Date` can hold it. */
export const longestWaitMs = 365 * 24 * 3_600_000;

const imfDate = /^[A-Z][a-z]+, \d{1,2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;
const asctimeDate = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/** In ms from now; undefined if neither header is there or valid. A date in the past is 0. */
export function retryAfterMs(headers: Pick<Headers, 'get'>, nowMs: number): number | undefined {
  return (
    numberOf(headers.get('retry-after-ms'), 1) ??
    numberOf(headers.get('retry-after'), 1_000) ??
    untilDate(headers.get('retry-after'), nowMs)
  );
}

function numberOf(text: string | null, unitMs: number): number | undefined {
  if (text === null || !/^\+?\d+(?:\.\d*)?$/.test(text.trim())) return undefined;
  return within(Number(text) * unitMs);
}

function untilDate(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined;
  const date = text.trim();
  if (imfDate.test(date)) return within(Date.parse(date) - nowMs);
  // The oldest of the three date forms (asctime) names no zone and means GMT.
  return asctimeDate.test(date) ? within(Date.parse(`${date} GMT`) - nowMs) : undefined;
}

function within(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, Math.round(ms)), longestWaitMs);
}

/** Names under which servers tell when to ask again, and what one of their numbers is in ms. Google's is a text, `34s`. */
const waitNames: readonly (readonly [name: string, unitMs: number])[] = [
  ['retry_after_ms', 1],
  ['retryAfterMs', 1],
  ['retry-after-ms', 1],
  ['retry_after', 1_000],
  ['retryAfter', 1_000],
  ['retry_after_seconds', 1_000],
  ['retry-after', 1_000],
  ['Retry-After', 1_000],
  ['retryDelay', 1_000],
];

/** The first of these fields in these places, in ms; undefined if none of them says it. */
export function statedRetryAfterMs(places: readonly (JsonRecord | undefined)[]): number | undefined {
  for (const place of places) {
    for (const [name, unitMs] of waitNames) {
      const value = place?.[name];
      const said = typeof value === 'number' ? String(value) : asText(value);
      const count = said === undefined ? undefined : /^\+?(\d{1,12}(?:\.\d{1,12})?) ?s?$/.exec(said.trim())?.[1];
      if (count !== undefined) return Math.min(Math.ceil(Number(count) * unitMs), longestWaitMs);
    }
  }
  return undefined;
}
