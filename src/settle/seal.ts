/** The seal of a turn: the last events of its stream, and what its row and its items become in the same commit (T6). */
import { makerOf } from '../domain/response/hidden-reasoning.ts';
import { journalRowOf } from '../domain/response/response-event.ts';
import type { ResponseStream } from '../domain/response/response-stream.ts';
import type { TurnOutcome } from '../domain/turn/turn-outcome.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Seal } from '../store/ports/store.ts';

/**
 * Ends the stream, and says what to write. `epoch` is the writer's own: an older one is refused (T7).
 * @param atMs when the turn ends, ms since the epoch
 */
export function sealOf(turn: TurnRow, stream: ResponseStream, epoch: number, outcome: TurnOutcome, atMs: number): Seal {
  const rows = stream.end(outcome, atMs).map(journalRowOf);
  const failure = outcome.status === 'failed' ? outcome.failure : undefined;
  return {
    turn: turn.id,
    isStored: turn.isStored,
    epoch,
    rows,
    output: stream.output,
    hidden: stream.hidden.take(makerOf(turn.settings)),
    settled: { status: outcome.status, code: failure?.code ?? null },
    winsOverCancel: isOfProvider(outcome),
    usage: outcome.usage,
    ...(failure?.retryAtMs === undefined ? {} : { retryAtMs: failure.retryAtMs }),
  };
}

/** Has the provider ended its answer? A steer ends it from our side, as a failure does: an accepted cancel comes before both (T5). */
function isOfProvider(outcome: TurnOutcome): boolean {
  return outcome.status !== 'failed' && !(outcome.status === 'incomplete' && outcome.reason === 'steered');
}
