/**
 * One tenant floods, posting turns as fast as they are taken in, and comes back when it is told to; another one asks now and
 * then. What its first token costs meanwhile, beside what it costs alone: in rounds one after the other, on the same machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Flooded } from '../flood.ts';
import { Child } from '../support/child.ts';
import { clockMs } from '../support/clock.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Rig } from '../support/rig.ts';
import { p50p99, spreadOf } from '../support/statistics.ts';
import { timeTurn } from '../support/timed-turn.ts';

const asked = promptOf({ tokens: 20 });
const flooding = promptOf({ tokens: 20, waitMs: 20 });
/** Posts of the flood that wait for their answer at the same time. */
const postsAtOnce = 32;
const pauseMs = 100;

export interface Flood {
  readonly rounds: number;
  /** Of the tenant that asks now and then, in each half of a round. */
  readonly turns: number;
  /** Of each tenant: `TURNKEEP_MAX_RUNNING_TURNS`. */
  readonly maxRunningTurns: number;
  /** Of each tenant: `TURNKEEP_REQUESTS_PER_SECOND`; 0: no limit. */
  readonly requestsPerSecond: number;
}

export async function measureFlood(rig: Rig, { rounds, turns, maxRunningTurns, requestsPerSecond }: Flood): Promise<Row[]> {
  const env = {
    TURNKEEP_API_KEYS: 'many:many,few:few',
    TURNKEEP_MAX_RUNNING_TURNS: String(maxRunningTurns),
    TURNKEEP_REQUESTS_PER_SECOND: String(requestsPerSecond),
  };
  const { client, url } = await rig.startInOne({ env });
  const [many, few] = [client.withOptions({ apiKey: 'many' }), client.withOptions({ apiKey: 'few' })];
  const ask = async (): Promise<number[]> => {
    const times: number[] = [];
    for (let turn = 0; turn < turns; turn += 1) {
      times.push((await timeTurn(few, asked, null)).firstMs);
      await sleep(pauseMs);
    }
    return times;
  };
  await using flood = new Child('flood.ts');
  let [taken, refused] = [0, 0];

  await ask();
  const [alone, flooded]: [number[], number[]] = [[], []];
  let floodedMs = 0;
  for (let round = 0; round < rounds; round += 1) {
    alone.push(...(await ask()));
    await flood.call('start', { url, apiKey: 'many', atOnce: postsAtOnce, input: flooding });
    const startedAt = clockMs();
    flooded.push(...(await ask()));
    floodedMs += clockMs() - startedAt;
    const counts = await flood.call<Flooded>('stop');
    taken += counts.taken;
    refused += counts.refused;
    // Until all of its turns have ended.
    while ((await many.get<{ data: unknown[] }>('/turns?status=in_progress&limit=1')).data.length > 0) await sleep(pauseMs);
  }
  const [before, during] = [spreadOf(alone), spreadOf(flooded)];
  const rate = requestsPerSecond === 0 ? '' : ` and ${requestsPerSecond} a second be asked for`;
  return [
    {
      figure: `first token of one tenant, beside another's flood, of which ${maxRunningTurns} turns may run${rate} (p50 / p99 of ${during.n})`,
      turnkeep: p50p99(during),
      direct: `${p50p99(before)} without it`,
      added: `${(during.p50 / before.p50).toFixed(1)} / ${(during.p99 / before.p99).toFixed(1)} times`,
      aim: 'twice the p99',
    },
    {
      figure: 'the same: turns of the flood',
      turnkeep: `${(taken / (floodedMs / 1_000)).toFixed(0)} a second taken in, ${refused} refused and told when to come back`,
    },
  ];
}
