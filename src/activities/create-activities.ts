/** The activities with what they need: the one place where they meet the database and the provider. */
import { settleTurn } from '../store/settle-turn.ts';
import type { TurnActivities } from './activities.ts';
import { recordInput, type RecordInputDeps } from './record-input.ts';
import { streamModel, type StreamModelDeps } from './stream-model.ts';
import { writeTitle, type WriteTitleDeps } from './write-title.ts';

export type ActivityDeps = RecordInputDeps & StreamModelDeps & WriteTitleDeps;

export function createActivities(deps: ActivityDeps): TurnActivities {
  return {
    recordInput: (input) => recordInput(deps, input),
    writeTitle: (input) => writeTitle(deps, input),
    streamModel: (input) => streamModel(deps, input),
    async settleTurn({ turn, end }) {
      // It was not to be stored, got its end from elsewhere and was dropped: asked again and again, its session would hang.
      if ((await deps.store.readTurn(turn)) === undefined) return { status: 'failed', code: 'internal_error' };
      return settleTurn(deps.store, turn, end, Date.now());
    },
  };
}
