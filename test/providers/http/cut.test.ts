/**
 * A recorded stream, cut at every byte on a real socket: by a reset, by a polite end of the connection, by a proper
 * end of the body, by silence and by garbage. Whatever the byte, the laws hold.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureRules } from '../../../src/domain/failure.ts';
import {
  end,
  fin,
  head,
  hold,
  type LoggedRequest,
  reset,
  type Script,
  sseHead,
  stall,
  text,
} from '../../../src/testing/model-server/index.ts';
import { asked } from '../../support/cases.ts';
import { recorded } from '../recorded.ts';
import {
  apis,
  collect,
  helloRequest,
  messageItem,
  neverAborted,
  outcomeOf,
  providerFor,
  readBytes,
  serverFor,
  type StreamResult,
} from '../support.ts';

interface Cut {
  /** The steps after the bytes. */
  readonly after: Script;
  readonly headStep?: Script[number];
  /** The deadlines of the request. */
  readonly limitMs?: number;
}

interface NamedCut extends Cut {
  readonly name: string;
  /** The code where the step has not started, and where it has. */
  readonly ends: readonly [notStarted: string, started: string];
}

const cuts: readonly NamedCut[] = [
  { name: 'a reset', after: [reset], ends: ['transport_failed', 'stream_interrupted'] },
  { name: 'a fin amid chunks', after: [fin], ends: ['transport_failed', 'stream_interrupted'] },
  { name: 'a clean end', after: [end], ends: ['transport_failed', 'stream_truncated'] },
  {
    name: 'a fin in a body without a length',
    after: [fin],
    headStep: head({ framing: 'close' }),
    ends: ['transport_failed', 'stream_truncated'],
  },
  { name: 'silence', after: [stall], limitMs: 4_000, ends: ['model_timeout', 'model_timeout'] },
];

/** Requests at once: many, so that they wait for their deadlines together; few enough for a busy machine to serve in time. */
const batch = 200;

const garbages = {
  'bytes that are no text': Uint8Array.from({ length: 64 }, (_, index) => 0x80 + ((index * 37) % 0x80)),
  'another protocol': '\r\n\r\nHTTP/1.1 500 Oops\r\n\r\n',
  'broken JSON': '\n\ndata: {"choices":[\n\n',
};

async function atEach(length: number, check: (at: number) => Promise<void>): Promise<void> {
  for (let from = 0; from <= length; from += batch) {
    const offsets = Array.from({ length: Math.min(batch, length + 1 - from) }, (_, index) => from + index);
    await Promise.all(offsets.map(check));
  }
}

for (const api of apis) {
  const bytes = Buffer.from(recorded[api].text);

  /** One request for each byte to cut at; the user's message says which. */
  const testCuts = (title: string, cut: Cut, check: (result: StreamResult, arrived: StreamResult, at: number) => void): void => {
    void test(`${title} (${api})`, { timeout: 60_000 }, async (t) => {
      const { after, headStep = sseHead, limitMs = 20_000 } = cut;
      const isReset = after.at(-1)?.type === 'reset';
      const fallback = (request: LoggedRequest): Script => {
        const at = Number(asked(request));
        // A reset destroys bytes that the client has not read: it waits until it has.
        return [headStep, text(bytes.subarray(0, at)), ...(isReset ? [hold(`at ${at}`)] : []), ...after];
      };
      const server = await serverFor(t, { fallback });
      const limits = { connectTimeoutMs: 20_000, firstEventTimeoutMs: limitMs, idleTimeoutMs: limitMs };
      const provider = providerFor(t, api, server.baseUrl, { limits });
      await atEach(bytes.length, async (at) => {
        const arrived = readBytes(api, [bytes.subarray(0, at)]);
        // The events that have their empty line. The last one may be whole without it: that is known at the end alone.
        const emptyLine = bytes.subarray(0, at).lastIndexOf('\n\n');
        const ended = readBytes(api, [bytes.subarray(0, emptyLine === -1 ? 0 : emptyLine + 2)]);
        const release = (): void => server.release(`at ${at}`);
        let deltasLeft = ended.events.filter(({ type }) => type === 'delta').length;
        if (deltasLeft === 0) void server.reached(`at ${at}`).then(release);
        const request = { ...helloRequest, items: [messageItem('user', String(at))] };
        const result = await collect(provider.stream(request, neverAborted), ({ type }) => {
          if (type === 'delta') deltasLeft -= 1;
          if (deltasLeft === 0) release();
        });
        // Nobody sees whether the bytes behind the last delta arrived before a reset.
        check(result, isReset && result.text === ended.text && result.finishes === ended.finishes ? ended : arrived, at);
      });
      assert.equal(server.requests.length, bytes.length + 1, 'T4 · one request each');
    });
  };

  for (const { name, ends, ...cut } of cuts) {
    testCuts(`T2, T3, T8 · ${name} after every byte`, cut, (result, arrived, at) => {
      const end = arrived.finishes === 1 ? 'finished' : ends[arrived.hasStarted ? 1 : 0];
      assert.equal(outcomeOf(result), end, `cut at ${at}`);
      assert.equal(result.text, arrived.text, `all that arrived is yielded, cut at ${at}`);
      assertLaw(result, at);
    });
  }

  for (const [name, garbage] of Object.entries(garbages)) {
    testCuts(`T2, T3, T8 · ${name} after every byte`, { after: [text(garbage), end] }, (result, _arrived, at) => {
      const expected = readBytes(api, [Buffer.concat([bytes.subarray(0, at), Buffer.from(garbage)])]);
      assert.deepEqual([result.text, result.finishes], [expected.text, expected.finishes], `cut at ${at}`);
      // Garbage is no finish, but an end of the line in it may be what the event of the finish still lacked.
      assert.equal(result.finishes === 1, at >= recorded[api].finishAt - newlinesLacking(garbage), `T8, cut at ${at}`);
      assertLaw(result, at);
    });
  }

  void test(`T8 · the finish counts from the byte that ends its JSON (${api})`, () => {
    const { finishAt } = recorded[api];
    assert.deepEqual(
      [finishAt - 3, finishAt - 2].map((at) => readBytes(api, [bytes.subarray(0, at)]).finishes),
      [0, 1],
    );
  });
}

function newlinesLacking(garbage: string | Uint8Array): number {
  return typeof garbage === 'string' ? 2 : 1;
}

/** T8: without a failure exactly if there was a finish. T2: retryable only if the step has not started. */
function assertLaw({ failure, hasStarted, finishes, thrown }: StreamResult, at: number): void {
  assert.equal(thrown, undefined, `cut at ${at}`);
  assert.equal(failure === undefined, finishes === 1, `T8, cut at ${at}`);
  if (failure !== undefined && failureRules[failure.code].retryable) assert.equal(hasStarted, false, `T2, cut at ${at}`);
}
