/** The simulation of the machine that was measured, beside what was measured there. */
import { one, type Table } from '../cluster/report.ts';
import { type Costs, costsOf, type Measured } from './costs.ts';
import { type Load, simulate, type Topology } from './system.ts';

/** Two replicas, Postgres, Temporal's dev server (one shard), the model and the clients on two cores. */
const measuredMachine: Topology = {
  sharedCores: 2,
  replicas: 2,
  coresOfReplica: 2,
  postgresCores: 2,
  poolSize: 10,
  temporalCores: 2,
  shards: 1,
  // Its database is a file without synced commits.
  shardWriteMs: 0,
  partitions: 4,
  matchMs: 2,
  pollersOfReplica: 10,
  eagerShare: 1,
};

const turnsOnly = { steps: 1, tokens: 0, tokensPerSecond: 50, tokensTogether: 1, seconds: 30, warmUpSeconds: 3 };
const lateMs = 1_000;

/** `hopMs` is what a first token takes longer, at the least of the measured rates, than in the simulation without it: the one figure that is fitted. */
export function calibrate(measured: Measured, seed: number): Costs {
  const costs = { ...costsOf(measured), hopMs: 0 };
  const [least] = measured.turns.steps;
  const simulated = simulate(measuredMachine, costs, { ...turnsOnly, arrivals: { turnsPerSecond: least?.perSecond ?? 1 }, seed });
  return { ...costs, hopMs: Math.max(0, (least?.firstToken.p50 ?? 0) - simulated.firstTokenMs.p50) };
}

export function validationTables(measured: Measured, costs: Costs, seed: number): Table[] {
  const steps = measured.turns.steps.map(({ perSecond, firstToken, end }) => {
    const simulated = simulate(measuredMachine, costs, { ...turnsOnly, arrivals: { turnsPerSecond: perSecond }, seed });
    return [
      `${perSecond}`,
      beside(firstToken.p50, simulated.firstTokenMs.p50),
      beside(firstToken.p99, simulated.firstTokenMs.p99),
      beside(end.p50, simulated.overheadMs.p50),
      beside(end.p99, simulated.overheadMs.p99),
      simulated.givesFirst,
    ];
  });
  const streams = measured.streams.steps.map(({ count, lag }) => {
    const simulated = simulate(measuredMachine, costs, streamsLoad(count, measured.streams.tokensOfStream, seed));
    return [`${count}`, beside(lag.p50, simulated.tokenLagMs.p50), beside(lag.p99, simulated.tokenLagMs.p99), simulated.givesFirst];
  });
  const carried = measured.turns.steps.findLast(({ isCarried }) => isCarried)?.perSecond ?? Number.NaN;
  const failed = measured.turns.steps.find(({ isCarried }) => !isCarried)?.perSecond ?? Number.NaN;
  return [
    {
      title: 'Turns on the machine that was measured: measured / simulated, ms',
      head: ['a second', 'first token p50', 'first token p99', 'end p50', 'end p99', 'the fullest'],
      rows: steps,
    },
    {
      title: 'Streams at 50 tokens a second there: measured / simulated, ms',
      head: ['at once', 'a token to the client p50', 'p99', 'the fullest'],
      rows: streams,
    },
    {
      title: 'The knee, turns a second whose p99 is under a second',
      head: ['measured', 'simulated'],
      rows: [[`carried ${carried}, not ${failed}`, `${knee(costs, seed)}`]],
    },
  ];
}

/** The most turns a second that are carried. */
export function knee(costs: Costs, seed: number): number {
  const isCarried = (turnsPerSecond: number): boolean => {
    const { overheadMs, unfinished } = simulate(measuredMachine, costs, { ...turnsOnly, arrivals: { turnsPerSecond }, seed });
    return overheadMs.p99 < lateMs && unfinished < turnsPerSecond;
  };
  let perSecond = 1;
  while (perSecond < 1_000 && isCarried(perSecond + 1)) perSecond += 1;
  return perSecond;
}

/** So many streams, begun within a second. */
function streamsLoad(count: number, tokens: number, seed: number): Load {
  const tokensPerSecond = 50;
  const [arrivals, seconds] = [{ turns: count, withinMs: 1_000 }, (3 * tokens) / tokensPerSecond];
  return { arrivals, steps: 1, tokens, tokensPerSecond, tokensTogether: 1, seconds, warmUpSeconds: 0, seed };
}

function beside(measuredMs: number | null, simulatedMs: number): string {
  if (measuredMs === null) return `— / ${one(simulatedMs)}`;
  const deviation = (100 * (simulatedMs - measuredMs)) / measuredMs;
  return `${one(measuredMs)} / ${one(simulatedMs)} (${deviation > 0 ? '+' : ''}${deviation.toFixed(0)} %)`;
}
