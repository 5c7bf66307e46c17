/**
 * Answers that their provider keeps (`Provider.background`): asked for so that another process can read them on, booked before
 * anything of them is shown, stopped by a request where nobody is to read them any more (T5).
 */
import { outOfTime, overBudget, type Exceeded } from '../../domain/turn/budget.ts';
import { type Failure, failureOf } from '../../domain/failure.ts';
import type { ModelEvent, ModelFailure, ModelRequest } from '../../domain/model.ts';
import { OtherAnswerError, Reread } from '../../domain/response/reread.ts';
import type { ResponseEvent } from '../../domain/response/response-event.ts';
import { ResponseStream } from '../../domain/response/response-stream.ts';
import { type BackgroundCallbacks, type Provider, type ProviderCallbacks, ProviderError } from '../../providers/provider.ts';
import { eventOf, readPages } from '../../settle/read-stream.ts';
import { settleDead } from '../../settle/settle-turn.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import { providerFor } from './agents.ts';
import type { AttemptResult } from './attempt-result.ts';
import { type AttemptState, bookEnd, overMs } from './attempt-state.ts';
import { FencedError } from './journal-writer.ts';
import { passOn } from './pass-on.ts';
import { resolveAttempt } from './resolve-attempt.ts';
import type { GrantedClaim, RunningAttemptsOptions } from './running-attempts.ts';

/** The turn of an attempt that another process goes on with. */
export interface TakenUp {
  /** As it stood before the answer. */
  readonly stream: ResponseStream;
  readonly reread: Reread;
  /** Of the journal, the next row. */
  readonly nextSeq: number;
  /** Has the attempt started its step? */
  readonly hasStarted: boolean;
  /** Before anything of it is read, it may have to be passed on again, or to be stopped (T5). */
  readonly keptAnswer: NonNullable<AttemptState['keptAnswer']>;
}

/** @returns undefined: the claim is for a request of its own */
export async function takeUp(
  { store, agents, provider }: Pick<RunningAttemptsOptions, 'store' | 'agents' | 'provider'>,
  claim: GrantedClaim,
  step: number,
): Promise<TakenUp | undefined> {
  if (claim.type !== 'granted' || claim.response === undefined) return undefined;
  const { turn, attempt, response } = claim;
  const before: ResponseEvent[] = [];
  const told: ResponseEvent[] = [];
  for await (const rows of readPages(store, turn.id, -1)) {
    for (const row of rows) (row.seq <= response.after ? before : told).push(eventOf(row));
  }
  const attempts = await retryWhileBusy(() => store.readAttempts(turn.id));
  const booked = attempts.find((row) => row.step === step && row.attempt === attempt);
  const reread = new Reread(told);
  const stop = async (): Promise<void> => providerFor(agents, provider, turn.settings).background?.cancel(response.id);
  return {
    stream: ResponseStream.replay(before, reread),
    reread,
    nextSeq: before.length + told.length,
    hasStarted: booked?.firstEventAtMs !== undefined,
    keptAnswer: { isBooked: true, stop },
  };
}

export interface Asking {
  readonly provider: Provider;
  readonly request: ModelRequest;
  readonly claim: GrantedClaim;
  readonly signal: AbortSignal;
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
  readonly callbacks: ProviderCallbacks;
  /** Of the journal's last row. */
  readonly lastSeq: () => number;
}

/** Sends the request, or reads on the answer to the one that was sent before. Throws as `Provider.stream` does. */
export function answerOf(attempt: AttemptState, asking: Asking): AsyncIterable<ModelEvent> {
  const { provider, request, claim, signal, callbacks } = asking;
  const { background } = provider;
  const response = claim.type === 'granted' ? claim.response : undefined;
  if (response !== undefined) return readOn(attempt, asking, response.id);
  // What compacts is several requests, or none of this kind; what is not to be stored must be kept by nobody.
  const isKept = background !== undefined && claim.turn.settings.store && request.settings.compacts === undefined;
  if (!isKept) return provider.stream(request, signal, callbacks);
  return background.start(
    request,
    signal,
    withBooking(attempt, asking, (id) => background.cancel(id)),
  );
}

/** The whole answer, from its beginning. Where it cannot be had, the law stands: what has started is lost, the rest is asked again. */
async function* readOn(attempt: AttemptState, asking: Asking, id: string): AsyncGenerator<ModelEvent, void, undefined> {
  const { provider, request, signal } = asking;
  const { background } = provider;
  try {
    if (background === undefined) throw new ProviderError({ ...failureOf('transport_failed'), detail: 'not_reattached' });
    yield* background.readOn(
      id,
      request,
      signal,
      withBooking(attempt, asking, (known) => background.cancel(known)),
    );
  } catch (error) {
    if (!(error instanceof ProviderError) || error.failure.code !== 'transport_failed' || !attempt.writer.hasStarted) throw error;
    const { detail } = error.failure;
    throw new ProviderError({ ...failureOf('worker_lost'), ...(detail === undefined ? {} : { detail }) });
  }
}

