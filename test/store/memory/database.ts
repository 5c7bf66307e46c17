/**
 * A database in memory that several stores share, as processes share one on a server: every transaction takes a round
 * trip there and one back, and a commit is news for the others. Nothing in it is fast; all of it is the contract.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import type { BreakerRow } from '../../../src/domain/turn/breaker.ts';
import type { AttemptRow } from '../../../src/domain/turn/attempt.ts';
import type { Spent } from '../../../src/domain/turn/budget.ts';
import type { InputItem, Item } from '../../../src/domain/item.ts';
import type { HiddenReasoning } from '../../../src/domain/response/hidden-reasoning.ts';
import type { JournalRow } from '../../../src/domain/response/response-event.ts';
import type { ResponseObject } from '../../../src/domain/response/response.ts';
import type { SessionRow } from '../../../src/domain/turn/session.ts';
import type { ApiKeyRow } from '../../../src/domain/api-key.ts';
import type { CodecKeyMark } from '../../../src/domain/codec-key.ts';
import type { ApprovalRow, ToolCallRow } from '../../../src/domain/agents/tool-call.ts';
import type { RecordingPart } from '../../../src/domain/turn/recording.ts';
import type { TurnRow } from '../../../src/domain/turn/turn.ts';
import type { ViewerRow } from '../../../src/domain/turn/viewer.ts';
import type { WebhookEvent } from '../../../src/domain/turn/webhook.ts';
import type { WebhookNote } from '../../../src/store/ports/webhooks.ts';
import type { StoredCompletion } from '../../../src/domain/turn/turn-list.ts';
import type { ChangeSignal, ChangeWatcher } from '../../../src/store/live/source.ts';

/** A turn with all that is its own. */
export interface StoredTurn {
  readonly ordinal: number;
  readonly idempotencyKey: string | null;
  row: TurnRow;
  /** What it brought, and what it said. */
  input: readonly InputItem[];
  output: readonly Item[];
  hidden?: readonly HiddenReasoning[];
  response: ResponseObject | undefined;
  attempts: readonly AttemptRow[];
  toolCalls: readonly StoredToolCall[];
  journal: StoredJournal | undefined;
  readonly isResend: boolean;
  completion?: Pick<StoredCompletion, 'isLegacy' | 'metadata'>;
  isAcknowledged: boolean;
  erasedAtMs: number | null;
  /** By the turns that it called, and those that they called, which have their end. */
  calledSpent?: Spent;
  webhook: StoredWebhook | undefined;
  viewers: readonly ViewerRow[];
}

export interface StoredToolCall {
  readonly row: ToolCallRow;
  /** The turn ends with it. */
  readonly isLast: boolean;
  readonly result?: string;
}

export interface StoredWebhook extends WebhookNote {
  readonly events: readonly WebhookEvent[];
  readonly event?: WebhookEvent;
  readonly owedAtMs?: number;
  startAtMs?: number | undefined;
}

export interface StoredJournal {
  readonly epoch: number;
  readonly isSealed: boolean;
  /** No attempt may write at this epoch: it was raised by a fence. */
  readonly isFenced?: boolean;
  readonly isSteered?: boolean;
  /** The one that is asked for, or due; 1 before the first claim. */
  readonly step?: number;
  readonly rows: readonly JournalRow[];
  readonly recording?: readonly RecordingPart[];
  /** Of an attempt that has not ended. */
  readonly lease?: StoredLease | undefined;
  /** The next request that nobody has claimed yet. */
  readonly due?: { readonly step: number; readonly atMs: number } | undefined;
}

export interface StoredLease {
  readonly holder: string;
  readonly step: number;
  readonly untilMs: number;
  readonly lengthMs: number;
}

export interface StoredSession {
  row: SessionRow;
  readonly name: string | null;
  touchedAtMs: number;
  titleTurn: string | null;
  isTitleStarted: boolean;
  isTitleRequested: boolean;
  /** By its turns that have their end. */
  spent?: Spent;
}

