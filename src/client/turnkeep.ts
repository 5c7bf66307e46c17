/**
 * What an application does with turns: submit, follow, cancel, look up. The gateway and the CLI stand on it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { InputItem } from '../domain/item.ts';
import { journalRowOf, type JournalRow } from '../domain/response-event.ts';
import { ResponseStream } from '../domain/response-stream.ts';
import { isSettled, newResponse, type ResponseObject } from '../domain/response.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { readStream, settleTurn } from '../settle/settle-turn.ts';
import type { AttemptRow } from '../domain/attempt.ts';
import type { TurnRow } from '../domain/turn.ts';
import type { InsertTurn, Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';
import { dispatchTurn, dispatchPatienceMs } from './dispatch-turn.ts';
import { newId, turnIdPattern } from './ids.ts';
import { Sessions } from './sessions.ts';
import { hashOf, outputsWithoutCall, type Submission, type SubmitResult, takenIn } from './submission.ts';
import { startTitles } from './titles.ts';

export type CancelResult =
  | { readonly type: 'cancelled'; readonly response: ResponseObject }
  | { readonly type: 'already_settled'; readonly turn: TurnRow }
  | { readonly type: 'unknown' };

/** Temporal gets this long to confirm a turn; after that the sweep delivers it: the row is the promise. */
const deliveryPatienceMs = 5_000;
/** How long the worker may take to hand in what it has, before a cancel is sealed without it. */
const cancelPatienceMs = 1_500;
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
  readonly delivery: Dispatcher;
  readonly quotas?: Quotas;
  /** A session's first turn gives it a title. */
  readonly hasTitles?: boolean;
}

const defaultQuotas: Quotas = { maxWaitingTurns: 100, maxRunningTurns: 1_000 };

export class Turnkeep {
  readonly sessions: Sessions;
  readonly #store: Store;
  readonly #delivery: Dispatcher;
  readonly #quotas: Quotas;
  readonly #hasTitles: boolean;

  constructor({ store, delivery, quotas = defaultQuotas, hasTitles = false }: TurnkeepOptions) {
    this.#store = store;
    this.#delivery = delivery;
    this.#quotas = quotas;
    this.#hasTitles = hasTitles;
    this.sessions = new Sessions(store, (turn) => this.finishCancel(turn));
  }

  /** Resolves once the turn can no longer be lost. The same submission again gives the same turn (T1). */
  async submit(submission: Submission): Promise<SubmitResult> {
    const references = submission.input.flatMap((item) => (item.type === 'item_reference' ? [item.id] : []));
    const known = references.length === 0 ? new Map() : await this.#store.findItems(submission.tenant, references);
    const input = takenIn(submission.input, known);
    if ('type' in input) return input;
    const unknownCall = await this.#unknownCall(submission, input);
    if (unknownCall !== undefined) return unknownCall;

    const result = await this.#insert(submission, input);
    if (result.type !== 'inserted' && result.type !== 'joined') return result;
    const { turn } = result;
    // A twin of a young turn leaves it to whoever took that in: fifty at once would write fifty signals into its history.
    const isMine = result.type === 'inserted' || turn.createdAtMs < Date.now() - dispatchPatienceMs;
    if (isMine && !turn.isDispatched && !(isSettled(turn.status) && turn.isRecorded)) await this.#deliver(turn);
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
    // What cannot be the id of a turn need not be remembered.
    if (!turnIdPattern.test(id)) return { type: 'unknown' };
    const request = await retryWhileBusy(() => this.#store.requestCancel(tenant, id, Date.now()));
    if (request.type === 'unknown') return request;
    if (request.type === 'accepted') await this.finishCancel(request.turn);
    const settled = await this.#store.readTurn(id);
    if (settled === undefined) return { type: 'unknown' };
    return settled.status === 'cancelled' && settled.response !== null
      ? { type: 'cancelled', response: settled.response }
      : { type: 'already_settled', turn: settled };
  }

  /** Carries out a cancel that was accepted. */
  async finishCancel(turn: TurnRow): Promise<void> {
    const isClaimed = ((await this.#store.readHead(turn.id))?.epoch ?? 0) > 0;
    if (isClaimed) await this.#askToStop(turn);
    // Nobody writes it, or whoever does has not answered: it is fenced and sealed from here.
    await retryWhileBusy(() => settleTurn(this.#store, turn.id, { status: 'cancelled' }, Date.now()));
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

  /** What a turn's coming brings about besides itself. */
  async #begin({ turn, interrupted }: InsertTurn & { type: 'inserted' }): Promise<void> {
    if (interrupted !== undefined) {
      const running = await this.#store.readTurn(interrupted);
      if (running !== undefined && running.settledAtMs === null) await this.finishCancel(running);
    }
    // Its cancel came first: it ends without a model call.
    if (turn.cancelRequestedAtMs !== null) await this.finishCancel(turn);
    // A title neither delays nor fails the turn; what does not begin here, the sweep begins.
    if (this.#hasTitles && turn.session !== null) startTitles(this.#store, this.#delivery).catch(() => undefined);
  }

  async #deliver(turn: TurnRow): Promise<void> {
    // When Temporal cannot be reached the turn is safe all the same: the sweep hands it over once it can.
    const delivered = dispatchTurn(this.#store, this.#delivery, turn).catch(() => undefined);
    const patience = new AbortController();
    const tooLong = delay(deliveryPatienceMs, undefined, { ref: false, signal: patience.signal }).catch(() => undefined);
    await Promise.race([delivered, tooLong]);
    patience.abort();
  }

  async #askToStop(turn: TurnRow): Promise<void> {
    const patience = AbortSignal.timeout(cancelPatienceMs);
    const asked = this.#delivery.cancel(turn);
    // Without a workflow to ask, there is nobody to wait for.
    const nobody = new AbortController();
    asked.catch(() => {
      nobody.abort();
    });
    // A turn that is deleted meanwhile has nothing left to wait for.
    await this.settled(turn.id, AbortSignal.any([patience, nobody.signal])).catch(() => undefined);
  }
}
