/** Cancels and deadlines: who may close the socket, and what is told then. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  chat,
  comment,
  event,
  head,
  hold,
  ResponsesWriter,
  type Script,
  selfSigned,
  sseHead,
  stall,
  text,
} from '../../../src/testing/model-server/index.ts';
import { apis, endOf, follow, hello, limits, never, providerFor, serverFor } from '../support.ts';

const phases: Readonly<Record<string, Script>> = {
  'waiting for the head': [hold('there'), stall],
  'amid the head': [head({ status: 103 }), hold('there'), stall],
  'waiting for the first event': [sseHead, comment('hm'), hold('there'), stall],
  'amid an event': [sseHead, chat.content('a'), text('data: {"cho'), hold('there'), stall],
  'waiting for usage after the proof': [sseHead, chat.content('a'), chat.finish(), hold('there'), stall],
  'reading the body of an error': [head({ status: 500 }), text('{"err'), hold('there'), stall],
};

void suite('T5 · a cancel closes the socket at once, and its reason is what is thrown', () => {
  for (const [name, script] of Object.entries(phases)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: script });
      const abort = new AbortController();
      const reason = new Error('the user stopped it');
      const seen = follow(providerFor(t, 'chat', server.baseUrl).stream(hello, abort.signal));
      await server.reached('there');
      const atMs = performance.timeOrigin + performance.now();
      abort.abort(reason);
      assert.equal((await seen).thrown, reason);
      const { endedAtMs = Infinity } = await server.hungUp(1);
      assert.ok(endedAtMs - atMs < 200, `closed after ${endedAtMs - atMs} ms`);
    });
  }

  void test('while connecting', async (t) => {
    const server = await serverFor(t, { tls: selfSigned });
    server.onConnect('stall');
    const abort = new AbortController();
    const seen = follow(providerFor(t, 'chat', server.baseUrl).stream(hello, abort.signal));
    while (server.connections.length === 0) await new Promise(setImmediate);
    abort.abort('stop');
    assert.equal((await seen).thrown, 'stop');
    assert.equal(server.requests.length, 0);
  });

  void test('before anything was sent, nothing is', async (t) => {
    const server = await serverFor(t);
    assert.equal((await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, AbortSignal.abort('stop')))).thrown, 'stop');
    assert.equal(server.connections.length, 0);
  });

  void test('with pieces in hand, none of them is told any more', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, text(`data: ${JSON.stringify({ choices: [{ delta: { content: 'a' } }] })}\n\n`.repeat(50)), stall],
    });
    const abort = new AbortController();
    const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, abort.signal), () => abort.abort('stop'));
    assert.deepEqual([seen.events.length, seen.thrown], [1, 'stop']);
    await server.hungUp(1);
  });

  void test('leaving the loop closes the socket as well', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.content('a'), stall] });
    for await (const { type } of providerFor(t, 'chat', server.baseUrl).stream(hello, never)) {
      assert.equal(type, 'delta');
      break;
    }
    await server.hungUp(1);
  });

  void test('a list of models', async (t) => {
    const server = await serverFor(t, { models: [hold('there'), stall] });
    const abort = new AbortController();
    const listed = providerFor(t, 'chat', server.baseUrl).listModels(abort.signal);
    await server.reached('there');
    abort.abort('stop');
    await assert.rejects(listed, (error) => error === 'stop');
    await server.hungUp(1);
  });
});

void test('nobody else closes the socket: not the garbage collector either', async (t) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const server = await serverFor(t, {
    fallback: [sseHead, chat.content('a'), hold('go'), chat.content('b'), chat.finish(), chat.usage(), stall],
  });
  const seen = await follow(providerFor(t, 'chat', server.baseUrl).stream(hello, never), async (each) => {
    if (each.type !== 'delta' || each.delta.text !== 'a') return;
    // undici's `fetch` cancels an answer once its Response is collected, and with it the request.
    for (let turn = 0; turn < 20; turn += 1) {
      collectGarbage();
      await new Promise(setImmediate);
    }
    server.release('go');
  });
  assert.deepEqual([endOf(seen), seen.text], ['proved', 'ab']);
});

void suite('deadlines are model_timeout, which is never retried', () => {
  const short = { ...limits, firstEventTimeoutMs: 60, idleTimeoutMs: 60 };
  /** Something every 10 ms that shows nothing, for ever. */
  const chatter = (api: 'chat' | 'responses'): Script => {
    const idle =
      api === 'chat'
        ? [comment('hm'), chat.empty(), chat.role(''), chat.usage()]
        : [
            comment('hm'),
            event({ type: 'response.in_progress' }),
            event({ type: 'keepalive' }),
            ...new ResponsesWriter().encryptedReasoning('E'),
          ];
    return [...Array.from({ length: 100 }, () => [...idle, { type: 'wait', ms: 10 } as const]).flat(), stall];
  };
  for (const api of apis) {
    const shown = api === 'chat' ? [chat.content('a')] : new ResponsesWriter().text('a');
    const rows: Readonly<Record<string, readonly [Script, string]>> = {
      'no head': [[stall], 'first_event'],
      'no event': [[sseHead, stall], 'first_event'],
      'comments and empty deltas only': [[sseHead, ...chatter(api)], 'first_event'],
      'silence after a delta': [[sseHead, ...shown, stall], 'next_event'],
      'comments and empty deltas after a delta': [[sseHead, ...shown, ...chatter(api)], 'next_event'],
    };
    for (const [name, [script, detail]] of Object.entries(rows)) {
      void test(`${api}: ${name}`, async (t) => {
        const server = await serverFor(t, { fallback: script });
        const seen = await follow(providerFor(t, api, server.baseUrl, { limits: short }).stream(hello, never));
        assert.deepEqual([endOf(seen), seen.failure?.detail], ['model_timeout', detail]);
        const { arrivedAtMs, endedAtMs = Infinity } = await server.hungUp(1);
        assert.ok(endedAtMs - arrivedAtMs < 600, 'nothing but what shows resets a deadline');
      });
    }
  }

  void test('a caller that takes its time makes no model late', async (t) => {
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('a'), hold('go'), chat.content('b'), chat.finish(), chat.usage(), stall],
    });
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: short });
    const seen = await follow(provider.stream(hello, never), async (each) => {
      if (each.type !== 'delta' || each.delta.text !== 'a') return;
      // Longer than both limits: the only way to be slow is to be slow.
      await new Promise((resolve) => setTimeout(resolve, 150));
      server.release('go');
    });
    assert.deepEqual([endOf(seen), seen.text], ['proved', 'ab']);
  });

  void test('each delta starts the silence anew', async (t) => {
    const pieces = Array.from({ length: 12 }, () => [chat.content('a'), { type: 'wait', ms: 20 } as const]).flat();
    const server = await serverFor(t, { fallback: [sseHead, ...pieces, chat.finish(), chat.usage(), stall] });
    const seen = await follow(providerFor(t, 'chat', server.baseUrl, { limits: { ...short, idleTimeoutMs: 150 } }).stream(hello, never));
    assert.equal(endOf(seen), 'proved');
  });
});
