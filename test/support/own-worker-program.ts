/** The worker of an application of its own, as a process, to be killed. Its task queue is its argument. */
import { NativeConnection, Worker } from '@temporalio/worker';
import { z } from 'zod';
import { defineConfig } from '../../src/config/define-config.ts';
import { defineTool } from '../../src/config/define-tool.ts';
import { readConfig } from '../../src/config/read-config.ts';
import { openStore } from '../../src/roles/open-store.ts';
import { turnkeepPlugin } from '../../src/worker.ts';

const [, , taskQueue = ''] = process.argv;
const config = readConfig({ env: process.env });
const { address = '', namespace } = config.temporal;
const connection = await NativeConnection.connect({ address });
const store = await openStore(config);
const agents = defineConfig({
  tools: { note: defineTool({ description: 'Notes it down.', input: z.object({}), run: () => 'noted' }) },
  agents: { scribe: { model: 'scripted', tools: ['note'] } },
});
const worker = await Worker.create({
  connection,
  namespace,
  taskQueue,
  workflowsPath: new URL('./own-workflows.ts', import.meta.url).pathname,
  plugins: [turnkeepPlugin({ config, store, agents })],
});
const run = worker.run();
console.log('own worker polls');
await run;
