/**
 * `turnkeep/worker`: the worker role, which runs turns, for a process of one's own. Runs in Node, and loads Temporal's native
 * bridge: half a second, and not to be bundled.
 *
 * @example
 *     import { NativeConnection } from '@temporalio/worker';
 *     import { pino } from 'pino';
 *     import { openSqliteStore } from 'turnkeep/client';
 *     import { readConfig } from 'turnkeep/config';
 *     import { startWorker } from 'turnkeep/worker';
 *
 *     const config = readConfig({ env: process.env });
 *     const connection = await NativeConnection.connect({ address: '127.0.0.1:7233' });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const worker = await startWorker({ config, connection, store, log: pino() });
 *     process.once('SIGTERM', () => worker.shutdown());
 *     await worker.stopped;
 */
export { turnkeepPlugin, type TurnkeepPlugin, type TurnkeepPluginOptions } from './roles/plugin.ts';
export { startWorker, type TurnWorker, type WorkerDeps } from './roles/worker.ts';
export { bundleWorkflows } from './roles/workflow-bundle.ts';
