/**
 * One attempt, from a granted claim to its result: builds the prompt, sends the request, and streams the answer into the
 * turn's journal. The journal decides what may happen, not this process: a write that it refuses ends the attempt (T7).
 */
import type { ModelFinish, ModelRequest } from '../../domain/model.ts';
import { promptOf } from '../../domain/prompt.ts';
import { ResponseStream } from '../../domain/response-stream.ts';
import type { TurnOutcome } from '../../domain/turn-outcome.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Provider } from '../../providers/provider.ts';
import type { Claim, Store } from '../../store/ports/store.ts';
import type { AttemptMonitor } from './attempt-monitor.ts';
import type { AttemptResult } from './attempt-result.ts';
import { FencedError, JournalWriter } from './journal-writer.ts';
import { resolveAttempt, type RunningAttempt, sealAttempt } from './resolve-attempt.ts';

export interface RunAttemptDeps {
  readonly store: Store;
  readonly provider: Provider;
}

export type GrantedClaim = Extract<Claim, { type: 'granted' }>;

/**
 * @param monitor gathers every reason to stop into one signal
 * @returns the end of the step, or a failure that says whether the next attempt may ask again
 */
export async function runAttempt(
  { store, provider }: RunAttemptDeps,
  claim: GrantedClaim,
  step: number,
  monitor: AttemptMonitor,
): Promise<AttemptResult> {
  const key = { turn: claim.turn.id, step, attempt: claim.attempt };
  const writer = new JournalWriter({
    store,
    turn: claim.turn,
    epoch: claim.epoch,
    attempt: key,
    stream: ResponseStream.replay(claim.events),
    onFailure: (error) => {
      monitor.abort(error instanceof FencedError ? 'fenced' : 'store_failed', error);
    },
  });
  const attempt: RunningAttempt = { store, writer, key, usage: null };
  monitor.guard(store, claim.turn.id, claim.epoch);
  try {
    await writer.begin();
    const request = await modelRequest(store, claim.turn);
    const finish = await streamInto(attempt, provider, request, monitor.signal);
    const outcome = outcomeOf(finish, attempt);
    return await sealAttempt(attempt, outcome, { endedAtMs: Date.now(), outcome: outcome.status });
  } catch (error) {
    return await resolveAttempt(attempt, monitor.reason(error));
  } finally {
    writer.abandon();
  }
}

async function modelRequest(store: Store, turn: TurnRow): Promise<ModelRequest> {
  return { settings: turn.settings, items: promptOf(await store.readTranscript(turn.id), turn.input) };
}

/** Streams the answer into the journal and returns the provider's own finish, without which no answer is whole (T8). */
async function streamInto(attempt: RunningAttempt, provider: Provider, request: ModelRequest, signal: AbortSignal): Promise<ModelFinish> {
  const { writer } = attempt;
  let finish: ModelFinish | undefined;
  const stream = provider.stream(request, signal, {
    onRequestId: (id) => {
      writer.providerRequestId = id;
    },
    onUsage: (usage) => {
      attempt.usage = usage;
    },
  });
  for await (const event of stream) {
    if (event.type === 'delta') await writer.write(event.delta);
    else if (event.type === 'finish') finish = event.finish;
    else attempt.usage = event.usage;
  }
  if (finish === undefined) throw new Error('a provider ends its stream with a finish or throws');
  return finish;
}

function outcomeOf(finish: ModelFinish, { usage }: RunningAttempt): TurnOutcome & { status: 'completed' | 'incomplete' } {
  return finish.status === 'completed'
    ? { status: 'completed', usage }
    : { status: 'incomplete', reason: finish.reason ?? 'max_output_tokens', usage };
}
