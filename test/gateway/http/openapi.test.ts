/** The description against the routes that are really there. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Ajv } from 'ajv';
import { payloadOf, webhookEvents } from '../../../src/domain/turn/webhook.ts';
import { type App, appFor, serve } from '../served-app.ts';

type Operations = { readonly [method: string]: { readonly operationId: string; readonly security?: unknown } };
type Content = { readonly 'application/json': { readonly schema: object } };
interface Description {
  readonly paths: { readonly [path: string]: Operations };
  readonly webhooks: { readonly [event: string]: { readonly post: { readonly requestBody: { readonly content: Content } } } };
}

function appOf(t: TestContext): App {
  return appFor(t, { apiKeys: [{ name: 'one', hash: '00' }] });
}

async function descriptionOf(t: TestContext, app: App): Promise<Description> {
  return (await (await fetch(`${await serve(t, app)}/openapi.json`)).json()) as Description;
}

test('every route is described, once, and nothing else is', async (t) => {
  const app = appOf(t);
  const description = await descriptionOf(t, app);
  const described = Object.entries(description.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const registered = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replaceAll(/:([a-z]+)/g, '{$1}')}`);
  // What is under /v1 answers without it too.
  const home = (route: string): string => {
    const atV1 = route.replace(' /', ' /v1/');
    return described.includes(atV1) ? atV1 : route.replace(/ \/v1(?=\/(?:api|turns)\/)/, ' ');
  };
  assert.deepEqual([...new Set(registered.map(home))].toSorted(), described.toSorted());

  const ids = Object.values(description.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
  assert.equal(new Set(ids).size, ids.length);
});

test('every reference of the description leads somewhere in it', async (t) => {
  const description = await descriptionOf(t, appOf(t));
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path);
  assert.ok(references.length > 0);
  for (const path of new Set(references)) {
    const found = path.split('/').reduce<unknown>((at, key) => (at as { [key: string]: unknown } | undefined)?.[key], description);
    assert.ok(found !== undefined, path);
  }
});

test('every event that an endpoint is told of is described, as it is sent', async (t) => {
  const { webhooks } = await descriptionOf(t, appOf(t));
  assert.deepEqual(Object.keys(webhooks), [...webhookEvents]);
  for (const event of webhookEvents) {
    const { schema } = webhooks[event]!.post.requestBody.content['application/json'];
    const body: unknown = JSON.parse(payloadOf({ turn: 'resp_a', publicId: 'resp_b', event, owedAtMs: 1 }));
    const ajv = new Ajv({ strict: false });
    assert.ok(ajv.validate(schema, body), ajv.errorsText());
    assert.ok(!ajv.validate(schema, { ...(body as object), type: 'response.other' }));
  }
});

test('what asks for a key says so, wherever it is', async (t) => {
  const { paths } = await descriptionOf(t, appOf(t));
  const open = Object.entries(paths).filter(([, operations]) => Object.values(operations).some(({ security }) => security === undefined));
  assert.deepEqual(open.map(([path]) => path).toSorted(), [
    '/',
    '/assets/{file}',
    '/docs',
    '/healthz',
    '/metrics',
    '/openapi.json',
    '/readyz',
  ]);
});
