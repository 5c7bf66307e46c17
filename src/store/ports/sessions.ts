/** The port to the sessions: named pointers to a turn, the items on the way to it, and titles. */
import type { LastOfPage } from '../item-cursor.ts';
import type { InputItem, Item } from '../../domain/item.ts';
import type { ListedSession, NewBranch, NewSession, SessionRow } from '../../domain/turn/session.ts';

/**
 * **Contract**, besides that of `Store`. Sessions are made, renamed, filled and deleted durably. A method that takes a
 * tenant treats other tenants' sessions as not there; what is not there is `undefined` or false, never an error. Where a
 * `SessionRow` is given, its `leaf` is the one that is read from: a page after a page sees the same items.
 */
export interface SessionStore {
  /** undefined, and nothing made: the turn that it is to go on from is gone, or is being dropped (T1). */
  createSession(session: NewBranch): Promise<SessionRow | undefined>;
  createSession(session: NewSession): Promise<SessionRow>;

  /** The tenant's session that a chat of this name stands for; made as `session` if there is none. Of several at once one makes it. */
  openSession(session: NewSession, name: string): Promise<SessionRow>;

  findSession(tenant: string, name: string): Promise<SessionRow | undefined>;

  readSession(tenant: string, id: string): Promise<SessionRow | undefined>;

  /** By their latest use. undefined when the page begins behind a session that is not there. */
  listSessions(tenant: string, page: SessionPage): Promise<readonly ListedSession[] | undefined>;

  /** Takes the place of all metadata. */
  updateSession(tenant: string, id: string, metadata: SessionRow['metadata']): Promise<SessionRow | undefined>;

  /**
   * The session is gone, and takes no turn in any more. Its turns stay, as responses: the ids of the unsettled ones, oldest
   * first, whose cancels are booked in the same commit.
   */
  deleteSession(tenant: string, id: string): Promise<readonly string[] | undefined>;

  /**
   * A page of the session's items, in time that does not grow with the session. undefined when the page begins behind an
   * item that is not in it.
   */
  readSessionItems(session: SessionRow, page: Page): Promise<readonly Item[] | undefined>;

  /** The `after` of the page behind this one, where that ends with this item. */
  readSessionCursor(session: SessionRow, page: Page, last: LastOfPage): Promise<string>;

  /** By the id of an item of the session: the turn it is of, the last one of several, as its tenant knows it. Of items put in by hand nothing. */
  readTurnsOfItems(session: SessionRow, ids: readonly string[]): Promise<ReadonlyMap<string, string>>;

  readSessionItem(session: SessionRow, item: string): Promise<Item | undefined>;

  /** Puts items behind what the session has. undefined when there is no such session. */
  addItems(turn: ItemsTurn): Promise<readonly Item[] | undefined>;

  /** All items of this id: gone for every session that shares the turns they stand in. False when there is none in this session. */
  deleteSessionItem(session: SessionRow, item: string): Promise<boolean>;

  /**
   * The tenant's items of these ids, by id; what is not there is left out. undefined: they have more characters of JSON
   * together, each counted as often as it is named.
   */
  findItems(tenant: string, ids: readonly string[], maxChars: number): Promise<ReadonlyMap<string, FoundItem> | undefined>;

  /** The first of these calls that is not on the way to the tenant's turn `leaf`, itself included; undefined when all are. */
  findUnknownCall(tenant: string, leaf: string, callIds: readonly string[]): Promise<string | undefined>;

  /** Sessions whose first turn is to give them a title, as long as no workflow has been started that does. */
  listUntitled(limit: number): Promise<readonly { readonly session: string; readonly turn: string }[]>;

  /** A workflow has been started. */
  markTitleStarted(session: string): Promise<void>;

  /** Books, durably, that the model is asked for the session's title. False: it was booked before, or the session is gone. */
  bookTitleRequest(session: string): Promise<boolean>;

  /** Takes the booking back: the provider has refused the request, and may be asked again. */
  releaseTitleRequest(session: string): Promise<void>;

  /** Sets `metadata.title`, unless there is one. */
  setTitle(session: string, title: string): Promise<void>;
}

/** A turn without a model call: items put into its session by hand. */
export interface ItemsTurn {
  readonly id: string;
  readonly tenant: string;
  readonly session: string;
  readonly items: readonly InputItem[];
  readonly createdAtMs: number;
  /** The session is made in the same commit. Where one of its id is there already, or the turn that it is to go on from is gone, nothing is done. */
  readonly creates?: NewSession | NewBranch;
  /** Whose answer is among them: what it has sealed, no other model is told. */
  readonly model?: string;
}

export interface Page {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  /** An id, or of items a cursor: the page begins behind it. */
  readonly after?: string;
  /** Of items alone, in characters of their JSON: the item that reaches it is the last of the page (T14). */
  readonly maxChars?: number;
}

/** Of those whose latest use is not before `sinceMs`, and before `untilMs`. */
export interface SessionPage extends Page {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

export interface FoundItem {
  readonly item: Item;
  /** That the turn asked for which the item is of, its input or its answer; null: items put in by hand. */
  readonly model: string | null;
}
