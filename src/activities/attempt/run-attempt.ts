/**
 * One attempt, from a granted claim to its result: builds the prompt, sends the request, and streams the answer into the
 * turn's journal. The journal decides what may happen, not this process: a write that it refuses ends the attempt (T7).
 */
import { turnTimeMs } from '../../domain/turn/budget.ts';
import { asksFor, encryptedReasoning } from '../../domain/model.ts';
import type { Reread } from '../../domain/response/reread.ts';
import { hidesReasoning, makerOf, refusesEncrypted, withHidden } from '../../domain/response/hidden-reasoning.ts';
import type { ResponseStream } from '../../domain/response/response-stream.ts';
import { type AttemptKey, type AttemptRow, usageOf } from '../../domain/turn/attempt.ts';
import { isCompactionStep, mayCompact, stepsAsked } from '../../domain/prompt/overflow.ts';
import { asksClient } from '../../domain/response/torn-answer.ts';
import { approvalAsked, callCutOff } from '../../domain/response/worker-call-events.ts';
import { ProviderError } from '../../providers/provider.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AttemptResult } from './attempt-result.ts';
import { JournalWriter } from './journal-writer.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import { providerFor, toolsFor } from './agents.ts';
import { BudgetMeter } from './budget-meter.ts';
import { HeldCalls } from './held-calls.ts';
import { bytesOfOutput, type KeptStreams } from './kept-streams.ts';
import { modelRequest, readSaid } from './model-request.ts';
import { failureOfPrompt, gains, shortenedToSummarise } from './prompt-size.ts';
import type { AttemptState } from './attempt-state.ts';
import { resolveBehind, stopUnread, takeUp } from './kept-answer.ts';
import { endStep, resolveAttempt, sealFinished, sealOverBudget } from './resolve-attempt.ts';
import { runTools } from './run-tools.ts';
import { Recorder } from './recorder.ts';
import { showLists } from './show-lists.ts';
import { streamInto } from './stream-into.ts';
import { ClockTape, type Tape } from './tape.ts';
import type { GrantedClaim, RunningAttemptsOptions } from './running-attempts.ts';

export interface AttemptInput {
  readonly claim: GrantedClaim;
  readonly step: number;
  readonly streams: KeptStreams;
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal;
  readonly abort: (reason: AbortReason, cause?: unknown) => void;
  /** Aborts when the user has said more. */
  readonly steered: AbortSignal;
  /** Has the lease run out without a beat that renewed it, by the clock of this process? */
  readonly isLeaseOver: () => boolean;
  /** While it waits for turns that need room themselves: it counts no longer among the streams of this process. */
  readonly leaveRoom: () => void;
}

