/**
 * `turnkeep`: what an application needs to offer turns, in one import: the client, the HTTP API and the settings. The worker
 * that runs the turns is `turnkeep/worker`. Runs in Node; loads no native bridge of Temporal's.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { createDataConverter, Dispatcher, openSqliteStore, readConfig, Turnkeep } from 'turnkeep';
 *
 *     const { codecKeys, taskQueue, limits } = readConfig({ env: process.env });
 *     const { workflow: workflows } = new Client({ dataConverter: createDataConverter(codecKeys) });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const dispatcher = new Dispatcher({ workflows, taskQueue, store, limits, isEager: false });
 *     const turnkeep = new Turnkeep({ store, dispatcher });
 */
export { Dispatcher, type DispatcherOptions } from './client/dispatcher.ts';
export type { Submission } from './client/submission.ts';
export type { SubmitResult } from './client/submit-turn.ts';
export type { CancelResult } from './client/cancel-turn.ts';
export { Turnkeep, type TurnkeepOptions } from './client/turnkeep.ts';
export { createDataConverter } from './codec/data-converter.ts';
export { type Config, ConfigError } from './config/config.ts';
export { readConfig } from './config/read-config.ts';
export { type FailureCode, failureRules } from './domain/failure.ts';
export { type Gateway, type GatewayOptions, startGateway } from './roles/gateway.ts';
export { openPostgresStore } from './store/postgres/open-store.ts';
export { openSqliteStore } from './store/sqlite/open-store.ts';
export type { Store } from './store/ports/store.ts';
