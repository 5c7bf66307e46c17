/** Deadlines, addresses and protocols: what is no passing trouble of the network is told once and not tried again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  httpResponse,
  chat,
  chatAnswer,
  comment,
  done,
  end,
  fin,
  head,
  htmlPage,
  type ModelServerOptions,
  raw,
  repeat,
  ResponsesWriter,
  type Script,
  selfSigned,
  split,
  sseHead,
  stall,
  text,
  wait,
} from '../../src/testing/model-server/index.ts';
import { type Case, caseModel, runCase, type Outcome } from '../support/cases.ts';
import { story, World, type WorldOptions } from '../support/world.ts';

const opening = ['response.created', 'response.queued', 'response.in_progress'];
const message = [
  'response.output_item.added',
  'response.content_part.added',
  'response.output_text.delta',
  'response.output_text.done',
  'response.content_part.done',
  'response.output_item.done',
];
const fine = chatAnswer('Hello', ' world');

interface Failing extends Case {
  readonly code: string;
  /** What was shown, in one delta, before the end. */
  readonly text?: string;
}

/** One request, one failed attempt, no wait, and what was shown is kept. */
function assertFailedOnce({ viewer, requests, attempts }: Outcome, { name, code, text: shown = '' }: Failing): void {
  assert.equal(requests.length, 1, `${name}: requests`);
  assert.deepEqual(viewer.types, [...opening, ...(shown === '' ? [] : message), 'response.failed'], name);
  assert.equal(viewer.last.response.error?.code, code, `${name}: ${viewer.last.response.error?.message}`);
  assert.deepEqual(
    viewer.last.response.output.map((item) => [item.status, item.content?.[0]?.text]),
    shown === '' ? [] : [['incomplete', shown]],
    name,
  );
  assert.deepEqual(
    attempts.map((attempt) => [attempt.outcome, attempt.code, attempt.waitMs]),
    [['failed', code, undefined]],
    name,
  );
}

/** For ever, at the pace of a server that means to keep the connection alive. */
const endless = (...steps: Script): Script => [...Array.from({ length: 400 }, () => [...steps, wait(50)]).flat(), stall];

const silences = (limit: string): Failing[] =>
  (
    [
      ['before the headers', [stall]],
      ['amid the headers', [raw('HTTP/1.1 200 OK\r\ncontent-type: text/ev'), stall]],
      ['after the headers', [sseHead, stall]],
      ['after a role chunk', [sseHead, chat.role(), stall]],
      ['amid the first delta', [sseHead, text('data: {"choices":[{"index":0,"delta":{"content":"Hel'), stall]],
      ['with endless comments', [sseHead, ...endless(comment('processing'))]],
      ['with endless empty deltas', [sseHead, ...endless(chat.content(''), chat.empty(), chat.reasoning(''))]],
      ['after the first content', [sseHead, chat.content('Hel'), stall], 'Hel'],
      ['after the first content with endless comments', [sseHead, chat.content('Hel'), ...endless(comment('processing'))], 'Hel'],
      ['after the first content with endless empty deltas', [sseHead, chat.content('Hel'), ...endless(chat.content(''))], 'Hel'],
      [
        'after the first content with endless bytes of one event',
        [sseHead, chat.content('Hel'), text('data: '), ...endless(text(' '))],
        'Hel',
      ],
    ] as const
  ).map(([phase, script, shown = '']) => ({ name: `${limit}: silence ${phase}`, code: limit, text: shown, scripts: [script, fine] }));

function tellSilences(title: string, limits: NonNullable<WorldOptions['limits']>, cases: readonly Failing[], limitMs: number): void {
  story(
    title,
    async (world) => {
      await Promise.all(
        cases.map(async (each) => {
          const outcome = await runCase(world, each);
          assertFailedOnce(outcome, each);
          await world.model.clientClosed(outcome.requests[0]!.index);
          const tookMs = outcome.attempts[0]!.endedAtMs! - outcome.attempts[0]!.requestedAtMs;
          assert.ok(tookMs >= limitMs, `${each.name}: after ${tookMs} ms`);
        }),
      );
    },
    { model: caseModel(cases), limits },
  );
}

