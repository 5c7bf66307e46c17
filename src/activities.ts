/**
 * `turnkeep/activities`: what the workflows of turns call, to be run by a worker of one's own. Runs in Node; loads no native
 * bridge, but `Worker.create` of `@temporalio/worker` does.
 *
 * @example
 *     import { createActivities, createProvider, openSqliteStore } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider } = readConfig({ env: process.env });
 *     const activities = createActivities({
 *       store: openSqliteStore('/var/lib/turnkeep/turnkeep.db'),
 *       provider: createProvider({ ...provider, limits }),
 *       limits,
 *     });
 */
export { type ActivityDeps, createActivities } from './activities/create-activities.ts';
export type { RecordedTurn, SettleTurnInput, StreamFailureDetails, StreamModelInput, TurnActivities } from './contract/activities.ts';
export { createProvider } from './providers/create-provider.ts';
export type { Provider } from './providers/provider.ts';
export { openSqliteStore } from './store/sqlite/open-store.ts';
export type { Store } from './store/ports/store.ts';
