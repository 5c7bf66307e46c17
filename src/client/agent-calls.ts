/**
 * Carries out calls of agents by other agents, in a worker: each is a turn of its own, taken in like that of any client. One call
 * is one turn: a second run of it, after a lost worker, waits for the turn that the first one began (T2). It outlives whoever
 * waits for it, and ends with the turn that called it: the commit that ends that one books its cancel.
 */
import { type Agent, type Price, priceOf } from '../domain/agents/agent.ts';
import { type AgentAnswer, answerOf, longestAgentChain, settingsOfCall } from '../domain/agents/agent-call.ts';
import { isSettled } from '../domain/response/response.ts';
import { wholeUsageOf } from '../domain/turn/spent.ts';
import { idempotencyKeyOf } from '../domain/agents/tool-call.ts';
import type { ParentCall, TurnRow } from '../domain/turn/turn.ts';
import { RunningStreams } from '../settle/running-streams.ts';
import { JournalGoneError } from '../store/ports/journal.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { TurnCanceller } from './cancel-turn.ts';
import type { Dispatcher } from './dispatcher.ts';
import { EndRates } from './end-rates.ts';
import { childIdOf } from './ids.ts';
import { type SubmitDeps, submitTurn } from './submit-turn.ts';

/** Whoever was let in is let in with all that its turn calls: to refuse that would end what has begun. */
const noQuotas = { maxWaitingTurns: Number.POSITIVE_INFINITY, maxRunningTurns: Number.POSITIVE_INFINITY };

/** A store behind which the end of a turn stops the turns that it has called. It changes no result, and no call waits for it. */
export function withEndsOfCalls(store: Store, cancel: (turn: string) => Promise<void>): Store {
  return {
    ...store,
    async seal(seal) {
      const result = await store.seal(seal);
      // What fails here is booked, and the sweep of any process carries it out.
      if (result.type === 'sealed') for (const turn of result.cancels ?? []) cancel(turn).catch(() => undefined);
      return result;
    },
  };
}

export class AgentCalls {
  readonly #store: Store;
  readonly #deps: SubmitDeps;
  readonly #prices: ReadonlyMap<string, Price>;

  /** @param prices of models, for `priceOf` */
  constructor(store: Store, dispatcher: Dispatcher, prices: ReadonlyMap<string, Price> = new Map()) {
    const canceller = new TurnCanceller(store, dispatcher, new RunningStreams(store));
    this.#store = store;
    this.#prices = prices;
    this.#deps = {
      store,
      endRates: new EndRates(store),
      dispatcher,
      canceller,
      quotas: noQuotas,
      hasTitles: false,
      webhookEventsOf: () => [],
    };
  }

  /** Carries out a cancel that is booked. */
  async cancel(turn: string): Promise<void> {
    await this.#deps.canceller.carryOut(turn);
  }

  /** @throws the signal's reason once it aborts: the turn goes on */
  async call(agent: Agent, input: string, call: ParentCall, signal: AbortSignal): Promise<AgentAnswer> {
    const begun = await this.#begin(agent, input, call, signal);
    if ('type' in begun) return begun;
    const turn = await this.#settled(begun, signal);
    const { id } = begun;
    const [response, attempts, toolCalls] = await retryWhileBusy(
      () => Promise.all([this.#store.readResponse(id), this.#store.readAttempts(id), this.#store.readToolCalls(id)]),
      signal,
    );
    const usage = wholeUsageOf(begun, attempts, toolCalls);
    return { ...answerOf(turn ?? begun, response), ...(usage === null ? {} : { usage }) };
  }

  /** The turn of the call: the one that is there, or a new one. */
  async #begin(agent: Agent, input: string, call: ParentCall, signal: AbortSignal): Promise<TurnRow | AgentAnswer> {
    const id = childIdOf(call);
    const known = await this.#read(id, signal);
    if (known !== undefined) return known;
    const parent = await this.#read(call.turn, signal);
    if (parent === undefined || (await this.#isTooDeep(parent, signal))) {
      return { type: 'error', message: `Agents may wait for each other ${longestAgentChain} deep, and no deeper: the call was not made.` };
    }
    const content = [{ type: 'input_text', text: input }] as const;
    const submission = {
      tenant: parent.tenant,
      settings: settingsOfCall(agent, parent, priceOf(agent, this.#prices)),
      input: [{ type: 'message', status: 'completed', role: 'user', content }],
      session: null,
      previous: null,
      parent: call,
      // No client can send a key with a line end.
      idempotencyKey: `call\n${idempotencyKeyOf(call)}`,
      isResend: false,
      receivedAtMs: Date.now(),
      signal,
    } as const;
    const result = await retryWhileBusy(() => submitTurn(this.#deps, submission), signal);
    if (result.type === 'accepted') return result.turn;
    // Another worker, which has another configuration, was first.
    const first = result.type === 'conflict' ? await this.#read(id, signal) : undefined;
    return first ?? { type: 'error', message: `The agent "${agent.name}" could not be asked (${result.type}).` };
  }

  async #isTooDeep(parent: TurnRow, signal: AbortSignal): Promise<boolean> {
    let caller: TurnRow | undefined = parent;
    for (let depth = 1; caller !== undefined; depth += 1) {
      if (depth >= longestAgentChain) return true;
      caller = caller.parent === null ? undefined : await this.#read(caller.parent.turn, signal);
    }
    return false;
  }

  /** undefined: it is gone. */
  async #settled(turn: TurnRow, signal: AbortSignal): Promise<TurnRow | undefined> {
    if (isSettled(turn.status)) return turn;
    try {
      await this.#store.untilSealed(turn.id, signal);
    } catch (error) {
      if (!(error instanceof JournalGoneError)) throw error;
    }
    signal.throwIfAborted();
    return this.#read(turn.id, signal);
  }

  async #read(id: string, signal: AbortSignal): Promise<TurnRow | undefined> {
    return retryWhileBusy(() => this.#store.readTurn(id), signal);
  }
}
