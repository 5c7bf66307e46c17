/**
 * turnkeep as stations: the event loop and the workflow thread of each replica, its connections to Postgres and its journal writer,
 * Temporal's shards, and the pollers and partitions of its task queue where tasks are not handed over eagerly. A turn goes the way
 * that docs/architecture.md draws. What each stop costs is measured; how a turn's cost is divided among its stops is said here.
 */
import { Dice } from '../soak/dice.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import type { Costs } from './costs.ts';
import { GroupWriter, Machine, Simulation, Station } from './engine.ts';

export interface Topology {
  /** Everything on one machine of so many cores, the model and the clients too. Otherwise each role has machines of its own. */
  readonly sharedCores?: number;
  /** Processes of `serve`: gateway and worker in one. */
  readonly replicas: number;
  readonly coresOfReplica: number;
  readonly postgresCores: number;
  /** Connections of the pool of a replica. */
  readonly poolSize: number;
  readonly temporalCores: number;
  readonly shards: number;
  /** Of one write of a shard, which does one at a time (`history.shardIOConcurrency`). */
  readonly shardWriteMs: number;
  readonly partitions: number;
  /** Of one task in a partition, which matches one at a time, and of its way to whoever polls. */
  readonly matchMs: number;
  readonly pollersOfReplica: number;
  /** Share of the tasks that Temporal hands over with the answer to a request, without a queue. */
  readonly eagerShare: number;
}

export interface Load {
  /** Turns arrive at random, so many a second; or so many begin within so long, and no other. */
  readonly arrivals: { readonly turnsPerSecond: number } | { readonly turns: number; readonly withinMs: number };
  /** Requests to the model, each an activity. */
  readonly steps: number;
  /** Of all steps of a turn together, one after the other at this pace. 0: none but what a turn's own cost has in it. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Tokens are simulated so many together: one by one, those that come faster than turnkeep writes share an event. */
  readonly tokensTogether: number;
  readonly seconds: number;
  /** Left out of the figures. */
  readonly warmUpSeconds: number;
  readonly seed: number;
}

export interface Outcome {
  readonly firstTokenMs: Spread;
  /** From a turn's arrival to its end, without the time that its tokens take at the model. */
  readonly overheadMs: Spread;
  /** From the model to the client. */
  readonly tokenLagMs: Spread;
  readonly turnsPerSecond: number;
  /** Shares of 1, of the busiest of each kind. */
  readonly utilization: Readonly<Record<string, number>>;
  /** What of it is the fullest. */
  readonly givesFirst: string;
  readonly unfinished: number;
}

/**
 * Parts of a turn's CPU. Of the event loop's 6 ms 3.8 are on the way of the first token (BENCHMARKS.md), the rest behind it. Of
 * Postgres' work most is the acceptance, which has the most statements (test/store/plain-turn.test.ts).
 */
const loopParts = { accept: 0.35, ask: 0.12, first: 0.17, end: 0.36 } as const;
const postgresParts = { accept: 0.5, first: 0.2, end: 0.3 } as const;
/** Requests to Temporal of a turn of one step: the start, the end of the activity, two of workflow tasks. */
const requestsOfTurn = 4;
const activationsOfTurn = 2;
const writerLanes = 3;
/** Tokens of a turn that come within it share an event (activities/attempt/tape.ts), which a timer of whole milliseconds writes. */
const mergeMs = 25;

interface Replica {
  readonly machine: Machine;
  readonly loop: Station;
  readonly sandbox: Station;
  readonly pool: Station;
  readonly writer: GroupWriter;
}

