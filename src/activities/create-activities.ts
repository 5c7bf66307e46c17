/** The activities with what they need: the one place where they meet the database and the provider. */
import { settleTurn } from '../settle/settle-turn.ts';
import type { TurnActivities } from '../contract/activities.ts';
import { recordInput, type RecordInputDeps } from './record-input.ts';
import { streamModel, type StreamModelDeps } from './stream-model/stream-model.ts';
import { writeTitle, type WriteTitleDeps } from './write-title.ts';

export type ActivityDeps = RecordInputDeps & StreamModelDeps & WriteTitleDeps;

export function createActivities(deps: ActivityDeps): TurnActivities {
  return {
    recordInput: (input) => recordInput(deps, input),
    writeTitle: (input) => writeTitle(deps, input),
    streamModel: (input) => streamModel(deps, input),
    settleTurn: async ({ turn, end }) => {
      // Not to be stored, ended by somebody else and purged since: it has had its end, and asking again cannot help.
      if ((await deps.store.readTurn(turn)) === undefined)
        return { status: end.status, code: end.status === 'failed' ? end.failure.code : null };
      return settleTurn(deps.store, turn, end, Date.now());
    },
  };
}
