/**
 * A recorded stream, cut at every byte on a real socket: by a reset, by a polite end of the connection, by a proper
 * end of the body, by silence and by garbage. Whatever the byte, the laws hold.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import { failureRules } from '../../../src/domain/failure.ts';
import { asked } from '../../support/cases.ts';
import { recorded } from '../recorded.ts';
import { apis, endOf, follow, hello, never, providerFor, readBytes, says, type Seen, serverFor } from '../support.ts';

interface Cut {
  /** What follows the bytes that came. */
  readonly after: Script;
  readonly headStep?: Script[number];
  /** Of silence. */
  readonly limitMs?: number;
}

interface NamedCut extends Cut {
  readonly name: string;
  /** What is told of a step that has not started, and of one that has. */
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

/** Side by side, so that the silences are waited out together; few enough that a busy machine answers all in time. */
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
  const bytes = new TextEncoder().encode(recorded[api].text);

  /** Cuts at every byte; what the user says tells the requests apart. */
  const tell = (title: string, cut: Cut, judge: (seen: Seen, arrived: Seen, at: number) => void): void => {
    void test(`${title} (${api})`, { timeout: 60_000 }, async (t) => {
      const { after, headStep = sseHead, limitMs = 20_000 } = cut;
      const isReset = after.at(-1)?.type === 'reset';
      const fallback = (request: LoggedRequest): Script => {
        const at = Number(asked(request));
        // A reset may take with it what was not read: it is held until that has been.
        return [headStep, text(bytes.subarray(0, at)), ...(isReset ? [hold(`at ${at}`)] : []), ...after];
      };
      const server = await serverFor(t, { fallback });
      const limits = { connectTimeoutMs: 20_000, firstEventTimeoutMs: limitMs, idleTimeoutMs: limitMs };
      const provider = providerFor(t, api, server.baseUrl, { limits });
      await atEach(bytes.length, async (at) => {
        const arrived = readBytes(api, [bytes.subarray(0, at)]);
        const release = (): void => server.release(`at ${at}`);
        let deltasLeft = arrived.events.filter(({ type }) => type === 'delta').length;
        if (deltasLeft === 0) void server.reached(`at ${at}`).then(release);
        const request = { ...hello, items: [says('user', String(at))] };
        const seen = await follow(provider.stream(request, never), ({ type }) => {
          if (type === 'delta') deltasLeft -= 1;
          if (deltasLeft === 0) release();
        });
        judge(seen, arrived, at);
      });
      assert.equal(server.requests.length, bytes.length + 1, 'T4 · one request each');
    });
  };

  for (const { name, ends, ...cut } of cuts) {
    tell(`T2, T3, T8 · ${name} after every byte`, cut, (seen, arrived, at) => {
      const end = arrived.proofs === 1 ? 'proved' : ends[arrived.hasStarted ? 1 : 0];
      assert.equal(endOf(seen), end, `cut at ${at}`);
      assert.equal(seen.text, arrived.text, `what came is told, cut at ${at}`);
      assertLaw(seen, at);
    });
  }

  for (const [name, garbage] of Object.entries(garbages)) {
    tell(`T2, T3, T8 · ${name} after every byte`, { after: [text(garbage), end] }, (seen, arrived, at) => {
      const told = readBytes(api, [Buffer.concat([bytes.subarray(0, at), Buffer.from(garbage)])]);
      assert.deepEqual([seen.text, seen.proofs], [told.text, told.proofs], `cut at ${at}`);
      assert.ok(seen.text.startsWith(arrived.text), `what came is told, cut at ${at}`);
      // Garbage proves nothing, but an empty line of it may be the one that the proof still lacked.
      assert.equal(seen.proofs === 1, at >= recorded[api].proofAt - newlinesLacking(garbage), `T8, cut at ${at}`);
      assertLaw(seen, at);
    });
  }

  void test(`T8 · the proof counts from the byte that ends its event (${api})`, () => {
    const { proofAt } = recorded[api];
    assert.deepEqual(
      [proofAt - 1, proofAt].map((at) => readBytes(api, [bytes.subarray(0, at)]).proofs),
      [0, 1],
    );
  });
}

function newlinesLacking(garbage: string | Uint8Array): number {
  return typeof garbage === 'string' ? 2 : 0;
}

/** May be asked again: exactly what has shown nothing and broke in the wire. Completed: exactly what is proved. */
function assertLaw({ failure, hasStarted, proofs, thrown }: Seen, at: number): void {
  assert.equal(thrown, undefined, `cut at ${at}`);
  assert.equal(failure === undefined, proofs === 1, `T8, cut at ${at}`);
  if (failure !== undefined && failureRules[failure.code].retryable) assert.equal(hasStarted, false, `T2, cut at ${at}`);
}