tellSilences(
  'silence past its limit is model_timeout, not a network failure: asked once, output kept, socket closed',
  // A machine that has much to do takes its time for the first word, which is no silence of the model's.
  { firstEventTimeoutMs: 1_500, idleTimeoutMs: 1_500 },
  silences('model_timeout'),
  1_490,
);
// The clock of a turn begins before its request is sent: nothing can be said of how long the request took.
tellSilences(
  'a turn past its limit is turn_timeout wherever it is: asked once, output kept, socket closed',
  // It counts from the turn's acceptance: a machine that has much to do needs a second or two until the model is asked.
  { turnTimeoutMs: 4_000 },
  [
    ...silences('turn_timeout'),
    {
      name: 'words without end',
      code: 'turn_timeout',
      text: 'Hel',
      scripts: [[sseHead, chat.content('Hel'), ...endless(comment('still here'))], fine],
    },
  ],
  0,
);

story(
  'a stream that keeps talking outlives the limits of silence',
  async (world) => {
    const viewer = await world.hear('hi');
    assert.deepEqual([viewer.last.response.status, viewer.text], ['completed', 'word '.repeat(8)]);
  },
  {
    limits: { firstEventTimeoutMs: 1_000, idleTimeoutMs: 1_000 },
    model: () => ({
      fallback: [
        sseHead,
        chat.role(),
        ...Array.from({ length: 8 }, () => [wait(200), chat.content('word ')]).flat(),
        chat.finish(),
        done,
        end,
      ],
    }),
  },
);

story(
  'T4 · a wait for a busy provider that would outlast the turn is provider_busy at once, with the time to ask again',
  async (world) => {
    const viewer = await world.hear('hi');
    assert.deepEqual(viewer.types, [...opening, 'response.failed']);
    assert.equal(viewer.last.response.error?.code, 'provider_busy');
    const { body } = await world.call('GET', `/turns/${viewer.id}`);
    const retryAt = String(body['retry_at']);
    assert.ok(Date.parse(retryAt) >= world.model.requests[0]!.arrivedAtMs + 50_000 - 5, retryAt);
    assert.ok(viewer.last.response.error?.message.includes(retryAt), viewer.last.response.error?.message);
    assert.equal(world.model.requests.length, 1);
  },
  { limits: { turnTimeoutMs: 5_000 }, model: () => ({ fallback: httpResponse(429, {}, { 'retry-after': '50' }) }) },
);

// Addresses: one world each, for a provider has one. ------------------------------------------------------------

interface Address {
  readonly name: string;
  readonly code: string;
  readonly attempts: number;
  readonly options: WorldOptions;
  /** Connections the model server saw. Unsaid: of no interest. */
  readonly connections?: number;
}

const tls = (): ModelServerOptions => ({ tls: selfSigned });
const addresses: Address[] = [
  { name: 'a bad certificate', code: 'provider_rejected', attempts: 1, connections: 1, options: { model: tls } },
  {
    name: 'TLS to a plain port',
    code: 'provider_rejected',
    attempts: 1,
    connections: 1,
    options: { baseUrl: ({ port }) => `https://127.0.0.1:${port}/v1` },
  },
  { name: 'a bad URL', code: 'provider_rejected', attempts: 1, connections: 0, options: { baseUrl: () => 'http://[nonsense/v1' } },
  {
    name: 'a port past the last',
    code: 'provider_rejected',
    attempts: 1,
    connections: 0,
    options: { baseUrl: () => 'http://127.0.0.1:70000/v1' },
  },
  {
    name: 'an unknown scheme',
    code: 'provider_rejected',
    attempts: 1,
    connections: 0,
    options: { baseUrl: ({ port }) => `gopher://127.0.0.1:${port}/v1` },
  },
  {
    name: 'a refused port',
    code: 'transport_failed',
    attempts: 3,
    connections: 0,
    // Below 1024, and in nobody's use.
    options: { baseUrl: () => 'http://127.0.0.1:1000/v1' },
  },
  {
    name: 'a name that is none',
    code: 'transport_failed',
    attempts: 3,
    connections: 0,
    options: { baseUrl: () => 'http://nobody.invalid/v1' },
  },
];

