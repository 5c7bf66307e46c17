/** The door: parses a request, calls the client library, writes the answer. */
import { Hono } from 'hono';
import type { Turnkeep } from '../client/turnkeep.ts';
import { createAuthenticator, type ApiKey } from './auth.ts';
import { conversationsRoutes } from './conversations.ts';
import type { GatewayEnv } from './env.ts';
import { ApiError, notFound } from './errors.ts';
import { page } from './page.ts';
import { responsesRoutes } from './responses.ts';
import { turnReport } from './turn-report.ts';

export interface GatewayDeps {
  readonly turnkeep: Turnkeep;
  readonly apiKeys: readonly ApiKey[];
  readonly defaultModel: string | undefined;
  /** The provider's model ids. Rejects when it cannot be asked. */
  readonly listModels: () => Promise<readonly string[]>;
  /** What is not ready, in words; empty when all is. */
  readonly unready: () => Promise<readonly string[]>;
  readonly onError: (error: unknown, requestId: string) => void;
  /** How long a stream is silent before a comment is sent; 15 s unless told. */
  readonly idleCommentMs?: number | undefined;
}

export function createApp(deps: GatewayDeps): Hono<GatewayEnv> {
  const app = new Hono<GatewayEnv>();
  const authenticate = createAuthenticator(deps.apiKeys);

  app.use(async (c, next) => {
    c.set('requestId', c.req.header('x-request-id')?.slice(0, 100) ?? `req_${crypto.randomUUID()}`);
    c.header('x-request-id', c.get('requestId'));
    await next();
  });

  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    const unready = await deps.unready();
    return unready.length === 0 ? c.json({ status: 'ready' }) : c.json({ status: 'unready', reasons: unready }, 503);
  });
  app.get('/', (c) => c.html(page));

  const api = apiRoutes(deps, authenticate);
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

function apiRoutes(deps: GatewayDeps, authenticate: (authorization: string | undefined) => string): Hono<GatewayEnv> {
  const { turnkeep, defaultModel } = deps;
  const api = new Hono<GatewayEnv>();
  for (const path of ['/responses/*', '/conversations/*', '/models', '/turns/*']) {
    api.use(path, async (c, next) => {
      c.set('tenant', authenticate(c.req.header('authorization')));
      await next();
    });
  }
  responsesRoutes(api, {
    turnkeep,
    defaultModel,
    idleCommentMs: deps.idleCommentMs,
    onStreamError: (error) => {
      deps.onError(error, 'stream');
    },
  });
  conversationsRoutes(api, turnkeep);

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
