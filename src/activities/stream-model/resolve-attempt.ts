/**
 * What becomes of an attempt that did not reach its end: a seal, an end adopted from somebody else, or the failure
 * that tells Temporal by its type whether to try again (T3, T4).
 */
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { TurnStatus } from '../../domain/turn-state.ts';
import { failureOf, failureRules } from '../../domain/failure.ts';
import type { ModelFailure } from '../../domain/model.ts';
import type { Usage } from '../../domain/response.ts';
import type { TurnOutcome } from '../../domain/turn-outcome.ts';
import { busyWaitMs, delayBeforeMs, requestsPerStep } from '../../domain/retry-policy.ts';
import { ProviderError } from '../../providers/provider.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AttemptEnd, AttemptKey } from '../../domain/attempt.ts';
import type { Claim, Store } from '../../store/ports/store.ts';
import type { StreamFailureDetails } from '../../contract/activities.ts';
import { FencedError, type JournalWriter } from './journal-writer.ts';
import { AttemptAborted } from './abort-reason.ts';

/** The wait that hands a request on to another worker: 0 would mean "the longest" to Temporal. */
const handOverDelayMs = 1;

/** What a request has cost, as far as the provider said it. */
export interface Cost {
  usage: Usage | null;
}

export function usageOf({ usage }: Cost): Pick<AttemptEnd, 'usage'> {
  return usage === null ? {} : { usage };
}

export class FailedAttempt {
  readonly #store: Store;
  readonly #writer: JournalWriter;
  readonly #claim: Claim & { type: 'granted' };
  readonly #attempt: AttemptKey;
  readonly #cost: Cost;

  constructor(of: { store: Store; writer: JournalWriter; claim: Claim & { type: 'granted' }; attempt: AttemptKey; cost: Cost }) {
    this.#store = of.store;
    this.#writer = of.writer;
    this.#claim = of.claim;
    this.#attempt = of.attempt;
    this.#cost = of.cost;
  }

  /** Seals the turn, or throws what Temporal is to know. */
  async resolve(error: unknown): Promise<TurnStatus> {
    try {
      return await this.#resolve(error);
    } catch (thrown) {
      // Refused while we were still writing down what had come: somebody else has the turn.
      if (thrown instanceof FencedError) return this.#adopt();
      throw thrown;
    }
  }

  async #resolve(error: unknown): Promise<TurnStatus> {
    if (error instanceof FencedError) return this.#adopt();
    if (error instanceof ProviderError) return this.#failed(error.failure);
    if (error instanceof AttemptAborted) return this.#stopped(error);
    await this.#endAttempt({ endedAtMs: Date.now(), outcome: 'failed', code: 'internal_error' });
    throw applicationFailure(failureOf('internal_error'), this.#claim.attempt, false, error);
  }

