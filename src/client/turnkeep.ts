/** The client of an application: submit, follow, cancel and look up turns. The gateway stands on it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { InputItem } from '../domain/item.ts';
import { journalRowOf, type JournalRow } from '../domain/response-event.ts';
import { ResponseStream } from '../domain/response-stream.ts';
import { isSettled, newResponse, type ResponseObject } from '../domain/response.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { readStream } from '../settle/read-stream.ts';
import type { AttemptRow } from '../domain/attempt.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { InsertTurn, Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';
import { dispatchTurn, dispatchPatienceMs } from './dispatch-turn.ts';
import { type CancelResult, TurnCanceller } from './cancel-turn.ts';
import { newId } from './ids.ts';
import { Sessions } from './sessions.ts';
import { hashOf, outputsWithoutCall, type Submission, type SubmitResult, resolveReferences } from './submission.ts';
import { startTitles } from './titles.ts';

/** How long a submit waits for Temporal to confirm the turn; after that the sweep dispatches it: the row is the promise. */
const dispatchConfirmationMs = 5_000;
/** A client's own retry joins a settled turn this long: it got no end. */
const resendWindowMs = 10 * 60_000;

export interface Quotas {
  /** Turns of one session that may wait behind the one that runs. */
  readonly maxWaitingTurns: number;
  /** Unsettled turns of one tenant. */
  readonly maxRunningTurns: number;
}

export interface TurnkeepOptions {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly quotas?: Quotas;
  /** A session's first turn gives it a title. */
  readonly hasTitles?: boolean;
}

const defaultQuotas: Quotas = { maxWaitingTurns: 100, maxRunningTurns: 1_000 };

/**
 * Turns and sessions of a database and a Temporal namespace.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { Dispatcher, openSqliteStore, Turnkeep } from 'turnkeep/client';
 *
 *     const dispatcher = new Dispatcher({ workflows: new Client().workflow, taskQueue: 'turnkeep', isEager: false });
 *     const turnkeep = new Turnkeep({ store: openSqliteStore('turnkeep.db'), dispatcher });
 *     for await (const rows of turnkeep.follow('resp_1', -1, AbortSignal.timeout(60_000))) console.log(rows.length);
 */
export class Turnkeep {
  readonly sessions: Sessions;
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;
  readonly #canceller: TurnCanceller;
  readonly #quotas: Quotas;
  readonly #hasTitles: boolean;

  constructor({ store, dispatcher, quotas = defaultQuotas, hasTitles = false }: TurnkeepOptions) {
    this.#store = store;
    this.#dispatcher = dispatcher;
    this.#canceller = new TurnCanceller(store, dispatcher);
    this.#quotas = quotas;
    this.#hasTitles = hasTitles;
    this.sessions = new Sessions(store, (turn) => this.finishCancel(turn));
  }

  /** Resolves once the turn can no longer be lost. The same submission again gives the same turn (T1). */
  async submit(submission: Submission): Promise<SubmitResult> {
    const references = submission.input.flatMap((item) => (item.type === 'item_reference' ? [item.id] : []));
    const known = references.length === 0 ? new Map() : await this.#store.findItems(submission.tenant, references);
    const input = resolveReferences(submission.input, known);
    if ('type' in input) return input;
    const unknownCall = await this.#unknownCall(submission, input);
    if (unknownCall !== undefined) return unknownCall;

    const result = await this.#insert(submission, input);
    if (result.type !== 'inserted' && result.type !== 'joined') return result;
    const { turn } = result;
    // A young turn is being dispatched by the process that inserted it: fifty equal POSTs would write fifty signals.
    const isOurs = result.type === 'inserted' || turn.createdAtMs < Date.now() - dispatchPatienceMs;
    if (isOurs && !turn.isDispatched && !(isSettled(turn.status) && turn.isRecorded)) await this.#dispatch(turn);
    if (result.type === 'inserted') await this.#begin(result);
    return { type: 'accepted', turn };
  }

  async readTurn(tenant: string, id: string): Promise<TurnRow | undefined> {
    return this.#store.findTurn(tenant, id);
  }

