/**
 * `turnkeep/activities`: what the workflows of turns call, to be run by a worker of one's own. Runs in Node; loads no native
 * bridge, but `Worker.create` of `@temporalio/worker` does.
 *
 * @example
 *     import { createActivities, createProvider, openSqliteStore, RunningAttempts } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider: options } = readConfig({ env: process.env });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const provider = createProvider({ ...options, limits });
 *     const onReady = (turn: string): void => console.log(`${turn} is to be dispatched`);
 *     const onError = console.error;
 *     const attempts = new RunningAttempts({ store, provider, limits, onReady, onError });
 *     const activities = createActivities({ store, provider, attempts, onReady, onError });
 */
export { type AttemptLimits, RunningAttempts, type RunningAttemptsOptions } from './activities/attempt/running-attempts.ts';
export { type ActivityDeps, createActivities } from './activities/create-activities.ts';
export type { SettleTurnInput, StreamFailureDetails, StreamModelInput, TurnActivities } from './contract/activities.ts';
export { createProvider } from './providers/create-provider.ts';
export type { Provider } from './providers/provider.ts';
export { openPostgresStore } from './store/postgres/open-store.ts';
export { openSqliteStore } from './store/sqlite/open-store.ts';
export type { Store } from './store/ports/store.ts';
