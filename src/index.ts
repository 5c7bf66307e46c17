/**
 * turnkeep as a library: the client that an application talks to, and the roles to run in a process of one's own.
 *
 * @example
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const dispatcher = new Dispatcher({ workflows: temporalClient.workflow, taskQueue: 'turnkeep', isEager: false });
 *     const turnkeep = new Turnkeep({ store, dispatcher });
 */
export { Dispatcher, type DispatcherOptions } from './client/dispatcher.ts';
export type { Submission, SubmitResult } from './client/submission.ts';
export type { CancelResult } from './client/cancel-turn.ts';
export { Turnkeep, type TurnkeepOptions } from './client/turnkeep.ts';
export { createDataConverter } from './codec/data-converter.ts';
export { type Config, ConfigError, readConfig } from './config/config.ts';
export { type FailureCode, failureRules } from './domain/failure.ts';
export { type Gateway, type GatewayOptions, startGateway } from './roles/gateway.ts';
export { openSqliteStore } from './store/sqlite/open-store.ts';
export type { Store } from './store/ports/store.ts';
export { startWorker, type TurnWorker, type WorkerDeps } from './roles/worker.ts';
