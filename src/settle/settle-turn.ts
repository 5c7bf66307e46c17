/**
 * Gives a turn its end from outside its stream: fences whoever wrote it, closes in the journal what is still
 * open, and seals (T5, T6). Whoever comes second adopts the end that is there.
 */
import type { TurnStatus, RequestedOutcome } from '../domain/turn-state.ts';
import { type Failure, failureOf } from '../domain/failure.ts';
import { journalRowOf, type ResponseEvent } from '../domain/response-event.ts';
import { ResponseStream } from '../domain/response-stream.ts';
import type { TurnOutcome } from '../domain/turn-outcome.ts';
import type { AttemptRow } from '../domain/attempt.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { Seal, Store } from '../store/ports/store.ts';

export async function settleTurn(store: Store, id: string, end: RequestedOutcome, atMs: number): Promise<TurnStatus> {
  for (;;) {
    const { epoch, settled } = await store.fence(id);
    if (settled !== undefined) return settled;
    const turn = await store.readTurn(id);
    if (turn === undefined) throw new Error(`no turn ${id}`);
    const stream = await readStream(store, id);
    const seal = sealOf(turn, stream, epoch, await outcomeOf(store, turn, end), atMs);
    if (await store.seal(seal)) return seal.settled;
    // Refused: somebody fenced us in turn, or sealed it. Look again.
  }
}

/** Takes the stream of a turn up from its journal. */
export async function readStream(store: Store, turn: string): Promise<ResponseStream> {
  const rows = await store.readJournal(turn);
  return ResponseStream.replay(rows.map((row) => JSON.parse(row.data) as ResponseEvent));
}

/** The seal that ends a stream: its closing events, and what the turn's row and its items become. */
export function sealOf(turn: TurnRow, stream: ResponseStream, epoch: number, end: TurnOutcome, atMs: number): Seal {
  const rows = stream.end(end, atMs).map(journalRowOf);
  const { response } = stream;
  const failure = end.status === 'failed' ? end.failure : undefined;
  return {
    turn: turn.id,
    isStored: turn.isStored,
    epoch,
    rows,
    response,
    output: response.output,
    settled: { status: end.status, code: failure?.code ?? null },
    atMs,
    usage: end.usage,
    ...(failure?.retryAtMs === undefined ? {} : { retryAtMs: failure.retryAtMs }),
  };
}

async function outcomeOf(store: Store, turn: TurnRow, end: RequestedOutcome): Promise<TurnOutcome> {
  const attempts = await store.readAttempts(turn.id);
  // Of the request that gave what there is; what earlier ones cost is lost usage.
  const usage = attempts.at(-1)?.usage ?? null;
  // An accepted cancel wins over whatever went wrong before it could be carried out.
  if (end.status === 'cancelled' || turn.cancelRequestedAtMs !== null) return { status: 'cancelled', usage };
  return { status: 'failed', failure: withKnownFacts(attempts, end.failure), usage };
}

/** The failure with what the database knows of it: whether anything had started, and the provider's own words. */
function withKnownFacts(attempts: readonly AttemptRow[], failure: Failure): Failure {
  if (failure.code === 'worker_lost' && !attempts.some((attempt) => attempt.firstEventAtMs !== undefined)) {
    return failureOf('transport_failed');
  }
  const words = attempts.at(-1)?.code === failure.code ? attempts.at(-1)?.message : undefined;
  return words === undefined ? failure : { ...failure, message: `${failure.message} The provider said: ${words}` };
}
