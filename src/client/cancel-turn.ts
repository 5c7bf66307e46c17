/**
 * The one way a cancel goes (T5): it is booked in the database, the workflow is asked to stop the stream, and whoever
 * writes the turn hands in what it has. If nobody does in time, the turn is fenced and sealed from here, so that a cancel
 * is answered within 2 s even if the worker is dead.
 */
import type { ResponseObject } from '../domain/response.ts';
import type { TurnRow } from '../domain/turn.ts';
import { settleTurn } from '../settle/settle-turn.ts';
import type { Store } from '../store/ports/store.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import type { Dispatcher } from './dispatcher.ts';
import { turnIdPattern } from './ids.ts';

export type CancelResult =
  | { readonly type: 'cancelled'; readonly response: ResponseObject }
  | { readonly type: 'already_settled'; readonly turn: TurnRow }
  | { readonly type: 'unknown' };

/** How long the worker may take to hand in what it has, before the turn is sealed without it. */
const partialGraceMs = 1_500;

export class TurnCanceller {
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;

  constructor(store: Store, dispatcher: Dispatcher) {
    this.#store = store;
    this.#dispatcher = dispatcher;
  }

  /** Cancels a turn of the tenant. One that comes before its turn is remembered (10 minutes), and answered as unknown. */
  async cancel(tenant: string, id: string): Promise<CancelResult> {
    // What cannot be the id of a turn is not worth remembering.
    if (!turnIdPattern.test(id)) return { type: 'unknown' };
    const request = await retryWhileBusy(() => this.#store.requestCancel(tenant, id, Date.now()));
    if (request.type === 'unknown') return request;
    if (request.type === 'accepted') await this.carryOut(request.turn);
    const turn = await this.#store.readTurn(id);
    if (turn === undefined) return { type: 'unknown' };
    return turn.status === 'cancelled' && turn.response !== null
      ? { type: 'cancelled', response: turn.response }
      : { type: 'already_settled', turn };
  }

  /** Carries out a cancel that is booked. Resolves once the turn is settled, however. */
  async carryOut(turn: TurnRow): Promise<void> {
    const isClaimed = ((await this.#store.readHead(turn.id))?.epoch ?? 0) > 0;
    if (isClaimed) await this.#stopStream(turn);
    await retryWhileBusy(() => settleTurn(this.#store, turn.id, { status: 'cancelled' }, Date.now()));
  }

  /** Resolves once the stream has sealed the turn, the grace is over, or there is no workflow that could be asked. */
  async #stopStream(turn: TurnRow): Promise<void> {
    const unreachable = new AbortController();
    this.#dispatcher.cancel(turn).catch(() => {
      unreachable.abort();
    });
    const grace = AbortSignal.any([AbortSignal.timeout(partialGraceMs), unreachable.signal]);
    // A turn that is deleted meanwhile has nothing left to wait for.
    await this.#store.untilSealed(turn.id, grace).catch(() => undefined);
  }
}
