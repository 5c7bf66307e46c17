/** Streams that are cut, refused, silent or given up, over real sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { CallError } from '../../src/http-client/call-error.ts';
import { GatewayClient } from '../../src/http-client/calls.ts';
import { cancelResponse, resumeResponse, streamResponse, type StreamUpdate } from '../../src/http-client/resume.ts';
import { withRetries } from '../../src/http-client/retry.ts';
import { type Answer, cutAfter, eventsOf, lastSeq, refuse, sse, startStubGateway, wholeStream, wordOf } from './stub-gateway.ts';
import { within } from '../support/within.ts';

const body = { input: 'hi' };
const options = { timeout: 60_000 };

async function wordsOf(updates: AsyncIterable<StreamUpdate>): Promise<(string | number)[]> {
  const words: (string | number)[] = [];
  for await (const update of updates) words.push(wordOf(update));
  return words;
}

const numbers = (words: readonly (string | number)[]): number[] => words.filter((word) => typeof word === 'number');
const allSeqs = Array.from({ length: lastSeq + 1 }, (_, seq) => seq);

test('T7 · cut behind every single byte of its first answer, a stream has every event once, in order', options, async () => {
  const bytes = Buffer.from(eventsOf('resp_1').join(''));
  await using gateway = await startStubGateway((request, response) => {
    const { cutAt } = JSON.parse(request.body || '{}') as { cutAt?: number };
    if (cutAt === undefined) wholeStream(request, response);
    else cutAfter(sse(response, 'resp_1'), bytes.subarray(0, cutAt));
  });
  const cuts = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
  for (let first = 0; first < cuts.length; first += 100) {
    await Promise.all(
      cuts.slice(first, first + 100).map(async (cutAt) => {
        assert.deepEqual(numbers(await wordsOf(streamResponse(gateway.client, { cutAt }))), allSeqs, `cut at ${cutAt}`);
      }),
    );
  }
});

test('cut behind the headers: resumed from the first event; cut behind event 0: behind it', options, async () => {
  await using gateway = await startStubGateway(
    (_, response) => cutAfter(sse(response, 'resp_1'), ': keep-alive\n\n'),
    (_, response) => cutAfter(sse(response, 'resp_1'), eventsOf('resp_1')[0] ?? ''),
    wholeStream,
  );
  const words = await wordsOf(streamResponse(gateway.client, body));
  assert.deepEqual(words, ['resp_1', ': keep-alive', 'retry 1', 'resp_1', 0, 'retry 1', 'resp_1', 1, 2, 3, 4]);
  assert.deepEqual(
    gateway.requests.map(({ line }) => line),
    ['POST /v1/responses', 'GET /v1/responses/resp_1?stream=true', 'GET /v1/responses/resp_1?stream=true&starting_after=0'],
  );
});

test('T1 · a POST whose answer was lost is sent again, the same body under the same key', options, async () => {
  const lose = (_: unknown, response: { readonly socket: { resetAndDestroy(): unknown } | null }): void => {
    response.socket?.resetAndDestroy();
  };
  await using gateway = await startStubGateway(lose, lose, wholeStream);
  assert.deepEqual(await wordsOf(streamResponse(gateway.client, body)), ['retry 1', 'retry 2', 'resp_1', 0, 1, 2, 3, 4]);
  const [first, ...again] = gateway.requests;
  assert.match(first?.key ?? '', /^[0-9a-f]{32}$/);
  assert.equal(first?.body, JSON.stringify({ input: 'hi', stream: true }));
  assert.deepEqual(again, [first, first]);
  await wordsOf(streamResponse(gateway.client, body, { idempotencyKey: 'mine' }));
  assert.deepEqual([gateway.requests.length, gateway.requests[3]?.key], [4, 'mine']);
});

test('T7 · a POST that is answered from the first event again repeats none', options, async () => {
  const nameless = eventsOf('').map((event) => event.replace('"response":{"id":"",', '"response":{'));
  await using gateway = await startStubGateway(
    (_, response) => cutAfter(sse(response), nameless.slice(0, 3).join('')),
    (_, response) => sse(response).end(nameless.join('')),
  );
  assert.deepEqual(await wordsOf(streamResponse(gateway.client, body)), [0, 1, 2, 'retry 1', 3, 4]);
});

test('T8 · a stream that ends cleanly before its turn does is resumed', options, async () => {
  await using gateway = await startStubGateway(
    (_, response) => sse(response, 'resp_1').end(eventsOf('resp_1').slice(0, 2).join('')),
    wholeStream,
  );
  assert.deepEqual(await wordsOf(streamResponse(gateway.client, body)), ['resp_1', 0, 1, 'retry 1', 'resp_1', 2, 3, 4]);
});

test('a cut behind the last event is none', options, async () => {
  await using gateway = await startStubGateway((_, response) => cutAfter(sse(response, 'resp_1'), eventsOf('resp_1').join('')));
  assert.deepEqual(await wordsOf(streamResponse(gateway.client, body)), ['resp_1', 0, 1, 2, 3, 4]);
  assert.equal(gateway.requests.length, 1);
});

for (const status of [400, 401, 403, 404, 409, 413, 422]) {
  test(`${status} is not retried, neither of the POST nor of a stream that is resumed`, options, async () => {
    await using gateway = await startStubGateway(refuse(status));
    for (const stream of [streamResponse(gateway.client, body), resumeResponse(gateway.client, 'resp_1', { after: 2 })]) {
      await assert.rejects(wordsOf(stream), (error) => {
        assert.ok(error instanceof CallError && error.failure.type === 'refused');
        assert.deepEqual([error.failure.status, error.failure.code, error.failure.message], [status, 'scripted', 'As scripted.']);
        return true;
      });
    }
    assert.deepEqual(
      gateway.requests.map(({ line }) => line),
      ['POST /v1/responses', 'GET /v1/responses/resp_1?stream=true&starting_after=2'],
    );
  });
}

test('503 is retried until the gateway is there; a stream can begin behind any event', options, async () => {
  await using gateway = await startStubGateway(refuse(503), refuse(503), wholeStream);
  assert.deepEqual(await wordsOf(resumeResponse(gateway.client, 'resp_1', { after: 2 })), ['retry 1', 'retry 2', 'resp_1', 3, 4]);
  assert.deepEqual(await wordsOf(resumeResponse(gateway.client, 'resp_1')), ['resp_1', 0, 1, 2, 3, 4]);
});

test('what is no event stream is refused with the address that was asked', options, async () => {
  await using gateway = await startStubGateway((_, response) => response.end('<html>'));
  await assert.rejects(wordsOf(streamResponse(gateway.client, body)), {
    message: `200: the answer is no event stream: is ${gateway.url} the address of a turnkeep gateway, with its /v1?`,
  });
  await assert.rejects(gateway.client.json('GET', '/models'), /200: the answer is no JSON: is /);
});

for (const [title, answer] of [
  ['before its headers', () => undefined],
  ['in a stream that is silent', (_: unknown, response) => cutNever(sse(response, 'resp_1'))],
  ['in the wait before a retry', refuse(503, { 'retry-after': '60' })],
] as const satisfies readonly (readonly [string, Answer])[]) {
  test(`an abort ${title} ends the stream at once, and its connection`, options, async () => {
    const gone = Promise.withResolvers<void>();
    await using gateway = await startStubGateway((request, response) => {
      response.once('close', gone.resolve);
      answer(request, response);
    });
    const abort = new AbortController();
    const reason = new Error('left');
    const stream = streamResponse(gateway.client, body, { signal: abort.signal });
    const ended = wordsOf(stream);
    while (gateway.requests.length === 0) await tick();
    if (title === 'in the wait before a retry') await gone.promise;
    abort.abort(reason);
    // At once: nothing else would end them, but the wait of a minute.
    await within('the end of the stream', assert.rejects(ended, reason), undefined, 30_000);
    await within('the end of the connection', gone.promise, undefined, 30_000);
    assert.equal(gateway.requests.length, 1);
    await assert.rejects(wordsOf(streamResponse(gateway.client, body, { signal: abort.signal })), reason);
    assert.equal(gateway.requests.length, 1, 'an abort that came first sends nothing');
  });
}

function cutNever(response: { write(text: string): unknown }): void {
  response.write(eventsOf('resp_1')[0] ?? '');
}

test('a viewer that stops reading lets go of the connection', options, async () => {
  const gone = Promise.withResolvers<void>();
  await using gateway = await startStubGateway((_, response) => {
    response.once('close', gone.resolve);
    cutNever(sse(response, 'resp_1'));
  });
  for await (const update of streamResponse(gateway.client, body)) if (update.type === 'event') break;
  await gone.promise;
  assert.equal(gateway.requests.length, 1);
});

test('a body that is silent for 50 s is cut and asked for again', options, async (t) => {
  await using gateway = await startStubGateway((_, response) => cutNever(sse(response, 'resp_1')), wholeStream);
  const words: (string | number)[] = [];
  const stream = streamResponse(gateway.client, body);
  while (words.at(-1) !== 0) words.push(wordOf((await stream.next()).value as StreamUpdate));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let silent = stream.next();
  await tick();
  t.mock.timers.tick(49_999);
  assert.equal(gateway.requests.length, 1);
  t.mock.timers.tick(1);
  const retry = (await silent).value as StreamUpdate;
  assert.deepEqual(retry.type === 'retry' && retry.failure, { type: 'unreachable', detail: 'nothing came for 50 s' });
  silent = stream.next();
  await tick();
  t.mock.timers.tick(100);
  t.mock.timers.reset();
  words.push(wordOf((await silent).value as StreamUpdate));
  for await (const update of stream) words.push(wordOf(update));
  assert.deepEqual(words, ['resp_1', 0, 'resp_1', 1, 2, 3, 4]);
});

test('a cancel is sent until it is answered; of a turn that has its end it is refused', options, async () => {
  const accept = (_: unknown, response: { end(text: string): unknown }): void => void response.end('{}');
  await using gateway = await startStubGateway(refuse(503), accept, refuse(409));
  await cancelResponse(gateway.client, 'resp/1');
  await assert.rejects(cancelResponse(gateway.client, 'resp_1'), CallError);
  assert.deepEqual(
    gateway.requests.map(({ line }) => line),
    ['POST /v1/responses/resp%2F1/cancel', 'POST /v1/responses/resp%2F1/cancel', 'POST /v1/responses/resp_1/cancel'],
  );
});

test('a call is made again at the address where the gateway is by then, with the key', options, async () => {
  const keys: (string | undefined)[] = [];
  await using first = await startStubGateway(refuse(503));
  await using second = await startStubGateway((request, response) => {
    keys.push(response.req.headers.authorization);
    wholeStream(request, response);
  });
  let { url } = first;
  const client = new GatewayClient({ baseUrl: () => url, apiKey: 'secret' });
  const retries: number[] = [];
  const words = await withRetries(() => client.json('GET', '/models'), {
    onRetry: ({ failures }) => {
      retries.push(failures);
      ({ url } = second);
    },
  }).catch((error: unknown) => String(error));
  assert.match(String(words), /no JSON/);
  assert.deepEqual([retries, keys], [[1], ['Bearer secret']]);
});

test('a retry that was aborted makes no further call', options, async () => {
  await using gateway = await startStubGateway(refuse(503));
  const abort = new AbortController();
  const call = withRetries(() => gateway.client.json('GET', '/models'), { signal: abort.signal, onRetry: () => abort.abort() });
  await assert.rejects(call, { name: 'AbortError' });
  assert.equal(gateway.requests.length, 1);
});
