/** The application's own worker: its workflow and activities, and the turns that the workflow asks for. */
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { readConfig } from 'turnkeep/config';
import { turnkeepPlugin } from 'turnkeep/worker';
import * as activities from './inbox.ts';
import agents from './turnkeep.config.ts';

/** Disposing of it stops it. */
export async function startWorker(taskQueue: string, env: NodeJS.ProcessEnv): Promise<AsyncDisposable> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const config = readConfig({ env });
  const connection = await NativeConnection.connect({ address: config.temporal.address ?? 'localhost:7233' });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./workflows.ts', import.meta.url)),
    activities,
    plugins: [turnkeepPlugin({ config, agents })],
  });
  const running = worker.run();
  return {
    async [Symbol.asyncDispose]() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
