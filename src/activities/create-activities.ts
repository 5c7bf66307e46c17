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
    settleTurn: ({ turn, end }) => settleTurn(deps.store, turn, end, Date.now()),
  };
}
