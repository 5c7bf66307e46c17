/**
 * Carries out the calls of a step, side by side, before the next request tells the model what came of them. Under the epoch of a
 * claim of its own: whoever is fenced books, shows and starts nothing more (T7). How often a call may run is decided by what
 * the database has booked, never by Temporal's attempts.
 */
import { callPastLimit } from '../../domain/turn/budget.ts';
import { agentServerLabel } from '../../domain/agents/function-names.ts';
import { journalRowOf, type ResponseEvent } from '../../domain/response/response-event.ts';
import type { ResponseStream } from '../../domain/response/response-stream.ts';
import type { ResponseObject } from '../../domain/response/response.ts';
import { idempotencyKeyOf, type ToolCallEnd, type ToolCallRow } from '../../domain/agents/tool-call.ts';
import { cutForModel, keptResult, maxToolResultBytes, withNote } from '../../domain/agents/tool-result.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { callBegun, callEnded } from '../../domain/response/worker-call-events.ts';
import { outcomeUnknown } from '../../domain/agents/worker-call.ts';
import type { Store } from '../../store/ports/store.ts';
import { retryWhileBusy } from '../../store/retry-while-busy.ts';
import { runWorkerTool } from '../../tools/run-worker-tool.ts';
import type { ToolContext, WorkerTool } from '../../tools/tool.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';
import { AttemptAborted, type AbortReason } from './abort-reason.ts';
import type { Agents } from './agents.ts';
import { FencedError } from './journal-writer.ts';
import { ProgressNotes } from './progress-notes.ts';
import type { Tape } from './tape.ts';

/** Calls of one turn at the same time. */
const atOnce = 8;

export interface ToolRound {
  readonly store: Store;
  readonly turn: TurnRow;
  readonly step: number;
  readonly epoch: number;
  readonly stream: ResponseStream;
  readonly tools: TurnTools;
  /** How many of them the budget allows: the model is told of the others. */
  readonly callsLeft: number;
  /** Of the result of one call: no more of it is stored (T14). */
  readonly maxResultBytes: number;
  readonly log: Agents['log'];
  readonly traceparentOf: Agents['traceparentOf'];
  readonly tape: Pick<Tape, 'callEnds'>;
  /** It counts no longer among the streams of this process. */
  readonly leaveRoom: () => void;
  /** Aborts with an `AttemptAborted`. */
  readonly signal: AbortSignal;
  readonly abort: (reason: AbortReason) => void;
  /** See `AttemptInput`. */
  readonly isLeaseOver: () => boolean;
}

/**
 * Resolves once every call has its end, and rejects once none runs any more.
 * @throws the signal's reason once it aborts, `FencedError` when another one has the turn
 */
export async function runTools(given: ToolRound): Promise<void> {
  const stop = new AbortController();
  const round: ToolRound = { ...given, signal: AbortSignal.any([given.signal, stop.signal]) };
  const { store, turn, step, signal } = round;
  const calls = await retryWhileBusy(() => store.readToolCalls(turn.id, step), signal);
  const left = calls.filter((call) => call.endedAtMs === undefined);
  // The turns that it waits for need room themselves.
  if (left.some(({ serverLabel }) => serverLabel === agentServerLabel)) round.leaveRoom();
  // Those that were begun before are counted already.
  const kept = new Set(left.filter(({ runs }) => runs === 0).slice(round.callsLeft));
  const journal = new CallJournal(round);
  const workOn = async (): Promise<void> => {
    for (let call = left.shift(); call !== undefined && !signal.aborted; call = left.shift()) {
      await (kept.has(call) ? keepBack(journal, call) : carryOut(round, journal, call));
    }
  };
  // What fails for one is the end of all: the others stop before anybody is told of it.
  const workUntilStopped = async (): Promise<void> =>
    workOn().catch((error: unknown) => {
      journal.close();
      stop.abort(error);
    });
  await Promise.all(Array.from({ length: atOnce }, workUntilStopped));
  journal.close();
  signal.throwIfAborted();
}

/** It is over before it was begun: only one that is not shown yet is booked as if it were. */
async function keepBack(journal: CallJournal, call: ToolCallRow): Promise<void> {
  const position = call.position ?? (await journal.start(call));
  await journal.end({ ...call, position }, failed(callPastLimit));
}

