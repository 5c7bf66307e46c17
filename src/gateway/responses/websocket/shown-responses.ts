/** The responses that a connection shows: from their first event to their last, and to those that follow them by steering. */
import type { TurnRow } from '../../../domain/turn/turn.ts';
import { ApiError, asApiError } from '../../http/errors.ts';
import type { ServeDeps } from '../../stream/serve-turn.ts';
import type { SubmitDeps } from '../../submit/submit-turn.ts';
import { type Accepted, acceptSuccessor } from './accept.ts';
import { type ClientEvent, steerEventOf, steerInputOf } from './client-events.ts';
import { type ClientSocket, encodeMessages } from './client-socket.ts';
import type { Contexts } from './contexts.ts';
import {
  letGo,
  requiredInputOf,
  type SteeredResponse,
  steerAccepted,
  type SteerErrorCode,
  steerFailed,
  type Steering,
  steerPending,
} from './steering.ts';

export interface ShownResponsesOptions {
  readonly deps: SubmitDeps & ServeDeps;
  readonly client: ClientSocket;
  readonly tenant: string;
  /** Aborts when the connection has ended. */
  readonly gone: AbortSignal;
  readonly contexts: Contexts;
  readonly steering: Steering;
  /** Gets what goes wrong on our side where the client is told something simpler. */
  readonly onError: (error: unknown) => void;
}

export class ShownResponses {
  readonly #options: ShownResponsesOptions;
  /** How often each turn is shown, by its own id. */
  readonly #shown = new Map<string, number>();

  constructor(options: ShownResponsesOptions) {
    this.#options = options;
  }

  /** Is one of them over, also where the client has not taken it to its end? */
  async hasUntakenEnd(): Promise<boolean> {
    const ended = await Promise.all(Array.from(this.#shown.keys(), (turn) => this.#options.deps.turnkeep.hasEnded(turn)));
    return ended.includes(true);
  }

  /** Shows a new response to its end, and those that follow it because it was steered. */
  async serve(first: Accepted, streamId: string | undefined): Promise<void> {
    for (let next: Accepted | undefined = first; next !== undefined;) next = await this.#serveOne(next, streamId);
  }

  /** Shows what is behind `after` of a response, and those that follow it. @param onShown called at its end */
  async resume(turn: TurnRow, after: number, streamId: string | undefined, onShown: () => void): Promise<void> {
    const next = await this.#serveOne({ turn, kept: undefined }, streamId, { after, onShown });
    if (next !== undefined) await this.serve(next, streamId);
  }

  /**
   * Shows the events behind `after`, as they come.
   * @returns the last event; undefined: there was none, or the client has gone before
   */
  async #show(turn: TurnRow, after: number, streamId: string | undefined, steered: SteeredResponse): Promise<string | undefined> {
    const { client, deps, gone } = this.#options;
    const { turnkeep, onStreamError } = deps;
    const viewer = deps.viewers?.open(turn.id, 'websocket', after);
    let last: string | undefined;
    this.#shown.set(turn.id, (this.#shown.get(turn.id) ?? 0) + 1);
    try {
      for await (const rows of turnkeep.follow(turn.id, after, gone)) {
        await client.write(encodeMessages(rows, streamId), gone);
        if (!gone.aborted) viewer?.saw(rows.at(-1)?.seq ?? after);
        last = rows.at(-1)?.data;
        steered.lastSeq = rows.at(-1)?.seq ?? steered.lastSeq;
      }
    } finally {
      viewer?.close(gone.aborted ? client.goneBy : 'saw_end');
      const others = (this.#shown.get(turn.id) ?? 1) - 1;
      if (others === 0) this.#shown.delete(turn.id);
      else this.#shown.set(turn.id, others);
    }
    if (gone.aborted) return undefined;
    // A client that answers no pings keeps this for as long as its connection: it is not to keep the turn.
    const { id } = turn;
    client.onTaken(`end ${id}`, () => {
      turnkeep.acknowledge(id).catch(onStreamError);
    });
    return last;
  }

  /**
   * Resolves once an input that goes back is with the system.
   * @throws ApiError where nothing says which response is to be steered; whatever else is wrong is a `response.steer.failed`
   */
  async steer(event: ClientEvent, bytes: number): Promise<void> {
    const { client, steering, deps } = this.#options;
    const { turnkeep, onStreamError } = deps;
    const { target, input: given } = steerEventOf(event);
    const response = steering.find(target);
    const fail = async (code: SteerErrorCode, message: string): Promise<void> =>
      client.sent(steerFailed(response ?? { id: target }, { input: given }, { code, message }));
    if (deps.isDraining()) {
      await fail('response_not_active', 'This gateway is shutting down: connect again, and send the input there.');
      return;
    }
    try {
      const steer = steering.accept(target, steerInputOf(event), bytes);
      if (typeof steer === 'string') {
        await fail(steer, steerErrors[steer]);
        return;
      }
      if (response === undefined) return;
      client.send(steerAccepted(response, steer));
      turnkeep.steer(response.turn.id).catch(onStreamError);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await fail('invalid_input', error.message);
    }
  }

  async #serveOne(
    { turn, kept }: Pick<Accepted, 'turn' | 'kept'>,
    streamId: string | undefined,
    { after = -1, onShown }: { readonly after?: number; readonly onShown?: () => void } = {},
  ): Promise<Accepted | undefined> {
    const { contexts, steering } = this.#options;
    const response = steering.begin(turn, streamId);
    let isRemembered = false;
    try {
      const last = await this.#show(turn, after, streamId, response);
      steering.end(response);
      onShown?.();
      if (last === undefined) return await this.#succeedAfterwards(response);
      if (turn.isStored) contexts.forget(streamId);
      // It may be long, and is not read for nothing.
      if (kept === undefined && response.steers.length === 0) return undefined;
      const ended = (JSON.parse(last) as { readonly response: Ended }).response;
      if (ended.status === 'failed') contexts.evict(ended.previous_response_id);
      else if (kept !== undefined) {
        isRemembered = true;
        contexts.remember(ended, kept, { streamId, outputBytes: last.length });
      }
      return response.steers.length === 0 ? undefined : await this.#follow(response, ended);
    } catch (error) {
      // No more of them come.
      steering.end(response);
      this.#giveBack(response, { code: 'successor_creation_failed', message: 'The response could not be shown to its end.' });
      throw error;
    } finally {
      if (!isRemembered) kept?.hold.release();
      steering.end(response);
    }
  }

  /** What becomes of the steers of a response that has ended. */
  async #follow(response: SteeredResponse, { status, output }: Ended): Promise<Accepted | undefined> {
    const { client, steering, gone } = this.#options;
    if (status === 'cancelled' || status === 'failed') {
      const message = `The response ${status === 'failed' ? 'has failed' : 'was cancelled'}: nothing goes on from it by itself.`;
      this.#giveBack(response, { code: 'response_not_active', message });
      return undefined;
    }
    const required = output.flatMap((item) => requiredInputOf(item) ?? []);
    if (required.length === 0) return this.#succeed(response);
    if (gone.aborted) {
      letGo(response.steers);
      return undefined;
    }
    steering.wait(response);
    for (const steer of response.steers) client.send(steerPending(response, steer, required));
    return undefined;
  }

