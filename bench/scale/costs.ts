/** What a turn and a token cost, as `bench/cluster.ts --costs` measured it: the simulation reads nothing else of it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const spread = z.looseObject({ p50: z.number().nullable(), p99: z.number().nullable() });
const byName = z.record(z.string(), z.number());

const measured = z.looseObject({
  'first-token': z.looseObject({ postgres: z.looseObject({ first: spread, end: spread }) }),
  turns: z.looseObject({
    commitMs: z.number(),
    tokens: z.number(),
    /** ms of CPU a turn, by role. */
    cpuMs: byName,
    serveThreadsMs: byName,
    walBytes: z.number(),
    walSyncs: z.number(),
    commits: z.number(),
    tableBytes: byName,
    temporalBytes: z.number(),
    bytesToClient: z.number(),
    steps: z.array(z.looseObject({ perSecond: z.number(), isCarried: z.boolean(), firstToken: spread, end: spread })),
  }),
  streams: z.looseObject({
    /** Tokens of each stream: a share of its turn's own cost is in the figures of a token. */
    tokensOfStream: z.number(),
    /** us of CPU a token, by role. */
    cpuUs: byName,
    serveThreadsUs: byName,
    walBytes: z.number(),
    tableBytes: byName,
    bytesToClient: z.number(),
    steps: z.array(z.looseObject({ count: z.number(), lag: spread })),
  }),
  idle: z.looseObject({ tableBytes: byName, walBytes: z.number() }),
});

export type Measured = z.output<typeof measured>;

/** CPU in ms, of one turn, of one step of it, or of one token. */
export interface Cost {
  /** The event loop of a process with gateway and worker. */
  readonly loopMs: number;
  /** Its thread that runs workflows. */
  readonly sandboxMs: number;
  /** Its other threads: Temporal's core, V8, libuv. */
  readonly threadsMs: number;
  readonly postgresMs: number;
  readonly temporalMs: number;
  /** The model and the clients, where they share the machine. */
  readonly othersMs: number;
}

export interface Costs {
  readonly turn: Cost;
  readonly token: Cost;
  /** Of a commit beside its CPU: mostly the disk's sync. */
  readonly syncMs: number;
  /** Of one way between two processes and back, beside all CPU: what is left of a first token that is alone. */
  readonly hopMs: number;
}

export function readCosts(path: string): Measured {
  return measured.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** Without `hopMs`, which is found by comparing a turn that is alone with a simulated one (`calibrate`). */
export function costsOf({ turns, streams }: Measured): Omit<Costs, 'hopMs'> {
  const of = (cpu: Readonly<Record<string, number>>, threads: Readonly<Record<string, number>>): Cost => {
    const { main = 0, sandbox = 0 } = threads;
    const { serve = 0, postgres = 0, temporal = 0, model = 0, clients = 0, bench = 0 } = cpu;
    const threadsMs = Math.max(0, serve - main - sandbox);
    return { loopMs: main, sandboxMs: sandbox, threadsMs, postgresMs: postgres, temporalMs: temporal, othersMs: model + clients + bench };
  };
  const turn = of(turns.cpuMs, turns.serveThreadsMs);
  const withTurn = scaled(of(streams.cpuUs, streams.serveThreadsUs), 1 / 1_000);
  return { turn, token: less(withTurn, scaled(turn, 1 / streams.tokensOfStream)), syncMs: turns.commitMs };
}

export interface Bytes {
  readonly walOfTurn: number;
  readonly walOfToken: number;
  /** Of tables with their indexes. */
  readonly tablesOfTurn: number;
  readonly tablesOfToken: number;
  readonly tablesOfConversation: number;
}

export function bytesOf({ turns, streams, idle }: Measured): Bytes {
  const sum = (bytes: Readonly<Record<string, number>>): number => Object.values(bytes).reduce((all, each) => all + each, 0);
  const ofToken = (withTurn: number, ofTurn: number): number => Math.max(0, withTurn - ofTurn / streams.tokensOfStream);
  return {
    walOfTurn: turns.walBytes,
    walOfToken: ofToken(streams.walBytes, turns.walBytes),
    tablesOfTurn: sum(turns.tableBytes),
    tablesOfToken: ofToken(sum(streams.tableBytes), sum(turns.tableBytes)),
    tablesOfConversation: sum(idle.tableBytes),
  };
}

function scaled(cost: Cost, factor: number): Cost {
  return {
    loopMs: cost.loopMs * factor,
    sandboxMs: cost.sandboxMs * factor,
    threadsMs: cost.threadsMs * factor,
    postgresMs: cost.postgresMs * factor,
    temporalMs: cost.temporalMs * factor,
    othersMs: cost.othersMs * factor,
  };
}

function less(cost: Cost, part: Cost): Cost {
  return {
    loopMs: Math.max(0, cost.loopMs - part.loopMs),
    sandboxMs: Math.max(0, cost.sandboxMs - part.sandboxMs),
    threadsMs: Math.max(0, cost.threadsMs - part.threadsMs),
    postgresMs: Math.max(0, cost.postgresMs - part.postgresMs),
    temporalMs: Math.max(0, cost.temporalMs - part.temporalMs),
    othersMs: Math.max(0, cost.othersMs - part.othersMs),
  };
}
