/** Probes, metrics and pages, at the root and without a key. */
import { z } from 'zod';
import type { Readiness } from '../../client/readiness.ts';
import { ok } from '../http/response-schemas.ts';
import { docsPage } from './docs-page.ts';
import { type PageDeps, pageRoutes } from './page.ts';
import type { Routes } from '../http/route.ts';

export interface OperatorDeps extends PageDeps {
  /** What is not ready, in sentences for `/readyz`; empty when everything is. */
  readonly unreadyReasons: Readiness;
  /** The gateway is shutting down. */
  readonly isDraining: () => boolean;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** Called with each request: the routes that it describes are added after these. */
  readonly openApi: () => object;
}

const tag = 'Operation';
const html = (description: string) => ({ description, schema: z.string(), mediaTypes: ['text/html'] });

export function operatorRoutes(routes: Routes, { unreadyReasons, isDraining, metrics, openApi, ...page }: OperatorDeps): void {
  const status = z.strictObject({ status: z.string(), reasons: z.array(z.string()).optional() });

  routes.add({ method: 'get', path: '/healthz', tag, summary: 'Is the process alive?', responses: { 200: ok('It is.', status) } }, (c) =>
    c.json({ status: 'ok' }),
  );

  routes.add(
    {
      method: 'get',
      path: '/readyz',
      tag,
      summary: 'Does Temporal answer, does a worker poll, can the database be written?',
      description:
        'With `without=temporal`: can the database be written? New turns are taken in then, and run once Temporal is back. For a load balancer, which would otherwise take out all replicas at once.',
      query: z.strictObject({ without: z.enum(['temporal']).optional() }),
      responses: { 200: ok('All of it.', status), 503: ok('Not all of it, or the gateway is shutting down (`draining`).', status) },
    },
    async (c, { query }) => {
      if (isDraining()) return c.json({ status: 'draining' }, 503);
      const reasons = await unreadyReasons(query.without);
      return reasons.length === 0 ? c.json({ status: 'ready' }) : c.json({ status: 'unready', reasons }, 503);
    },
  );

  // Without a key, like the probes: there are numbers in it, and neither ids nor tenants.
  routes.add(
    {
      method: 'get',
      path: '/metrics',
      tag,
      summary: "Metrics in Prometheus' text format",
      responses: { 200: { description: 'The metrics.', schema: z.string(), mediaTypes: ['text/plain'] } },
    },
    async (c) => {
      const { contentType, text } = await metrics();
      return c.body(text, 200, { 'content-type': contentType });
    },
  );

  routes.add(
    { method: 'get', path: '/openapi.json', tag, summary: 'This description', responses: { 200: ok('OpenAPI 3.1.', z.looseObject({})) } },
    (c) => c.json(openApi()),
  );

  routes.add({ method: 'get', path: '/docs', tag, summary: 'This description, to read', responses: { 200: html('A page.') } }, (c) =>
    c.html(docsPage),
  );

  pageRoutes(routes, page);
}