export class MemoryDatabase {
  readonly turns = new Map<string, StoredTurn>();
  readonly sessions = new Map<string, StoredSession>();
  readonly breakers = new Map<string, BreakerRow>();
  readonly leaders = new Map<string, { readonly holder: string; readonly untilMs: number }>();
  /** By tenant and id. */
  readonly earlyCancels = new Map<string, number>();
  /** The answered requests for approvals, by tenant and id. */
  readonly approvals = new Map<string, ApprovalRow>();
  readonly keys = new Map<string, ApiKeyRow>();
  codecKey: CodecKeyMark | null = null;
  readonly connections = new Set<Connection>();
  #ordinal = 0;

  addTurn(row: TurnRow, fields: Partial<StoredTurn> = {}): StoredTurn {
    this.#ordinal += 1;
    const empty = {
      idempotencyKey: null,
      input: [],
      output: [],
      attempts: [],
      toolCalls: [],
      viewers: [],
      isAcknowledged: false,
      erasedAtMs: null,
    };
    const nothing = { journal: undefined, response: undefined, isResend: false, webhook: undefined };
    const turn = { ...empty, ...nothing, ...fields, ordinal: this.#ordinal, row };
    this.turns.set(row.id, turn);
    return turn;
  }

  /** Oldest first. */
  turnsWhere(isWanted: (turn: StoredTurn) => boolean): StoredTurn[] {
    return [...this.turns.values()].filter(isWanted);
  }

  requireTurn(id: string): StoredTurn {
    const turn = this.turns.get(id);
    if (turn === undefined) throw new Error(`no turn ${id}`);
    return turn;
  }

  sessionOf(tenant: string, id: string): StoredSession | undefined {
    const session = this.sessions.get(id);
    return session?.row.tenant === tenant ? session : undefined;
  }

  unsettledIn(tenant: string, session: string | null): StoredTurn[] {
    return this.turnsWhere((turn) => isUnsettled(turn) && turn.row.tenant === tenant && turn.row.session === session);
  }

  /** The turns on the way to this one, itself included, oldest first; none before its input is recorded. */
  chainTo(leaf: string | null): StoredTurn[] {
    const chain: StoredTurn[] = [];
    for (let id = leaf; id !== null;) {
      const turn = this.turns.get(id);
      if (turn?.row.isRecorded !== true) break;
      chain.unshift(turn);
      id = turn.row.previous;
    }
    return chain;
  }
}

/** What one process has of the database. */
export class Connection implements ChangeSignal {
  readonly database: MemoryDatabase;
  #watcher: ChangeWatcher | undefined;
  #isOpen = true;
  #trips = 0;

  constructor(database: MemoryDatabase) {
    this.database = database;
    database.connections.add(this);
  }

  /** Runs `work` at one stroke. It throws before it has changed anything, or not at all. */
  async transaction<T>(work: (database: MemoryDatabase) => T): Promise<T> {
    this.#mustBeOpen();
    await this.#trip();
    const result = work(this.database);
    await this.#trip();
    this.#mustBeOpen();
    return result;
  }

  /** The others learn of it when they come to it; this process has to tell itself. */
  notify(turn?: string): void {
    for (const other of this.database.connections) if (other !== this) setImmediate(() => other.#watcher?.onChange(turn));
  }

  watch(watcher: ChangeWatcher): () => void {
    this.#watcher = watcher;
    return () => {
      this.#watcher = undefined;
    };
  }

  close(): void {
    this.#isOpen = false;
    this.database.connections.delete(this);
  }

  /** Longer and shorter ones by turns, so that calls overtake each other. */
  async #trip(): Promise<void> {
    this.#trips += 1;
    for (let length = this.#trips % 3; length >= 0; length -= 1) await nextTurnOfTheLoop();
  }

  #mustBeOpen(): void {
    if (!this.#isOpen) throw new Error('the connection is closed');
  }
}

export function isUnsettled({ row }: StoredTurn): boolean {
  return row.settledAtMs === null;
}

/** In the transcript: a turn that is not stored leaves nothing in it. */
export function itemsOf({ row, input, output }: StoredTurn): readonly Item[] {
  return row.isStored ? [...input, ...output] : [];
}

export function updateTurn(turn: StoredTurn, fields: Partial<TurnRow>): void {
  turn.row = { ...turn.row, ...fields };
}

export function modelOf({ row }: StoredTurn): string | null {
  return row.settings.model === '' ? null : row.settings.model;
}
