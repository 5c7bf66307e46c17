/** One request from its sending to its last event: what comes after the finish, request ids, errors in the stream. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  chat,
  chatAnswer,
  done,
  end,
  event,
  fin,
  head,
  hold,
  httpError,
  raw,
  repeat,
  reset,
  responsesAnswer,
  type Script,
  sseHead,
  stall,
  text,
} from '../../../src/testing/model-server/index.ts';
import { apis, collect, helloRequest, neverAborted, outcomeOf, providerFor, serverFor } from '../support.ts';

void suite('T8 · after the finish nothing that the server does changes the outcome', () => {
  const finished = [sseHead, chat.role(), chat.content('Hello'), chat.finish()];
  const tails: Readonly<Record<string, Script>> = {
    'a reset': [hold('finish'), reset],
    'a FIN': [fin],
    'garbage in the framing': [raw('zzz\r\n'), stall],
    'broken JSON': [text('data: {\n\n'), stall],
    'an error event': [chat.error('late'), stall],
    'an endless line': [text('data: '), repeat(200_000, 'x'.repeat(64)), stall],
    'the end': [done, end],
  };
  for (const [name, tail] of Object.entries(tails)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: [...finished, ...tail] });
      const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted), ({ type }) => {
        if (type === 'finish') server.release('finish');
      });
      assert.deepEqual([outcomeOf(result), result.text], ['finished', 'Hello']);
    });
  }

  void test('usage is waited for 2 s at most', async (t) => {
    const server = await serverFor(t, { fallback: [...finished, stall] });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual(
      result.events.map(({ type }) => type),
      ['delta', 'finish'],
    );
    const { arrivedAtMs, endedAtMs } = await server.clientClosed(1);
    assert.ok((endedAtMs ?? 0) - arrivedAtMs < 3_500);
  });

  void test('what arrived before a reset is yielded, however slow the caller is', async (t) => {
    const pieces = Array.from({ length: 50 }, (_, index) => chat.content(`${index} `));
    const server = await serverFor(t, {
      fallback: [sseHead, chat.content('first '), hold('go'), ...pieces, chat.finish(), hold('sent'), reset],
    });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted), async (each) => {
      if (each.type !== 'delta' || each.delta.text !== 'first ') return;
      server.release('go');
      await server.reached('sent');
      // The kernel hands over its bytes before it reports the reset, if they are read in time.
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      server.release('sent');
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    });
    assert.equal(outcomeOf(result), 'finished');
    assert.equal(result.events.filter(({ type }) => type === 'delta').length, 51);
  });

  void test('a connection is reused after the response has been read to its end', async (t) => {
    const server = await serverFor(t);
    for (const api of apis) {
      const provider = providerFor(t, api, server.baseUrl);
      for (let i = 0; i < 3; i += 1) {
        assert.equal(outcomeOf(await collect(provider.stream(helloRequest, neverAborted))), 'finished');
        // undici reuses a connection only after one turn of the event loop.
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      }
    }
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [1, 1, 1, 2, 2, 2],
    );
  });
});

void test("the provider's request id is reported, also for an error status", async (t) => {
  const server = await serverFor(t);
  const ids: string[] = [];
  const callbacks = { onRequestId: (id: string) => ids.push(id) };
  server.enqueue(
    [head({ headers: { 'x-request-id': 'req_1' } }), ...chatAnswer('a').slice(1)],
    httpError(500, undefined, { 'x-request-id': 'req_2' }),
  );
  const provider = providerFor(t, 'chat', server.baseUrl);
  await collect(provider.stream(helloRequest, neverAborted, callbacks));
  await collect(provider.stream(helloRequest, neverAborted, callbacks));
  assert.deepEqual(ids, ['req_1', 'req_2']);
});

void test('an error in the stream is classified the same before and after the step has started', async (t) => {
  // That nobody asks again after a start is decided where the attempt is resolved: test/activities/stream-model.test.ts.
  const overload = chat.error('overloaded', { type: 'overloaded_error' });
  for (const [shown, script] of [
    ['', [sseHead, overload, end]],
    ['a', [sseHead, chat.content('a'), overload, end]],
  ] as const) {
    const server = await serverFor(t, { fallback: script });
    const { failure, text } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([text, failure?.code, failure?.busy], [shown, 'provider_busy', {}]);
  }
});

void test('errors in an `error` field, as older llama.cpp sends them, are read', async (t) => {
  const server = await serverFor(t, { fallback: [sseHead, text('error: {"code":500,"message":"m"}\n\n'), end] });
  assert.equal(outcomeOf(await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted))), 'provider_busy');
});

void test('whole streams of both APIs', async (t) => {
  const server = await serverFor(t);
  server.enqueue(chatAnswer('Hel', 'lo'), responsesAnswer('Hel', 'lo'), [sseHead, event({ object: 'odd' }), ...chatAnswer('a').slice(1)]);
  for (const [api, expected] of [
    ['chat', 'Hello'],
    ['responses', 'Hello'],
    ['chat', 'a'],
  ] as const) {
    const result = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([outcomeOf(result), result.text, result.events.at(-1)?.type], ['finished', expected, 'usage']);
  }
});

void test('what the caller throws before the request is sent is no failure of the provider, and nothing is sent', async (t) => {
  const server = await serverFor(t);
  const fault = Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR' });
  const beforeSend = async (): Promise<never> => {
    throw fault;
  };
  for (const api of apis) {
    const { failure, thrown } = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted, { beforeSend }));
    assert.deepEqual([failure, thrown, server.requests.length], [undefined, fault, 0]);
  }
});
