/** What operators ask for, at the root and without a key: is it up, how is it, what is it. */
import { z } from 'zod';
import { ok } from '../http/response-schemas.ts';
import { docs } from './docs-page.ts';
import { page } from './landing-page.ts';
import type { Routes } from '../http/route.ts';

export interface OperatorDeps {
  /** What is not ready, in words; empty when all is. */
  readonly unready: () => Promise<readonly string[]>;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** The API's description, once all routes are there. */
  readonly openApi: () => object;
}

const tag = 'Operation';
const html = (description: string) => ({ description, schema: z.string(), mediaTypes: ['text/html'] });

export function operatorRoutes(routes: Routes, { unready, metrics, openApi }: OperatorDeps): void {
  const status = z.strictObject({ status: z.string(), reasons: z.array(z.string()).optional() });

  routes.add({ method: 'get', path: '/healthz', tag, summary: 'Is the process alive?', answers: { 200: ok('It is.', status) } }, (c) =>
    c.json({ status: 'ok' }),
  );

  routes.add(
    {
      method: 'get',
      path: '/readyz',
      tag,
      summary: 'Does Temporal answer, does a worker poll, can the database be written?',
      answers: { 200: ok('All of it.', status), 503: ok('Not all of it.', status) },
    },
    async (c) => {
      const reasons = await unready();
      return reasons.length === 0 ? c.json({ status: 'ready' }) : c.json({ status: 'unready', reasons }, 503);
    },
  );

  // Without a key, like the probes: it tells numbers, no ids, no tenants.
  routes.add(
    {
      method: 'get',
      path: '/metrics',
      tag,
      summary: "Metrics in Prometheus' text format",
      answers: { 200: { description: 'The metrics.', schema: z.string(), mediaTypes: ['text/plain'] } },
    },
    async (c) => {
      const { contentType, text } = await metrics();
      return c.body(text, 200, { 'content-type': contentType });
    },
  );

  routes.add(
    { method: 'get', path: '/openapi.json', tag, summary: 'This description', answers: { 200: ok('OpenAPI 3.1.', z.looseObject({})) } },
    (c) => c.json(openApi()),
  );

  routes.add({ method: 'get', path: '/docs', tag, summary: 'This description, to read', answers: { 200: html('A page.') } }, (c) =>
    c.html(docs),
  );

  routes.add({ method: 'get', path: '/', tag, summary: 'Where everything is', answers: { 200: html('A page.') } }, (c) => c.html(page));
}
