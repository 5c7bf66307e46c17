/** A blocking completion that takes longer than its headers may wait. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { Dispatcher } from '../../src/client/dispatcher.ts';
import { Turnkeep } from '../../src/client/turnkeep.ts';
import { chatRoutes } from '../../src/gateway/chat-completions/routes.ts';
import { type GatewayEnv, Routes } from '../../src/gateway/http/route.ts';
import { chat, done, end, hold, reset, type Script, sseHead } from '../../src/testing/model-server/index.ts';
import { World } from '../support/world.ts';

/** The Chat Completions routes alone; headers wait for no time at all. */
async function startImpatientServer(world: World): Promise<{ url: string; close: () => void }> {
  const { store, config, temporal } = world;
  const { taskQueue, limits } = config;
  const dispatcher = new Dispatcher({ workflows: temporal.workflow, taskQueue, store, limits, isEager: false });
  const app = new Hono<GatewayEnv>();
  app.use(async (c, next) => {
    c.set('tenant', 'default');
    c.set('requestId', 'req_late');
    c.set('ids', {});
    c.set('receivedAtMs', Date.now());
    c.set('closed', new AbortController().signal);
    await next();
  });
  const turnkeep = new Turnkeep({ store, dispatcher });
  chatRoutes(new Routes(app), {
    turnkeep,
    defaultModel: 'scripted',
    providerApi: world.config.provider.api,
    isDraining: () => false,
    headersWithinMs: 0,
    onStreamError: (error) => {
      throw error;
    },
  });
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

for (const [name, script, expected] of [
  ['a completion', [sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end], 'Hello'],
  ['a failure', [sseHead, chat.content('Hel'), hold('go'), reset], 'stream_interrupted'],
] as const satisfies readonly (readonly [string, Script, string])[]) {
  test(`${name} that comes late has its headers before it, and is the body all the same`, async () => {
    await using world = await World.open();
    world.model.enqueue(script);
    const server = await startImpatientServer(world);
    try {
      const response = await fetch(`${server.url}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }),
      });
      // The model is held in the middle of its text, and the headers are here.
      assert.equal(response.status, 200);
      assert.match(response.headers.get('x-turnkeep-response-id') ?? '', /^resp_/);
      assert.equal(response.headers.get('x-request-id'), 'req_late');
      await world.model.reached('go');
      await world.untilStarted(response.headers.get('x-turnkeep-response-id') ?? '', 1);
      world.model.release('go');
      const body = (await response.json()) as { choices?: { message: { content: string } }[]; error?: { code: string } };
      assert.equal(body.choices?.[0]?.message.content ?? body.error?.code, expected);
    } finally {
      server.close();
    }
  });
}
