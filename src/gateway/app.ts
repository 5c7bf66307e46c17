/** The gateway's HTTP application: all routes, and what holds for each of them (keys, limits, errors, the request log). */
import type { RequestListener } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { Hono } from 'hono';
import { type Authenticator, createAuthenticator, type ApiKey, requireScope, type StoredKeys } from './http/auth.ts';
import { BodyBudget } from './http/body-budget.ts';
import { chatRoutes } from './chat-completions/routes.ts';
import { storedCompletionRoutes } from './chat-completions/stored.ts';
import { conversationsRoutes } from './conversations/routes.ts';
import { crossOrigin } from './http/cors.ts';
import { ApiError, asApiError, invalidRequest } from './http/errors.ts';
import { enter, waitRefused } from './http/enter.ts';
import { FairQueue } from './http/fair-queue.ts';
import { loopClock } from './http/loop-clock.ts';
import { branchesRoutes } from './operator/branches.ts';
import { modelsRoutes, type ModelsDeps } from './operator/models.ts';
import { type TurnExportDeps, turnExportRoute } from './operator/turn-export.ts';
import { type TurnsDeps, turnsRoutes } from './operator/turns.ts';
import { openApiDocument } from './http/openapi.ts';
import { type OperatorDeps, operatorRoutes } from './operator/routes.ts';
import { homeOf, pathsOf } from './http/paths.ts';
import { createRateLimit } from './http/rate-limit.ts';
import type { EndedRequest } from '../http/ended-request.ts';
import { requestLog } from './http/request-log.ts';
import { compactRoute } from './responses/compact.ts';
import { type CountDeps, inputTokensRoute } from './responses/input-tokens.ts';
import { responsesRoutes } from './responses/routes.ts';
import { OpenConnections, webSocketRoute } from './responses/websocket/route.ts';
import { type GatewayEnv, headerOf, honoPath, Routes, type RouteSpec } from './http/route.ts';
import type { ViewerLog } from './stream/viewer-log.ts';
import { uiRoutes } from './ai-sdk/routes.ts';

export interface AppDeps extends CountDeps, ModelsDeps, TurnsDeps, TurnExportDeps, Omit<OperatorDeps, 'openApi'> {
  readonly apiKeys: readonly ApiKey[];
  /** The keys of the database. */
  readonly keys: StoredKeys;
  /** Also where there is no key in `apiKeys`. */
  readonly requiresKey: boolean;
  /** For each tenant; 0: no limit. */
  readonly requestsPerSecond: number;
  /** Of all request bodies that are held at the same time. */
  readonly maxBodyBytesAtOnce: number;
  /** Exact origins, or `*` alone, whose pages may call the API. */
  readonly corsOrigins: readonly string[];
  readonly onRequestEnd: (request: EndedRequest) => void;
  readonly onError: (error: unknown, requestId: string) => void;
  /** Of the requests that make turns; its own where nothing is said. */
  readonly fairQueue?: FairQueue;
  /** How long a stream is silent before a comment is sent; 15 s by default. */
  readonly idleCommentMs?: number | undefined;
  /** See `ServeDeps`. */
  readonly viewers?: ViewerLog | undefined;
  /** Where the WebSockets of the gateway are kept; its own where nothing is said. */
  readonly connections?: OpenConnections;
}