function withBooking(
  attempt: AttemptState,
  { callbacks, abort, lastSeq, signal }: Asking,
  cancel: (id: string) => Promise<void>,
): BackgroundCallbacks {
  const { store, key, epoch } = attempt;
  return {
    ...callbacks,
    onResponseId: async (id) => {
      // One that was taken up stays booked, also while it is booked again.
      attempt.keptAnswer = { isBooked: attempt.keptAnswer?.isBooked === true, stop: () => cancel(id) };
      try {
        const response = { id, after: lastSeq() };
        const isBooked = await retryWhileBusy(() => store.bookKeptResponse({ ...key, epoch, response }), signal);
        if (isBooked) attempt.keptAnswer = { ...attempt.keptAnswer, isBooked };
        else abort('fenced');
      } catch (error) {
        abort('store_failed', error);
      }
    },
    onReattached: (each) => {
      const reattachment = { atMs: Date.now(), ...each };
      // For people who look at the turn: nothing waits for it.
      store.noteReattachment({ ...key, epoch, reattachment }).catch(() => undefined);
    },
  };
}

/** The provider has ended its answer: all that the journal has of it must have come again. @throws `OtherAnswerError` */
export async function assertCaughtUp(attempt: AttemptState, reread: Reread): Promise<void> {
  await attempt.writer.flush();
  if (!reread.isBehind) return;
  delete attempt.finish;
  throw new OtherAnswerError();
}

/**
 * The end of an attempt that has not read again all that is in the journal. What it has made of it counts for nothing: the turn
 * is ended as the journal has it, or left to another process.
 */
export async function resolveBehind(attempt: AttemptState, thrown: unknown): Promise<AttemptResult> {
  // What a write that nobody waited for came to is told by an abort.
  const cause = thrown instanceof AttemptAborted && thrown.cause instanceof OtherAnswerError ? thrown.cause : thrown;
  const { store, key, epoch, onReady } = attempt;
  const reason = cause instanceof AttemptAborted ? cause.reason : undefined;
  if (reason === 'shutdown') return passOn(attempt);
  // The journal is another one's, or cannot be written.
  if (reason === 'fenced' || reason === 'store_failed' || cause instanceof FencedError) return resolveAttempt(attempt, cause);
  const failure = failureBehind(attempt, cause);
  const endedAtMs = Date.now();
  const end =
    reason === 'cancelled'
      ? ({ endedAtMs, outcome: 'cancelled' } as const)
      : ({ endedAtMs, outcome: 'failed', code: failure.code, ...('detail' in failure ? { detail: failure.detail } : {}) } as const);
  await bookEnd(attempt, end);
  const requested = reason === 'cancelled' ? ({ status: 'cancelled' } as const) : ({ status: 'failed', failure } as const);
  // The lease ended with the attempt. One that stood still ends no turn of whoever has claimed it since, and reads on.
  const settled = await retryWhileBusy(() => settleDead({ store, onReady }, { turn: key.turn, epoch }, requested));
  if (settled === undefined) return resolveAttempt(attempt, new AttemptAborted('fenced'));
  return { type: 'ended', step: { type: 'final', turn: settled }, ...(failure.code === 'internal_error' ? { cause } : {}) };
}

function failureBehind(attempt: AttemptState, cause: unknown): Failure | ModelFailure {
  if (cause instanceof ProviderError) return cause.failure;
  if (cause instanceof OtherAnswerError) return { ...failureOf('worker_lost'), detail: 'another_answer' };
  if (!(cause instanceof AttemptAborted)) return failureOf('internal_error');
  if (cause.reason === 'deadline') return outOfTime(attempt.budget, overMs(attempt));
  if (cause.reason === 'over_budget') return overBudget(cause.cause as Exceeded);
  return failureOf(cause.reason === 'output_too_large' ? 'output_too_large' : 'worker_lost');
}

/** Its provider goes on with an answer that nobody will read until it is told to stop: the socket alone stops no bill (T5). */
export function stopUnread({ keptAnswer, finish }: AttemptState, result: AttemptResult, cause: unknown): void {
  if (keptAnswer === undefined || finish !== undefined) return;
  // Whoever has fenced this attempt reads the answer on, or has stopped it, unless nobody else knows of it.
  if (result.type === 'ended' && result.isAdopted === true && keptAnswer.isBooked) return;
  // Of a failure without an end of the turn, the next request is this attempt's own doing, or somebody else has the answer.
  const isGivenUp = result.type === 'failed' && (result.requestsMade ?? 0) > 0;
  const isOurs = !(cause instanceof AttemptAborted && cause.reason === 'store_failed' && result.type === 'failed');
  if (isOurs && (result.type === 'ended' || isGivenUp)) keptAnswer.stop().catch(() => undefined);
}
