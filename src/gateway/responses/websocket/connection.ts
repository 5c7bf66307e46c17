/**
 * A client's connection to the Responses API: any number of responses, in named streams beside each other or one after the
 * other, each of them the same journal that every other viewer reads (T7). A connection that ends cancels nothing.
 */
import type { TurnRow } from '../../../domain/turn/turn.ts';
import type { EndedRequest } from '../../../http/ended-request.ts';
import type { BodyBudget, BodyHold } from '../../http/body-budget.ts';
import { invalidApiKey } from '../../http/auth.ts';
import { parseMessage } from '../../http/body.ts';
import { enter } from '../../http/enter.ts';
import { ApiError, asApiError, notFound } from '../../http/errors.ts';
import type { FairQueue } from '../../http/fair-queue.ts';
import { jsonLimits } from '../../http/json-scanner.ts';
import { assertReplayable, type ServeDeps } from '../../stream/serve-turn.ts';
import type { SubmitDeps, SubmitHeaders } from '../../submit/submit-turn.ts';
import { acceptCreate } from './accept.ts';
import { type ClientEvent, clientEventOf, createEventOf, resumeEventOf } from './client-events.ts';
import { type ClientSocket, closeCodes, withStreamId } from './client-socket.ts';
import { Contexts } from './contexts.ts';
import { Lanes } from './lanes.ts';
import { errorEvent, resumeDoneEvent } from './server-events.ts';
import { Settling } from './settling.ts';
import { ShownResponses } from './shown-responses.ts';
import { Steering } from './steering.ts';

