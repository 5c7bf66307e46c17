/** A turn's events to one viewer, from any point: replayed, then live. */
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import type { GatewayEnv } from '../http/env.ts';
import { ApiError } from '../http/errors.ts';
import { retryNotice } from '../stream/retry-notice.ts';
import { writeSse } from '../stream/sse.ts';

export interface StreamDeps {
  readonly turnkeep: Turnkeep;
  readonly onStreamError: (error: unknown) => void;
  /** How long a stream is silent before a comment is sent; 15 s unless told. */
  readonly idleCommentMs?: number | undefined;
}

/** @param after the number of the last event that was seen, -1 for none */
export async function stream(
  c: Context<GatewayEnv>,
  { turnkeep, onStreamError, idleCommentMs }: StreamDeps,
  turn: TurnRow,
  after: number,
): Promise<Response> {
  if (turn.settledAtMs !== null && !(await turnkeep.hasJournal(turn))) throw pastRetention(turn.id);
  acknowledgeOnceSent(c.env.outgoing, () => turnkeep.acknowledge(turn.id), onStreamError);
  const written = writeSse({
    outgoing: c.env.outgoing,
    idleCommentMs,
    rows: (signal) => turnkeep.follow(turn.id, after, signal),
    notice: () => retryNotice(turnkeep, turn.id),
    headers: { 'x-request-id': c.get('requestId'), 'x-turnkeep-response-id': turn.id },
  });
  written.catch(onStreamError);
  return RESPONSE_ALREADY_SENT;
}

export function pastRetention(id: string): ApiError {
  return new ApiError({
    status: 410,
    code: 'response_expired',
    message: `Response '${id}' is older than TURNKEEP_RETENTION_DAYS: it is gone.`,
  });
}
