/** Streams at 50 tokens a second, more and more at once, until tokens are late. */
import { say } from '../support/report.ts';
import { cpuByRole, threadsOfRole, type Use, useOf } from './bill.ts';
import type { Streamed, Streams } from './clients.ts';
import { listed, mapped, one, type Table, times, whole } from './report.ts';
import type { ClusterRig } from './rig.ts';

export const tokenEveryMs = 20;
const lateMs = 250;

export interface StreamStep {
  readonly count: number;
  readonly tokensOfStream: number;
  readonly streamed: Streamed;
  readonly seconds: number;
  readonly use: Use<unknown>;
}

export async function measureStreams(
  rig: ClusterRig,
  { counts, tokens }: { readonly counts: readonly number[]; readonly tokens: number },
): Promise<StreamStep[]> {
  const steps: StreamStep[] = [];
  const rampMs = 1_000;
  for (const count of counts) {
    const startedAt = performance.now();
    const load: Streams = { ...rig.target, count, order: { tokens, waitMs: tokenEveryMs }, rampMs };
    const use = await useOf(rig, () => rig.clients.call<Streamed>('stream', load));
    const step = { count, tokensOfStream: tokens, streamed: use.result, seconds: (performance.now() - startedAt) / 1_000, use };
    steps.push(step);
    say(`  ${rowOf(step).join('; ')}`);
    if (!isInTime(step)) break;
  }
  return steps;
}

export function isInTime({ streamed }: StreamStep): boolean {
  return streamed.failures.length === 0 && streamed.lag.p99 < lateMs;
}

function rowOf({ count, streamed, seconds, use }: StreamStep): string[] {
  const cpu = cpuByRole(use.cpu);
  return [
    `${count}`,
    times(streamed.lag),
    `${(streamed.lateShare * 100).toFixed(2)} %`,
    listed(
      mapped(cpu, (ms) => (1_000 * ms) / streamed.tokens),
      whole,
      0.001,
    ),
    listed(
      mapped(cpu, (ms) => ms / 10 / seconds),
      (share) => `${whole(share)} %`,
      3,
    ),
    listed(use.loopLagP99Ms, one),
    one(use.busyConnections),
    whole((use.database?.walBytes ?? Number.NaN) / streamed.tokens),
    ((use.database?.walSyncs ?? Number.NaN) / seconds).toFixed(0),
    streamed.failures.join(' '),
  ];
}

export function streamsTable(steps: readonly StreamStep[]): Table {
  return {
    title: 'Streams at 50 tokens a second',
    head: [
      'at once',
      'a token from the model to the client, p50 / p99, ms',
      'later than 250 ms',
      'CPU a token, us',
      'CPU of a core',
      'event loops p99, ms',
      'busy connections',
      'WAL a token, bytes',
      'syncs a second',
      'failures',
    ],
    rows: steps.map(rowOf),
  };
}

/** What the tokens of paced streams cost, with all of their turns: of the step with the most streams that were in time. */
export function tokenCosts(steps: readonly StreamStep[]) {
  const step = steps.findLast(isInTime) ?? steps[0];
  if (step === undefined) throw new Error('nothing was measured');
  const { streamed, use } = step;
  return {
    atStreams: step.count,
    tokensOfStream: step.tokensOfStream,
    cpuUs: mapped(cpuByRole(use.cpu), (ms) => (1_000 * ms) / streamed.tokens),
    serveThreadsUs: mapped(threadsOfRole(use.cpu, 'serve'), (ms) => (1_000 * ms) / streamed.tokens),
    walBytes: (use.database?.walBytes ?? Number.NaN) / streamed.tokens,
    tableBytes: mapped(use.database?.tableBytes ?? {}, (bytes) => bytes / streamed.tokens),
    bytesToClient: streamed.bytes / streamed.tokens,
  };
}
