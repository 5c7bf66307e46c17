/** The record of each request once its response is over, for the log and the metrics: facts and ids, never content (T11). */
import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { EndedRequest } from '../../http/ended-request.ts';
import { readToHere } from '../stream/acknowledge.ts';
import { disconnectSignal } from '../stream/keep-alive.ts';
import { type GatewayEnv, headerOf } from './route.ts';

/** nginx's status for a client that went before it had a response. */
const clientClosedRequest = 499;
const switchingProtocols = 101;

export interface RequestLogOptions {
  /** The name of a route in the record, by the path that it is registered under. */
  readonly nameOf: (route: string) => string;
  readonly onEnd: (request: EndedRequest) => void;
}

/** Gives the request its id, as `x-request-id` of the response, and calls `onEnd` when the response is over, streamed or not. */
export function requestLog({ nameOf, onEnd }: RequestLogOptions): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const { outgoing, incoming } = c.env;
    readToHere(incoming.socket);
    const startedAtMs = performance.now();
    const requestId = requestIdOf(headerOf(c, 'x-request-id'));
    const ids: GatewayEnv['Variables']['ids'] = idsIn(c.req.path);
    c.set('requestId', requestId);
    c.set('ids', ids);
    c.set('receivedAtMs', Date.now());
    c.set('isStream', false);
    c.set('closed', disconnectSignal(outgoing));
    outgoing.setHeader('x-request-id', requestId);
    const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')?.path;
    outgoing.once('close', () => {
      const tenant = c.get('tenant') as string | undefined;
      const keyId = c.get('keyId');
      const named = c.get('route') ?? route;
      const upgraded = c.get('upgraded');
      const traceparent = headerOf(c, 'traceparent');
      onEnd({
        requestId,
        method: c.req.method,
        route: named === undefined ? 'unmatched' : nameOf(named),
        status: upgraded !== undefined ? switchingProtocols : outgoing.headersSent ? outgoing.statusCode : clientClosedRequest,
        durationMs: Math.round(performance.now() - startedAtMs),
        isStream: c.get('isStream'),
        isCut: upgraded?.isCut ?? !outgoing.writableFinished,
        ...(tenant === undefined ? {} : { tenant }),
        ...(keyId === undefined ? {} : { keyId }),
        ...(ids.response === undefined ? {} : { responseId: ids.response }),
        ...(ids.conversation === undefined ? {} : { conversationId: ids.conversation }),
        ...(traceparent === undefined ? {} : { traceparent }),
      });
    });
    await next();
  };
}

/** The client's own, where it looks like an id: any other text would get into the log. */
function requestIdOf(given: string | undefined): string {
  return given !== undefined && /^[\w.:-]{1,100}$/.test(given) ? given : `req_${crypto.randomUUID()}`;
}

const idPatterns = ['resp', 'conv'].map((prefix) => new RegExp(`/(${prefix}_[\\w-]{1,100})(?:/|$)`));

/** The ids in a path. Only what looks like one of ours: a path may be any text. */
export function idsIn(path: string): { response?: string; conversation?: string } {
  const [response, conversation] = idPatterns.map((pattern) => pattern.exec(path)?.[1]);
  return { ...(response === undefined ? {} : { response }), ...(conversation === undefined ? {} : { conversation }) };
}
