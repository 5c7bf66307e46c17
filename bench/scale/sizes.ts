/** How much of everything so many sessions take: a first answer from the measured costs, which the simulation then tries. */
import type { Costs } from './costs.ts';
import type { Load, Topology } from './system.ts';

export interface Sessions {
  readonly count: number;
  /** From the end of a turn to the next one of the session, the mean. */
  readonly thinkSeconds: number;
  readonly steps: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
}

/** Of a machine's cores, and of an event loop: beyond it the p99 grows faster than the load. */
const fullness = 0.5;
const shardFullness = 0.1;
/** Room for days that are busier than others; and a shard count is for good. */
const headroom = 4;
/** Of Temporal on a database of its own: a write is a transaction of several statements. Not measured here. */
const shardWriteMs = 5;
const writesOfTurn = 5;
/** As long as Temporal takes to answer a small question. */
const matchMs = 2;
const tasksOfTurn = 3;
const usualPool = 10;
const usualPollers = 10;

export function turnsPerSecondOf({ count, thinkSeconds, tokens, tokensPerSecond }: Sessions): number {
  return count / (thinkSeconds + tokens / tokensPerSecond);
}

export function topologyFor(sessions: Sessions, { turn, token }: Omit<Costs, 'hopMs'>): Topology {
  const turns = turnsPerSecondOf(sessions);
  const tokens = turns * sessions.tokens;
  const cores = (ofTurn: number, ofToken: number): number => (turns * sessions.steps * ofTurn + tokens * ofToken) / 1_000 / fullness;
  const loops = cores(turn.loopMs, token.loopMs);
  const ofReplica = cores(turn.loopMs + turn.sandboxMs + turn.threadsMs, token.loopMs + token.sandboxMs + token.threadsMs);
  // One more than it takes: one may be gone.
  const replicas = Math.ceil(loops) + 1;
  return {
    replicas,
    coresOfReplica: Math.max(2, Math.ceil(ofReplica / replicas)),
    postgresCores: Math.max(2, Math.ceil(cores(turn.postgresMs, token.postgresMs))),
    poolSize: usualPool,
    temporalCores: Math.max(2, Math.ceil(cores(turn.temporalMs, token.temporalMs))),
    shards: powerOfTwo((turns * headroom * sessions.steps * writesOfTurn * shardWriteMs) / 1_000 / shardFullness, 128),
    shardWriteMs,
    // For all tasks, as if none were handed over eagerly.
    partitions: Math.max(4, Math.ceil((turns * tasksOfTurn * matchMs) / 1_000 / fullness)),
    matchMs,
    pollersOfReplica: usualPollers,
    eagerShare: 0.9,
  };
}

export function loadOf(sessions: Sessions, { seconds, seed }: { readonly seconds: number; readonly seed: number }): Load {
  const { steps, tokens, tokensPerSecond } = sessions;
  // Streams are as many as they will be once the first of them end.
  const warmUpSeconds = tokens / tokensPerSecond + 2;
  const arrivals = { turnsPerSecond: turnsPerSecondOf(sessions) };
  return { arrivals, steps, tokens, tokensPerSecond, tokensTogether: 10, seconds, warmUpSeconds, seed };
}

function powerOfTwo(atLeast: number, least: number): number {
  return Math.max(least, 2 ** Math.ceil(Math.log2(atLeast)));
}
