/**
 * Gives a turn its end from outside of its stream: fences whoever writes it, closes in the journal what is still open,
 * and seals (T5, T6). Whoever comes second adopts the end that is there.
 */
import { type AttemptRow, usageOf } from '../domain/turn/attempt.ts';
import { outOfTime } from '../domain/turn/budget.ts';
import { type Failure, failureOf } from '../domain/failure.ts';
import type { TurnOutcome } from '../domain/turn/turn-outcome.ts';
import type { RequestedOutcome, TurnStatus } from '../domain/turn/turn-state.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { DeadHolder, Fence } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';
import { readStream } from './read-stream.ts';
import type { RunningStreams } from './running-streams.ts';
import { sealOf } from './seal.ts';

export interface SettleDeps {
  readonly store: Pick<Store, 'fence' | 'readTurn' | 'readAttempts' | 'readJournal' | 'seal'>;
  /** Streams that are in memory, if the process keeps any. */
  readonly streams?: RunningStreams;
  /** The next turn of the session has become ready: it is to be dispatched. */
  readonly onReady: (turn: string) => void;
}

/** @throws `StoreBusyError` when the database cannot take it now, an `Error` when there is no such turn. */
export async function settleTurn(deps: SettleDeps, id: string, requested: RequestedOutcome): Promise<TurnStatus> {
  return settleBehind(deps, id, await deps.store.fence(id), requested);
}

/**
 * Settles a turn whose holder is taken for dead. Resolves with undefined, and nothing is changed, where it has renewed its
 * lease since: between a look and this, whoever looked may have stood still, and whoever stood still may have woken.
 * @throws as `settleTurn`
 */
export async function settleDead(
  deps: SettleDeps,
  { turn, epoch }: DeadHolder & { readonly turn: string },
  requested: RequestedOutcome,
): Promise<TurnStatus | undefined> {
  const fence = await deps.store.fence(turn, { epoch });
  return fence === undefined ? undefined : settleBehind(deps, turn, fence, requested);
}

async function settleBehind(
  { store, streams, onReady }: SettleDeps,
  id: string,
  first: Fence,
  requested: RequestedOutcome,
): Promise<TurnStatus> {
  for (let { epoch, settled } = first; ; { epoch, settled } = await store.fence(id)) {
    if (settled !== undefined) return settled;
    const turn = await store.readTurn(id);
    if (turn === undefined) throw new Error(`no turn ${id}`);
    // Behind the fence nobody writes any more, unless with a higher epoch.
    const stream = streams === undefined ? await readStream(store, id) : await streams.take(id);
    const seal = sealOf(turn, stream, epoch, await outcomeOf(store, turn, requested), Date.now());
    const result = await store.seal(seal);
    if (result.type === 'sealed') {
      if (result.next !== undefined) onReady(result.next);
      return seal.settled;
    }
    // Another one has raised the epoch meanwhile, or sealed the turn, or a cancel was accepted: look again.
  }
}

async function outcomeOf(store: SettleDeps['store'], turn: TurnRow, requested: RequestedOutcome): Promise<TurnOutcome> {
  const attempts = await store.readAttempts(turn.id);
  const usage = usageOf(attempts);
  // An accepted cancel wins over every failure that is not sealed yet (T5).
  if (requested.status === 'cancelled' || turn.cancelRequestedAtMs !== null) return { status: 'cancelled', usage };
  // The workflow knows when a turn's time is over, and not what has limited it.
  const failure = requested.failure.code === 'turn_timeout' ? outOfTime(turn.settings.budget) : requested.failure;
  return { status: 'failed', failure: withKnownFacts(attempts, failure), usage };
}

/** The failure with what the database knows: whether anything had started, and the provider's own message. */
function withKnownFacts(attempts: readonly AttemptRow[], failure: Failure): Failure {
  if (failure.code === 'worker_lost' && !attempts.some((attempt) => attempt.firstEventAtMs !== undefined)) {
    return failureOf('transport_failed');
  }
  const last = attempts.at(-1);
  // Its answer began behind the look that found its requests spent, and before the fence.
  if (failure.code === 'transport_failed' && last?.firstEventAtMs !== undefined && last.endedAtMs === undefined) {
    return failureOf('worker_lost');
  }
  const providerMessage = last?.code === failure.code ? last.message : undefined;
  return providerMessage === undefined ? failure : { ...failure, message: `${failure.message} The provider said: ${providerMessage}` };
}
