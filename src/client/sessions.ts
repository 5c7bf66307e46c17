/** Sessions (OpenAI's conversations): create, list, update, delete, and the items in them. What writes throws `StoreBusyError` when the database does not take it in 5 s. */
import type { Item, NewItem } from '../domain/item.ts';
import type { ListedSession, SessionRow } from '../domain/turn/session.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { SessionPage, Store } from '../store/ports/store.ts';
import { type Fork, type ForkResult, forkTurn } from './fork-turn.ts';
import { newId } from './ids.ts';
import type { PagedItems } from './item-pages.ts';
import { whileCallerWaits } from './patience.ts';
import { withNewIds } from './submission.ts';

type Metadata = SessionRow['metadata'];

export class Sessions {
  readonly #store: Store;
  readonly #stop: (turn: string) => Promise<void>;

  /** @param stop carries out a cancel that is booked */
  constructor(store: Store, stop: (turn: string) => Promise<void>) {
    this.#store = store;
    this.#stop = stop;
  }

  async create(tenant: string, metadata: Metadata, items: readonly NewItem[] = []): Promise<SessionRow> {
    const session = { id: newId('conv'), tenant, metadata, createdAtMs: Date.now() };
    if (items.length === 0) return whileCallerWaits(() => this.#store.createSession(session));
    const turn = { ...this.#itemsTurn(session, items), creates: session };
    await whileCallerWaits(() => this.#store.addItems(turn));
    return { ...session, leaf: turn.id };
  }

  /** The session of a user interface's own chat: the one with that id, else the one with that name, created on first use. */
  async open(tenant: string, name: string): Promise<SessionRow> {
    const known = await this.find(tenant, name);
    if (known !== undefined) return known;
    const session = { id: newId('conv'), tenant, metadata: {}, createdAtMs: Date.now() };
    return whileCallerWaits(() => this.#store.openSession(session, name));
  }

  /** As `open`, but creates none. */
  async find(tenant: string, name: string): Promise<SessionRow | undefined> {
    return (await this.#store.readSession(tenant, name)) ?? (await this.#store.findSession(tenant, name));
  }

  async read(tenant: string, id: string): Promise<SessionRow | undefined> {
    return this.#store.readSession(tenant, id);
  }

  /** A new session that shares the past of a turn: see `forkTurn`. */
  async fork(turn: TurnRow, fork: Fork): Promise<ForkResult> {
    return forkTurn(this.#store, turn, fork);
  }

  /** By their latest use. undefined when the page begins behind a session that is not there. */
  async list(tenant: string, page: SessionPage): Promise<readonly ListedSession[] | undefined> {
    return this.#store.listSessions(tenant, page);
  }

  async update(tenant: string, id: string, metadata: Metadata): Promise<SessionRow | undefined> {
    return whileCallerWaits(() => this.#store.updateSession(tenant, id, metadata));
  }

  /** Resolves once its unsettled turns are cancelled. Its turns stay, as responses. False when there is no such session. */
  async delete(tenant: string, id: string): Promise<boolean> {
    const unsettled = await whileCallerWaits(() => this.#store.deleteSession(tenant, id));
    if (unsettled === undefined) return false;
    // The newest first, so that none of them starts to run in between.
    for (const turn of unsettled.toReversed()) await this.#stop(turn);
    return true;
  }

  /** The turn of the session that runs, or is the next to run. */
  async runningTurn(tenant: string, id: string): Promise<TurnRow | undefined> {
    const [running] = await this.#store.listUnsettledOf(tenant, id);
    return running === undefined ? undefined : this.#store.readTurn(running);
  }

  /** The items of a session, in pages. */
  itemsOf(session: SessionRow): PagedItems<Item> {
    return {
      read: (page) => this.#store.readSessionItems(session, page),
      readCursor: (page, last) => this.#store.readSessionCursor(session, page, last),
    };
  }

  /** By the id of an item: the turn it is of. Of items put in by hand nothing. */
  async turnsOf(session: SessionRow, items: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#store.readTurnsOfItems(session, items);
  }

  async readItem(session: SessionRow, item: string): Promise<Item | undefined> {
    return this.#store.readSessionItem(session, item);
  }

  /** Appends items without a model call. undefined when the session is gone. */
  async addItems(session: SessionRow, items: readonly NewItem[]): Promise<readonly Item[] | undefined> {
    const turn = this.#itemsTurn(session, items);
    return whileCallerWaits(() => this.#store.addItems(turn));
  }

  async deleteItem(session: SessionRow, item: string): Promise<boolean> {
    return whileCallerWaits(() => this.#store.deleteSessionItem(session, item));
  }

  #itemsTurn(session: { readonly id: string; readonly tenant: string }, items: readonly NewItem[]): Parameters<Store['addItems']>[0] {
    const { id, tenant } = session;
    return { id: newId('items'), tenant, session: id, items: withNewIds(items), createdAtMs: Date.now() };
  }
}
