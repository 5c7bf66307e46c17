/**
 * One attempt, from a granted claim to its result: builds the prompt, sends the request, and streams the answer into the
 * turn's journal. The journal decides what may happen, not this process: a write that it refuses ends the attempt (T7).
 */
import { afterCompaction } from '../../domain/compaction.ts';
import { asksFor, encryptedReasoning, type ModelFinish, type ModelRequest, startsStep } from '../../domain/model.ts';
import { promptOf } from '../../domain/prompt.ts';
import type { ProviderApi } from '../../domain/provider-capabilities.ts';
import type { ResponseStream } from '../../domain/response-stream.ts';
import { usageOf } from '../../domain/attempt.ts';
import type { OutputItem } from '../../domain/item.ts';
import { asksClient } from '../../domain/torn-answer.ts';
import { approvalAsked } from '../../domain/worker-call-events.ts';
import { askedModelOf, isAllowedTools, type ResponseSettings, type Tool, type ToolChoice } from '../../domain/response-settings.ts';
import type { Provider } from '../../providers/provider.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';
import type { TurnRow } from '../../domain/turn.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import type { AttemptResult } from './attempt-result.ts';
import { JournalWriter } from './journal-writer.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import { providerFor, toolsFor } from './agents.ts';
import { HeldCalls } from './held-calls.ts';
import type { KeptStreams } from './kept-streams.ts';
import { type AttemptState, endStep, resolveAttempt, sealFinished } from './resolve-attempt.ts';
import { runTools } from './run-tools.ts';
import { showLists } from './show-lists.ts';
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
  const stream = await streams.take(claim);
  stream.sealsFields = asksFor(turn.settings, encryptedReasoning);
  const callsBefore = stream.response.output.filter(({ type }) => type === 'mcp_call').length;
  const maxOutputBytes = limits.maxOutputBytes;
  const writer = new JournalWriter({ store, turn, epoch, attempt: key, stream, callsBefore, maxOutputBytes, abort });
  const attempt: AttemptState = {
    store,
    writer,
    key,
    epoch,
    onReady,
    deadlineAt: performance.now() + limits.turnTimeoutMs - claim.readySinceMs,
    earlierUsage: step === 1 ? null : usageOf((await store.readAttempts(turn.id)).filter((earlier) => earlier.step < step)),
    usage: null,
  };
  try {
    if (claim.type === 'tools') return await carryOutCalls(options, input, attempt, stream);
    steered.addEventListener('abort', () => {
      writer.steer();
    });
    const result = await answer(options, input, attempt, stream);
    if (result.type === 'ended' && result.step.type === 'tool_calls') streams.keep(turn.id, stream);
    return result;
  } catch (error) {
    // Our own signal tells why, whatever error its abort brought about.
    const cause: unknown = signal.aborted ? signal.reason : error;
    return await resolveAttempt(attempt, cause);
  } finally {
    writer.abandon();
  }
}

/** The calls of tools that come before the request; it is claimed by itself once they have their ends. */
async function carryOutCalls(
  { store, agents }: RunningAttemptsOptions,
  { claim, step, streams, signal, steered, leaveRoom }: AttemptInput,
  attempt: AttemptState,
  stream: ResponseStream,
): Promise<AttemptResult> {
  const { turn, epoch } = claim;
  const tools = await toolsFor(agents, turn.settings, signal);
  await runTools({ store, turn, step, epoch, stream, tools, log: agents?.log ?? (() => undefined), leaveRoom, signal });
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
  stream: ResponseStream,
): Promise<AttemptResult> {
  const { agents, provider } = options;
  const { settings } = input.claim.turn;
  const tools = await toolsFor(agents, settings, input.signal);
  const held = settings.agent === undefined ? undefined : new HeldCalls(tools, settings.tools, input.step);
  if (input.step === 1) await showLists({ store: options.store, turn: input.claim.turn.id, epoch: attempt.epoch, stream, tools });
  const asked = providerFor(agents, provider, settings);
  const request = await modelRequest(options.store, input.claim.turn, {
    step: input.step,
    api: asked.api,
    tools,
    answer: stream.response.output,
  });
  const finish = await streamInto(attempt, { provider: asked, request, held, input, store: options.store });
  if (held === undefined || finish.status !== 'completed') return sealFinished(attempt, finish);
  const { calls, asks } = held.take();
  for (const ask of asks) attempt.writer.show((output) => approvalAsked(output, ask));
  if (calls.length === 0) return sealFinished(attempt, finish);
  await attempt.writer.flush();
  return endStep(attempt, calls, stream.response.output.some(asksClient));
}

