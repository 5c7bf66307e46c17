/**
 * One request to the model, streamed into the turn's journal.
 *
 * The journal decides what may happen, not this process: a claim that is refused sends nothing (T2), a write that
 * is refused stops the stream (T7). Every way out of here is either the turn's seal or a failure that says by its
 * type whether Temporal may try again (T3, T4).
 */
import { activityInfo, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Settled } from '../domain/agent-turn.ts';
import { type FailureCode, failureOf, failureRules } from '../domain/failure.ts';
import type { ModelFailure, ModelProof, ModelRequest } from '../domain/model.ts';
import { promptOf } from '../domain/prompt.ts';
import type { TurnEnd } from '../domain/response-stream.ts';
import type { Usage } from '../domain/response.ts';
import { busyWaitMs, delayBeforeMs, requestsPerStep } from '../domain/retry-law.ts';
import { type Provider, ProviderError } from '../providers/provider.ts';
import { persist } from '../store/persist.ts';
import { readStream, settleTurn } from '../store/settle-turn.ts';
import type { AttemptEnd, AttemptKey, Claim, Store, TurnRow } from '../store/store.ts';
import type { StreamFailureDetails, StreamModelInput } from './activities.ts';
import { FencedError, JournalWriter } from './journal-writer.ts';
import { Stop, stopReasonOf } from './stop.ts';

/** Often enough that a dead worker is noticed in time and a cancel is heard where the server cannot push it. */
const heartbeatIntervalMs = 500;

/** The wait that hands a request on to another worker: 0 would mean "the longest" to Temporal. */
const handOverDelayMs = 1;

export interface StreamModelDeps {
  readonly store: Store;
  readonly provider: Provider;
}

export async function streamModel({ store, provider }: StreamModelDeps, input: StreamModelInput): Promise<Settled> {
  using watch = new StopWatch(input.deadlineAtMs);
  const claim = await persist(() => store.claim(claimRequest(input)), watch.signal);
  if (claim.type === 'settled') return claim.settled;
  if (claim.type === 'started') {
    // Somebody began this answer and is gone: it is never asked for again (T2).
    return settleTurn(store, input.turn, { status: 'failed', failure: failureOf('worker_lost') }, Date.now());
  }
  if (claim.type === 'exhausted') throw applicationFailure(failureOf('transport_failed'), requestsPerStep, false);

  const attempt: AttemptKey = { turn: input.turn, step: input.step, attempt: claim.attempt };
  const stream = await readStream(store, input.turn);
  const writer = new JournalWriter({
    store,
    turn: claim.turn,
    epoch: claim.epoch,
    attempt,
    stream,
    onFailure: (error) => {
      watch.stop(error instanceof FencedError ? 'fenced' : 'broken', error);
    },
  });
  watch.guard(store, input.turn, claim.epoch);
  try {
    await writer.begin();
    const request = await modelRequest(store, claim.turn);
    const end = await streamInto(writer, provider, request, watch.signal);
    await writer.seal(end, { endedAtMs: Date.now(), outcome: end.status });
    return { status: end.status, code: null };
  } catch (error) {
    return await new StreamFailure({ store, writer, claim, attempt }).resolve(watch.reason(error));
  } finally {
    writer.abandon();
  }
}

