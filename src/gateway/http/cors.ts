/**
 * Requests of pages of other origins. Those of the configured origins get CORS headers.
 *
 * Without keys any page in a browser on this machine could start turns, by a form or a `no-cors` fetch, though not read
 * them. So then a request that changes something is rejected when it comes from a page of another origin, and every
 * request is rejected whose `host` is not this machine's: anybody can point a name at 127.0.0.1 (DNS rebinding).
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { upgradeOf } from '../../http/upgrade.ts';
import { ApiError } from './errors.ts';
import type { GatewayEnv } from './route.ts';

export interface CrossOriginOptions {
  /** Exact origins, or `*` alone. */
  readonly origins: readonly string[];
  /** No keys are set. */
  readonly isOpen: boolean;
}

/** As Node has them. None of those that are looked at here can be a list. */
type Headers = IncomingHttpHeaders;

const exposedHeaders = 'x-request-id, x-turnkeep-response-id, x-turnkeep-omitted, retry-after';
/** A day: browsers keep a preflight no longer. */
const preflightMaxAgeSeconds = 86_400;

export function crossOrigin(options: CrossOriginOptions): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const request = c.env.incoming.headers;
    const isAllowed = isOriginAllowed(options.origins, request['origin']);
    // On Node's response: event streams write their headers past Hono, and so do some errors.
    const { outgoing } = c.env;
    if (options.origins.length > 0) {
      for (const [name, value] of Object.entries(headersFor(options.origins, request))) outgoing.setHeader(name, value);
    }
    if (isAllowed && c.req.method === 'OPTIONS' && request['access-control-request-method'] !== undefined) {
      return new Response(null, { status: 204, headers: preflightHeaders(request) });
    }
    if (options.isOpen && !isHostLocal(options.origins, request['host'])) {
      throw new ApiError({
        status: 403,
        code: 'host_not_allowed',
        message:
          'Without API keys only this machine is served, by its own names. Set TURNKEEP_API_KEYS, or name the origin in TURNKEEP_CORS_ORIGINS.',
      });
    }
    if (options.isOpen && !isAllowed && mayChange(c) && isForeign(request)) {
      throw new ApiError({
        status: 403,
        code: 'origin_not_allowed',
        message: 'Pages of this origin may not call the API. Name the origin in TURNKEEP_CORS_ORIGINS.',
      });
    }
    return next();
  };
}

/** Browsers let every page open a WebSocket, and it starts turns. */
function mayChange(c: Context<GatewayEnv>): boolean {
  return !/^(GET|HEAD|OPTIONS)$/.test(c.req.method) || upgradeOf(c.env.incoming) !== undefined;
}

/** The CORS headers of every response. */
export function headersFor(origins: readonly string[], request: Headers): Record<string, string> {
  if (origins.length === 0) return {};
  const isAny = origins.includes('*');
  // Caches must know that the response differs by origin.
  const vary: Record<string, string> = isAny ? {} : { vary: 'Origin' };
  const { origin } = request;
  if (origin === undefined || !isOriginAllowed(origins, origin)) return vary;
  return { ...vary, 'access-control-allow-origin': isAny ? '*' : origin, 'access-control-expose-headers': exposedHeaders };
}

/** Echoes the headers that are asked for: `*` does not include `authorization`. */
function preflightHeaders(request: Headers): Record<string, string> {
  const requested = request['access-control-request-headers'];
  return {
    'access-control-allow-methods': 'GET, POST, DELETE, PUT, PATCH',
    ...(requested === undefined ? {} : { 'access-control-allow-headers': requested }),
    'access-control-max-age': String(preflightMaxAgeSeconds),
  };
}

function isOriginAllowed(origins: readonly string[], origin: string | undefined): boolean {
  return origin !== undefined && (origins.includes('*') || origins.includes(origin));
}

/** Is this a name of this machine, or of a configured origin? A client without a `host` header is no browser. */
export function isHostLocal(origins: readonly string[], host: string | undefined): boolean {
  if (host === undefined || origins.includes('*') || origins.some((origin) => URL.parse(origin)?.host === host)) return true;
  const name = URL.parse(`http://${host}`)?.hostname ?? '';
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.\d+){3}$/.test(name);
}

/** Does a browser say that this comes from a page of another origin? Other clients send none of these headers. */
export function isForeign(request: Headers): boolean {
  const site = request['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host } = request;
  return origin !== undefined && URL.parse(origin)?.host !== host;
}
