/** The client of an application: submit, follow, cancel and look up turns. The gateway stands on it. */
import type { AttemptRow } from '../domain/turn/attempt.ts';
import { keptMessages } from '../domain/prompt/kept-messages.ts';
import type { InputItem, InputMessage } from '../domain/item.ts';
import type { ProviderApi } from '../domain/provider-capabilities.ts';
import type { JournalRow } from '../domain/response/response-event.ts';
import { isSettled, type ResponseObject } from '../domain/response/response.ts';
import type { TurnFilter, TurnSummary } from '../domain/turn/turn-list.ts';
import { isVisible, type TurnRow } from '../domain/turn/turn.ts';
import type { WebhookEvent } from '../domain/turn/webhook.ts';
import { RunningStreams } from '../settle/running-streams.ts';
import { JournalGoneError } from '../store/ports/journal.ts';
import type { CompletionStore, Page, Store, TurnListQuery } from '../store/ports/store.ts';
import { type CancelResult, TurnCanceller } from './cancel-turn.ts';
import type { Dispatcher } from './dispatcher.ts';
import { EndRates } from './end-rates.ts';
import { retryWhileBusy } from '../store/retry-while-busy.ts';
import { whileCallerWaits } from './patience.ts';
import type { HistoryStore } from './read-timeline.ts';
import { type PreviewedSubmission, previewPrompt, type PromptPreview } from './read-prompt.ts';
import type { PagedItems } from './item-pages.ts';
import { Sessions } from './sessions.ts';
import { readToolResult, type ToolResultStream } from '../store/tool-result.ts';
import type { Submission } from './submission.ts';
import { readTurnStats } from './turn-stats.ts';
import { type Quotas, type SubmitDeps, type SubmitResult, submitTurn } from './submit-turn.ts';

export interface TurnkeepOptions {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly quotas?: Quotas;
  /** How long new turns of these settings are refused, in ms; undefined: they are not. None are where nothing is said. */
  readonly providerRefusedForMs?: SubmitDeps['providerRefusedForMs'];
  /** A session's first turn gives it a title. */
  readonly hasTitles?: boolean;
  /** Of a tenant's background responses, the ends that an endpoint is told of. */
  readonly webhookEventsOf?: (tenant: string) => readonly WebhookEvent[];
}

const defaultQuotas: Quotas = { maxWaitingTurns: 100, maxRunningTurns: 1_000 };

/**
 * Turns and sessions of a database and a Temporal namespace.
 *
 * @example
 *     import { Client } from '@temporalio/client';
 *     import { Dispatcher, openSqliteStore, Turnkeep } from 'turnkeep/client';
 *
 *     const store = openSqliteStore('turnkeep.db');
 *     const dispatcher = new Dispatcher({
 *       workflows: new Client().workflow,
 *       taskQueue: 'turnkeep',
 *       store,
 *       limits: { heartbeatTimeoutMs: 8_000, turnTimeoutMs: 3_600_000 },
 *       isEager: false,
 *     });
 *     const turnkeep = new Turnkeep({ store, dispatcher });
 *     for await (const rows of turnkeep.follow('resp_1', -1, AbortSignal.timeout(60_000))) console.log(rows.length);
 */
export class Turnkeep {
  readonly sessions: Sessions;
  /** The tenants' stored Chat Completions. */
  readonly completions: CompletionStore;
  /** What is kept of turns for whoever asks what they did. */
  readonly history: HistoryStore;
  readonly #store: Store;
  readonly #streams: RunningStreams;
  readonly #canceller: TurnCanceller;
  readonly #submitDeps: SubmitDeps;

