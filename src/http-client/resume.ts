/**
 * A response's stream, past breaks of the connection and restarts of the gateway. A stream that was cut is resumed
 * behind the last event that was seen; a POST whose answer was lost is sent again under its `Idempotency-Key`, so that
 * the turn is made once.
 */
import { CallError, type CallFailure } from './call-error.ts';
import type { GatewayClient, StreamItem } from './calls.ts';
import { outcomeOf, type ResponseOutcome, type StreamEvent } from './events.ts';
import { OutageClock, pause, type Retry, withRetries } from './retry.ts';

export type StreamUpdate =
  | StreamItem
  /** The stream was cut, or not to be had, and is asked for again after `waitMs`. */
  | ({ readonly type: 'retry' } & Retry);

export interface StreamOptions {
  /** Ends the stream at once, not the turn: see `cancelResponse`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a response and streams it to its end: every event once, in order.
 *
 * @param body of `POST /responses`
 * @throws {CallError} when the gateway refuses, or stays away for `outageLimitMs`; a turn whose id was seen goes on there
 * @throws the reason of `signal`, at once when it aborts
 * @example
 *     import { GatewayClient, streamResponse } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     for await (const update of streamResponse(client, { input: 'Hello' })) {
 *       if (update.type === 'event') console.log(update.event.delta ?? '');
 *     }
 */
export function streamResponse(
  client: GatewayClient,
  body: object,
  { idempotencyKey = randomKey(), signal }: StreamOptions & { readonly idempotencyKey?: string } = {},
): AsyncGenerator<StreamUpdate> {
  const open = ({ id, lastSeq }: StreamPosition): AsyncGenerator<StreamItem> =>
    id === undefined ? client.createResponse(body, idempotencyKey, signal) : client.streamResponse(id, lastSeq, signal);
  return follow(open, streamStart, signal);
}

/**
 * Streams a response that was made before, such as by a page that was loaded again.
 *
 * @param options.after the `sequence_number` of the last event that is known; undefined: from the first event
 * @throws as `streamResponse`
 * @example
 *     import { GatewayClient, resumeResponse } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     for await (const update of resumeResponse(client, 'resp_1', { after: 41 })) console.log(update.type);
 */
export function resumeResponse(
  client: GatewayClient,
  id: string,
  { after, signal }: StreamOptions & { readonly after?: number | undefined } = {},
): AsyncGenerator<StreamUpdate> {
  const open = ({ lastSeq }: StreamPosition): AsyncGenerator<StreamItem> => client.streamResponse(id, lastSeq, signal);
  return follow(open, { ...streamStart, id, lastSeq: after }, signal);
}

/**
 * Cancels a turn; what was shown of it stays. Its stream goes on to its end, which says how it ended.
 *
 * @throws as `streamResponse`; a turn that had its end before is refused
 * @example
 *     import { GatewayClient, cancelResponse } from 'turnkeep/http-client';
 *
 *     const client = new GatewayClient({ baseUrl: 'http://127.0.0.1:8484/v1' });
 *     await cancelResponse(client, 'resp_1', { signal: AbortSignal.timeout(5_000) });
 */
export async function cancelResponse(client: GatewayClient, id: string, { signal }: StreamOptions = {}): Promise<void> {
  await withRetries(() => client.json('POST', `/responses/${encodeURIComponent(id)}/cancel`, { signal }), { signal });
}

/** How far a stream has been read. */
export interface StreamPosition {
  readonly id: string | undefined;
  /** `sequence_number` of the last event. */
  readonly lastSeq: number | undefined;
  readonly outcome: ResponseOutcome | undefined;
}

export const streamStart: StreamPosition = { id: undefined, lastSeq: undefined, outcome: undefined };

/** A POST under a known key streams from the first event again. */
export function isRepeated({ lastSeq = -1 }: StreamPosition, { sequence_number: seq }: StreamEvent): boolean {
  return seq !== undefined && seq <= lastSeq;
}

function identified(position: StreamPosition, id: string): StreamPosition {
  return { ...position, id };
}

export function advance(position: StreamPosition, event: StreamEvent): StreamPosition {
  return {
    id: position.id ?? event.response?.id,
    lastSeq: event.sequence_number ?? position.lastSeq,
    outcome: position.outcome ?? outcomeOf(event),
  };
}

async function* follow(
  open: (position: StreamPosition) => AsyncGenerator<StreamItem>,
  start: StreamPosition,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamUpdate> {
  const outage = new OutageClock();
  let position = start;
  for (;;) {
    signal?.throwIfAborted();
    let failure: CallFailure = { type: 'unreachable', detail: 'the stream ended before the turn did' };
    try {
      for await (const item of open(position)) {
        outage.signOfLife();
        if (item.type === 'id') position = identified(position, item.id);
        if (item.type === 'event') {
          if (isRepeated(position, item.event)) continue;
          position = advance(position, item.event);
        }
        yield item;
      }
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      ({ failure } = error);
    }
    if (position.outcome !== undefined) return;
    const retry = outage.retryAfter(failure);
    yield { type: 'retry', ...retry };
    await pause(retry.waitMs, signal);
  }
}

/** Not `crypto.randomUUID`: a browser has that on pages from https and localhost only. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
