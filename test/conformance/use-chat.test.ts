/** `useChat` of the AI SDK in a real Chromium, with `resume`, against `/api/chat`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { build } from 'esbuild';
import { chat, chatAnswer, done, end, hold, httpError, sseHead, stall } from '../../src/testing/model-server/index.ts';
import { needChromium } from '../support/programs.ts';
import { until } from '../support/until.ts';
import { World } from '../support/world.ts';
import { openPage, type Page } from './browser.ts';

interface Site extends AsyncDisposable {
  readonly url: string;
}

/** The page at `/`, all else as the gateway answers it: one origin, as behind any proxy. */
async function startSite(gateway: () => string): Promise<Site> {
  const entry = join(import.meta.dirname, 'page', 'use-chat.js');
  const bundle = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const script = bundle.outputFiles[0]?.text.replaceAll('</script', '<\\/script');
  const server = createServer((incoming, outgoing) => {
    if (incoming.url?.startsWith('/?')) {
      outgoing.setHeader('content-type', 'text/html; charset=utf-8');
      outgoing.end(`<!doctype html><body></body><script type="module">${script}</script>`);
      return;
    }
    const { method, headers } = incoming;
    const onward = forward(`${gateway()}${incoming.url}`, { method: method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @param tell gets the gateways behind the site too: the last one answers */
async function inBrowser(t: TestContext, tell: (world: World, page: Page, gateways: string[]) => Promise<void>): Promise<void> {
  const program = await needChromium(t);
  if (program === undefined) return;
  await using world = await World.open();
  const gateways = [world.url];
  await using site = await startSite(() => gateways.at(-1) ?? '');
  await using page = await openPage(program);
  await page.goto(`${site.url}/?id=chat-1`);
  await page.until(`chat.status === 'ready'`);
  await tell(world, page, gateways);
}

const shown = async (page: Page): Promise<unknown> => page.evaluate('chat.shown');

test('useChat: two messages are answered in one session, word by word', async (t) => {
  await inBrowser(t, async (world, page) => {
    world.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end], chatAnswer('fine'));
    await page.evaluate(`chat.say('one')`);
    await page.until(`chat.shown.at(-1) === 'assistant: Hel'`);
    assert.equal(await page.evaluate('chat.status'), 'streaming');
    world.model.release('go');
    await page.until(`chat.status === 'ready'`);
    await page.evaluate(`chat.say('two')`);
    await page.until(`chat.status === 'ready' && chat.shown.length === 4`);
    assert.deepEqual(await shown(page), ['user: one', 'assistant: Hello', 'user: two', 'assistant: fine']);
    assert.deepEqual(
      (world.model.requests[1]!.body as { messages: { content: string }[] }).messages.map(({ content }) => content),
      ['one', 'Hello', 'two'],
    );
  });
});

test('useChat: a reload in mid-answer, at another gateway too, resumes it, and asks the model nothing', async (t) => {
  await inBrowser(t, async (world, page, gateways) => {
    world.model.enqueue([sseHead, chat.content('Hel'), hold('go'), chat.content('lo'), chat.finish(), done, end]);
    await page.evaluate(`chat.say('one')`);
    await page.until(`chat.shown.at(-1) === 'assistant: Hel'`);
    await page.reload();
    await page.until(`chat.shown.at(-1) === 'assistant: Hel'`);
    gateways.push((await world.startGateway()).url);
    await page.reload();
    await page.until(`chat.shown.at(-1) === 'assistant: Hel'`);
    world.model.release('go');
    await page.until(`chat.status === 'ready' && chat.shown.at(-1) === 'assistant: Hello'`);
    assert.deepEqual(await shown(page), ['user: one', 'assistant: Hello']);
    assert.equal(world.model.requests.length, 1);
    await page.reload();
    await page.until(`chat.status === 'ready'`);
    assert.deepEqual(
      [await shown(page), await page.evaluate('chat.error')],
      [['user: one', 'assistant: Hello'], null],
      'nothing runs: 204',
    );
  });
});

test('useChat: stop stops the model, keeps what was said, and the next message is answered', async (t) => {
  await inBrowser(t, async (world, page) => {
    world.model.enqueue([sseHead, chat.content('Hel'), stall], chatAnswer('fine'));
    await page.evaluate(`chat.say('one')`);
    await page.until(`chat.shown.at(-1) === 'assistant: Hel'`);
    await page.evaluate(`chat.stop()`);
    await world.model.clientClosed(1);
    await page.until(`chat.status === 'ready'`);
    assert.deepEqual(await shown(page), ['user: one', 'assistant: Hel']);
    // A page that is loaded before the turn has its end would take it up.
    await until(async () => (await world.store.counts()).running === 0);
    await page.reload();
    await page.until(`chat.status === 'ready'`);
    await page.evaluate(`chat.say('two')`);
    await page.until(`chat.status === 'ready' && chat.shown.at(-1) === 'assistant: fine'`);
    assert.equal(world.model.requests.length, 2);
  });
});

test('useChat: a failed turn is shown as an error', async (t) => {
  await inBrowser(t, async (world, page) => {
    world.model.enqueue(httpError(400));
    await page.evaluate(`chat.say('one')`);
    await page.until(`chat.status === 'error'`);
    assert.equal(world.model.requests.length, 1);
    assert.notEqual(await page.evaluate('chat.error'), null);
  });
});