interface Streaming {
  readonly store: Store;
  readonly provider: Provider;
  readonly request: ModelRequest;
  readonly held: HeldCalls | undefined;
  readonly input: AttemptInput;
}

/** Streams the answer into the journal, up to the provider's own finish, without which no answer is whole (T8). */
async function streamInto(
  attempt: AttemptState,
  { store, provider, request, held, input: { claim, signal, abort, isLeaseOver } }: Streaming,
): Promise<ModelFinish> {
  const { writer } = attempt;
  const turn = claim.turn.id;
  const stream = provider.stream(request, signal, {
    // A process that stood still since its claim may have lost the turn (T2), and a cancel may have been accepted (T5).
    beforeSend: async () => {
      const head = await retryWhileBusy(() => store.readHead(turn), signal);
      if (head?.epoch !== attempt.epoch) abort('fenced');
      else if (await isCancelRequested(store, turn, signal)) abort('cancelled');
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
      if (held?.takes(event.delta) === true) {
        held.add(event.delta);
        await writer.hold(event.delta);
      } else await writer.write(event.delta);
      // A delta that was not taken: what the provider says behind it proves nothing.
      signal.throwIfAborted();
    } else if (event.type === 'finish') attempt.finish = event.finish;
    else if (event.type === 'service_tier') attempt.serviceTier = event.serviceTier;
    else attempt.usage = event.usage;
  }
  if (attempt.finish === undefined) throw new Error('a provider ends its stream with a finish or throws');
  return attempt.finish;
}

interface Asking {
  readonly step: number;
  readonly api: ProviderApi;
  readonly tools: TurnTools;
  /** What the steps before have said. */
  readonly answer: readonly OutputItem[];
}

async function modelRequest(store: Store, turn: TurnRow, { step, api, tools, answer }: Asking): Promise<ModelRequest> {
  const past = { turns: await store.readTranscript(turn.id), input: await store.readInput(turn.id) };
  const { turns, input } = afterCompaction(past, api);
  const { settings } = turn;
  const items = promptOf(turns, input, settings.model, answer);
  const offered = tools.functions;
  return {
    settings: {
      ...settings,
      model: askedModelOf(settings),
      ...(settings.agent === undefined ? {} : { tools: [...toolsOfProvider(settings), ...offered] }),
      ...(step === 1 ? {} : { tool_choice: choiceOfLaterSteps(settings.tool_choice) }),
    },
    items,
  };
}

/** Those that a worker runs are offered as functions. */
function toolsOfProvider({ tools, agent }: ResponseSettings): readonly Tool[] {
  return tools.filter((tool) => {
    const { type, server_label: label } = tool as { readonly type: string; readonly server_label?: string };
    return type !== 'mcp' || agent?.tools.includes(`mcp:${label}`) !== true;
  });
}

/** A call that was demanded has been made: to demand it again would never end. */
function choiceOfLaterSteps(choice: ToolChoice | null): ToolChoice | null {
  if (choice === null || choice === 'none') return choice;
  return typeof choice === 'object' && isAllowedTools(choice) ? { ...choice, mode: 'auto' } : 'auto';
}

async function isCancelRequested(store: Store, turn: string, signal: AbortSignal): Promise<boolean> {
  const row = await retryWhileBusy(() => store.readTurn(turn), signal);
  return row?.cancelRequestedAtMs != null;
}
