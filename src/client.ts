/**
 * `turnkeep/client`: submits, follows and cancels turns, without HTTP. Runs in Node; of Temporal it loads the client alone,
 * which is JavaScript: no native bridge.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { Dispatcher, openSqliteStore, Turnkeep } from 'turnkeep/client';
 *
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const limits = { heartbeatTimeoutMs: 8_000, turnTimeoutMs: 3_600_000 };
 *     const workflows = new Client().workflow;
 *     const dispatcher = new Dispatcher({ workflows, taskQueue: 'turnkeep', store, limits, isEager: false });
 *     const turnkeep = new Turnkeep({ store, dispatcher });
 *     await turnkeep.cancel('default', 'resp_1');
 */
export { Dispatcher, type DispatcherOptions } from './client/dispatcher.ts';
export type { Submission } from './client/submission.ts';
export type { SubmitResult } from './client/submit-turn.ts';
export type { CancelResult } from './client/cancel-turn.ts';
export { Turnkeep, type TurnkeepOptions } from './client/turnkeep.ts';
export { defaultSettings } from './domain/response/response-settings.ts';
export { createDataConverter } from './codec/data-converter.ts';
export { openPostgresStore } from './store/postgres/open-store.ts';
export { openSqliteStore } from './store/sqlite/open-store.ts';
export type { Store } from './store/ports/store.ts';
