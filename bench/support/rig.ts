/** A Temporal dev server, the model server, turnkeep in one process or in two, and the least workflow: all children of this one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import OpenAI from 'openai';
import { type DevServer, startDevServer } from '../../src/cli/dev-server/start.ts';
import { testTemporalProgram } from '../../test/support/temporal-server.ts';
import { Child, type ChildOptions } from './child.ts';
import type { Processes } from './cpu.ts';
import { countOpen } from './load.ts';

/** One turnkeep: a data dir and the processes on it. */
export interface Deployment {
  readonly dataDir: string;
  readonly taskQueue: string;
  readonly url: string;
  readonly worker: Child;
  /** A stock client of its gateway. */
  readonly client: OpenAI;
}

/** The least workflow: a worker and a client in a process of their own (`floor.ts`). */
export interface Floor extends AsyncDisposable {
  readonly taskQueue: string;
  readonly child: Child;
}

export interface Rig extends AsyncDisposable {
  readonly model: Child;
  readonly modelUrl: string;
  /** A stock client of the model server. */
  readonly direct: OpenAI;
  readonly temporal: Client;
  /** Gone with the rig. */
  readonly folder: string;
  startInOne(options?: ChildOptions): Promise<Deployment>;
  startInTwo(): Promise<Deployment>;
  startFloor(): Promise<Floor>;
  /** Temporal's server, the model server and the bench's own client, and what else is to be on the bill. */
  processes(more: Processes): Processes;
  /** Workflows that Temporal has not closed yet. */
  openWorkflows(taskQueue: string): Promise<number>;
}

export async function startRig(): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-'));
    // Also when the bench is stopped midway; the children go by themselves when we are gone.
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    process.once('exit', remove);
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
    stack.defer(remove);
    const server: DevServer = await startDevServer({
      program: await testTemporalProgram(),
      namespace: 'default',
      hasUi: false,
      // With the flags of `turnkeep dev`, and on disk as there.
      databasePath: join(folder, 'temporal.db'),
      logPath: join(folder, 'temporal.log'),
    });
    stack.defer(() => server.stop());
    const model = stack.use(new Child('model.ts'));
    const modelUrl = await model.call<string>('start');
    const connection = await Connection.connect({ address: server.address });
    stack.defer(() => connection.close());

    const temporal = new Client({ connection });
    let count = 0;
    const deploy = async (start: (common: Record<string, string>) => Promise<{ worker: Child; url: string }>): Promise<Deployment> => {
      count += 1;
      const dataDir = join(folder, `data-${count}`);
      const taskQueue = `bench-${count}`;
      const { worker, url } = await start({ address: server.address, dataDir, taskQueue, modelUrl });
      return { dataDir, taskQueue, url, worker, client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }) };
    };
    const moved = stack.move();
    return {
      model,
      modelUrl,
      direct: new OpenAI({ baseURL: modelUrl, apiKey: 'none', maxRetries: 0 }),
      temporal,
      folder,
      startInOne: (options) =>
        deploy(async (common) => {
          const worker = moved.use(new Child('turnkeep.ts', options));
          return { worker, url: await worker.call<string>('start', { ...common, hasWorker: true, hasGateway: true }) };
        }),
      startInTwo: () =>
        deploy(async (common) => {
          const worker = moved.use(new Child('turnkeep.ts'));
          const gateway = moved.use(new Child('turnkeep.ts'));
          await worker.call('start', { ...common, hasWorker: true, hasGateway: false });
          return { worker, url: await gateway.call<string>('start', { ...common, hasWorker: false, hasGateway: true }) };
        }),
      startFloor: async () => {
        const child = moved.use(new Child('floor.ts'));
        const taskQueue = `floor-${(count += 1)}`;
        await child.call('start', { address: server.address, taskQueue });
        return { taskQueue, child, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
      },
      processes: (more) => ({ ...more, temporal: server.pid, model: model.pid, client: process.pid }),
      openWorkflows: (taskQueue) => countOpen(temporal, taskQueue),
      [Symbol.asyncDispose]: () => moved.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
