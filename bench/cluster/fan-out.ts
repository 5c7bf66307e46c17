/** One turn at 50 tokens a second, and a crowd that watches it at two gateways, which are not where it runs. */
import OpenAI from 'openai';
import { promptOf } from '../support/orders.ts';
import { say } from '../support/report.ts';
import { cpuByRole, residentMb, type Use, useOf } from './bill.ts';
import type { Crowd, Watched } from './clients.ts';
import { listed, mapped, one, type Table, times, whole } from './report.ts';
import type { ClusterRig } from './rig.ts';

export interface FanOut {
  readonly viewers: number;
  readonly tokensPerSecond: number;
  readonly tokens: number;
}

export interface FannedOut extends FanOut {
  readonly watched: Watched;
  /** From the model's first token to the last viewer's end. */
  readonly seconds: number;
  readonly use: Use<unknown>;
  /** Of both gateways: before the crowd came, when it was there, and at the end. */
  readonly memoryMb: readonly number[];
}

let gates = 0;

export async function measureFanOut(rig: ClusterRig, { viewers, tokensPerSecond, tokens }: FanOut): Promise<FannedOut> {
  const { target, cluster, model, clients } = rig;
  const gate = `crowd ${(gates += 1)}`;
  const client = new OpenAI({ baseURL: `${target.urls[0]}/v1`, apiKey: target.apiKey, maxRetries: 0 });
  const input = promptOf({ tokens, waitMs: 1_000 / tokensPerSecond, gate });
  const { id: turn } = await client.responses.create({ model: 'scripted', input, background: true });
  await model.call('reached', gate);
  const memoryMb = (): number => [...cluster.gateways, ...cluster.replicas].reduce((sum, { pid }) => sum + residentMb(pid), 0);
  const before = memoryMb();
  await clients.call('watch', { ...target, turn, viewers } satisfies Crowd);
  const there = memoryMb();
  const startedAt = performance.now();
  const use = await useOf(rig, async () => {
    await model.call('release', gate);
    return clients.call<Watched>('watched');
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const fanned = { viewers, tokensPerSecond, tokens, watched: use.result, seconds, use, memoryMb: [before, there, memoryMb()] };
  await clients.call('leave');
  say(`  ${rowOf(fanned).join('; ')}`);
  return fanned;
}

function rowOf({ viewers, tokensPerSecond, tokens, watched, seconds, use, memoryMb }: FannedOut): string[] {
  const [before = 0, there = 0, after = 0] = memoryMb;
  const cpu = cpuByRole(use.cpu);
  return [
    `${viewers}`,
    `${tokensPerSecond}`,
    one(seconds),
    times(watched.lag),
    `${(watched.lateShare * 100).toFixed(2)} %`,
    listed(
      mapped(cpu, (ms) => ms / 10 / seconds),
      (share) => `${whole(share)} %`,
      3,
    ),
    one(((cpu['gateway'] ?? cpu['serve'] ?? 0) * 1_000) / (viewers * tokens)),
    one((viewers * tokens) / watched.pieces),
    `${whole(before)}, ${whole(there)}, ${whole(after)}; ${(((there - before) * 1_024) / viewers).toFixed(0)} KB`,
    listed(use.loopLagP99Ms, one),
    `${watched.identical} of ${viewers} (${watched.bytesEach} bytes, ${watched.tokens} tokens)`,
  ];
}

export function fanOutTable(runs: readonly FannedOut[]): Table {
  return {
    title: 'One turn, watched at two gateways',
    head: [
      'viewers',
      'tokens a second',
      'took, s',
      'a token from the model to a viewer, p50 / p99, ms',
      'later than 250 ms',
      'CPU of a core',
      "gateways' CPU a token and viewer, us",
      'tokens a piece',
      'memory of the gateways before, with the crowd, after, MB; a viewer',
      'event loops p99, ms',
      'saw the same bytes',
    ],
    rows: runs.map(rowOf),
  };
}

export function fanOutCosts({ viewers, tokensPerSecond, tokens, watched, seconds, use, memoryMb }: FannedOut) {
  const cpu = cpuByRole(use.cpu);
  const gatewayMs = cpu['gateway'] ?? cpu['serve'] ?? Number.NaN;
  return {
    viewers,
    tokensPerSecond,
    lag: watched.lag,
    cpuPercent: mapped(cpu, (ms) => ms / 10 / seconds),
    gatewayUsEach: (gatewayMs * 1_000) / (viewers * tokens),
    gatewayUsEachPiece: (gatewayMs * 1_000) / watched.pieces,
    tokensEachPiece: (viewers * tokens) / watched.pieces,
    memoryMb,
    identical: watched.identical,
  };
}
