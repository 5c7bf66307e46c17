/** Who may close the socket of a request: the caller, at once, in every phase; nobody else. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { chat, comment, head, hold, type Script, selfSigned, sseHead, stall, text } from '../../../src/testing/model-server/index.ts';
import { within } from '../../support/within.ts';
import { collect, helloRequest, limits, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';

const phases: Readonly<Record<string, Script>> = {
  'waiting for the head': [hold('reached'), stall],
  'amid the head': [head({ status: 103 }), hold('reached'), stall],
  'waiting for the first event': [sseHead, comment('hm'), hold('reached'), stall],
  'amid an event': [sseHead, chat.content('a'), text('data: {"cho'), hold('reached'), stall],
  'waiting for usage after the finish': [sseHead, chat.content('a'), chat.finish(), hold('reached'), stall],
  'reading the body of an error': [head({ status: 500 }), text('{"err'), hold('reached'), stall],
};

/** Nothing but the cancel closes a socket while a test runs. */
const patient = { ...limits, firstEventTimeoutMs: 600_000, idleTimeoutMs: 600_000 };

void suite('T5 · a cancel closes the socket at once, and its reason is thrown', () => {
  for (const [name, script] of Object.entries(phases)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: script });
      const abort = new AbortController();
      const reason = new Error('the user stopped it');
      const result = collect(providerFor(t, 'chat', server.baseUrl, { limits: patient }).stream(helloRequest, abort.signal));
      await server.reached('reached');
      abort.abort(reason);
      assert.equal((await result).thrown, reason);
      await within('the request to be closed', server.clientClosed(1));
    });
  }

  void test('while connecting', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    server.onConnect('stall');
    const abort = new AbortController();
    const result = collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, abort.signal));
    while (server.connections.length === 0) await new Promise(setImmediate);
    abort.abort('stop');
    assert.equal((await result).thrown, 'stop');
    assert.equal(server.requests.length, 0);
  });

  void test('before the request was sent, none is', async (t) => {
    const server = await serverFor(t);
    assert.equal((await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, AbortSignal.abort('stop')))).thrown, 'stop');
    assert.equal(server.connections.length, 0);
  });

  void test('deltas that have arrived are not yielded any more', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, text(`data: ${JSON.stringify({ choices: [{ delta: { content: 'a' } }] })}\n\n`.repeat(50)), stall],
    });
    const abort = new AbortController();
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, abort.signal), () => abort.abort('stop'));
    assert.deepEqual([result.events.length, result.thrown], [1, 'stop']);
    await server.clientClosed(1);
  });

  void test('breaking out of the loop closes the socket too', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.content('a'), stall] });
    for await (const { type } of providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted)) {
      assert.equal(type, 'delta');
      break;
    }
    await server.clientClosed(1);
  });

  void test('a list of models', async (t) => {
    const server = await serverFor(t, { models: [hold('reached'), stall] });
    const abort = new AbortController();
    const listed = providerFor(t, 'chat', server.baseUrl).listModels(abort.signal);
    await server.reached('reached');
    abort.abort('stop');
    await assert.rejects(listed, (error) => error === 'stop');
    await server.clientClosed(1);
  });
});

void test('the garbage collector does not close the socket', async (t) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const server = await serverFor(t, {
    fallback: [sseHead, chat.content('a'), hold('go'), chat.content('b'), chat.finish(), chat.usage(), stall],
  });
  const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted), async (each) => {
    if (each.type !== 'delta' || each.delta.text !== 'a') return;
    // undici's `fetch` cancels a request once its Response is collected as garbage.
    for (let turn = 0; turn < 20; turn += 1) {
      collectGarbage();
      await new Promise(setImmediate);
    }
    server.release('go');
  });
  assert.deepEqual([outcomeOf(result), result.text], ['finished', 'ab']);
});
