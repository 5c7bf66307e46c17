/** The activities with what they need: the one place where they meet the database and the provider. */
import type { TurnActivities } from '../contract/activities.ts';
import { recordInput, type RecordInputDeps } from './record-input.ts';
import { settleTurn } from './settle-turn.ts';
import type { RunAttemptDeps } from './stream-model/run-attempt.ts';
import { streamModel } from './stream-model/stream-model.ts';
import { writeTitle, type WriteTitleDeps } from './write-title.ts';

export type ActivityDeps = RecordInputDeps & RunAttemptDeps & WriteTitleDeps;

/**
 * The activities of a turn, to register with a Temporal worker.
 *
 * @example
 *     import { createActivities, createProvider, openSqliteStore } from 'turnkeep/activities';
 *     import { readConfig } from 'turnkeep/config';
 *
 *     const { limits, provider } = readConfig({ env: process.env });
 *     const store = openSqliteStore('/var/lib/turnkeep/turnkeep.db');
 *     const activities = createActivities({ store, provider: createProvider({ ...provider, limits }), limits });
 */
export function createActivities(deps: ActivityDeps): TurnActivities {
  return {
    recordInput: (input) => recordInput(deps, input),
    streamModel: (input) => streamModel(deps, input),
    settleTurn: (input) => settleTurn(deps, input),
    writeTitle: (input) => writeTitle(deps, input),
  };
}
