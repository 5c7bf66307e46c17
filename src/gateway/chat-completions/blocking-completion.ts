/**
 * A whole answer. Its clients have no `status` field to see a failure in, so the headers wait a while for the end: a
 * failure that comes soon has an HTTP status. After that they go out, and blanks keep the connection alive.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { ResponseObject } from '../../domain/response.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Turnkeep } from '../../client/turnkeep.ts';
import { writeWhenReady } from '../stream/blocking.ts';
import { acknowledgeOnceSent } from '../stream/acknowledge.ts';
import type { GatewayEnv } from '../http/env.ts';
import { type ChatError, chatErrorOf, statusOf } from './chat-error.ts';
import { completionOf, finishOf } from './completion.ts';

export interface WholeAnswer {
  readonly c: Context<GatewayEnv>;
  readonly turnkeep: Turnkeep;
  readonly turn: TurnRow;
  readonly isLegacy: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly headersWithinMs: number;
  readonly onError: (error: unknown) => void;
}

export async function answerWhole({ c, turnkeep, turn, isLegacy, headers, headersWithinMs, onError }: WholeAnswer): Promise<Response> {
  const { outgoing } = c.env;
  const gone = new AbortController();
  outgoing.once('close', () => {
    gone.abort();
  });
  if (outgoing.destroyed) return RESPONSE_ALREADY_SENT;
  const late = delay(headersWithinMs, undefined, { signal: gone.signal, ref: false }).catch(() => undefined);
  const settled = turnkeep.settled(turn.id, gone.signal);
  const early = await Promise.race([settled, late]);
  if (early !== undefined) {
    const { status, body } = answerOf(await turnkeep.readResponse(early), isLegacy);
    acknowledgeOnceSent(outgoing, () => turnkeep.acknowledge(turn.id), onError);
    const isFailure = status !== 200;
    return c.json(body, status, { ...headers, ...(isFailure ? { 'x-should-retry': 'false' } : {}) });
  }
  if (gone.signal.aborted) return RESPONSE_ALREADY_SENT;
  acknowledgeOnceSent(outgoing, () => turnkeep.acknowledge(turn.id), onError);
  const answered = writeWhenReady(
    outgoing,
    async () => {
      const row = await settled;
      if (row === undefined) return undefined;
      return answerOf(await turnkeep.readResponse(row), isLegacy).body;
    },
    headers,
  );
  answered.catch(onError);
  return RESPONSE_ALREADY_SENT;
}

interface Answer {
  readonly status: 200 | ReturnType<typeof statusOf>;
  readonly body: object | { readonly error: ChatError };
}

function answerOf(response: ResponseObject, isLegacy: boolean): Answer {
  const finish = finishOf(response, isLegacy);
  if (finish.type === 'error') return { status: statusOf(finish.error), body: { error: chatErrorOf(finish.error) } };
  return { status: 200, body: completionOf(response, finish.reason, isLegacy) };
}
