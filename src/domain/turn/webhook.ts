/**
 * Webhooks: what is sent to whom when a background response has ended, and when it is sent again. Pure.
 * Sources: OpenAI's webhook events, and the Standard Webhooks specification for ids, secrets and the meaning of answers.
 */
import type { SettledStatus } from '../response/response.ts';

/** The events there are: one for each way a response can end. */
export const webhookEvents = ['response.completed', 'response.failed', 'response.incomplete', 'response.cancelled'] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

export function webhookEventOf(status: SettledStatus): WebhookEvent {
  return `response.${status}`;
}

/** Where events go. Of the configuration alone: no request names one. */
export interface WebhookEndpoint {
  /** The tenant whose events it gets; null: those of every tenant that has none of its own. */
  readonly tenant: string | null;
  readonly url: string;
  /** Each of them signs: a receiver that knows one of them accepts, while they are changed. */
  readonly secrets: readonly Uint8Array[];
  readonly events: readonly WebhookEvent[];
}

/** A tenant's own endpoint stands in the place of the common one. */
export function endpointFor(endpoints: readonly WebhookEndpoint[], tenant: string): WebhookEndpoint | undefined {
  return endpoints.find((endpoint) => endpoint.tenant === tenant) ?? endpoints.find((endpoint) => endpoint.tenant === null);
}

/**
 * How a delivery stands. `delivered`: the endpoint has taken it (2xx). `refused`: it does not want it (410). `given_up`: it was
 * tried in vain for as long as is tried. Only `pending` is tried again.
 */
export type WebhookStatus = 'pending' | 'delivered' | 'refused' | 'given_up';

/** The event of a turn that has ended, and how its delivery stands. Ids and facts only. */
export interface WebhookRow {
  readonly turn: string;
  readonly tenant: string;
  /** What the tenant calls the turn. */
  readonly publicId: string;
  readonly event: WebhookEvent;
  /** The turn's end, ms since the epoch. */
  readonly owedAtMs: number;
  readonly status: WebhookStatus;
  /** Requests to the endpoint that have come to an end. */
  readonly attempts: number;
  /** Why the last request failed, such as `500` or `ECONNREFUSED`; null: none has. */
  readonly lastError: string | null;
}

/** A turn has one end, so one event: its id follows from the turn's, in whatever process, and in every attempt. */
export function eventIdOf(turn: string): string {
  return `evt_${turn.replace(/^resp_/, '')}`;
}

/** The body, byte for byte the same in every attempt. What the response says is fetched by its id. */
export function payloadOf({ turn, publicId, event, owedAtMs }: Pick<WebhookRow, 'turn' | 'publicId' | 'event' | 'owedAtMs'>): string {
  const created_at = Math.floor(owedAtMs / 1_000);
  return JSON.stringify({ id: eventIdOf(turn), object: 'event', created_at, type: event, data: { id: publicId } });
}

/** As OpenAI does: 72 hours. */
export const giveUpAfterMs = 72 * 3_600_000;

/** An endpoint has this long for its answer, connection and all. */
export const webhookTimeoutMs = 10_000;

/** A delivery that has no end is handed to Temporal again after this: where its run is lost, nobody else would. */
export const startAgainAfterMs = 3_600_000;

/** Whoever wrote the end of a turn hands its webhook to Temporal; one that has stood so long has lost whoever was to. */
export const startGraceMs = 1_000;

const firstWaitMs = 1_000;
const waitGrowth = 4;
/** Before jitter. */
const longestWaitMs = 6 * 3_600_000;
/** Up to a fifth less or more, so that events that failed together do not come back together. */
const jitter = 0.2;

/** Longer than any wait: Temporal cuts at its policy's longest interval what an activity asks for. */
export const longestIntervalMs = 2 * longestWaitMs;

/**
 * The wait before the next request: 1 s, 4 s, 16 s and so on, six hours at the most; longer where the endpoint asks for it, up
 * to the same six hours.
 * @param attempts requests made so far, 1 or more
 * @param random from 0 to 1
 * @param retryAfterMs what the endpoint asked for
 * @returns undefined: its time would be over by then
 */
export function webhookWaitMs(
  { attempts, sinceOwedMs, retryAfterMs = 0 }: { readonly attempts: number; readonly sinceOwedMs: number; readonly retryAfterMs?: number },
  random: number,
): number | undefined {
  const grown = Math.min(firstWaitMs * waitGrowth ** (attempts - 1), longestWaitMs);
  const waitMs = Math.round(Math.max(grown, Math.min(retryAfterMs, longestWaitMs)) * (1 - jitter + 2 * jitter * random));
  return sinceOwedMs + waitMs > giveUpAfterMs ? undefined : waitMs;
}

/** What an endpoint answered, or how the request failed: words for the log, with nothing of the address or the answer in them. */
export interface WebhookAnswer {
  readonly status?: number;
  /** Without an answer, such as `ECONNREFUSED` or `timeout`. */
  readonly error?: string;
  readonly retryAfterMs?: number;
}

/** What follows from an answer. */
export interface WebhookVerdict {
  readonly status: WebhookStatus;
  readonly error?: string;
  /** Before the next request, where there is to be one. */
  readonly waitMs?: number;
}

/**
 * 2xx is taken, 410 is not wanted, all else may be otherwise the next time: a redirect too, which is not followed, since what
 * is signed for one address is not for another.
 * @param attempts requests made, this one included
 */
export function judgeAnswer(
  { status: code, error: reason, retryAfterMs = 0 }: WebhookAnswer,
  { attempts, sinceOwedMs }: { readonly attempts: number; readonly sinceOwedMs: number },
  random: number,
): WebhookVerdict {
  if (code !== undefined && code >= 200 && code < 300) return { status: 'delivered' };
  if (code === 410) return { status: 'refused', error: '410' };
  const error = reason ?? (code !== undefined && code >= 300 && code < 400 ? `redirect ${code}` : String(code));
  const waitMs = webhookWaitMs({ attempts, sinceOwedMs, retryAfterMs }, random);
  return waitMs === undefined ? { status: 'given_up', error } : { status: 'pending', error, waitMs };
}

/** How a delivery stands after a request, or at its end, for the log and the metrics: ids and facts only (T11). */
export interface WebhookReport extends WebhookVerdict {
  readonly eventId: string;
  readonly event: WebhookEvent;
  readonly responseId: string;
  readonly tenant: string;
  /** Requests so far. */
  readonly attempts: number;
  /** Of the request. */
  readonly durationMs?: number;
}

export function reportOf(
  { turn, event, publicId: responseId, tenant }: WebhookRow,
  rest: Omit<WebhookReport, 'eventId' | 'event' | 'responseId' | 'tenant'>,
): WebhookReport {
  return { eventId: eventIdOf(turn), event, responseId, tenant, ...rest };
}
