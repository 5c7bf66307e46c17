/**
 * turnkeep as a library: the client that an application talks to, and the roles to run in a process of one's own.
 *
 * @example
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const delivery = new Delivery({ workflows: temporalClient.workflow, taskQueue: 'turnkeep', isEager: false });
 *     const turnkeep = new Turnkeep({ store, delivery });
 */
export { Delivery, type DeliveryOptions } from './client/delivery.ts';
export { type CancelResult, type Submission, type SubmitResult, Turnkeep, type TurnkeepOptions } from './client/turnkeep.ts';
export { createDataConverter } from './codec/data-converter.ts';
export { type Config, ConfigError, readConfig } from './config.ts';
export { type FailureCode, failureRules } from './domain/failure.ts';
export { type Gateway, type GatewayDeps, startGateway } from './server.ts';
export { openSqliteStore } from './store/sqlite.ts';
export type { Store } from './store/store.ts';
export { startWorker, type TurnWorker, type WorkerDeps } from './worker.ts';
