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
  ResponsesWriter,
  type Script,
  sseHead,
  stall,
  text,
} from '../../../src/testing/model-server/index.ts';
import type { Provider } from '../../../src/providers/provider.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { within } from '../../support/within.ts';
import {
  apis,
  collect,
  helloRequest,
  limits,
  neverAborted,
  outcomeOf,
  parserOf,
  providerFor,
  serverFor,
  type StreamResult,
} from '../support.ts';

/** Reads a stream in which nothing follows what comes with the first event of this type, and how long its end is waited for then. */
async function waitedFor(
  clock: FakeClock,
  type: string,
  provider: Provider,
): Promise<{ readonly result: StreamResult; readonly waitedMs: number }> {
  const seen = Promise.withResolvers<void>();
  let isOver = false;
  const reading = collect(provider.stream(helloRequest, neverAborted), (each) => {
    if (each.type === type) seen.resolve();
  }).finally(() => (isOver = true));
  await seen.promise;
  const { nowMs } = clock;
  await clock.run(() => isOver, 60_000);
  return { result: await reading, waitedMs: clock.nowMs - nowMs };
}

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
    using clock = new FakeClock();
    const { result, waitedMs } = await waitedFor(clock, 'finish', providerFor(t, 'chat', server.baseUrl));
    assert.deepEqual(
      result.events.map(({ type }) => type),
      ['delta', 'finish'],
    );
    await server.clientClosed(1);
    assert.ok(waitedMs >= 2_000 && waitedMs < 2_500, `${waitedMs} ms by the clock of the test`);
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

void suite('a stated error is told once, with its words, in whatever form it comes', () => {
  const quota = 'You exceeded your current quota, please check your plan';
  const long = "This model's maximum context length is 8192 tokens";
  const plain = (body: string, type = 'text/event-stream', status = 200): Script => [
    head({ status, headers: { 'content-type': type } }),
    text(body),
    end,
  ];
  const rows: Readonly<Record<string, readonly [script: Script, code: string, words: string]>> = {
    'behind the role chunk, a line without data:': [
      [sseHead, chat.role(), text(`{"error":{"message":"${quota}","code":"insufficient_quota"}}\n\n`), end],
      'provider_busy',
      quota,
    ],
    'the same, without an end of its line, over two chunks, of flat fields': [
      [sseHead, chat.role(), text('{"error_code":400,"error_mes'), { type: 'wait', ms: 20 }, text(`sage":"${long}"}`), end],
      'context_length_exceeded',
      long,
    ],
    'the same, and then a reset': [[sseHead, chat.role(), text(`{"message":"${long}"}\n`), reset], 'context_length_exceeded', long],
    'an event of plain words': [
      [sseHead, text('event: error\ndata: the model has crashed\n\n'), end],
      'provider_rejected',
      'the model has crashed',
    ],
    'plain words as data': [[sseHead, text(`data: ${long}\n\n`), end], 'context_length_exceeded', long],
    'plain words without data:': [
      [sseHead, chat.role(), text('the model has crashed\n'), end],
      'provider_rejected',
      'the model has crashed',
    ],
    'plain words in place of a stream': [plain('upstream: Too Many Requests', 'text/plain'), 'provider_busy', 'Too Many Requests'],
    'JSON with status 200': [plain(JSON.stringify({ error: { message: quota } }), 'application/json'), 'provider_busy', quota],
    'JSON with status 200, flat': [plain(JSON.stringify({ code: 1302, msg: long }), 'application/json'), 'context_length_exceeded', long],
    'JSON with status 200, that claims to be a stream': [plain(`{"error":"${quota}"}\n\ndata: [DONE]\n\n`), 'provider_busy', quota],
    'a status that says otherwise': [plain(JSON.stringify({ error: { message: quota } }), 'application/json', 400), 'provider_busy', quota],
  };
  for (const [name, [script, code, words]] of Object.entries(rows)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: script });
      const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
      assert.deepEqual([outcomeOf(result), result.hasStarted], [code, false]);
      assert.ok(result.failure?.providerMessage?.includes(words), result.failure?.providerMessage);
      if (words === quota) assert.equal(result.failure?.busy?.final, true);
    });
  }
});

void suite('what keeps a connection alive is nothing', () => {
  const beats = [
    'data:',
    'data: ',
    'data: null',
    'data: ping',
    'data: : OPENROUTER PROCESSING',
    'event: ping\ndata: {"type":"ping"}',
    'event: keepalive\ndata:',
  ];
  for (const api of apis) {
    void test(api, async (t) => {
      const [first = sseHead, ...rest] = api === 'chat' ? chatAnswer('Hello') : responsesAnswer('Hello');
      const noise = beats.map((beat) => text(`${beat}\n\n`));
      const server = await serverFor(t, {
        fallback: [first, ...rest.flatMap((step) => (step.type === 'end' ? [step] : [...noise, step]))],
      });
      const result = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted));
      assert.deepEqual([outcomeOf(result), result.text], ['finished', 'Hello']);
    });
  }
});