/** @returns the end of the step, or a failure that says whether the next attempt may ask again */
export async function runAttempt(options: RunningAttemptsOptions, input: AttemptInput): Promise<AttemptResult> {
  const { claim, step, streams, signal, steered, abort } = input;
  const { store, limits, onReady } = options;
  const { turn, epoch } = claim;
  // The calls before a request are none: no request is booked for them.
  const key = { turn: turn.id, step, attempt: claim.type === 'granted' ? claim.attempt : 0 };
  const takenUp = await takeUp(options, claim, step);
  const stream = takenUp?.stream ?? (await streams.take(claim));
  stream.sealsFields = asksFor(turn.settings, encryptedReasoning);
  const callsBefore = stream.output.filter(({ type }) => type === 'mcp_call').length;
  const maxOutputBytes = limits.maxOutputBytes;
  const bytesBefore = bytesOfOutput(stream.output);
  const hasStarted = takenUp?.hasStarted === true;
  const tape = (options.tapeOf ?? tapeOf)({ options, key, input, nextSeq: takenUp?.nextSeq ?? stream.nextSeq });
  const writer = new JournalWriter({
    store,
    turn,
    epoch,
    attempt: key,
    stream,
    callsBefore,
    bytesBefore,
    maxOutputBytes,
    hasStarted,
    tape,
    abort,
  });
  const booked = step === 1 && key.attempt <= 1 ? [] : await retryWhileBusy(() => store.readAttempts(turn.id));
  const attempt: AttemptState = {
    store,
    writer,
    tape,
    key,
    epoch,
    onReady,
    budget: turn.settings.budget,
    deadlineAt: performance.now() + turnTimeMs(turn.settings.budget, limits.turnTimeoutMs) - claim.readySinceMs,
    earlierUsage: usageOf(booked.filter((earlier) => earlier.step < step)),
    usage: null,
    reached: {},
  };
  if (takenUp !== undefined) attempt.keptAnswer = takenUp.keptAnswer;
  let timer: NodeJS.Timeout | undefined;
  try {
    const meter = await BudgetMeter.read(store, turn, step, signal, tape);
    attempt.meter = meter;
    meter.assertLeft();
    timer = meter.watchTime(abort);
    if (claim.type === 'tools') return await carryOutCalls(options, input, attempt, { stream, meter });
    const steer = (): void => {
      if (takenUp?.reread.isBehind !== true) writer.steer();
    };
    steered.addEventListener('abort', steer);
    const result = await answer(options, input, attempt, { stream, meter, booked, reread: takenUp?.reread });
    if (result.type === 'ended' && result.step.type === 'tool_calls') streams.keep(turn.id, stream);
    return result;
  } catch (error) {
    // Our own signal tells why, whatever error its abort brought about.
    const cause: unknown = signal.aborted ? signal.reason : error;
    tape.failed(cause);
    const result = await (takenUp?.reread.isBehind === true ? resolveBehind : resolveAttempt)(attempt, cause);
    stopUnread(attempt, result, cause);
    return result;
  } finally {
    clearTimeout(timer);
    writer.abandon();
  }
}

/** The calls of tools that come before the request; it is claimed by itself once they have their ends. */
async function carryOutCalls(
  { store, agents, limits: { maxOutputBytes: maxResultBytes } }: RunningAttemptsOptions,
  { claim, step, streams, signal, steered, abort, isLeaseOver, leaveRoom }: AttemptInput,
  attempt: AttemptState,
  { stream, meter: { toolCallsLeft: callsLeft } }: Written,
): Promise<AttemptResult> {
  const { turn, epoch } = claim;
  const tools = await toolsFor(agents, turn.settings, { step, signal, store });
  const log = agents?.log ?? (() => undefined);
  const { tape } = attempt;
  const { traceparentOf } = agents ?? {};
  const round = { store, turn, step, epoch, stream, tools, callsLeft, maxResultBytes, leaveRoom, log, tape, signal, abort, isLeaseOver };
  await runTools({ ...round, traceparentOf });
  if (claim.type === 'tools' && claim.isLast) return sealFinished(attempt, { status: 'completed' });
  if (steered.aborted) throw new AttemptAborted('steered');
  await retryWhileBusy(() => store.endToolRound({ turn: turn.id, epoch }));
  streams.keep(turn.id, stream);
  return { type: 'tools_ended' };
}

