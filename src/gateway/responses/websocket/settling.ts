/**
 * `response.cancel` and `response.processed`: what a client says of responses that this connection need not show. Whoever reads
 * the messages waits for each of them, so that a flood of them is read no faster than it is answered (T14).
 */
import type { Turnkeep } from '../../../client/turnkeep.ts';
import { ApiError, notFound } from '../../http/errors.ts';
import { alreadySettled } from '../../submit/submit-error.ts';
import { cancelEventOf, type ClientEvent, processedEventOf } from './client-events.ts';
import type { ClientSocket } from './client-socket.ts';
import type { Steering } from './steering.ts';

export interface SettlingOptions {
  readonly turnkeep: Pick<Turnkeep, 'acknowledge' | 'cancel' | 'readLastEvent' | 'readTurn'>;
  readonly client: Pick<ClientSocket, 'write'>;
  readonly tenant: string;
  /** Aborts when the connection has ended. */
  readonly gone: AbortSignal;
  readonly steering: Steering;
}

export class Settling {
  readonly #options: SettlingOptions;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** Resolves when there is room for more. @throws ApiError */
  async cancel(event: ClientEvent): Promise<void> {
    const { turnkeep, client, tenant, gone, steering } = this.#options;
    const id = cancelEventOf(event).response_id ?? steering.ofDefaultStream?.id;
    if (id === undefined) throw nothingToCancel();
    // Where the connection shows the response, its last event says so: it may have gone out before this resolves.
    const isShown = steering.find(id) !== undefined;
    const result = await turnkeep.cancel(tenant, id);
    if (result.type === 'unknown') throw notFound('Response', id, 'response_id');
    if (result.type === 'already_settled') throw alreadySettled(id, result.turn.status);
    if (isShown || steering.find(id) !== undefined) return;
    const turn = await turnkeep.readTurn(tenant, id);
    const last = turn === undefined ? undefined : await turnkeep.readLastEvent(turn.id);
    if (last !== undefined && !gone.aborted) await client.write([last.data], gone);
  }

  /** As the pong behind a response's end, which comes first with most clients. @throws ApiError */
  async acknowledge(event: ClientEvent): Promise<void> {
    const { turnkeep, tenant } = this.#options;
    const turn = await turnkeep.readTurn(tenant, processedEventOf(event));
    if (turn?.settledAtMs != null) await turnkeep.acknowledge(turn.id);
  }
}

function nothingToCancel(): ApiError {
  return new ApiError({
    status: 400,
    param: 'response_id',
    code: 'missing_required_parameter',
    message: "Missing 'response_id': no response runs in the default stream of this connection.",
  });
}
