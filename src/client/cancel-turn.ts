/**
 * The one way a cancel goes (T5): it is booked in the database, where whoever writes the turn finds it with its next beat; an
 * attempt of this process is stopped at once, any other by way of its workflow. If nobody has sealed the turn in time, it
 * is fenced and sealed from here, so that a cancel is answered within 2 s even if the worker is dead.
 */
import type { ResponseObject } from '../domain/response/response.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import { awaitHolder } from '../settle/await-holder.ts';
import { type SettleDeps, settleTurn } from '../settle/settle-turn.ts';
import type { RunningStreams } from '../settle/running-streams.ts';
import type { Store } from '../store/ports/store.ts';
import type { Dispatcher } from './dispatcher.ts';
import { turnIdPattern } from './ids.ts';
import { whileCallerWaits } from './patience.ts';

export type CancelResult =
  | { readonly type: 'cancelled'; readonly response: ResponseObject }
  | { readonly type: 'already_settled'; readonly turn: TurnRow }
  | { readonly type: 'unknown' };

export class TurnCanceller {
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;
  readonly #settleDeps: SettleDeps;

  constructor(store: Store, dispatcher: Dispatcher, streams: RunningStreams) {
    this.#store = store;
    this.#dispatcher = dispatcher;
    this.#settleDeps = { store, streams, onReady: (next) => void dispatcher.runReady(next) };
  }

  /** Cancels a turn of the tenant. One that comes before its turn is remembered (10 minutes), and answered as unknown. */
  async cancel(tenant: string, publicId: string): Promise<CancelResult> {
    // What cannot be the id of a turn is not worth remembering.
    if (!turnIdPattern.test(publicId)) return { type: 'unknown' };
    const request = await whileCallerWaits(() => this.#store.requestCancel(tenant, publicId, Date.now()));
    if (request.type === 'unknown') return request;
    if (request.type === 'accepted') await this.carryOut(request.turn.id);
    const turn = request.type === 'settled' ? request.turn : await this.#store.readTurn(request.turn.id);
    if (turn === undefined) return { type: 'unknown' };
    const response = turn.status === 'cancelled' ? await this.#store.readResponse(turn.id) : undefined;
    return response === undefined ? { type: 'already_settled', turn } : { type: 'cancelled', response };
  }

  /** Carries out a cancel that is booked. Resolves once the turn is settled, however. @throws `StoreBusyError` when the database does not take its end in 5 s */
  async carryOut(id: string): Promise<void> {
    this.#dispatcher.headStart?.get(id)?.abort('cancelled');
    // The workflow ends too; where Temporal is away it finds the turn settled later.
    const asked = this.#dispatcher.cancel(id).catch(() => undefined);
    await whileCallerWaits(() => awaitHolder(this.#store, id));
    // A caller who waits in vain may ask again; the cancel is booked, and the sweep of any process carries it out.
    await whileCallerWaits(() => settleTurn(this.#settleDeps, id, { status: 'cancelled' }));
    void asked;
  }
}