/** The answer of a step, up to the provider's own finish; with calls that a worker carries out the turn goes on behind it. */
async function answer(
  options: RunningAttemptsOptions,
  input: AttemptInput,
  attempt: AttemptState,
  { stream, meter, booked, reread }: Written & { readonly booked: readonly AttemptRow[]; readonly reread: Reread | undefined },
): Promise<AttemptResult> {
  const { agents, provider, store } = options;
  const { turn } = input.claim;
  const { settings } = turn;
  // What its tools have said counts as well: a response of any length could be read by nobody (T14).
  if (attempt.writer.isFull) throw new AttemptAborted('output_too_large');
  const tools = await toolsFor(agents, settings, { step: input.step, signal: input.signal, store });
  const held = settings.agent === undefined ? undefined : new HeldCalls(tools, settings.tools, input.step);
  if (input.step === 1 && reread === undefined) await showLists({ store, turn: turn.id, epoch: attempt.epoch, stream, tools });
  const asked = providerFor(agents, provider, settings);
  attempt.tape.asked({ api: asked.api, tools });
  const last = meter.lastStep;
  const { step } = input;
  const isHiding = hidesReasoning(settings, asked.api);
  const isPlain = booked.some((attempt) => refusesEncrypted({ ...attempt, words: attempt.message }));
  stream.hidden.isHiding = isHiding && !isCompactionStep(booked, step);
  attempt.mayLeaveOutReasoning = isHiding && !isPlain;
  // A database that is away for a while is no reason to end a turn that has asked for nothing yet.
  const patient = <T>(read: () => Promise<T>): Promise<T> => retryWhileBusy(read, input.signal);
  const said = await patient(() => readSaid(store, turn, { isPlain }));
  const hidden = isHiding && !isPlain && step > 1 ? await patient(() => store.readHiddenReasoning(turn.id)) : [];
  const earlier = withHidden(stream.output, hidden, makerOf(settings));
  const wantsReasoning = isHiding && !isPlain;
  const isFirst = stepsAsked(booked, step) === 0;
  const request = modelRequest(turn, said, { isFirst, api: asked.api, step, tools, answer: earlier, wantsReasoning, last });
  const lastSeq = (): number => stream.nextSeq - 1;
  const traceparent = agents?.traceparentOf?.(turn, attempt.key);
  const streaming = { provider: asked, held, meter, input, store, reread, lastSeq, traceparent };
  if (isCompactionStep(booked, input.step)) {
    attempt.onOverflow = async () => 'shorten';
    attempt.goesOn = () => true;
    attempt.onFinish = async () => {
      await attempt.writer.flush();
      return endStep(attempt);
    };
    const shortened = await shortenedToSummarise(request, booked, attempt.key);
    return attempt.onFinish(await streamInto(attempt, { ...streaming, held: undefined, request: shortened }));
  }
  const isLeft = mayCompact(settings, booked, step);
  const tooLong = await failureOfPrompt(request, { store, turn, said, answer: earlier, api: asked.api, booked, step, mayCompact: isLeft });
  if (isLeft) attempt.onOverflow = async (failure) => (failure === tooLong || (await gains(request, failure)) ? 'compact' : 'fail');
  if (tooLong !== undefined) throw new ProviderError(tooLong);
  attempt.goesOn = () => held?.hasCallsToMake === true;
  attempt.onFinish = async (finish) => {
    if (held === undefined) return sealFinished(attempt, finish);
    if (finish.status !== 'completed') {
      for (const call of held.takeCutOff()) attempt.writer.show((output) => callCutOff(output, call));
      return sealFinished(attempt, finish);
    }
    const { calls, asks } = held.take();
    // It was told that no tool is run behind this step, or there is nothing left for the next one.
    const exceeded = calls.length + asks.length > 0 ? (last ?? meter.exceeded) : undefined;
    if (exceeded !== undefined) return sealOverBudget(attempt, exceeded);
    if (calls.length > 0) await attempt.writer.flush();
    // They are no part of the answer, and would not come again with it: they are written with the end of the step alone.
    for (const ask of asks) attempt.writer.show((output) => approvalAsked(output, ask));
    if (calls.length === 0) return sealFinished(attempt, finish);
    return endStep(attempt, { calls, isLast: stream.output.some(asksClient) });
  };
  const clientFunctions = held?.clients;
  return attempt.onFinish(
    await streamInto(attempt, { ...streaming, request: clientFunctions === undefined ? request : { ...request, clientFunctions } }),
  );
}

export interface Taped {
  readonly options: Pick<RunningAttemptsOptions, 'record' | 'limits'>;
  readonly key: AttemptKey;
  readonly input: Pick<AttemptInput, 'signal' | 'steered' | 'claim'>;
  /** Of the journal, the next row. */
  readonly nextSeq: number;
}

function tapeOf({ options: { record: mode = 'wire', limits }, key, input: { signal, steered, claim }, nextSeq }: Taped): Tape {
  if (mode === 'off') return new ClockTape();
  const { maxOutputBytes, turnTimeoutMs } = limits;
  return new Recorder({ mode, ...key, epoch: claim.epoch, maxOutputBytes, turnTimeoutMs, nextSeq, signal, steered });
}

/** What a step writes to, and what it may use up. */
interface Written {
  readonly stream: ResponseStream;
  readonly meter: BudgetMeter;
}