async function carryOut(round: ToolRound, journal: CallJournal, call: ToolCallRow): Promise<void> {
  const { store, turn, tools, log, signal } = round;
  const tool = tools.find(call.serverLabel, call.name);
  if (call.runs >= (tool?.attempts ?? 1)) {
    await journal.end(call, { outcome: 'unknown', result: outcomeUnknown, end: { status: 'failed', message: outcomeUnknown } });
    return;
  }
  if (tool === undefined) {
    const shown = { ...call, position: await journal.start(call) };
    // Of a server that is away just now: it may well have such a tool.
    const away = tools.lists.find(({ serverLabel }) => serverLabel === call.serverLabel)?.error;
    const why = away === undefined ? `There is no tool '${call.name}'.` : notMade(call.serverLabel, away);
    await journal.end(shown, failed(why));
    return;
  }
  const notes = new ProgressNotes((words) => retryWhileBusy(() => store.noteProgress(call, words), signal));
  const ids = { response: turn.publicId, tool: call.name, call: idempotencyKeyOf(call) };
  const traceparent = round.traceparentOf?.(turn, { call: call.number, run: call.runs + 1 });
  const context: ToolContext = {
    signal,
    idempotencyKey: idempotencyKeyOf(call),
    turn: {
      id: turn.publicId,
      ...(turn.session === null ? {} : { session: turn.session }),
      tenant: turn.tenant,
      step: call.origin.step,
      call: call.origin.call_id,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
    log: (message) => {
      log(message, ids);
    },
    progress: (message) => {
      notes.note(message);
    },
  };
  // It is booked once it may begin: what was waited for, and never begun, is known not to have run.
  const leave = await tool.room?.(context);
  try {
    const position = await journal.start(call);
    // A process that stood still since it booked the run may have lost the turn: in the same tick as the tool (T7).
    if (round.isLeaseOver()) round.abort('fenced');
    if (signal.aborted) return;
    const end = await outcomeOf(tool, call, context, round.maxResultBytes);
    await notes.close();
    if (end !== undefined) await journal.end({ ...call, position }, end);
  } finally {
    leave?.();
  }
}

/** undefined: it was stopped from our side, so nobody knows what it did. */
async function outcomeOf(tool: WorkerTool, call: ToolCallRow, context: ToolContext, maxBytes: number): Promise<ToolCallEnd | undefined> {
  try {
    const result = await runWorkerTool(tool, call.arguments, context);
    const usage = result.usage === undefined ? {} : { usage: result.usage };
    if (result.type === 'error') return { ...failed(result.message, maxBytes), ...usage };
    const { text, length } = keptResult(result.text, maxBytes);
    return { outcome: 'completed', result: text, end: { status: 'completed', output: forModel(text, length) }, ...usage };
  } catch (error) {
    if (context.signal.aborted) return undefined;
    throw error;
  }
}

function notMade(server: string, why: string): string {
  return `This call was not made: the tools of '${server}' could not be had: ${why}`;
}

function failed(message: string, maxBytes = Number.POSITIVE_INFINITY): ToolCallEnd {
  const { text, length } = keptResult(message, maxBytes);
  return { outcome: 'failed', result: text, end: { status: 'failed', message: forModel(text, length) } };
}

function forModel(result: string, length?: number): string {
  return withNote(cutForModel(result, maxToolResultBytes, length));
}

/** Books and shows calls one after the other, however many run side by side: a journal has one writer. */
class CallJournal {
  readonly #round: ToolRound;
  #writing: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(round: ToolRound) {
    this.#round = round;
  }

  /** From now on nothing is written. */
  close(): void {
    this.#isClosed = true;
  }

  /** @returns the place of its item in the output */
  async start(call: ToolCallRow): Promise<number> {
    return this.#write(async () => {
      const { store, stream, turn, epoch } = this.#round;
      let position = call.position ?? 0;
      const rows = rowsOf(
        call.position !== null
          ? []
          : stream.show((output: ResponseObject) => {
              position = output.output.length;
              return callBegun(output, call);
            }),
      );
      const shown = rows.length === 0 ? {} : { shown: { position, rows } };
      const isBooked = await retryWhileBusy(() => store.startToolCall({ turn: turn.id, number: call.number, epoch, ...shown }));
      if (!isBooked) throw await this.#refusal();
      return position;
    });
  }

  /** Whoever has the turn ends it as cancelled, where that was accepted (T5). */
  async #refusal(): Promise<Error> {
    const { store, turn } = this.#round;
    const row = await retryWhileBusy(() => store.readTurn(turn.id));
    return row?.cancelRequestedAtMs == null ? new FencedError('the turn was taken over') : new AttemptAborted('cancelled');
  }

  async end(call: ToolCallRow, end: ToolCallEnd): Promise<void> {
    await this.#round.tape.callEnds(call.position ?? -1);
    await this.#write(async () => {
      const { store, stream, turn, epoch } = this.#round;
      const rows = rowsOf(stream.show(({ output }) => callEnded(output[call.position ?? -1], call.position ?? -1, end.end)));
      const isWritten = await retryWhileBusy(() => store.endToolCall({ turn: turn.id, number: call.number, epoch, rows, ...end }));
      if (!isWritten) throw new FencedError('the turn was taken over');
    });
  }

  async #write<T>(work: () => Promise<T>): Promise<T> {
    const written = this.#writing.then(async () => {
      if (this.#isClosed) throw new FencedError('the round of tools is over');
      return work();
    });
    this.#writing = written.catch(() => undefined);
    return written;
  }
}

function rowsOf(events: readonly ResponseEvent[]): ReturnType<typeof journalRowOf>[] {
  return events.map(journalRowOf);
}
