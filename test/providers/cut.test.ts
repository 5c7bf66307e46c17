/**
 * A recorded stream, cut off at every byte in every way, over real sockets. What must hold is checked against what
 * the caller saw: `transport_failed`, which is asked again, if and only if nothing was shown (T2, T3); an end without
 * an error if and only if the proof was (T8).
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { end, fin, type Framing, head, raw, reset, type Script, stall, text } from '../../src/testing/model-server/index.ts';
import { recorded } from './recorded.ts';
import { type Api, apis, endOf, follow, hello, limits, providerFor, type Seen, serverFor } from './support.ts';

interface Cut {
  readonly script: (part: Uint8Array) => Script;
  /** Are all bytes before the cut sure to arrive? */
  readonly isLossless: boolean;
  readonly ends: (seen: Seen) => boolean;
}

const broken = (seen: Seen): boolean => endOf(seen) === (seen.hasStarted ? 'stream_interrupted' : 'transport_failed');
const truncated = (seen: Seen): boolean => endOf(seen) === (seen.hasStarted ? 'stream_truncated' : 'transport_failed');
const refused = (seen: Seen): boolean => broken(seen) || truncated(seen) || endOf(seen) === 'provider_protocol';
const cutOff = (last: Script[number], framing?: Framing) => (part: Uint8Array) => [
  ...(framing === undefined ? [head()] : [head({ framing })]),
  text(part),
  last,
];

const cuts: Readonly<Record<string, Cut>> = {
  'by FIN amid chunks': { script: cutOff(fin), isLossless: true, ends: broken },
  'by FIN before its length': { script: cutOff(fin, { length: 100_000 }), isLossless: true, ends: broken },
  'by a FIN that looks like the end': { script: cutOff(fin, 'close'), isLossless: true, ends: truncated },
  'by an end of the chunks': { script: cutOff(end), isLossless: true, ends: truncated },
  'by a reset': { script: cutOff(reset), isLossless: false, ends: broken },
  'by a reset where only the end of the connection ends the body': { script: cutOff(reset, 'close'), isLossless: false, ends: broken },
  'by garbage in the framing': { script: (part) => [head(), text(part), raw('zzz\r\n'), stall], isLossless: true, ends: refused },
  'by garbage in the body': { script: (part) => [head(), text(part), text('\x00<html>'), end], isLossless: true, ends: refused },
};

async function outcomes(t: TestContext, api: Api, { script }: Cut, bytes: Buffer): Promise<readonly Seen[]> {
  // The cut travels in the prompt, so that requests side by side get each its own.
  const server = await serverFor(t, {
    fallback: ({ bodyText }) => script(bytes.subarray(0, Number(/cut at (\d+)/.exec(bodyText)?.[1]))),
  });
  const provider = providerFor(t, api, server.baseUrl, { limits: { ...limits, connectTimeoutMs: 20_000, firstEventTimeoutMs: 20_000 } });
  const seen: Seen[] = [];
  let next = 0;
  const ask = async (): Promise<void> => {
    for (let at = next++; at <= bytes.length; at = next++) {
      const settings = { ...hello.settings, instructions: `cut at ${at}` };
      seen[at] = await follow(provider.stream({ ...hello, settings }, new AbortController().signal));
    }
  };
  await Promise.all(Array.from({ length: 16 }, ask));
  assert.equal(server.requests.length, bytes.length + 1, 'T4: nothing is ever asked twice by the provider itself');
  return seen;
}

for (const api of apis) {
  const { text: whole, says, proofAt } = recorded[api];
  const bytes = Buffer.from(whole);
  for (const [name, cut] of Object.entries(cuts)) {
    void test(`T2 T3 T8 · ${api}, cut at every byte ${name}`, async (t) => {
      (await outcomes(t, api, cut, bytes)).forEach((seen, at) => {
        const story = `cut at ${at} of ${bytes.length}: ${endOf(seen)}, shown ${JSON.stringify(seen.text)}`;
        assert.ok(says.startsWith(seen.text), `${story}: what is shown is a prefix`);
        if (endOf(seen) === 'proved') {
          assert.ok(at >= proofAt && seen.text === says, `${story}: a proof that never arrived`);
        } else {
          assert.equal(seen.proofs, 0, `${story}: after a proof there is no failure`);
          assert.ok(!cut.isLossless || at < proofAt, `${story}: the proof had arrived`);
          assert.ok(cut.ends(seen), story);
          assert.equal(seen.failure?.code === 'transport_failed' && seen.hasStarted, false, `${story}: asked again though it had started`);
        }
      });
    });
  }
}