  async #succeed(response: SteeredResponse): Promise<Accepted | undefined> {
    const { deps, tenant, contexts, onError } = this.#options;
    // Accepted is accepted, also where the gateway has begun to drain since.
    const taking = { ...deps, isDraining: () => false };
    try {
      const successor = await acceptSuccessor({ tenant, isResend: false, receivedAtMs: Date.now() }, taking, response, contexts);
      letGo(response.steers);
      return successor;
    } catch (error) {
      const { body, fields } = asApiError(error);
      if (fields.status === 500) onError(error);
      this.#giveBack(response, { code: 'successor_creation_failed', message: body.message });
      return undefined;
    }
  }

  /** Each counts until the client has it back. */
  #giveBack(response: SteeredResponse, error: { readonly code: SteerErrorCode; readonly message: string }): void {
    for (const steer of response.steers) {
      this.#options.client.send(steerFailed(response, steer, error), () => {
        steer.hold.release();
      });
    }
  }

  /** The client has gone. A response that ends for what was said meanwhile is not left without the one that is to follow it. */
  async #succeedAfterwards(response: SteeredResponse): Promise<undefined> {
    const { turnkeep } = this.#options.deps;
    if (response.steers.length === 0) return;
    const settled = await turnkeep.settled(response.turn, new AbortController().signal);
    // Of one that is not stored nothing is left to go on from.
    if (settled?.isStored !== true) letGo(response.steers);
    else await this.#follow(response, await turnkeep.readResponse(settled));
  }
}

interface Ended {
  readonly id: string;
  readonly status: string;
  readonly previous_response_id?: string | null;
  readonly output: readonly Parameters<typeof requiredInputOf>[0][];
}

const steerErrors: Readonly<Record<SteerErrorCode, string>> = {
  response_not_found: 'This connection shows no such response. Send the input with a response.create.',
  response_already_completed: 'The response has ended. Send the input with a response.create that follows it.',
  too_many_pending_steers: 'Too much waits to be said in this response. Wait for the one that follows it.',
  invalid_input: 'The input is not valid.',
  response_not_active: 'The response takes no more input.',
  successor_creation_failed: 'The response that was to follow could not be made.',
};
