/**
 * Where the time to a first token goes, one turn at a time: from the POST to the gateway, to the request to the model, to the
 * model's first bytes, to the viewer; and what part of it the disk took for its syncs. All on one clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import type { Row } from '../support/report.ts';
import type { Rig } from '../support/rig.ts';
import { compileSlowSync } from '../support/slow-sync.ts';
import { p50p99, spreadOf } from '../support/statistics.ts';
import { watchTurn } from '../support/viewer.ts';

/** Tokens far apart: the bytes of the first are told from those of the second. */
const order = { tokens: 2, waitMs: 50 };
const warmUps = 30;
const turns = 100;
const pauseMs = 20;

/** Of `turnkeep.ts`. */
interface PathEvent {
  readonly name: string;
  readonly atMs: number;
}

const segments = {
  'the POST to the gateway': ['posted', 'http.server.request.start'],
  'the gateway to the request to the model': ['http.server.request.start', 'undici:client:sendHeaders'],
  "the request to the model's first bytes": ['undici:client:sendHeaders', 'undici:request:bodyChunkReceived'],
  "the model's first bytes to the viewer": ['undici:request:bodyChunkReceived', 'shown'],
  'all of it': ['posted', 'shown'],
} as const;

export async function measurePath(rig: Rig): Promise<Row[]> {
  const syncs = compileSlowSync(rig.folder, 0);
  const { url, worker } = await rig.startInOne(typeof syncs === 'string' ? {} : { env: syncs.env });
  const tookMs = new Map<string, number[]>(Object.keys(segments).map((name) => [name, []]));
  const syncMs: number[] = [];
  const syncCounts: number[] = [];
  await worker.call('watchPath');
  for (let turn = 0; turn < warmUps + turns; turn += 1) {
    await worker.call('takePath');
    const before = typeof syncs === 'string' ? undefined : syncs.read();
    const at = new Map([['posted', clockMs()]]);
    const watching = watchTurn(url, order);
    await watching.shown;
    if (typeof syncs !== 'string' && before !== undefined) {
      const { count, ms } = syncs.read();
      if (turn >= warmUps) syncMs.push(ms - before.ms);
      if (turn >= warmUps) syncCounts.push(count - before.count);
    }
    // The first of each name: later ones are of the second token.
    for (const { name, atMs } of await worker.call<readonly PathEvent[]>('takePath')) if (!at.has(name)) at.set(name, atMs);
    at.set('shown', (await watching.ended).firstDeltaAtMs);
    for (const [name, [from, to]] of Object.entries(segments))
      if (turn >= warmUps) tookMs.get(name)?.push((at.get(to) ?? Number.NaN) - (at.get(from) ?? Number.NaN));
    await sleep(pauseMs);
  }
  return [
    ...Array.from(tookMs, ([name, values]) => ({
      figure: `on the way of a first token (p50 / p99 of ${turns}): ${name}`,
      turnkeep: p50p99(spreadOf(values)),
    })),
    ...(typeof syncs === 'string'
      ? []
      : [
          {
            figure: `of which the disk, in ${(syncCounts.reduce((sum, count) => sum + count, 0) / turns).toFixed(2)} syncs`,
            turnkeep: p50p99(spreadOf(syncMs)),
          },
        ]),
  ];
}