export function simulate(topology: Topology, costs: Costs, load: Load): Outcome {
  const simulation = new Simulation();
  const dice = new Dice(load.seed, 'scale');
  const shared = topology.sharedCores === undefined ? undefined : new Machine(simulation, 'the machine', topology.sharedCores);
  const machine = (name: string, cores: number): Machine => shared ?? new Machine(simulation, name, cores);
  const postgres = machine('Postgres', topology.postgresCores);
  const temporal = machine('Temporal', topology.temporalCores);
  const clients = machine('clients', 1_000_000);
  const station = (on: Machine, name: string, places: number): Station => new Station(simulation, on, name, places);
  const replicas = Array.from({ length: topology.replicas }, (): Replica => {
    const own = machine('replica', topology.coresOfReplica);
    return {
      machine: own,
      loop: station(own, 'event loops', 1),
      sandbox: station(own, 'workflow threads', 1),
      pool: station(postgres, 'connections', topology.poolSize),
      writer: new GroupWriter(simulation, postgres, writerLanes, costs.syncMs),
    };
  });
  const shards = Array.from({ length: topology.shards }, () => station(temporal, 'shards', 1));
  const partitions = Array.from({ length: topology.partitions }, () => station(temporal, 'partitions', 1));
  const pollers = station(clients, 'pollers', Math.max(1, topology.pollersOfReplica * topology.replicas));
  const all = [...replicas.flatMap(({ loop, sandbox, pool }) => [loop, sandbox, pool]), ...shards, ...partitions, pollers];
  const machines = shared === undefined ? [postgres, temporal, ...replicas.map((each) => each.machine)] : [shared];

  const { turn, token, syncMs, hopMs } = costs;
  const firstToken: number[] = [];
  const overhead: number[] = [];
  const lags: number[] = [];
  const warmUpMs = load.warmUpSeconds * 1_000;
  const untilMs = warmUpMs + load.seconds * 1_000;
  let unfinished = 0;
  let ended = 0;
  const anyOf = <T>(choices: readonly T[]): T => dice.pick(choices);

  /** A task: with the answer of a request, or through a partition of the queue to one who polls. */
  function handOver(then: () => void): void {
    if (topology.partitions === 0 || dice.next() < topology.eagerShare) then();
    else anyOf(partitions).serve(0, topology.matchMs, () => pollers.serve(0, topology.matchMs, then));
  }

  /** The turn's run, beside the turn. @returns to be called when a step has ended */
  function startRun(replica: Replica): (isLast: boolean) => void {
    const shard = anyOf(shards);
    const ask = (then: () => void): void => {
      replica.machine.run(turn.threadsMs / requestsOfTurn, () =>
        shard.serve(turn.temporalMs / requestsOfTurn, topology.shardWriteMs, then),
      );
    };
    const activate = (then: () => void): void => handOver(() => replica.sandbox.serve(turn.sandboxMs / activationsOfTurn, 0, then));
    let isReady = false;
    let due: (() => void) | undefined;
    ask(() => activate(() => ask(() => ((isReady = true), due?.()))));
    return (isLast) => {
      const goOn = (): void => ask(() => activate(() => (isLast ? ask(() => undefined) : ask(() => undefined))));
      if (isReady) goOn();
      else due = goOn;
    };
  }

  function begin(): void {
    const startedAtMs = simulation.nowMs;
    const isCounted = startedAtMs >= warmUpMs;
    unfinished += 1;
    const replica = anyOf(replicas);
    const { loop, pool, writer } = replica;
    clients.run(turn.othersMs, () => undefined);
    let [waiting, cameAtMs, writtenAtMs]: [number, number[], number] = [0, [], Number.NEGATIVE_INFINITY];
    const streamMs = load.tokens === 0 ? 0 : (load.tokens / load.tokensPerSecond) * 1_000;
    loop.serve(turn.loopMs * loopParts.accept, 0, () =>
      pool.serve(turn.postgresMs * postgresParts.accept, syncMs, () => step(1, startRun(replica))),
    );

    function step(number: number, onStepEnd: (isLast: boolean) => void): void {
      loop.serve(turn.loopMs * loopParts.ask, 0, () =>
        simulation.after(hopMs, () =>
          loop.serve(turn.loopMs * loopParts.first, 0, () =>
            pool.serve(turn.postgresMs * postgresParts.first, syncMs, () => {
              if (isCounted && number === 1) firstToken.push(simulation.nowMs - startedAtMs);
              tokens(load.tokens / load.steps, () => finish(number, onStepEnd));
            }),
          ),
        ),
      );
    }

    function tokens(left: number, then: () => void): void {
      if (left <= 0) {
        then();
        return;
      }
      const count = Math.min(left, load.tokensTogether);
      simulation.after((count / load.tokensPerSecond) * 1_000, () => {
        clients.run(token.othersMs * count, () => undefined);
        replica.machine.run((token.threadsMs + token.sandboxMs) * count, () => undefined);
        temporal.run(token.temporalMs * count, () => undefined);
        come(count);
        tokens(left - count, then);
      });
    }

    function come(count: number): void {
      cameAtMs.push(simulation.nowMs);
      waiting += count;
      if (load.tokensTogether > 1 || simulation.nowMs - writtenAtMs >= mergeMs) write();
      else if (waiting === count) simulation.after(Math.ceil(writtenAtMs + mergeMs - simulation.nowMs), write);
    }

    function write(): void {
      if (waiting === 0) return;
      const [count, came] = [waiting, cameAtMs];
      waiting = 0;
      cameAtMs = [];
      writtenAtMs = simulation.nowMs;
      loop.serve(token.loopMs * count, 0, () =>
        writer.write(token.postgresMs * count, () => {
          if (isCounted) for (const atMs of came) lags.push(simulation.nowMs - atMs);
        }),
      );
    }

    function finish(number: number, onStepEnd: (isLast: boolean) => void): void {
      const isLast = number >= load.steps;
      loop.serve(turn.loopMs * loopParts.end, 0, () =>
        pool.serve(turn.postgresMs * postgresParts.end, syncMs, () => {
          onStepEnd(isLast);
          if (!isLast) {
            step(number + 1, onStepEnd);
            return;
          }
          unfinished -= 1;
          if (simulation.nowMs >= warmUpMs) ended += 1;
          if (isCounted) overhead.push(simulation.nowMs - startedAtMs - streamMs);
        }),
      );
    }
  }

  const { arrivals } = load;
  if ('turns' in arrivals) {
    for (let turn = 0; turn < arrivals.turns; turn += 1) simulation.after((turn / arrivals.turns) * arrivals.withinMs, begin);
  } else {
    const arrive = (): void => {
      begin();
      next();
    };
    const next = (): void => simulation.after(dice.gapMs(arrivals.turnsPerSecond), arrive);
    next();
  }
  simulation.run(warmUpMs);
  for (const each of all) each.reset();
  const busyBefore = machines.map(({ busyMs }) => busyMs);
  simulation.run(untilMs);

  const utilization: Record<string, number> = {};
  const note = (name: string, share: number): void => void (utilization[name] = Math.max(utilization[name] ?? 0, share));
  for (const each of all) note(each.name, each.utilization);
  for (const [at, each] of machines.entries()) {
    note(`cores of ${each.name}`, (each.busyMs - (busyBefore[at] ?? 0)) / (each.cores * load.seconds * 1_000));
  }
  return {
    firstTokenMs: spreadOf(firstToken),
    overheadMs: spreadOf(overhead),
    tokenLagMs: spreadOf(lags),
    turnsPerSecond: ended / load.seconds,
    utilization,
    givesFirst: fullestOf(utilization),
    unfinished,
  };
}

/** Where cores are used up, those who wait for them hold their places the longer: the cores are the cause. */
function fullestOf(utilization: Readonly<Record<string, number>>): string {
  const shares = Object.entries(utilization).toSorted(([, a], [, b]) => b - a);
  const [name = ''] = shares.find(([name, share]) => name.startsWith('cores of ') && share > 0.95) ?? shares[0] ?? [];
  return name;
}
