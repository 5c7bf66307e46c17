/**
 * Limits the requests a second of each tenant: a token bucket that holds two seconds' worth. Who is refused is told to come back
 * behind those that were refused before: those of a flood would all come at the same moment otherwise, and most again in vain.
 */
import { ApiError } from './errors.ts';

const burstSeconds = 2;
/** Nobody is sent away for longer: whoever comes back without having waited has been given many places. */
const longestWaitMs = 30_000;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
  /** When the last of those that were refused is to come back. */
  readonly promisedMs: number;
}

/**
 * Returns a function that counts a request of a tenant. It throws a 429 `ApiError` with `retry-after` in whole seconds
 * when there were too many.
 * @param perSecond 0: no limit
 * @param now a monotonic clock, in ms
 */
export function createRateLimit(perSecond: number, now: () => number = () => performance.now()): (tenant: string) => void {
  // One for each tenant that the keys name, so the map stays small.
  const buckets = new Map<string, Bucket>();
  return (tenant) => {
    if (perSecond === 0) return;
    const { bucket, waitMs } = take(buckets.get(tenant), perSecond, now());
    buckets.set(tenant, bucket);
    if (waitMs > 0) {
      throw new ApiError({
        status: 429,
        code: 'rate_limit_exceeded',
        message: `More than ${perSecond} requests a second. Wait, or raise TURNKEEP_REQUESTS_PER_SECOND.`,
        headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) },
      });
    }
  };
}

/** The bucket after one request, and how long that request is to wait: 0 when it may pass. */
export function take(before: Bucket | undefined, perSecond: number, nowMs: number): { bucket: Bucket; waitMs: number } {
  const full = perSecond * burstSeconds;
  const tokens = before === undefined ? full : Math.min(full, before.tokens + ((nowMs - before.atMs) / 1_000) * perSecond);
  const promisedMs = before?.promisedMs ?? nowMs;
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, atMs: nowMs, promisedMs }, waitMs: 0 };
  const nextMs = Math.max(nowMs + ((1 - tokens) / perSecond) * 1_000, promisedMs + 1_000 / perSecond);
  const waitMs = Math.min(nextMs - nowMs, longestWaitMs);
  return { bucket: { tokens, atMs: nowMs, promisedMs: nowMs + waitMs }, waitMs };
}
