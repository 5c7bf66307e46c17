/** Reads when a provider wants to be asked again. Pure. Sources: RFC 9110 10.2.3, and `retry-after-ms` as OpenAI sends it. */

/** A year: no server means more, and `Date` can hold it. */
const longestMs = 365 * 24 * 3_600_000;

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
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, Math.round(ms)), longestMs);
}
