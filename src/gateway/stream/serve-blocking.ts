/** Answers a request with one JSON body, once its turn has ended. */
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'hono';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { ResponseObject } from '../../domain/response/response.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { ApiErrorFields } from '../http/errors.ts';
import type { GatewayEnv } from '../http/route.ts';
import { defaultIdleMs } from './keep-alive.ts';
import { acknowledgeOnceSent } from './acknowledge.ts';
import { idHeaders, type ServeDeps } from './serve-turn.ts';
import { watchViewer } from './watch-viewer.ts';

export interface BlockingResponse {
  readonly status: 200 | ApiErrorFields['status'];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

export interface BlockingOptions {
  /** The end of a turn as the protocol shows it. */
  readonly encode: (response: ResponseObject) => BlockingResponse;
  /**
   * How long the headers wait for the end, so that a failure can have its HTTP status. Absent: they go out at once, and
   * the status is 200. So it is for an end that comes later.
   */
  readonly headersWithinMs?: number;
}

export async function serveBlocking(
  c: Context<GatewayEnv>,
  deps: ServeDeps,
  turn: TurnRow,
  { encode, headersWithinMs }: BlockingOptions,
): Promise<Response> {
  const { outgoing } = c.env;
  const signal = c.get('closed');
  if (signal.aborted) return RESPONSE_ALREADY_SENT;
  watchViewer(deps.viewers, outgoing, { turn: turn.id, protocol: 'json', after: -1 });
  const settled = deps.turnkeep.settled(turn, signal).then(async (row) => {
    return row === undefined ? undefined : encode(await deps.turnkeep.readResponse(row));
  });
  const inTime = headersWithinMs === undefined ? undefined : await within(headersWithinMs, settled, signal);
  if (signal.aborted) return RESPONSE_ALREADY_SENT;
  acknowledgeOnceSent(c, deps, turn);
  const headers = idHeaders(c, turn);
  if (inTime !== undefined) return c.json(inTime.body, inTime.status, { ...headers, ...inTime.headers });
  writeWhenReady(outgoing, settled, signal, headers).catch(deps.onStreamError);
  return RESPONSE_ALREADY_SENT;
}

async function within<T>(ms: number, result: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const late = delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return Promise.race([result, late]);
}

/** Headers now, a blank now and then (legal before JSON), the body when it is there. undefined: the client has gone. */
async function writeWhenReady(
  outgoing: ServerResponse,
  ready: Promise<BlockingResponse | undefined>,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  outgoing.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    // Without it nginx holds the headers back until the body comes, and clients give up on them.
    'x-accel-buffering': 'no',
    ...headers,
  });
  outgoing.flushHeaders();
  const blanks = setInterval(() => outgoing.write(' '), defaultIdleMs);
  try {
    const response = await ready;
    if (!signal.aborted) outgoing.end(JSON.stringify(response?.body));
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    clearInterval(blanks);
  }
}
