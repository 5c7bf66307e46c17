/**
 * What Temporal itself costs: a worker and a client on one connection, each turn an eager start of `leastTurn`. No database,
 * no gateway, no model. A turn counts as answered when its activity has run, as turnkeep's does when its viewer has the end.
 */
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { startLogging } from '../src/cli/logging.ts';
import { serveCalls } from './support/child.ts';
import { clockMs } from './support/clock.ts';
import { type Carried, closedLoad, countOpen, type Load } from './support/load.ts';

export interface FloorActivities {
  answer(turn: number): Promise<void>;
}

interface Start {
  readonly address: string;
  readonly taskQueue: string;
}

const answered = new Map<number, () => void>();
let turns = 0;
let client: Client | undefined;
let queue = '';
let close = async (): Promise<void> => undefined;

async function start({ address, taskQueue }: Start): Promise<void> {
  startLogging('error');
  const connection = await NativeConnection.connect({ address });
  const activities: FloorActivities = {
    answer: async (turn) => {
      answered.get(turn)?.();
      answered.delete(turn);
    },
  };
  const worker = await Worker.create({ connection, taskQueue, activities, workflowsPath: `${import.meta.dirname}/floor-workflow.ts` });
  const running = worker.run();
  client = new Client({ connection });
  queue = taskQueue;
  close = async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
}

async function leastTurn(): Promise<number> {
  const turn = (turns += 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  answered.set(turn, resolve);
  const startedAtMs = clockMs();
  await client?.workflow.start('leastTurn', { workflowId: `floor/${turn}`, taskQueue: queue, args: [turn], requestEagerStart: true });
  await promise;
  return clockMs() - startedAtMs;
}

async function run(load: Load): Promise<Carried> {
  const temporal = client;
  return closedLoad(load, leastTurn, temporal === undefined || load.atOnce === 1 ? undefined : () => countOpen(temporal, queue));
}

serveCalls({ start, run, close: () => close() });
