/** All that is known of a turn, from the database alone: what `timelineOf` makes its report of. */
import type { TimelineFacts } from '../domain/turn/timeline.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Turnkeep } from './turnkeep.ts';

/** @param turn that its tenant may see */
export async function readTimeline(turnkeep: Turnkeep, turn: TurnRow): Promise<Omit<TimelineFacts, 'temporalUi'>> {
  const response = turn.erasedBy === null ? await turnkeep.readResponse(turn) : undefined;
  const [attempts, toolCalls, parent, children, webhook] = await Promise.all([
    turnkeep.readAttempts(turn.id),
    turnkeep.readToolCalls(turn.id),
    turnkeep.readCaller(turn),
    turnkeep.readChildren(turn.id),
    turnkeep.readWebhook(turn.id),
  ]);
  return { turn, attempts, toolCalls, parent, children, response, webhook };
}