export function createApp(deps: AppDeps): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const isKeyNeeded = deps.requiresKey || deps.apiKeys.length > 0;
  const authenticate = createAuthenticator({ keys: deps.apiKeys, store: deps.keys, isKeyNeeded });
  const limitRate = createRateLimit(deps.requestsPerSecond);
  const { api, routes } = keyedRoutes(deps, { authenticate, limitRate });
  /** Where those routes are described that answer with and without `/v1`. */
  const placed: { prefix: string; specs: readonly RouteSpec[] }[] = [
    { prefix: '/v1', specs: routes.specs.filter((spec) => !isOutsideV1(spec)) },
    { prefix: '', specs: routes.specs.filter(isOutsideV1) },
  ];
  const described = new Set(placed.flatMap(({ prefix, specs }) => specs.map(({ path }) => prefix + honoPath(path))));

  app.use(requestLog({ nameOf: (route) => homeOf(route, described), onEnd: deps.onRequestEnd }));
  app.use(crossOrigin({ origins: deps.corsOrigins, isOpen: !isKeyNeeded }));

  const openRoutes = new Routes(app);
  operatorRoutes(openRoutes, {
    ...deps,
    openApi: () =>
      openApiDocument({
        version: deps.version,
        isKeyNeeded,
        routes: [...placed.map((each) => ({ ...each, hasKey: true })), { prefix: '', hasKey: false, specs: openRoutes.specs }],
      }),
  });
  app.route('/v1', api);
  app.route('/', api);

  const paths = pathsOf(app.routes);
  app.notFound((c) => {
    const methods = paths.methodsOf(c.req.path);
    c.set('route', paths.routeOf(c.req.path));
    if (methods.length === 0) {
      return new ApiError({ status: 404, code: 'unknown_url', message: `Unknown URL: ${c.req.method} ${c.req.path}` }).toResponse();
    }
    const headers = { allow: methods.join(', ') };
    return new ApiError({
      status: 405,
      code: 'method_not_allowed',
      message: `${c.req.path} takes ${headers.allow}.`,
      headers,
    }).toResponse();
  });

  app.onError((error, c) => {
    if (error instanceof ApiError) return error.toResponse();
    // Whoever has gone is answered by nobody, and what was dropped for that is no failure.
    if (!c.get('closed').aborted) deps.onError(error, c.get('requestId'));
    return asApiError(error, c.get('requestId')).toResponse();
  });
  return app;
}

/** The application as Node's HTTP server calls it. */
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

/** Everything that needs a key, where keys are set. */
function keyedRoutes(
  deps: AppDeps,
  { authenticate, limitRate }: { readonly authenticate: Authenticator; readonly limitRate: (tenant: string) => void },
): { readonly api: Hono<GatewayEnv>; readonly routes: Routes } {
  const api = new Hono<GatewayEnv>();
  const { maxBodyBytesAtOnce: totalBytes } = deps;
  // A single tenant leaves half of it to the others.
  const budget = new BodyBudget({ totalBytes, tenantBytes: totalBytes / 2 });
  const { fairQueue = new FairQueue({ loopClock }) } = deps;
  const routes = new Routes(api, {
    admit: async (c, scope) => {
      const caller = await authenticate(headerOf(c, 'authorization'));
      // Also of a request that is refused: the log says whose it was.
      c.set('tenant', caller.tenant);
      c.set('keyId', caller.id);
      try {
        limitRate(caller.tenant);
      } catch (error) {
        await waitRefused(fairQueue, c.get('closed'), caller.tenant);
        throw error;
      }
      requireScope(caller, scope);
    },
    budget,
    enter: (c) => enter(fairQueue, c.get('tenant'), c.get('closed')),
    ...(deps.maxInputItems === undefined ? {} : { maxInputItems: deps.maxInputItems }),
  });
  const serveDeps = {
    ...deps,
    fairQueue,
    onStreamError: (error: unknown): void => {
      deps.onError(error, 'stream');
    },
  };
  responsesRoutes(routes, serveDeps);
  const contextBudget = new BodyBudget({ totalBytes: totalBytes / 2, tenantBytes: totalBytes / 4 });
  webSocketRoute(routes, { connections: new OpenConnections(), ...serveDeps, authenticate, limitRate }, { budget, contextBudget });
  inputTokensRoute(routes, deps);
  compactRoute(routes, serveDeps);
  chatRoutes(routes, serveDeps);
  storedCompletionRoutes(routes, deps);
  uiRoutes(routes, serveDeps);
  conversationsRoutes(routes, deps);
  modelsRoutes(routes, deps);
  turnsRoutes(routes, deps);
  branchesRoutes(routes, deps);
  turnExportRoute(routes, deps);
  return { api, routes };
}

/** Not of OpenAI's API: clients look for these paths at the root. */
function isOutsideV1({ path }: RouteSpec): boolean {
  return path.startsWith('/api/') || path.startsWith('/turns/');
}