  constructor({ store, dispatcher, quotas = defaultQuotas, hasTitles = false, webhookEventsOf = () => [], ...options }: TurnkeepOptions) {
    const { providerRefusedForMs } = options;
    this.#streams = new RunningStreams(store);
    const canceller = new TurnCanceller(store, dispatcher, this.#streams);
    this.#store = store;
    this.completions = store;
    this.history = store;
    this.#canceller = canceller;
    const endRates = new EndRates(store);
    this.#submitDeps = { store, endRates, dispatcher, canceller, quotas, providerRefusedForMs, hasTitles, webhookEventsOf };
    this.sessions = new Sessions(store, (turn) => canceller.carryOut(turn));
  }

  /** Resolves once the turn can no longer be lost. The same submission again gives the same turn (T1). See `submitTurn`; `defaultSettings` has an example. */
  async submit(submission: Submission): Promise<SubmitResult> {
    return submitTurn(this.#submitDeps, submission);
  }

  /** What the model would be shown of a submission, which is not taken in. */
  async previewPrompt(api: ProviderApi, submission: PreviewedSubmission): Promise<PromptPreview> {
    return previewPrompt(this.#store, api, submission);
  }

  /** What is kept word for word beside the compaction that this turn makes: see `keptMessages`. */
  async readKeptMessages(turn: TurnRow): Promise<readonly InputMessage[]> {
    const past = await this.#store.readTranscript(turn.id);
    return keptMessages([...past.flatMap(({ items }) => items), ...(await this.#store.readInput(turn.id))]);
  }

  /** The tenant's turn of this public id. */
  async readTurn(tenant: string, publicId: string): Promise<TurnRow | undefined> {
    return this.#store.findTurn(tenant, publicId);
  }

  /** A turn that another row names by its own id, such as the leaf of a session, if the tenant may see it. */
  async readNamedTurn(tenant: string, id: string): Promise<TurnRow | undefined> {
    const turn = await this.#store.readTurn(id);
    return turn !== undefined && turn.tenant === tenant && isVisible(turn) ? turn : undefined;
  }

  /** The response as it stands: as sealed, or what has been shown so far. */
  async readResponse(turn: TurnRow): Promise<ResponseObject> {
    const settled = turn.settledAtMs === null ? undefined : await this.#store.readResponse(turn.id);
    return settled ?? this.#streams.response(turn.id);
  }

  /** The response of a turn that has its end, by the turn's own id; undefined once it is erased. */
  async readSettledResponse(turn: string): Promise<ResponseObject | undefined> {
    return this.#store.readResponse(turn);
  }

  /** The response as it was accepted, `queued`; as it stands once it has its end. */
  async readAccepted(turn: TurnRow): Promise<ResponseObject> {
    const [created] = turn.settledAtMs === null ? await this.#store.readJournal(turn.id, { limit: 1 }) : [];
    return created === undefined ? this.readResponse(turn) : (JSON.parse(created.data) as { readonly response: ResponseObject }).response;
  }

  /** What the turn brought, without what was deleted since. */
  async readInput(turn: TurnRow): Promise<readonly InputItem[]> {
    return this.#store.readInput(turn.id);
  }

  /** The same, in pages. */
  inputOf({ id }: TurnRow): PagedItems<InputItem> {
    return { read: (page) => this.#store.readInputPage(id, page), readCursor: (page, last) => this.#store.readInputCursor(id, page, last) };
  }

  /**
   * A page of the turns on the way to one, itself included, visible or not; its id comes from another row of the tenant's.
   * undefined when the page begins behind a turn that is not on the way.
   */
  async readChain(leaf: string, page: Page): Promise<readonly TurnRow[] | undefined> {
    return this.#store.readChain(leaf, page);
  }

  /** The tenant's turns, newest first, a page of them. undefined when it begins behind a turn that is not there. */
  async listTurns(tenant: string, query: TurnListQuery): Promise<readonly TurnSummary[] | undefined> {
    return this.#store.listTurns(tenant, query);
  }

  /** What became of the tenant's turns: see `readTurnStats`. */
  async readStats(tenant: string, filter: TurnFilter): Promise<object> {
    return readTurnStats(this.#store, tenant, filter);
  }

  /** Are the turn's events still there? They are dropped before the turn itself. */
  async hasJournal(turn: TurnRow): Promise<boolean> {
    return (await this.#store.readHead(turn.id)) !== undefined;
  }

  /** The last of a turn's events so far; undefined once they are dropped. */
  async readLastEvent(turn: string): Promise<JournalRow | undefined> {
    const head = await this.#store.readHead(turn);
    if (head === undefined) return undefined;
    const rows = await this.#store.readJournal(turn, { after: head.last - 1, limit: 1 });
    return rows[0];
  }

  /** Has the turn its end? One that is gone has too. */
  async hasEnded(turn: string): Promise<boolean> {
    return (await this.#store.readHead(turn))?.isSealed ?? true;
  }

  /** A client got the end of this turn. False where that was known before. */
  async acknowledge(turn: string): Promise<boolean> {
    return whileCallerWaits(() => this.#store.acknowledge(turn));
  }

  /** Takes an acknowledgement back, whose client's connection was reset: a resend of its request joins the turn again. */
  async retractAcknowledgement(turn: string): Promise<void> {
    await retryWhileBusy(() => this.#store.retractAcknowledgement(turn));
  }

  async readAttempts(turn: string): Promise<readonly AttemptRow[]> {
    return this.#store.readAttempts(turn);
  }

  /** All that one of its calls came to; undefined: there is no such call, or it came to nothing (yet). */
  async readToolResult(turn: string, number: number): Promise<ToolResultStream | undefined> {
    return readToolResult(this.#store, { turn, number });
  }

  /** The events after `after`, from the past into the live tail, until the turn's end; see `Store.follow`. */
  follow(turn: string, after: number, signal: AbortSignal): AsyncIterable<readonly JournalRow[]> {
    return this.#store.follow(turn, after, signal);
  }

  /**
   * Resolves with the turn once it has its end, or with undefined once `signal` aborts. Disconnecting never cancels.
   * @throws `JournalGoneError` when the turn is deleted meanwhile
   */
  async settled(turn: TurnRow, signal: AbortSignal): Promise<TurnRow | undefined> {
    if (isSettled(turn.status)) return turn;
    try {
      await this.#store.untilSealed(turn.id, signal);
    } catch (error) {
      // A turn outlives its journal, by which its end is awaited.
      const settled = error instanceof JournalGoneError ? await this.#readSettled(turn.id) : undefined;
      if (settled === undefined) throw error;
      return settled;
    }
    return this.#readSettled(turn.id);
  }

  async #readSettled(id: string): Promise<TurnRow | undefined> {
    const turn = await this.#store.readTurn(id);
    return turn !== undefined && isSettled(turn.status) ? turn : undefined;
  }

  /** Stops a turn; what was shown stays. Answered within 2 s, even if its worker is dead. One that comes before its turn is remembered. */
  async cancel(tenant: string, publicId: string): Promise<CancelResult> {
    return this.#canceller.cancel(tenant, publicId);
  }

  /** The user has said more: the response ends where nothing is torn (`incomplete`, `steered`), or by itself before that. */
  async steer(turn: string): Promise<void> {
    this.#submitDeps.dispatcher.headStart?.get(turn)?.steer();
    await retryWhileBusy(() => this.#store.requestSteer(turn));
  }

  /** Carries out a cancel that is booked, whoever booked it. */
  async finishCancel(turn: string): Promise<void> {
    await this.#canceller.carryOut(turn);
  }

  /** Removes a turn, a running one after stopping it. False when there is none. */
  async deleteTurn(tenant: string, publicId: string): Promise<boolean> {
    const turn = await this.#store.findTurn(tenant, publicId);
    if (turn === undefined) return false;
    if (turn.settledAtMs === null) await this.cancel(tenant, publicId);
    return whileCallerWaits(() => this.#store.deleteTurn(tenant, publicId, Date.now()));
  }
}