for (const { name, code, attempts: made, connections, options } of addresses) {
  test(`T3 · ${name}: ${code} after ${made === 1 ? 'one attempt' : `${made} attempts`}`, { timeout: 60_000 }, async () => {
    await using world = await World.open(options);
    const viewer = await world.hear('hi');
    assert.deepEqual(viewer.types, [...opening, 'response.failed']);
    assert.equal(viewer.last.response.error?.code, code, viewer.last.response.error?.message);
    assert.deepEqual(
      (await world.attempts(viewer.id)).map((attempt) => [attempt.outcome, attempt.code, attempt.waitMs]),
      Array.from({ length: made }, (_, index) => ['failed', code, index === made - 1 ? undefined : (index + 1) * 1_000]),
    );
    assert.equal(world.model.requests.length, 0);
    assert.equal(world.model.connections.length, connections);
    await world.replayAll();
  });
}

/** OpenSSL answers a plain request by closing without a word, which is no different from a server that went away. */
test('T3 · a TLS port that closes upon a plain request is taken for one that is gone', { timeout: 60_000 }, async () => {
  await using world = await World.open({ model: tls, baseUrl: ({ port }) => `http://127.0.0.1:${port}/v1` });
  const viewer = await world.hear('hi');
  assert.deepEqual(viewer.types, [...opening, 'response.failed']);
  assert.equal(viewer.last.response.error?.code, 'transport_failed');
  assert.deepEqual([(await world.attempts(viewer.id)).length, world.model.connections.length], [3, 3]);
});

test('T3 · a connection that is accepted and never served is tried again, each on a socket of its own', { timeout: 60_000 }, async () => {
  await using world = await World.open({ model: tls, limits: { connectTimeoutMs: 300 } });
  world.model.onConnect('stall', 'stall', 'stall');
  const viewer = await world.hear('hi');
  assert.deepEqual(viewer.types, [...opening, 'response.failed']);
  assert.equal(viewer.last.response.error?.code, 'transport_failed');
  assert.deepEqual(
    (await world.attempts(viewer.id)).map((attempt) => [attempt.code, attempt.detail, attempt.waitMs]),
    [1_000, 2_000, undefined].map((waitMs) => ['transport_failed', 'UND_ERR_CONNECT_TIMEOUT', waitMs]),
  );
  assert.equal(world.model.connections.length, 3);
});

// Protocols. -----------------------------------------------------------------------------------------------------

const protocols: Failing[] = (
  [
    ['a page with 200', [htmlPage()]],
    ['a page under the name of an event stream', [[sseHead, text('<!doctype html><p>Sign in</p>'), end]]],
    ['JSON with 200', [httpResponse(200, { id: 'x', choices: [{ message: { content: 'Hello' } }] })]],
    ['JSON under the name of an event stream', [[sseHead, text('{"choices":[]}'), end]]],
    ['garbage', [[sseHead, text(Uint8Array.from({ length: 300 }, (_, index) => (index * 7) % 256)), text('\n\n'), end]]],
    ['lines of no event stream', [[sseHead, text('hello\nworld\n\n'), end]]],
    ['no HTTP at all', [[raw('SSH-2.0-OpenSSH_9.6\r\n'), fin]]],
    ['a TLS alert', [[raw(Uint8Array.of(0x15, 3, 1, 0, 2, 2, 70)), fin]]],
    [
      'a chunk size that is no number',
      [[raw('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'), fin]],
    ],
    ['a compressed stream', [[head({ headers: { 'content-encoding': 'gzip' } }), text('\u001f\u008b'), end]]],
    ['broken JSON before the start', [[sseHead, chat.role(), text('data: {"choices":[\n\n'), end]]],
    ['JSON that is no object', [[sseHead, text('data: [1]\n\n'), end]]],
    ['a tool call without a name', [[sseHead, chat.toolCall(0, { id: 'a', arguments: '{}' }), end]]],
    ['broken JSON after the start', [[sseHead, chat.content('Hel'), text('data: {"choices":[\n\n'), end]], 'Hel'],
    [
      'a call without a name after the start',
      [[sseHead, chat.content('Hel'), chat.toolCall(0, { id: 'a' }), chat.finish('tool_calls'), end]],
      'Hel',
    ],
  ] as const
).map(([name, scripts, shown = '']) => ({ name, code: 'provider_protocol', text: shown, scripts: [...scripts, fine] }));

story(
  'T3 · what is not the API it should be is provider_protocol, and not asked again',
  async (world) => {
    await Promise.all(protocols.map(async (each) => assertFailedOnce(await runCase(world, each), each)));
  },
  { model: caseModel(protocols) },
);

