/** The door: parses a request, calls the client library, writes the answer. */
import { Hono } from 'hono';
import { createAuthenticator, type ApiKey } from './auth.ts';
import { chatRoutes } from './chat/routes.ts';
import { conversationsRoutes } from './conversations/routes.ts';
import { crossOrigin } from './cors.ts';
import type { GatewayEnv } from './env.ts';
import { ApiError, notFound } from './errors.ts';
import { page } from './page.ts';
import { createRateLimit } from './rate-limit.ts';
import { type EndedRequest, requestLog } from './request-log.ts';
import { responsesRoutes } from './responses/routes.ts';
import { Routes } from './route.ts';
import type { SubmitDeps } from './submit.ts';
import { turnReport } from './turn-report.ts';
import { uiRoutes } from './ui/routes.ts';

export interface GatewayDeps extends SubmitDeps {
  readonly apiKeys: readonly ApiKey[];
  /** Of one tenant; 0: no limit. */
  readonly requestsPerSecond: number;
  /** Exact origins, or `*` alone, whose pages may call the API. */
  readonly corsOrigins: readonly string[];
  /** The provider's model ids. Rejects when it cannot be asked. */
  readonly listModels: () => Promise<readonly string[]>;
  /** What is not ready, in words; empty when all is. */
  readonly unready: () => Promise<readonly string[]>;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
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

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const unready = await deps.unready();
    return unready.length === 0 ? c.json({ status: 'ready' }) : c.json({ status: 'unready', reasons: unready }, 503);
  });
  // Without a key, like the probes: it tells numbers, no ids, no tenants.
  app.get('/metrics', async (c) => {
    const { contentType, text } = await deps.metrics();
    return c.body(text, 200, { 'content-type': contentType });
  });
  app.get('/', (c) => c.html(page));

  const api = apiRoutes(deps, admit);
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

function apiRoutes(deps: GatewayDeps, admit: (authorization: string | undefined) => string): Hono<GatewayEnv> {
  const { turnkeep, defaultModel } = deps;
  const api = new Hono<GatewayEnv>();
  for (const path of ['/responses/*', '/conversations/*', '/models', '/turns/*', '/chat/*', '/api/chat/*']) {
    api.use(path, async (c, next) => {
      c.set('tenant', admit(c.req.header('authorization')));
      await next();
    });
  }
  const routes = new Routes(api);
  const doorDeps = {
    turnkeep,
    defaultModel,
    unsupported: deps.unsupported,
    idleCommentMs: deps.idleCommentMs,
    onStreamError: (error: unknown): void => {
      deps.onError(error, 'stream');
    },
  };
  responsesRoutes(routes, doorDeps);
  chatRoutes(routes, doorDeps);
  uiRoutes(routes, doorDeps);
  conversationsRoutes(routes, turnkeep, deps.unsupported);

  api.get('/models', async (c) => {
    const ids = await deps.listModels().catch((error: unknown) => {
      if (defaultModel !== undefined) return [];
      throw new ApiError({
        status: 502,
        code: 'provider_unreachable',
        message: `The model provider does not list its models: ${messageOf(error)}`,
      });
    });
    const all = [...new Set([...(defaultModel === undefined ? [] : [defaultModel]), ...ids])];
    return c.json({ object: 'list', data: all.map((id) => ({ id, object: 'model', created: 0, owned_by: 'provider' })) });
  });

  api.get('/turns/:id', async (c) => {
    const id = c.req.param('id');
    const turn = await turnkeep.readTurn(c.get('tenant'), id);
    if (turn === undefined) throw notFound('Turn', id);
    return c.json(turnReport(turn, await turnkeep.readAttempts(id)));
  });
  return api;
}

/** Which methods a path takes, read off the routes themselves. */
function allowedMethods(routes: readonly { method: string; path: string }[]): (path: string) => string[] {
  const patterns = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replaceAll(/:[a-z]+/g, '[^/]+')}$`) }));
  return (path) => [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