/** Streams the answer; returns how it ended, proved (T8). */
async function streamInto(
  writer: JournalWriter,
  provider: Provider,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<TurnEnd & { status: 'completed' | 'incomplete' }> {
  let proof: ModelProof | undefined;
  let usage: Usage | null = null;
  const notes = {
    onRequestId: (id: string) => {
      writer.providerRequestId = id;
    },
  };
  for await (const event of provider.stream(request, signal, notes)) {
    if (event.type === 'delta') await writer.write(event.delta);
    else if (event.type === 'proof') proof = event.proof;
    else usage = event.usage;
  }
  if (proof === undefined) throw new Error('a provider ends its stream with a proof or throws');
  return proof.status === 'completed'
    ? { status: 'completed', usage }
    : { status: 'incomplete', reason: proof.reason ?? 'max_output_tokens', usage };
}

async function modelRequest(store: Store, turn: TurnRow): Promise<ModelRequest> {
  return { settings: turn.settings, items: promptOf(await store.readTranscript(turn.id), turn.input) };
}

function claimRequest({ turn, step }: StreamModelInput): Parameters<Store['claim']>[0] {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new Error('streamModel runs in a workflow');
  return { turn, step, atMs: Date.now(), workflowId: workflowExecution.workflowId, runId: workflowExecution.runId };
}

/** Beats from entry, and gathers every reason to stop into one signal. */
class StopWatch implements Disposable {
  readonly #abort = new AbortController();
  readonly #beat: NodeJS.Timeout;
  readonly #deadline: NodeJS.Timeout;
  /** Kept: a cancel arrives outside of the activity's own async context. */
  readonly #context = Context.current();
  #guarded: { store: Store; turn: string; epoch: number } | undefined;

  constructor(deadlineAtMs: number) {
    this.#context.heartbeat();
    this.#beat = setInterval(() => {
      this.#context.heartbeat();
      void this.#lookForFence();
    }, heartbeatIntervalMs);
    this.#deadline = setTimeout(
      () => {
        this.stop('deadline');
      },
      Math.max(0, deadlineAtMs - Date.now()),
    );
    const { cancellationSignal } = this.#context;
    if (cancellationSignal.aborted) this.#onCancelled();
    else cancellationSignal.addEventListener('abort', this.#onCancelled, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  stop(reason: Stop['reason'], cause?: unknown): void {
    this.#abort.abort(new Stop(reason, cause));
  }

  /** From here on a raised epoch stops the stream, even if nothing is being written: a zombie notices within a beat. */
  guard(store: Store, turn: string, epoch: number): void {
    this.#guarded = { store, turn, epoch };
  }

  /** Why it really ended: our own signal tells, whatever error its abort brought about. */
  reason(error: unknown): unknown {
    return this.signal.aborted ? this.signal.reason : error;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat);
    clearTimeout(this.#deadline);
    this.#context.cancellationSignal.removeEventListener('abort', this.#onCancelled);
  }

  readonly #onCancelled = (): void => {
    this.stop(stopReasonOf(this.#context.cancellationDetails));
  };

  async #lookForFence(): Promise<void> {
    if (this.#guarded === undefined) return;
    const { store, turn, epoch } = this.#guarded;
    // A database that cannot be read just now says nothing about the fence; the next write will.
    const head = await store.readHead(turn).catch(() => undefined);
    if (head !== undefined && head.epoch !== epoch) this.stop('fenced');
  }
}

/** What becomes of an attempt that did not reach its end. */
class StreamFailure {
  readonly #store: Store;
  readonly #writer: JournalWriter;
  readonly #claim: Claim & { type: 'granted' };
  readonly #attempt: AttemptKey;

  constructor(of: { store: Store; writer: JournalWriter; claim: Claim & { type: 'granted' }; attempt: AttemptKey }) {
    this.#store = of.store;
    this.#writer = of.writer;
    this.#claim = of.claim;
    this.#attempt = of.attempt;
  }

  /** Seals the turn, or throws what Temporal is to know. */
  async resolve(error: unknown): Promise<Settled> {
    if (error instanceof FencedError) return this.#adopt();
    if (error instanceof ProviderError) return this.#failed(error.failure);
    if (error instanceof Stop) return this.#stopped(error);
    await this.#endAttempt({ endedAtMs: Date.now(), outcome: 'failed', code: 'internal_error' });
    throw applicationFailure(failureOf('internal_error'), this.#claim.attempt, false, error);
  }

  async #stopped(stop: Stop): Promise<Settled> {
    const endedAtMs = Date.now();
    switch (stop.reason) {
      case 'fenced':
        return this.#adopt();
      case 'cancelled':
        return this.#seal({ status: 'cancelled', usage: null }, { endedAtMs, outcome: 'cancelled' });
      case 'deadline':
        return this.#failed(failureOf('turn_timeout'));
      case 'shutdown': {
        // Not the user's stop (T9): what has not started is handed on, what has cannot be.
        await this.#writer.flush();
        if (this.#writer.hasStarted) {
          const failure = failureOf('worker_lost');
          return this.#seal({ status: 'failed', failure, usage: null }, { endedAtMs, outcome: 'lost', code: failure.code });
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

  async #seal(end: TurnEnd, attemptEnd: AttemptEnd): Promise<Settled> {
    try {
      await this.#writer.seal(end, attemptEnd);
    } catch (error) {
      if (error instanceof FencedError) return this.#adopt();
      throw error;
    }
    return { status: end.status, code: end.status === 'failed' ? end.failure.code : null };
  }

  /** Another one has the turn. If it wrote the end, that end is ours too (T6). */
  async #adopt(): Promise<Settled> {
    const { turn, step } = this.#attempt;
    const claim = await this.#store.readTurn(turn);
    if (claim?.settledAtMs != null) {
      const fenced = await this.#store.fence(turn);
      if (fenced.settled !== undefined) return fenced.settled;
    }
    throw ApplicationFailure.nonRetryable(`step ${step} was taken over by another attempt`, 'worker_lost');
  }

  async #endAttempt(end: AttemptEnd): Promise<void> {
    await persist(() => this.#store.endAttempt(this.#attempt, end));
  }
}

/** Only constant words, codes and numbers: this goes into Temporal's history in plain text (T11). */
function applicationFailure(
  failure: ModelFailure & { code: FailureCode },
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
    details: [details],
    ...(nextRetryDelayMs === undefined ? {} : { nextRetryDelay: nextRetryDelayMs }),
    ...(cause instanceof Error ? { cause: new Error(cause.name) } : {}),
  });
}