void test('events are read under any content type', async (t) => {
  for (const type of ['text/plain', 'application/octet-stream', 'application/json', 'text/html', undefined]) {
    const headers = type === undefined ? {} : { 'content-type': type };
    const server = await serverFor(t, { fallback: [head({ headers }), ...chatAnswer('Hello').slice(1)] });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'Hello'], type);
  }
});

void suite('T8 · a finish reason behind every chunk ends nothing by itself', () => {
  void test('a model that pauses between two chunks is waited for', async (t) => {
    const pieces = ['a', 'b', 'c'].flatMap((piece) => [chat.delta({ content: piece }, 'stop'), { type: 'wait', ms: 50 } as const]);
    const pause = { type: 'wait', ms: 2_500 } as const;
    const server = await serverFor(t, {
      fallback: [sseHead, chat.delta({ role: 'assistant' }, 'stop'), pause, ...pieces, pause, chat.content('d'), done, end],
    });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'abcd']);
  });
  void test('T2, T8 · a reset behind content that no finish follows is a cut', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.delta({ content: 'a' }, 'stop'), chat.content('b'), hold('b'), reset] });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted), (each) => {
      if (each.type === 'delta' && each.delta.text === 'b') server.release('b');
    });
    assert.deepEqual([outcomeOf(result), result.text], ['stream_interrupted', 'ab']);
  });
  const everyChunk = [chat.delta({ content: 'Hel' }, 'stop'), chat.delta({ content: 'lo, it is ' }, 'stop')];
  const late = chat.toolCall(0, { id: 'a', name: 'delete_all' });
  const cuts: Readonly<Record<string, readonly [script: Script, code: string, text: string]>> = {
    'a reset': [[...everyChunk, hold('shown'), reset], 'stream_interrupted', 'Hello, it is '],
    'a stated error': [[...everyChunk, chat.error('overloaded', { type: 'overloaded_error' }), end], 'provider_busy', 'Hello, it is '],
    silence: [[...everyChunk, stall], 'model_timeout', 'Hello, it is '],
    'a call that is held back, and a reset': [
      [chat.delta({ content: 'I will' }, 'stop'), late, chat.usage(), hold('cut'), reset],
      'stream_interrupted',
      'I will',
    ],
    'a call that is held back, and silence': [[chat.delta({ content: 'I will' }, 'stop'), late, stall], 'model_timeout', 'I will'],
  };
  for (const [name, [script, code, shown]] of Object.entries(cuts)) {
    void test(`T8 · a finish that was taken back proves nothing: ${name}`, async (t) => {
      const server = await serverFor(t, { fallback: [sseHead, ...script] });
      const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, idleTimeoutMs: 2_500 } });
      // The counts say that what stands before them has been read: nothing shows a call that is held back.
      const onUsage = (): void => server.release('cut');
      const result = await collect(provider.stream(helloRequest, neverAborted, { onUsage }), (each) => {
        if (each.type === 'delta' && shown.endsWith(each.delta.text)) server.release('shown');
      });
      assert.deepEqual([outcomeOf(result), result.text], [code, shown]);
    });
  }
  const stop = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
  const withContent = { choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }] };
  const content = { choices: [{ index: 0, delta: { content: 'a' } }] };
  const unknown = { choices: [{ index: 0, delta: {}, finish_reason: 'paused' }] };
  const waits: Readonly<Record<string, readonly [events: readonly object[], isStated: boolean]>> = {
    'a finish of its own': [[content, stop], true],
    'a finish beside content': [[withContent], false],
    'the same, and one of its own': [[withContent, stop], false],
    'a finish that more came behind, and one of its own': [[withContent, withContent, stop], false],
    'a word that no table knows': [[content, unknown], false],
  };
  for (const [name, [events, isStated]] of Object.entries(waits)) {
    void test(`T8 · only usage is waited for, 2 s: ${isStated ? 'yes' : 'no, more may come'}: ${name}`, () => {
      const parser = parserOf('chat');
      for (const each of events) parser.read({ data: JSON.stringify(each) }, []);
      assert.equal(parser.isStated, isStated);
    });
  }
  void test('T8 · a finish beside content is the end once the idle limit is over, and not before', async (t) => {
    const server = await serverFor(t, { fallback: [sseHead, chat.delta({ content: 'a' }, 'stop'), stall] });
    const provider = providerFor(t, 'chat', server.baseUrl, { limits: { ...limits, idleTimeoutMs: 300 } });
    using clock = new FakeClock();
    const { result, waitedMs } = await waitedFor(clock, 'delta', provider);
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'a']);
    assert.ok(waitedMs >= 300 && waitedMs < 800, `${waitedMs} ms by the clock of the test`);
  });
  void test('T8 · arguments that come long after their call, which came behind a finish, are waited for', async (t) => {
    const rest = chat.toolCall(0, { arguments: '{"path":"/tmp/x"}' });
    const server = await serverFor(t, {
      fallback: [
        sseHead,
        chat.delta({ content: 'I will' }, 'stop'),
        late,
        { type: 'wait', ms: 2_500 },
        rest,
        chat.finish('tool_calls'),
        done,
        end,
      ],
    });
    const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual([outcomeOf(result), result.text], ['finished', 'I will{"path":"/tmp/x"}']);
  });
  void test('T8 · a stated end of calls that are cut is provider_protocol, whatever ends the connection', async (t) => {
    const broken = [sseHead, chat.toolCall(0, { id: 'a', name: 'f', arguments: '{"x' }), chat.finish('tool_calls')];
    for (const after of [[done, end], [end], [chat.usage(), stall], [hold('x'), reset]]) {
      const server = await serverFor(t, { fallback: [...broken, ...after] });
      const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted), () => server.release('x'));
      assert.deepEqual([result.failure?.code, result.failure?.detail], ['provider_protocol', 'tool_call_arguments']);
    }
  });
});