  async #stopped(stop: AttemptAborted): Promise<TurnStatus> {
    const endedAtMs = Date.now();
    switch (stop.reason) {
      case 'fenced':
        return this.#adopt();
      case 'cancelled':
        return this.#seal({ status: 'cancelled', usage: this.#cost.usage }, { endedAtMs, outcome: 'cancelled' });
      case 'deadline':
        return this.#failed(failureOf('turn_timeout'));
      case 'shutdown': {
        // Not the user's stop (T9): what has not started is handed on, what has cannot be.
        await this.#writer.flush();
        if (this.#writer.hasStarted) {
          const failure = failureOf('worker_lost');
          return this.#seal({ status: 'failed', failure, usage: this.#cost.usage }, { endedAtMs, outcome: 'lost', code: failure.code });
        }
        await this.#endAttempt({ endedAtMs, outcome: 'lost', detail: 'worker shutdown', waitMs: handOverDelayMs });
        throw applicationFailure(failureOf('transport_failed'), this.#claim.attempt, true, undefined, handOverDelayMs);
      }
      case 'disowned':
        // Temporal no longer listens to this attempt; what was shown stays, and the next claim decides.
        await this.#writer.flush();
        await this.#endAttempt({ endedAtMs, outcome: 'lost' });
        throw applicationFailure(failureOf('worker_lost'), this.#claim.attempt, true);
      case 'broken':
        throw applicationFailure(failureOf('internal_error'), this.#claim.attempt, false, stop.cause);
    }
  }

  /** The failure as Temporal's retry policy is to see it. What was shown stays shown; `settleTurn` closes it. */
  async #failed(failure: ModelFailure): Promise<never> {
    await this.#writer.flush();
    const hasStarted = this.#writer.hasStarted;
    const { attempt: requestsMade } = this.#claim;
    const mayRetry = failureRules[failure.code].retryable && !hasStarted && requestsMade < requestsPerStep;
    const waitMs =
      failure.busy === undefined || hasStarted
        ? mayRetry
          ? delayBeforeMs(requestsMade + 1)
          : undefined
        : busyWaitMs(failure.busy, requestsMade);
    await this.#endAttempt({
      endedAtMs: Date.now(),
      outcome: 'failed',
      code: failure.code,
      ...(failure.detail === undefined ? {} : { detail: failure.detail }),
      ...(failure.providerMessage === undefined ? {} : { message: failure.providerMessage }),
      ...(waitMs === undefined ? {} : { waitMs }),
    });
    const told = hasStarted && failure.busy !== undefined ? { ...failure, busy: { ...failure.busy, final: true } } : failure;
    throw applicationFailure(told, requestsMade, mayRetry, undefined, mayRetry ? waitMs : undefined);
  }

  async #seal(end: TurnOutcome, attemptEnd: AttemptEnd): Promise<TurnStatus> {
    await this.#writer.seal(end, { ...attemptEnd, ...usageOf(this.#cost) });
    return { status: end.status, code: end.status === 'failed' ? end.failure.code : null };
  }

  /** Another one has the turn. If it wrote the end, that end is ours too (T6). */
  async #adopt(): Promise<TurnStatus> {
    const { turn, step } = this.#attempt;
    const claim = await this.#store.readTurn(turn);
    if (claim?.settledAtMs != null) {
      const fenced = await this.#store.fence(turn);
      if (fenced.settled !== undefined) return fenced.settled;
    }
    // Whether a request is left, and whether anything has started, the next claim knows.
    throw ApplicationFailure.create({
      message: `step ${step} was taken over by another attempt`,
      type: 'worker_lost',
      nonRetryable: false,
      category: ApplicationFailureCategory.BENIGN,
    });
  }

  async #endAttempt(end: AttemptEnd): Promise<void> {
    await retryWhileBusy(() => this.#store.endAttempt(this.#attempt, { ...end, ...usageOf(this.#cost) }));
  }
}

/** Only constant words, codes and numbers: this goes into Temporal's history in plain text (T11). */
export function applicationFailure(
  failure: ModelFailure,
  requestsMade: number,
  mayRetry: boolean,
  cause?: unknown,
  nextRetryDelayMs?: number,
): ApplicationFailure {
  const details: StreamFailureDetails = {
    requestsMade,
    ...(failure.detail === undefined ? {} : { detail: failure.detail }),
    ...(failure.busy?.retryAfterMs === undefined ? {} : { retryAfterMs: failure.busy.retryAfterMs }),
    ...(failure.retryAtMs === undefined ? {} : { retryAtMs: failure.retryAtMs }),
    ...(failure.busy?.final === true ? { final: true } : {}),
  };
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.code,
    nonRetryable: !mayRetry,
    // A failed attempt is booked and told to the user: for an operator it is no warning, unless it is our own fault.
    ...(failure.code === 'internal_error' ? {} : { category: ApplicationFailureCategory.BENIGN }),
    details: [details],
    ...(nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs }),
    ...(cause instanceof Error ? { cause: new Error(cause.name) } : {}),
  });
}
