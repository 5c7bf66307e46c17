/**
 * Pages of other origins. Off until origins are named; what is named is answered as browsers ask (CORS).
 *
 * Without keys a browser on this machine is let in whatever page it shows: a form or a `no-cors` fetch of any page
 * could start turns, though it could not read them. So what a page of an unnamed origin wants to change is refused; and
 * so is whatever comes by a name that is not this machine's, which anybody may have pointed at it (DNS rebinding).
 */
import type { MiddlewareHandler } from 'hono';
import type { GatewayEnv } from './env.ts';
import { ApiError } from './errors.ts';

export interface CrossOriginOptions {
  /** Exact origins, or `*` alone. */
  readonly origins: readonly string[];
  /** Nobody needs a key. */
  readonly isOpen: boolean;
}

interface Headers {
  readonly [name: string]: string | undefined;
}

const exposed = 'x-request-id, x-turnkeep-response-id, retry-after';
/** Browsers keep the answer to a preflight no longer than a day. */
const preflightKeptSeconds = 86_400;

export function crossOrigin(options: CrossOriginOptions): MiddlewareHandler<GatewayEnv> {
  return async (c, next) => {
    const request = c.req.header();
    const isNamed = isOriginNamed(options.origins, request['origin']);
    // Onto the Node response itself: streams write their headers past the framework, errors in another place again.
    const { outgoing } = c.env;
    for (const [name, value] of Object.entries(headersFor(options.origins, request))) outgoing.setHeader(name, value);
    if (isNamed && c.req.method === 'OPTIONS' && request['access-control-request-method'] !== undefined) {
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
    if (options.isOpen && !isNamed && !/^(GET|HEAD|OPTIONS)$/.test(c.req.method) && isForeign(request)) {
      throw new ApiError({
        status: 403,
        code: 'origin_not_allowed',
        message: 'Pages of this origin may not call the API. Name the origin in TURNKEEP_CORS_ORIGINS.',
      });
    }
    return next();
  };
}

/** What every answer carries. */
export function headersFor(origins: readonly string[], request: Headers): Record<string, string> {
  if (origins.length === 0) return {};
  const isAny = origins.includes('*');
  // The answer differs by origin, and caches must know.
  const vary: Record<string, string> = isAny ? {} : { vary: 'Origin' };
  const { origin } = request;
  if (origin === undefined || !isOriginNamed(origins, origin)) return vary;
  return { ...vary, 'access-control-allow-origin': isAny ? '*' : origin, 'access-control-expose-headers': exposed };
}

/** `*` would not do for the headers: it does not stand for `authorization`. */
function preflightHeaders(request: Headers): Record<string, string> {
  const wanted = request['access-control-request-headers'];
  return {
    'access-control-allow-methods': 'GET, POST, DELETE, PUT, PATCH',
    ...(wanted === undefined ? {} : { 'access-control-allow-headers': wanted }),
    'access-control-max-age': String(preflightKeptSeconds),
  };
}

function isOriginNamed(origins: readonly string[], origin: string | undefined): boolean {
  return origin !== undefined && (origins.includes('*') || origins.includes(origin));
}

/** Is this the name of the machine itself, or of an origin that is named? Who sends no name, is no browser. */
export function isHostLocal(origins: readonly string[], host: string | undefined): boolean {
  if (host === undefined || origins.includes('*') || origins.some((origin) => URL.parse(origin)?.host === host)) return true;
  const name = URL.parse(`http://${host}`)?.hostname ?? '';
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.\d+){3}$/.test(name);
}

/** Does a browser say that this comes from a page that is not ours? Other clients say nothing of the kind. */
export function isForeign(request: Headers): boolean {
  const site = request['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host } = request;
  return origin !== undefined && URL.parse(origin)?.host !== host;
}