export interface ConnectionDeps extends SubmitDeps, ServeDeps {
  /** Throws an `ApiError` 429 where the tenant sends too many. */
  readonly limitRate: (tenant: string) => void;
  /** Of the requests that make turns. */
  readonly fairQueue: FairQueue;
  /** For messages, from their arrival until they are taken in. */
  readonly budget: BodyBudget;
  /** For what connections remember. */
  readonly contextBudget: BodyBudget;
  readonly onRequestEnd: (request: EndedRequest) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

export interface ConnectionOptions {
  readonly deps: ConnectionDeps;
  readonly client: ClientSocket;
  readonly tenant: string;
  readonly keyId: string | undefined;
  /** Rejects with an ApiError 401 where the key of the handshake is good no more: a connection may outlive it. */
  readonly checkKey: () => Promise<void>;
  /** Of the handshake; those of the responses begin with it. */
  readonly requestId: string;
  /** What the handshake says for all of its responses. */
  readonly headers: Pick<SubmitHeaders, 'x-turnkeep-when-busy'>;
  /** Aborts when the connection has ended. */
  readonly gone: AbortSignal;
}

/** Messages that are here and not read yet: behind them the client is not read any more. */
const maxUnread = 64;

/** nginx's status for a client that went before it had a response. */
const clientClosedRequest = 499;

/** One response of the connection, from its message on. */
interface Job {
  readonly requestId: string;
  readonly receivedAtMs: number;
  readonly streamId: string | undefined;
  readonly hold: BodyHold;
  /** Of its message. */
  readonly bytes: number;
}

/** @returns the turn that was shown, if it was one */
type Work = () => Promise<TurnRow | undefined>;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #steering: Steering;
  readonly #contexts: Contexts;
  readonly #responses: ShownResponses;
  readonly #settling: Settling;
  readonly #lanes = new Lanes(() => {
    this.#leaveIfDone();
  });
  #reading: Promise<void> = Promise.resolve();
  #unread = 0;
  #requests = 0;
  #isDraining = false;

  constructor(options: ConnectionOptions) {
    const { deps, client, tenant, requestId, gone } = options;
    this.#options = options;
    this.#contexts = new Contexts(deps.contextBudget, tenant);
    this.#steering = new Steering(deps.contextBudget, tenant);
    this.#settling = new Settling({ turnkeep: deps.turnkeep, client, tenant, gone, steering: this.#steering });
    this.#responses = new ShownResponses({
      deps,
      client,
      tenant,
      gone,
      contexts: this.#contexts,
      steering: this.#steering,
      onError: (error) => {
        deps.onError(error, requestId);
      },
    });
    gone.addEventListener('abort', () => {
      this.#contexts.forgetAll();
      this.#steering.forgetAll();
    });
  }

  /** A message of the client's; they are read in the order they come. */
  receive(bytes: Buffer, isBinary: boolean): void {
    const { deps, tenant, client } = this.#options;
    const hold = deps.budget.open(tenant);
    const receivedAtMs = Date.now();
    try {
      deps.limitRate(tenant);
      hold.grow(bytes.length);
      if (isBinary) throw new ApiError({ status: 400, code: 'invalid_value', message: 'Send text messages: JSON in UTF-8.' });
    } catch (error) {
      hold.release();
      this.#fail(error);
      return;
    }
    this.#unread += 1;
    const isFull = this.#unread === maxUnread;
    if (isFull) client.pause();
    this.#reading = this.#reading
      .then(() => this.#handle(bytes, hold, receivedAtMs))
      .finally(() => {
        this.#unread -= 1;
        if (isFull) client.resume();
        this.#leaveIfDone();
      });
  }

  /** Takes in nothing new (503), and closes as soon as nothing runs. */
  drain(): void {
    this.#isDraining = true;
    this.#leaveIfDone();
  }

  hasUntakenEnd(): Promise<boolean> {
    return this.#responses.hasUntakenEnd();
  }

  #leaveIfDone(): void {
    if (!this.#isDraining || !this.#lanes.isIdle || this.#unread > 0) return;
    this.#options.client.close(closeCodes.serviceRestart, 'the gateway shuts down: connect again');
  }

  async #handle(bytes: Buffer, hold: BodyHold, receivedAtMs: number): Promise<void> {
    const { gone, deps, requestId, checkKey } = this.#options;
    let streamId: string | undefined;
    let isHeld = false;
    try {
      await checkKey();
      const { maxInputItems } = deps;
      const limits = maxInputItems === undefined ? jsonLimits : { ...jsonLimits, maxItems: maxInputItems };
      const event = clientEventOf(await parseMessage(bytes, limits));
      if (gone.aborted) return;
      switch (event.type) {
        case 'response.create':
        case 'response.resume': {
          streamId = this.#lanes.open(event['stream_id']);
          this.#requests += 1;
          const job = { requestId: `${requestId}.${this.#requests}`, receivedAtMs, streamId, hold, bytes: bytes.length };
          // Its envelope is looked at now: what is wrong there is said at once.
          this.#run(job, event.type === 'response.create' ? this.#create(event, job) : this.#resume(event, job));
          isHeld = true;
          break;
        }
        case 'response.steer':
          await this.#responses.steer(event, bytes.length);
          break;
        case 'response.cancel':
          await this.#settling.cancel(event);
          break;
        case 'response.processed':
          await this.#settling.acknowledge(event);
          break;
        default:
          event.type satisfies never;
      }
    } catch (error) {
      this.#fail(error, streamId);
    } finally {
      if (!isHeld) hold.release();
    }
  }

  /** @throws ApiError where it cannot wait in its stream */
  #run(job: Job, work: Work): void {
    const { gone, checkKey } = this.#options;
    this.#lanes.run(job.streamId, async () => {
      let status = 200;
      let turn: TurnRow | undefined;
      try {
        if (gone.aborted) status = clientClosedRequest;
        else {
          // It may have waited for long: since its message was read the key may have been revoked.
          await checkKey();
          turn = await work();
        }
      } catch (error) {
        status = this.#fail(error, job.streamId, job.requestId);
      } finally {
        job.hold.release();
        this.#record(job, status, turn);
      }
    });
  }

  #record({ requestId, receivedAtMs }: Job, status: number, turn: TurnRow | undefined): void {
    const { deps, gone, tenant, keyId } = this.#options;
    deps.onRequestEnd({
      requestId,
      method: 'WEBSOCKET',
      route: '/v1/responses',
      status,
      durationMs: Math.max(0, Date.now() - receivedAtMs),
      isStream: true,
      isCut: gone.aborted,
      tenant,
      ...(keyId === undefined ? {} : { keyId }),
      ...(turn === undefined ? {} : { responseId: turn.publicId }),
      ...(turn?.session == null ? {} : { conversationId: turn.session }),
    });
  }

  #create(event: ClientEvent, { streamId, receivedAtMs, hold, bytes }: Job): Work {
    const { client, deps, tenant, gone, headers: ofHandshake } = this.#options;
    const create = createEventOf(event);
    const headers = { ...ofHandshake, ...create.headers };
    return async () => {
      const place = await enter(deps.fairQueue, tenant, gone);
      const previous = create.body['previous_response_id'];
      const steers = this.#steering.pendingOf(previous, streamId);
      const submitter = { tenant, isResend: false, receivedAtMs, signal: gone };
      const request = { create, steers, contexts: this.#contexts, bytes };
      const accepted = await acceptCreate(submitter, deps, headers, request)
        .catch((error: unknown) => {
          this.#contexts.evict(previous);
          throw error;
        })
        .finally(() => place.release());
      if (steers.length > 0) this.#steering.continued(previous);
      if (accepted.type === 'accepted') {
        hold.release();
        await this.#responses.serve(accepted, streamId);
        return accepted.turn;
      }
      if (gone.aborted) {
        accepted.kept?.hold.release();
        return undefined;
      }
      if (accepted.kept !== undefined) this.#contexts.remember(accepted.response, accepted.kept, { streamId, outputBytes: 0 });
      // Each has the settings of the message in it, which counts until the client has taken them.
      for (const text of accepted.events) await client.sent(withStreamId(text, streamId));
      return undefined;
    };
  }

  #resume(event: ClientEvent, { streamId }: Job): Work {
    const { client, deps, tenant } = this.#options;
    const { response_id: id, starting_after: after } = resumeEventOf(event);
    return async () => {
      const turn = await deps.turnkeep.readTurn(tenant, id);
      if (turn === undefined) throw notFound('Response', id, 'response_id');
      await assertReplayable(deps.turnkeep, turn);
      await this.#responses.resume(turn, after ?? -1, streamId, () => {
        client.send(resumeDoneEvent(id, streamId));
      });
      return turn;
    };
  }

  /** A key that is good no more ends the connection with it. @returns the status that the client is told */
  #fail(error: unknown, streamId?: string, requestId = this.#options.requestId): number {
    const { client, deps, gone } = this.#options;
    if (gone.aborted) return clientClosedRequest;
    const known = asApiError(error, requestId);
    if (known.fields.status === 500) deps.onError(error, requestId);
    client.send(errorEvent(known, streamId));
    if (known.fields.code === invalidApiKey) client.close(closeCodes.policyViolation, 'the API key is good no more');
    return known.fields.status;
  }
}