void test('T2 · a call that waited for the rest of its name is shown where the stream ends, and is not asked for again', async (t) => {
  const server = await serverFor(t, { fallback: [sseHead, chat.toolCall(0, { id: 'a', name: 'f' }), end] });
  const result = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
  assert.deepEqual(result.events, [{ type: 'delta', delta: { type: 'tool_call', item: 'call 0', callId: 'a', name: 'f', text: '' } }]);
  assert.deepEqual([outcomeOf(result), result.hasStarted], ['stream_truncated', true]);
});

void suite('T8 · a stated end that is no answer is judged as soon as one that is', () => {
  const rows: Readonly<Record<string, readonly [script: Script, outcome: string]>> = {
    'reasoning alone': [[chat.delta({ reasoning_content: 'hm' }), chat.finish()], 'empty_response'],
    nothing: [[chat.role(), chat.finish()], 'empty_response'],
    'broken arguments': [[chat.toolCall(0, { id: 'a', name: 'f', arguments: '{"x' }), chat.finish('tool_calls')], 'provider_protocol'],
    'arguments that are no object': [[chat.toolCall(0, { id: 'a', name: 'f', arguments: 'null' }), chat.finish('tool_calls')], 'finished'],
  };
  for (const [name, [script, outcome]] of Object.entries(rows)) {
    void test(name, async (t) => {
      const server = await serverFor(t, { fallback: [sseHead, ...script, stall] });
      const provider = providerFor(t, 'chat', server.baseUrl, {
        limits: { ...limits, firstEventTimeoutMs: 600_000, idleTimeoutMs: 600_000 },
      });
      const result = await within('its end', collect(provider.stream(helloRequest, neverAborted)));
      assert.equal(outcomeOf(result), outcome);
    });
  }
});

void test('T2 · a call that waited for the rest of its name is shown before its stream is given up', async (t) => {
  const server = await serverFor(t, {
    fallback: [sseHead, chat.toolCall(0, { id: 'a', name: 'f' }), { type: 'wait', ms: 50 }, hold('waits'), stall],
  });
  const controller = new AbortController();
  const reading = collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, controller.signal));
  await server.reached('waits');
  controller.abort(new Error('shutdown'));
  const result = await reading;
  assert.deepEqual(result.events, [{ type: 'delta', delta: { type: 'tool_call', item: 'call 0', callId: 'a', name: 'f', text: '' } }]);
  assert.equal(outcomeOf(result), 'thrown shutdown');
});

void test('usage is read in the choice, and placeholders do not stand for it', async (t) => {
  const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const counts = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
  const rows: readonly Script[] = [
    [chat.content('a'), event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop', usage: counts }] })],
    [
      event({ choices: [], usage: zeros }),
      chat.content('a'),
      chat.finish(),
      event({ choices: [], usage: zeros }),
      event({ choices: [], usage: counts }),
    ],
    [chat.content('a'), event({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: counts }), event({ choices: [], usage: zeros })],
    [chat.content('a'), event({ choices: [{ delta: {}, finish_reason: 'stop' }], x_groq: { usage: counts } })],
  ];
  for (const script of rows) {
    const server = await serverFor(t, { fallback: [sseHead, ...script, done, end] });
    const { events } = await collect(providerFor(t, 'chat', server.baseUrl).stream(helloRequest, neverAborted));
    const last = events.at(-1);
    assert.ok(last?.type === 'usage');
    assert.deepEqual([last.usage.input_tokens, last.usage.output_tokens, last.usage.total_tokens], [7, 3, 10]);
  }
});

void test('the tier that served the request is told', async (t) => {
  const writer = new ResponsesWriter();
  const completed = { type: 'response.completed', response: { status: 'completed', service_tier: 'flex', usage: null } };
  for (const [api, script] of [
    ['chat', [event({ service_tier: 'flex', choices: [{ delta: { content: 'a' }, finish_reason: 'stop' }] }), done]],
    ['responses', [...writer.begin(), ...writer.text('a'), event(completed)]],
  ] as const) {
    const server = await serverFor(t, { fallback: [sseHead, ...script, end] });
    const { events } = await collect(providerFor(t, api, server.baseUrl).stream(helloRequest, neverAborted));
    assert.deepEqual(
      events.filter(({ type }) => type === 'service_tier'),
      [{ type: 'service_tier', serviceTier: 'flex' }],
    );
  }
});
