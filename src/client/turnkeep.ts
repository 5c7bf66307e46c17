/**
 * What an application does with turns: submit, follow, cancel, look up. The gateway and the CLI stand on it.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { journalRowOf, type JournalRow } from '../domain/response-event.ts';
import { ResponseStream } from '../domain/response-stream.ts';
import { type InputItem, type Item, isSettled, newResponse, type ResponseObject, type ResponseSettings } from '../domain/response.ts';
import { persist } from '../store/persist.ts';
import { readStream, settleTurn } from '../store/settle-turn.ts';
import type { AttemptRow, ItemPage, SessionRow, Store, TurnRow } from '../store/store.ts';
import type { Delivery } from './delivery.ts';
import { newId } from './ids.ts';

export interface Submission {
  readonly tenant: string;
  readonly settings: ResponseSettings;
  readonly input: readonly Omit<InputItem, 'id'>[];
  /** The conversation this turn belongs to. */
  readonly session: string | null;
  /** The turn this one follows, outside of a conversation. */
  readonly previous: string | null;
  readonly idempotencyKey: string | null;
  /** The client's own library is sending this again after a failed attempt of its own. */
  readonly isResend: boolean;
}

export type SubmitResult =
  | { readonly type: 'accepted'; readonly turn: TurnRow }
  /** The same idempotency key was used with another body. */
  | { readonly type: 'key_conflict' };

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

export interface TurnkeepOptions {
  readonly store: Store;
  readonly delivery: Delivery;
  /** Unsettled turns that one tenant may have. */
  readonly maxRunningTurns?: number;
  /** Turns that may wait in one session. */
  readonly maxWaitingTurns?: number;
}

export class Turnkeep {
  readonly #store: Store;
  readonly #delivery: Delivery;

  constructor({ store, delivery }: TurnkeepOptions) {
    this.#store = store;
    this.#delivery = delivery;
  }

  // Turns ------------------------------------------------------------------------------------------

  /** Resolves once the turn can no longer be lost. The same submission again gives the same turn (T1). */
  async submit(submission: Submission): Promise<SubmitResult> {
    const bodyHash = hashOf(submission);
    const twin = submission.isResend && submission.idempotencyKey === null ? await this.#twin(submission, bodyHash) : undefined;
    const { turn, isNew } = twin === undefined ? await this.#insert(submission, bodyHash) : { turn: twin, isNew: false };
    if (!isNew && turn.bodyHash !== bodyHash) return { type: 'key_conflict' };
    if (!turn.isSubmitted && !(isSettled(turn.status) && turn.isRecorded)) await this.#deliver(turn);
    return { type: 'accepted', turn };
  }

  async readTurn(tenant: string, id: string): Promise<TurnRow | undefined> {
    const turn = await this.#store.readTurn(id);
    return turn?.tenant === tenant ? turn : undefined;
  }

  /** The response as it stands: as sealed, or what has been shown so far. */
  async readResponse(turn: TurnRow): Promise<ResponseObject> {
    return turn.response ?? (await readStream(this.#store, turn.id)).response;
  }

  /** A client got the end of this turn. */
  async markDelivered(turn: string): Promise<void> {
    await persist(() => this.#store.markDelivered(turn));
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
    // Behind every possible event there is only the end to wait for.
    for await (const _ of this.#store.follow(id, Number.MAX_SAFE_INTEGER, signal));
    const turn = await this.#store.readTurn(id);
    return turn !== undefined && isSettled(turn.status) ? turn : undefined;
  }

  /** Stops a turn; what was shown stays. Answered within 2 s, even if its worker is dead. */
  async cancel(tenant: string, id: string): Promise<CancelResult> {
    const turn = await this.readTurn(tenant, id);
    if (turn === undefined) return { type: 'unknown' };
    const isAccepted = await persist(() => this.#store.requestCancel(id, Date.now()));
    if (isAccepted) {
      const isClaimed = ((await this.#store.readHead(id))?.epoch ?? 0) > 0;
      if (isClaimed) await this.#askToStop(turn);
      // Nobody writes it, or whoever does has not answered: it is fenced and sealed from here.
      await persist(() => settleTurn(this.#store, id, { status: 'cancelled' }, Date.now()));
    }
    const settled = await this.readTurn(tenant, id);
    if (settled === undefined) return { type: 'unknown' };
    return settled.status === 'cancelled' && settled.response !== null
      ? { type: 'cancelled', response: settled.response }
      : { type: 'already_settled', turn: settled };
  }

  // Sessions ---------------------------------------------------------------------------------------

  async createSession(tenant: string, metadata: { readonly [key: string]: string }): Promise<SessionRow> {
    const session = { id: newId('conv'), tenant, metadata, createdAtMs: Date.now() };
    return persist(() => this.#store.createSession(session));
  }

  async readSession(tenant: string, id: string): Promise<SessionRow | undefined> {
    return this.#store.readSession(tenant, id);
  }

  async readSessionItems(session: SessionRow, page: ItemPage): Promise<readonly Item[]> {
    return this.#store.readSessionItems(session, page);
  }

  async hasSessionItem(session: SessionRow, item: string): Promise<boolean> {
    return this.#store.hasSessionItem(session, item);
  }

  // ------------------------------------------------------------------------------------------------

  async #twin(submission: Submission, bodyHash: string): Promise<TurnRow | undefined> {
    const { tenant, session, previous } = submission;
    return this.#store.findTwin({ tenant, session, previous, bodyHash, settledAfterMs: Date.now() - resendWindowMs });
  }

  async #insert(submission: Submission, bodyHash: string): Promise<{ turn: TurnRow; isNew: boolean }> {
    const { tenant, settings, session, previous, idempotencyKey } = submission;
    const id = newId('resp');
    const createdAtMs = Date.now();
    const events = ResponseStream.open(newResponse({ id, createdAtMs, settings, session, previous })).map(journalRowOf);
    const input = submission.input.map((item): InputItem => ({ ...item, id: newId('msg') }));
    const turn = { id, tenant, session, previous, settings, input, idempotencyKey, bodyHash, createdAtMs, events };
    return persist(() => this.#store.insertTurn(turn));
  }

  async #deliver(turn: TurnRow): Promise<void> {
    const delivered = this.#delivery.deliver(turn).then(async () => persist(() => this.#store.markSubmitted(turn.id)));
    delivered.catch(() => undefined);
    // When Temporal cannot be reached the turn is safe all the same: the sweep hands it over once it can.
    await Promise.race([delivered.catch(() => undefined), delay(deliveryPatienceMs, undefined, { ref: false })]);
  }

  async #askToStop(turn: TurnRow): Promise<void> {
    const patience = AbortSignal.timeout(cancelPatienceMs);
    const asked = this.#delivery.cancel(turn);
    // Without a workflow to ask, there is nobody to wait for.
    const nobody = new AbortController();
    asked.catch(() => {
      nobody.abort();
    });
    await this.settled(turn.id, AbortSignal.any([patience, nobody.signal]));
  }
}

/** What makes two submissions the same: all that the model sees of them. */
function hashOf({ settings, input, session, previous }: Submission): string {
  return createHash('sha256')
    .update(JSON.stringify([settings, input, session, previous]))
    .digest('hex');
}

export type { JournalRow } from '../domain/response-event.ts';
export type { AttemptRow, SessionRow, TurnRow } from '../store/store.ts';
