/**
 * One attempt, from a granted claim to its result: builds the prompt, sends the request, and streams the answer into the
 * turn's journal. The journal decides what may happen, not this process: a write that it refuses ends the attempt (T7).
 */
import { afterCompaction } from '../../domain/compaction.ts';
import { asksFor, encryptedReasoning, type ModelFinish, type ModelRequest, startsStep } from '../../domain/model.ts';
import { promptOf } from '../../domain/prompt.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import { withoutRefused } from '../../domain/refused-input.ts';
import { ResponseStream } from '../../domain/response-stream.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AbortReason } from './abort-reason.ts';
import type { AttemptResult } from './attempt-result.ts';
import { JournalWriter } from './journal-writer.ts';
import { type AttemptState, resolveAttempt, sealFinished } from './resolve-attempt.ts';
import type { GrantedClaim, RunningAttemptsOptions } from './running-attempts.ts';

export interface AttemptInput {
  readonly claim: GrantedClaim;
  readonly step: number;
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal;
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
  /** Aborts when the user has said more. */
  readonly steered: AbortSignal;
  /** Has the lease run out without a beat that renewed it, by the clock of this process? */
  readonly isLeaseOver: () => boolean;
}

/** @returns the end of the step, or a failure that says whether the next attempt may ask again */
export async function runAttempt(
  options: RunningAttemptsOptions,
  { claim, step, signal, steered, abort, isLeaseOver }: AttemptInput,
): Promise<AttemptResult> {
  const { store, limits, onReady } = options;
  const key = { turn: claim.turn.id, step, attempt: claim.attempt };
  const stream = ResponseStream.replay(claim.events);
  stream.sealsFields = asksFor(claim.turn.settings, encryptedReasoning);
  const writer = new JournalWriter({
    store,
    turn: claim.turn,
    epoch: claim.epoch,
    attempt: key,
    stream,
    maxOutputBytes: limits.maxOutputBytes,
    abort,
  });
  steered.addEventListener('abort', () => {
    writer.steer();
  });
  const leftMs = limits.turnTimeoutMs - claim.readySinceMs;
  const attempt: AttemptState = { store, writer, key, epoch: claim.epoch, onReady, deadlineAt: performance.now() + leftMs, usage: null };
  try {
    return await sealFinished(attempt, await streamInto(attempt, options, { turn: claim.turn, signal, abort, isLeaseOver }));
  } catch (error) {
    // Our own signal tells why, whatever error its abort brought about.
    const cause: unknown = signal.aborted ? signal.reason : error;
    return await resolveAttempt(attempt, cause);
  } finally {
    writer.abandon();
  }
}

/** Streams the answer into the journal, up to the provider's own finish, without which no answer is whole (T8). */
async function streamInto(
  attempt: AttemptState,
  { store, provider }: RunningAttemptsOptions,
  { turn, signal, abort, isLeaseOver }: Pick<AttemptInput, 'signal' | 'abort' | 'isLeaseOver'> & { readonly turn: TurnRow },
): Promise<ModelFinish> {
  const { writer } = attempt;
  const request = await modelRequest(store, turn, provider.api);
  const stream = provider.stream(request, signal, {
    // A process that stood still since its claim may have lost the turn (T2), and a cancel may have been accepted (T5).
    beforeSend: async () => {
      const head = await retryWhileBusy(() => store.readHead(turn.id), signal);
      if (head?.epoch !== attempt.epoch) abort('fenced');
      else if (await isCancelRequested(store, turn.id, signal)) abort('cancelled');
      signal.throwIfAborted();
    },
    maySend: () => {
      if (isLeaseOver()) abort('fenced');
      return !signal.aborted;
    },
    onRequestId: (id) => {
      writer.providerRequestId = id;
    },
    onUsage: (usage) => {
      attempt.usage = usage;
    },
  });
  for await (const event of stream) {
    if (event.type === 'delta') {
      // Some servers state a finish with every chunk: it is one if no content follows.
      if (attempt.finish !== undefined && startsStep(event.delta)) delete attempt.finish;
      await writer.write(event.delta);
      // A delta that was not taken: what the provider says behind it proves nothing.
      signal.throwIfAborted();
    } else if (event.type === 'finish') attempt.finish = event.finish;
    else if (event.type === 'service_tier') attempt.serviceTier = event.serviceTier;
    else attempt.usage = event.usage;
  }
  if (attempt.finish === undefined) throw new Error('a provider ends its stream with a finish or throws');
  return attempt.finish;
}

async function modelRequest(store: Store, turn: TurnRow, api: ProviderApi): Promise<ModelRequest> {
  const { model } = turn.settings;
  const past = withoutRefused(await store.readTranscript(turn.id), model);
  const { turns, input } = afterCompaction({ turns: past, input: await store.readInput(turn.id) }, api);
  return { settings: turn.settings, items: promptOf(turns, input, model) };
}

async function isCancelRequested(store: Store, turn: string, signal: AbortSignal): Promise<boolean> {
  const row = await retryWhileBusy(() => store.readTurn(turn), signal);
  return row?.cancelRequestedAtMs != null;
}
