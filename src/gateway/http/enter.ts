/** The fair queue, as requests meet it. */
import { ApiError } from './errors.ts';
import { type FairQueue, type Place, QueueFullError } from './fair-queue.ts';

/** A place among the requests that are being taken in. @throws ApiError 429 where too many of the tenant wait; the reason of `closed` */
export function enter(queue: FairQueue, tenant: string, closed: AbortSignal): Place | Promise<Place> {
  try {
    return queue.enter(tenant, closed);
  } catch (error) {
    if (error instanceof QueueFullError) throw queueFull(error);
    throw error;
  }
}

/** A refusal takes up to a millisecond of the event loop, where a turn takes ten: those of a flood wait for each other as its turns do. */
export async function waitRefused(queue: FairQueue, closed: AbortSignal, tenant: string): Promise<void> {
  try {
    (await queue.enter(tenant, closed)).release();
    queue.exceeded(tenant);
  } catch (error) {
    if (!(error instanceof QueueFullError)) throw error;
  }
}

/** They come back over some time, not all at once. */
const [soonestRetryS, latestRetryS] = [5, 30];

function queueFull({ refused }: QueueFullError): ApiError {
  const retryAfterS = soonestRetryS + (refused % (latestRetryS - soonestRetryS + 1));
  return new ApiError({
    status: 429,
    code: 'intake_queue_full',
    message: 'Too many requests of this key wait to be taken in. Try again when some have been.',
    headers: { 'retry-after': String(retryAfterS) },
  });
}
