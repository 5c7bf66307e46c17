/** One turn of the chat, from the user's message to its end. */
import { randomUUID } from 'node:crypto';
import { CallError, type CallFailure } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { outcomeOf, type ResponseOutcome } from '../../http-client/events.ts';
import { cancelResponse, resumeResponse, streamResponse, type StreamUpdate } from '../../http-client/resume.ts';
import { outageLimitMs, type Retry } from '../../http-client/retry.ts';
import { noticeOfComment, type Piece, piecesOf } from './pieces.ts';
import { type ApprovalRequest, ToolCalls } from './tool-calls.ts';

export type Show = (piece: Piece) => void;

export interface TurnOptions {
  readonly client: GatewayClient;
  /** Of `POST /responses`, but for `stream`; or the id of a turn that runs. */
  readonly turn: { readonly body: object } | { readonly id: string };
  readonly show: Show;
  /** Aborting it cancels the turn, which ends when the gateway says so. */
  readonly cancelSignal: AbortSignal;
}

/** `lost`: its end is not known here. `wasSent`: the gateway has the turn, and it goes on there. */
export type TurnResult = ResponseOutcome | { readonly status: 'lost'; readonly wasSent: boolean; readonly failure: CallFailure };

export interface TurnEnd {
  readonly result: TurnResult;
  /** The calls that wait for a person. */
  readonly asked: readonly ApprovalRequest[];
  /** What the gateway asked: an agent, or a model. */
  readonly model: string | undefined;
}

/** Resolves when the turn has ended, or the gateway has been given up. */
export async function runTurn({ client, turn, show, cancelSignal }: TurnOptions): Promise<TurnEnd> {
  const ended = new AbortController();
  const started = Promise.withResolvers<string>();
  const cancel = async (): Promise<void> => {
    const id = await started.promise;
    // A cancel is refused when the turn had its end before; its stream then shows that end.
    await cancelResponse(client, id, { signal: ended.signal }).catch(() => undefined);
  };
  if (cancelSignal.aborted) void cancel();
  else cancelSignal.addEventListener('abort', () => void cancel(), { once: true });

  let id: string | undefined;
  let outcome: ResponseOutcome | undefined;
  let model: string | undefined;
  const shown = new ShownUpdates(show);
  try {
    const updates =
      'id' in turn ? resumeResponse(client, turn.id) : streamResponse(client, turn.body, { idempotencyKey: `chat-${randomUUID()}` });
    for await (const update of updates) {
      shown.add(update);
      if (update.type === 'id') id = update.id;
      if (update.type === 'event') {
        id ??= update.event.response?.id;
        model ??= update.event.response?.model;
        outcome ??= outcomeOf(update.event);
      }
      if (id !== undefined) started.resolve(id);
    }
    if (outcome === undefined) throw new Error('a stream that ends has shown how its turn ended');
    return { result: outcome, asked: outcome.status === 'completed' ? shown.asked : [], model };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    return { result: { status: 'lost', wasSent: id !== undefined, failure: error.failure }, asked: [], model };
  } finally {
    ended.abort();
    shown.end();
    show({ kind: 'end' });
  }
}

/** As a rule, a turn runs within milliseconds. */
const waitsAfterMs = 1_500;

/** Shows the updates of one stream. */
class ShownUpdates {
  readonly #show: Show;
  readonly #calls = new ToolCalls();
  #lastComment: string | undefined;
  #waiting: NodeJS.Timeout | undefined;

  constructor(show: Show) {
    this.#show = show;
  }

  get asked(): readonly ApprovalRequest[] {
    return this.#calls.asked;
  }

  end(): void {
    clearTimeout(this.#waiting);
  }

  add(update: StreamUpdate): void {
    switch (update.type) {
      case 'id':
        return;
      case 'event':
        this.end();
        if (update.event.type === 'response.queued') {
          this.#waiting = setTimeout(() => {
            this.#show({ kind: 'notice', text: 'waits: another answer of the session is still running, or no worker is free' });
          }, waitsAfterMs);
        }
        for (const piece of this.#calls.piecesOf(update.event, Date.now()) ?? piecesOf(update.event)) this.#show(piece);
        return;
      case 'retry':
        showRetry(this.#show, update);
        return;
      case 'comment': {
        const notice = noticeOfComment(update.text);
        // A stream that was resumed repeats the last one.
        if (notice === undefined || update.text === this.#lastComment) return;
        this.#lastComment = update.text;
        this.#show(notice);
      }
    }
  }
}

/** One line for an outage. A connection that is back after one try needs none. */
export function showRetry(show: Show, { failure, failures }: Retry): void {
  if (failures !== 2) return;
  const what = failure.type === 'unreachable' ? failure.detail : `HTTP ${failure.status}`;
  show({ kind: 'notice', text: `the gateway does not answer (${what}); trying for ${outageLimitMs / 60_000} minutes` });
}
