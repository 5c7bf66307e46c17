/** The application as Node's HTTP server calls it. */
import type { RequestListener } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Hono } from 'hono';
import { invalidRequest } from './http/errors.ts';
import type { GatewayEnv } from './http/route.ts';

export function createListener(app: Hono<GatewayEnv>): RequestListener {
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // `createHttpServer` does it, with more patience.
    autoCleanupIncoming: false,
    // For requests without a `host` header, which HTTP/1.0 allows.
    hostname: 'localhost',
    // Without it these get a 400 with an empty body.
    errorHandler: (error) => (error instanceof RequestError ? invalidRequest(error.message).toResponse() : undefined),
  });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}
