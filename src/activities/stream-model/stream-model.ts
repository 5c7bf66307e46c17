/**
 * One request to the model, streamed into the turn's journal.
 *
 * The journal decides what may happen, not this process: a claim that is refused sends nothing (T2), a write that
 * is refused stops the stream (T7). Every way out of here is either the turn's seal or a failure that says by its
 * type whether Temporal may try again (T3, T4).
 */
import { activityInfo } from '@temporalio/activity';
import type { TurnStatus, RequestedOutcome } from '../../domain/turn-state.ts';
import { failureOf } from '../../domain/failure.ts';
import type { ModelFinish, ModelRequest } from '../../domain/model.ts';
import { promptOf } from '../../domain/prompt.ts';
import { ResponseStream } from '../../domain/response-stream.ts';
import type { TurnOutcome } from '../../domain/turn-outcome.ts';
import { requestsPerStep } from '../../domain/retry-policy.ts';
import type { Provider, ProviderCallNotes } from '../../providers/provider.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { settleTurn } from '../../settle/settle-turn.ts';
import type { AttemptKey } from '../../domain/attempt.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Claim, Store } from '../../store/ports/store.ts';
import type { StreamModelInput } from '../../contract/activities.ts';
import { applicationFailure, type Cost, FailedAttempt, usageOf } from './resolve-attempt.ts';
import { FencedError, JournalWriter } from './journal-writer.ts';
import { AttemptAborted } from './abort-reason.ts';
import { AttemptMonitor } from './attempt-monitor.ts';

export interface StreamModelDeps {
  readonly store: Store;
  readonly provider: Provider;
}

export async function streamModel({ store, provider }: StreamModelDeps, input: StreamModelInput): Promise<TurnStatus> {
  using watch = new AttemptMonitor(input.deadlineAtMs);
  const claim = await claimed(store, input, watch);
  if (claim.type === 'settled') return claim.settled;
  if (claim.type === 'started') {
    // Somebody began this answer and is gone: it is never asked for again (T2).
    return settled(store, input.turn, { status: 'failed', failure: failureOf('worker_lost') });
  }
  if (claim.type === 'cancelled') return settled(store, input.turn, { status: 'cancelled' });
  if (claim.type === 'exhausted') throw applicationFailure(failureOf('transport_failed'), requestsPerStep, false);

  const attempt: AttemptKey = { turn: input.turn, step: input.step, attempt: claim.attempt };
  const writer = new JournalWriter({
    store,
    turn: claim.turn,
    epoch: claim.epoch,
    attempt,
    stream: ResponseStream.replay(claim.events),
    onFailure: (error) => {
      watch.abort(error instanceof FencedError ? 'fenced' : 'broken', error);
    },
  });
  watch.guard(store, input.turn, claim.epoch);
  /** What this request has cost so far, however it ends. */
  const cost: Cost = { usage: null };
  try {
    await writer.begin();
    const request = await modelRequest(store, claim.turn);
    const end = await streamInto(writer, cost, provider, request, watch.signal);
    await writer.seal(end, { endedAtMs: Date.now(), outcome: end.status, ...usageOf(cost) });
    return { status: end.status, code: null };
  } catch (error) {
    return await new FailedAttempt({ store, writer, claim, attempt, cost }).resolve(watch.reason(error));
  } finally {
    writer.abandon();
  }
}

async function claimed(store: Store, input: StreamModelInput, watch: AttemptMonitor): Promise<Claim> {
  try {
    return await retryWhileBusy(() => store.claim(claimRequest(input)), watch.signal);
  } catch (error) {
    if (!watch.signal.aborted) throw error;
    // Stopped while the database was busy: no request was booked, so whatever comes next may claim.
    const isTurnOver = watch.signal.reason instanceof AttemptAborted && watch.signal.reason.reason === 'deadline';
    throw applicationFailure(failureOf(isTurnOver ? 'turn_timeout' : 'worker_lost'), 0, !isTurnOver);
  }
}

async function settled(store: Store, turn: string, end: RequestedOutcome): Promise<TurnStatus> {
  return retryWhileBusy(() => settleTurn(store, turn, end, Date.now()));
}

/** Streams the answer; returns how it ended, proved (T8). */
async function streamInto(
  writer: JournalWriter,
  cost: Cost,
  provider: Provider,
  request: ModelRequest,
  signal: AbortSignal,
): Promise<TurnOutcome & { status: 'completed' | 'incomplete' }> {
  let proof: ModelFinish | undefined;
  const notes: ProviderCallNotes = {
    onRequestId: (id: string) => {
      writer.providerRequestId = id;
    },
    onUsage: (usage) => {
      cost.usage = usage;
    },
  };
  for await (const event of provider.stream(request, signal, notes)) {
    if (event.type === 'delta') await writer.write(event.delta);
    else if (event.type === 'proof') proof = event.proof;
    else cost.usage = event.usage;
  }
  if (proof === undefined) throw new Error('a provider ends its stream with a proof or throws');
  const { usage } = cost;
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
