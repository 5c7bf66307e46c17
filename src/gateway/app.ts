/** The door: parses a request, calls the client library, writes the answer. */
import { Hono } from 'hono';
import { createAuthenticator, type ApiKey } from './http/auth.ts';
import { chatRoutes } from './chat-completions/routes.ts';
import { conversationsRoutes } from './conversations/routes.ts';
import { crossOrigin } from './http/cors.ts';
import type { GatewayEnv } from './http/env.ts';
import { ApiError } from './http/errors.ts';
import { modelsRoutes, type ModelsDeps, turnsRoutes } from './operator/models.ts';
import { openApiOf } from './http/openapi.ts';
import { type OperatorDeps, operatorRoutes } from './operator/routes.ts';
import { createRateLimit } from './http/rate-limit.ts';
import type { EndedRequest } from '../http/ended-request.ts';
import { requestLog } from './http/request-log.ts';
import { responsesRoutes } from './responses/routes.ts';
import { Routes, type RouteSpec } from './http/route.ts';
import type { SubmitDeps } from './submit.ts';
import { uiRoutes } from './ai-sdk/routes.ts';

export interface GatewayDeps extends SubmitDeps, ModelsDeps, Omit<OperatorDeps, 'openApi'> {
  readonly version: string;
  readonly apiKeys: readonly ApiKey[];
  /** Of one tenant; 0: no limit. */
  readonly requestsPerSecond: number;
  /** Exact origins, or `*` alone, whose pages may call the API. */
  readonly corsOrigins: readonly string[];
  readonly onRequestEnd: (request: EndedRequest) => void;
  readonly onError: (error: unknown, requestId: string) => void;
  /** How long a stream is silent before a comment is sent; 15 s unless told. */
  readonly idleCommentMs?: number | undefined;
}

export function createApp(deps: GatewayDeps): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const authenticate = createAuthenticator(deps.apiKeys);
  const limitRate = createRateLimit(deps.requestsPerSecond);
  /** The tenant, if it may make a request now. */
  const admit = (authorization: string | undefined): string => {
    const tenant = authenticate(authorization);
    limitRate(tenant);
    return tenant;
  };

  app.use(requestLog(deps.onRequestEnd));
  app.use(crossOrigin({ origins: deps.corsOrigins, isOpen: deps.apiKeys.length === 0 }));

  const atRoot = new Routes(app);
  const { api, routes } = apiRoutes(deps, admit);
  operatorRoutes(atRoot, {
    ...deps,
    openApi: () =>
      openApiOf({
        version: deps.version,
        isKeyNeeded: deps.apiKeys.length > 0,
        routes: [
          { prefix: '/v1', hasKey: true, specs: routes.specs.filter((spec) => !isOwn(spec)) },
          { prefix: '', hasKey: true, specs: routes.specs.filter(isOwn) },
          { prefix: '', hasKey: false, specs: atRoot.specs },
        ],
      }),
  });
  app.route('/v1', api);
  app.route('/', api);

  const allowed = allowedMethods(app.routes);
  app.notFound((c) => {
    const methods = allowed(c.req.path);
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
    deps.onError(error, c.get('requestId'));
    const isBusy = error.name === 'StoreBusyError';
    return new ApiError(
      isBusy
        ? { status: 503, code: 'database_busy', message: 'The database is busy. Try again.', headers: { 'retry-after': '1' } }
        : { status: 500, code: 'internal_error', message: `turnkeep failed; its log has the details under ${c.get('requestId')}.` },
    ).toResponse();
  });
  return app;
}

interface Api {
  readonly api: Hono<GatewayEnv>;
  readonly routes: Routes;
}

function apiRoutes(deps: GatewayDeps, admit: (authorization: string | undefined) => string): Api {
  const { turnkeep } = deps;
  const api = new Hono<GatewayEnv>();
  const routes = new Routes(api, (c) => {
    c.set('tenant', admit(c.req.header('authorization')));
  });
  const doorDeps = {
    ...deps,
    onStreamError: (error: unknown): void => {
      deps.onError(error, 'stream');
    },
  };
  responsesRoutes(routes, doorDeps);
  chatRoutes(routes, doorDeps);
  uiRoutes(routes, doorDeps);
  conversationsRoutes(routes, turnkeep, deps.unsupported);

  modelsRoutes(routes, deps);
  turnsRoutes(routes, turnkeep);
  return { api, routes };
}

/** Not OpenAI's: clients look for it at the root. */
function isOwn({ path }: RouteSpec): boolean {
  return path.startsWith('/api/') || path.startsWith('/turns/');
}

/** Which methods a path takes, read off the routes themselves. */
function allowedMethods(routes: readonly { method: string; path: string }[]): (path: string) => string[] {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replaceAll(/:[a-z]+/g, '[^/]+')}$`) }));
  // Whatever can be read can be asked for its headers alone.
  const named = (method: string): string[] => (method === 'GET' ? ['GET', 'HEAD'] : [method]);
  return (path) => [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).flatMap(({ method }) => named(method)))];
}