const megabyte = 'x'.repeat(1_024 * 1_024);
const floods: Failing[] = [
  { name: 'a line of 100 MB', code: 'provider_protocol', scripts: [[sseHead, repeat(100, megabyte), end], fine] },
  { name: 'an event of 100 MB', code: 'output_too_large', scripts: [[sseHead, text('data: '), repeat(100, megabyte), end], fine] },
  {
    name: 'an event of 100 MB after the start',
    code: 'output_too_large',
    text: 'Hel',
    scripts: [[sseHead, chat.content('Hel'), text('data: '), repeat(100, megabyte), end], fine],
  },
  {
    name: 'an event of 100 MB in lines of 1 KB',
    code: 'output_too_large',
    scripts: [[sseHead, repeat(100 * 1_024, `data: ${'x'.repeat(1_017)}\n`), end], fine],
  },
];

story(
  'a line past its limit is provider_protocol, an event past the output limit is output_too_large, and both are cut off early',
  async (world) => {
    for (const each of floods) {
      const outcome = await runCase(world, each);
      assertFailedOnce(outcome, each);
      const request = await world.model.clientClosed(outcome.requests[0]!.index);
      assert.ok(request.bytesSent < 45 * megabyte.length, `${each.name}: ${request.bytesSent} bytes were taken`);
    }
  },
  { model: caseModel(floods) },
);

test('a page of 100 MB as an error is cut off early, and its status counts', { timeout: 60_000 }, async () => {
  const flood: Script = [head({ status: 400, headers: { 'content-type': 'text/html' } }), repeat(100, megabyte), end];
  await using world = await World.open({ model: () => ({ fallback: flood }) });
  const viewer = await world.hear('hi');
  assert.equal(viewer.last.response.error?.code, 'provider_rejected');
  const { bytesSent } = await world.model.clientClosed(1);
  assert.ok(bytesSent < 30 * megabyte.length, `${bytesSent} bytes were taken`);
  assert.equal(world.model.requests.length, 1);
});

// Bytes. ---------------------------------------------------------------------------------------------------------

const said = ['Grüße, ', '世界 ', '👩‍👩‍👧 \u2028', '\r\n', 'end'];

/** A stream of the API with this for the ends of its lines, a byte a write. */
function byteByByte(steps: Script, newline: string): Script {
  const body = steps.map((step) => {
    if (step.type === 'event') return `${step.event === undefined ? '' : `event: ${step.event}\n`}data: ${JSON.stringify(step.data)}\n\n`;
    if (step.type === 'comment') return `: ${step.text}\n\n`;
    assert.equal(step.type, 'done');
    return 'data: [DONE]\n\n';
  });
  return [sseHead, split(1), text(body.join('').replaceAll('\n', newline)), end];
}

const newlines = ['\n', '\r\n', '\r'];
const chatSteps = [chat.role(), comment('grüß'), ...said.map(chat.content), chat.finish(), chat.usage(), done];

for (const api of ['chat', 'responses'] as const) {
  const cases: Case[] = newlines.map((newline) => {
    const say = new ResponsesWriter();
    const steps = api === 'chat' ? chatSteps : [...say.begin(), comment('grüß'), ...say.text(...said), ...say.completed()];
    return { name: `lines ended by ${JSON.stringify(newline)}`, scripts: [byteByByte(steps, newline)] };
  });
  story(
    `text of many bytes a character, lines of any ending and bytes that come one by one say the same (${api})`,
    async (world) => {
      await Promise.all(
        cases.map(async (each) => {
          const { viewer, requests } = await runCase(world, each);
          // Deltas that come faster than the journal writes are merged.
          const withoutRepeats = viewer.types.filter((type, index) => type !== viewer.types[index - 1]);
          assert.deepEqual(
            withoutRepeats,
            [...opening, ...message, 'response.completed'],
            `${each.name}: ${viewer.last.response.error?.message}`,
          );
          assert.equal(viewer.text, said.join(''), each.name);
          assert.equal(viewer.last.response.output[0]?.content?.[0]?.text, said.join(''));
          assert.deepEqual([viewer.last.response.usage?.input_tokens, requests.length], [3, 1]);
        }),
      );
    },
    { api, model: caseModel(cases) },
  );
}