  /** The response as it stands: as sealed, or what has been shown so far. */
  async readResponse(turn: TurnRow): Promise<ResponseObject> {
    return turn.response ?? (await readStream(this.#store, turn.id)).response;
  }

  /** Are the turn's events still there? They are dropped before the turn itself. */
  async hasJournal(turn: TurnRow): Promise<boolean> {
    return (await this.#store.readHead(turn.id)) !== undefined;
  }

  /** A client got the end of this turn. */
  async acknowledge(turn: string): Promise<void> {
    await retryWhileBusy(() => this.#store.acknowledge(turn));
  }

  async readAttempts(turn: string): Promise<readonly AttemptRow[]> {
    return this.#store.readAttempts(turn);
  }

  /** The events after `after`, from the past into the live tail, until the turn's end; see `Store.follow`. */
  follow(turn: string, after: number, signal: AbortSignal): AsyncIterable<readonly JournalRow[]> {
    return this.#store.follow(turn, after, signal);
  }

  /** Resolves with the settled turn, or with undefined once `signal` aborts. Disconnecting never cancels. */
  async settled(id: string, signal: AbortSignal): Promise<TurnRow | undefined> {
    await this.#store.untilSealed(id, signal);
    const turn = await this.#store.readTurn(id);
    return turn !== undefined && isSettled(turn.status) ? turn : undefined;
  }

  /** Stops a turn; what was shown stays. Answered within 2 s, even if its worker is dead. One that comes before its turn is remembered. */
  async cancel(tenant: string, id: string): Promise<CancelResult> {
    return this.#canceller.cancel(tenant, id);
  }

  /** Carries out a cancel that was booked, by whoever booked it. */
  async finishCancel(turn: TurnRow): Promise<void> {
    await this.#canceller.carryOut(turn);
  }

  /** Removes a turn, a running one after stopping it. False when there is none. */
  async deleteTurn(tenant: string, id: string): Promise<boolean> {
    const turn = await this.#store.findTurn(tenant, id);
    if (turn === undefined) return false;
    if (turn.settledAtMs === null) await this.cancel(tenant, id);
    return retryWhileBusy(() => this.#store.deleteTurn(tenant, id, Date.now()));
  }

  // ------------------------------------------------------------------------------------------------

  async #unknownCall(submission: Submission, input: readonly InputItem[]): Promise<SubmitResult | undefined> {
    const { tenant, session, previous, replaces } = submission;
    const outputs = outputsWithoutCall(input);
    if (outputs.length === 0 || replaces !== undefined) return undefined;
    // While turns of the session run, their calls are still to come.
    if (session !== null && (await this.#store.listUnsettledOf(tenant, session)).length > 0) return undefined;
    const leaf = session === null ? previous : ((await this.#store.readSession(tenant, session))?.leaf ?? null);
    for (const { index, callId } of outputs) {
      const isKnown = leaf !== null && (await this.#store.hasCall(leaf, callId));
      if (!isKnown) return { type: 'unknown_call', index, id: callId };
    }
    return undefined;
  }

  async #insert(submission: Submission, input: readonly InputItem[]): Promise<InsertTurn> {
    const { tenant, settings, session, previous, idempotencyKey, replaces, isResend, whenBusy = 'enqueue' } = submission;
    const id = submission.id ?? newId('resp');
    const createdAtMs = Date.now();
    const events = ResponseStream.open(newResponse({ id, createdAtMs, settings, session, previous })).map(journalRowOf);
    return retryWhileBusy(() =>
      this.#store.insertTurn({
        id,
        tenant,
        session,
        previous,
        settings,
        input,
        idempotencyKey,
        bodyHash: hashOf(submission),
        createdAtMs,
        events,
        whenBusy,
        limits: this.#quotas,
        ...(replaces === undefined ? {} : { replaces }),
        ...(isResend && idempotencyKey === null && submission.id === undefined
          ? { joins: { settledAfterMs: createdAtMs - resendWindowMs } }
          : {}),
        ...(this.#hasTitles && settings.store ? { wantsTitle: true } : {}),
      }),
    );
  }

  /** What follows from a new turn: the cancel of the one it interrupts, its own early cancel, its session's title. */
  async #begin({ turn, interrupted }: InsertTurn & { type: 'inserted' }): Promise<void> {
    if (interrupted !== undefined) {
      const running = await this.#store.readTurn(interrupted);
      if (running !== undefined && running.settledAtMs === null) await this.finishCancel(running);
    }
    // Its cancel came before it: it ends without a model call.
    if (turn.cancelRequestedAtMs !== null) await this.finishCancel(turn);
    // A title neither delays nor fails the turn; a start that fails here is left to the sweep.
    if (this.#hasTitles && turn.session !== null) startTitles(this.#store, this.#dispatcher).catch(() => undefined);
  }

  async #dispatch(turn: TurnRow): Promise<void> {
    // When Temporal cannot be reached the turn is safe all the same: the sweep dispatches it once it can.
    const dispatched = dispatchTurn(this.#store, this.#dispatcher, turn).catch(() => undefined);
    const patience = new AbortController();
    const tooLong = delay(dispatchConfirmationMs, undefined, { ref: false, signal: patience.signal }).catch(() => undefined);
    await Promise.race([dispatched, tooLong]);
    patience.abort();
  }
}
