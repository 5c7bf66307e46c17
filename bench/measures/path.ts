/**
 * Where the time to a first token goes, one turn at a time: from the POST to the gateway, to the request to the model, to the
 * model's first bytes, to the viewer; and what part of it the disk took for its syncs. All on one clock.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { clockMs } from '../support/clock.ts';
import { mainThreadOf } from '../support/cpu.ts';
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

const onCpu = "in it, our main thread's CPU";
const waited = 'in it, our main thread waits for a CPU that others have';
const disk = 'in it, our main thread waits for the disk to sync';

export async function measurePath(rig: Rig): Promise<Row[]> {
  const shim = compileSlowSync(rig.folder, 0);
  const { url, worker } = await rig.startInOne(typeof shim === 'string' ? {} : { env: shim.env });
  const syncs = typeof shim === 'string' ? undefined : shim;
  const columns = [...Object.keys(segments), onCpu, waited, ...(syncs === undefined ? [] : [disk])];
  const tookMs = new Map<string, number[]>(columns.map((name) => [name, []]));
  await worker.call('watchPath');
  for (let turn = 0; turn < warmUps + turns; turn += 1) {
    await worker.call('takePath');
    const diskBefore = syncs?.read();
    const threadBefore = mainThreadOf(worker.pid);
    const at = new Map([['posted', clockMs()]]);
    const watching = watchTurn(url, order);
    await watching.shown;
    const thread = mainThreadOf(worker.pid);
    const diskMs = (syncs?.read().ms ?? Number.NaN) - (diskBefore?.ms ?? Number.NaN);
    // The first of each name: later ones are of the second token.
    for (const { name, atMs } of await worker.call<readonly PathEvent[]>('takePath')) if (!at.has(name)) at.set(name, atMs);
    at.set('shown', (await watching.ended).firstDeltaAtMs);
    await sleep(pauseMs);
    if (turn < warmUps) continue;
    for (const [name, [from, to]] of Object.entries(segments))
      tookMs.get(name)?.push((at.get(to) ?? Number.NaN) - (at.get(from) ?? Number.NaN));
    tookMs.get(onCpu)?.push(thread.onCpuMs - threadBefore.onCpuMs);
    tookMs.get(waited)?.push(thread.waitedMs - threadBefore.waitedMs);
    tookMs.get(disk)?.push(diskMs);
  }
  return Array.from(tookMs, ([name, values]) => ({
    figure: `on the way of a first token (p50 / p99 of ${turns}): ${name}`,
    turnkeep: p50p99(spreadOf(values)),
  }));
}
