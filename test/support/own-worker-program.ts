/** The worker of an application of its own, as a process, to be killed. Its task queue is its argument. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { readConfig } from '../../src/config/read-config.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { turnkeepPlugin } from '../../src/worker.ts';

const [, , taskQueue = ''] = process.argv;
const config = readConfig({ env: process.env });
const { address = '', namespace } = config.temporal;
const connection = await NativeConnection.connect({ address });
const store = openSqliteStore(config.databaseUrl.slice('sqlite:'.length));
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue,
  workflowsPath: new URL('./own-workflows.ts', import.meta.url).pathname,
  plugins: [turnkeepPlugin({ config, store })],
});
const run = worker.run();
console.log('own worker polls');
await run;
