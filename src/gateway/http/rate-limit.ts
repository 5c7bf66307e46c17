/** Limits the requests a second of each tenant: a token bucket that holds two seconds' worth. */
import { ApiError } from './errors.ts';

const burstSeconds = 2;

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
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

/** The bucket after one request, and how long that request would have to wait: 0 when it may pass. */
export function take(before: Bucket | undefined, perSecond: number, nowMs: number): { bucket: Bucket; waitMs: number } {
  const full = perSecond * burstSeconds;
  const tokens = before === undefined ? full : Math.min(full, before.tokens + ((nowMs - before.atMs) / 1_000) * perSecond);
  if (tokens >= 1) return { bucket: { tokens: tokens - 1, atMs: nowMs }, waitMs: 0 };
  return { bucket: { tokens, atMs: nowMs }, waitMs: ((1 - tokens) / perSecond) * 1_000 };
}
