/** Limits of memory: nothing that a server sends, or a caller leaves unread, fills it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chat, end, event, head, repeat, sseHead, text } from '../../../src/testing/model-server/index.ts';
import { collect, helloRequest, limits, neverAborted, providerFor, serverFor } from '../support.ts';

void suite('limits', () => {
  const tooLarge = ['output_too_large', 'event_too_long'];
  void test('an event that is longer than an answer may be is cut off early, with flat memory', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.content('a'), text('data: '), repeat(1_600_000, 'x'.repeat(64)), end] });
    const before = process.memoryUsage().rss;
    const { text: shown, failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([shown, failure?.code, failure?.detail], ['a', ...tooLarge]);
    const { bytesSent } = await server.clientClosed(1);
    assert.ok(bytesSent < 40 * 1_024 * 1_024, `${bytesSent} bytes were taken`);
    assert.ok(process.memoryUsage().rss - before < 200 * 1_024 * 1_024);
  });
  void test('an event of endlessly many lines too', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, repeat(1_600_000, `data: ${'x'.repeat(58)}\n`), end] });
    const { failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([failure?.code, failure?.detail], tooLarge);
  });
  void test('a line that is no event is none of the answer', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.content('a'), repeat(200_000, 'x'.repeat(64)), end] });
    const { failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([failure?.code, failure?.detail], ['provider_protocol', 'event_too_long']);
  });
  void test('one event may hold the whole answer, as long as that may be', async (t) => {
    const image = (id: string) => ({ id, type: 'image_generation_call', status: 'completed', result: 'A'.repeat(7_000_000) });
    const output = [image('a'), image('b')];
    const script = [sseHead, event({ type: 'response.completed', response: { id: 'r', status: 'completed', output } }), end];
    const server = await serverFor(t, { fallback: script });
    const { failure, finishes } = await collect(providerFor(t, 'responses', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([failure, finishes], [undefined, 1]);
    const small = { limits: { ...limits, maxOutputBytes: 1_000_000 } };
    const { failure: refused } = await collect(providerFor(t, 'responses', server.baseUrl, small).stream(helloRequest, neverAborted));
    assert.deepEqual([refused?.code, refused?.detail], tooLarge);
  });
  void test('an endless body of an error is read up to 64 KiB', async (t) => {
    const server = await serverFor(t, { fallback: [head({ status: 500 }), repeat(1_600_000, 'x'.repeat(64)), end] });
    const { failure } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.equal(failure?.code, 'provider_busy');
    const { bytesSent } = await server.clientClosed(1);
    assert.ok(bytesSent < 16 * 1_024 * 1_024);
  });
  void test('a caller that does not read slows the server, and does not fill our memory', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, repeat(1_000_000, 'data: {"choices":[{"delta":{"content":"aaaaaaaa"}}]}\n\n'), end],
    });
    const stream = providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted)[Symbol.asyncIterator]();
    await stream.next();
    const sent = async (): Promise<number> => {
      for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
      return server.requests[0]?.bytesSent ?? 0;
    };
    let last = -1;
    while ((await sent()) !== last) last = await sent();
    assert.ok(last < 16 * 1_024 * 1_024, `${last} bytes were taken unread`);
    await stream.return?.();
    await server.clientClosed(1);
  });
});
