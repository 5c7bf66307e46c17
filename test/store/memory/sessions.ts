import { cursorBehind, type ItemSpot, type LastOfPage, spotBehind } from '../../../src/store/item-cursor.ts';
import { isCall, type Item } from '../../../src/domain/item.ts';
import { defaultSettings } from '../../../src/domain/response/response-settings.ts';
import { firstWordsChars, type ListedSession, type NewBranch, type NewSession, type SessionRow } from '../../../src/domain/turn/session.ts';
import type { FoundItem, ItemsTurn, Page, SessionStore } from '../../../src/store/ports/sessions.ts';
import { turnRow } from '../../support/turn-row.ts';
import { type Connection, itemsOf, type MemoryDatabase, modelOf, type StoredSession, updateTurn } from './database.ts';

export function sessionStore(connection: Connection): SessionStore {
  return {
    createSession: ((session: NewSession | NewBranch) =>
      connection.transaction((database) => addSession(database, session, null))) as SessionStore['createSession'],
    openSession: (session, name) =>
      connection.transaction(
        (database) => named(database, session.tenant, name)?.row ?? addSession(database, session, name) ?? { ...session, leaf: null },
      ),
    findSession: (tenant, name) => connection.transaction((database) => named(database, tenant, name)?.row),
    readSession: (tenant, id) => connection.transaction((database) => database.sessionOf(tenant, id)?.row),
    listSessions: (tenant, page) =>
      connection.transaction((database) => {
        const { after, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY } = page;
        const mine = [...database.sessions.values()].filter(({ row }) => row.tenant === tenant).toSorted(byUse);
        const wanted = mine.filter(({ row, touchedAtMs }) => row.id === after || (touchedAtMs >= sinceMs && touchedAtMs < untilMs));
        return pageOf(
          wanted.map((session) => listed(database, session)),
          page,
        );
      }),
    updateSession: (tenant, id, metadata) =>
      connection.transaction((database) => {
        const session = database.sessionOf(tenant, id);
        if (session !== undefined) session.row = { ...session.row, metadata };
        return session?.row;
      }),
    deleteSession: (tenant, id) =>
      connection.transaction((database) => {
        if (database.sessionOf(tenant, id) === undefined) return undefined;
        database.sessions.delete(id);
        const unsettled = database.unsettledIn(tenant, id);
        for (const turn of unsettled) updateTurn(turn, { cancelRequestedAtMs: turn.row.cancelRequestedAtMs ?? Date.now() });
        return unsettled.map(({ row }) => row.id);
      }),
    readSessionItems: (session, page) => connection.transaction((database) => pageOf(itemsIn(database, session), page)),
    readTurnsOfItems: ({ leaf }, ids) =>
      connection.transaction((database) => {
        const turns = database.chainTo(leaf).filter(({ row }) => row.kind === 'response' && row.isStored);
        const all = turns.flatMap((turn) => itemsOf(turn).map(({ id }) => [id, turn.row.publicId] as const));
        return new Map(all.filter(([id]) => ids.includes(id)));
      }),
    readSessionCursor: (session, page, last) => connection.transaction((database) => cursorIn(itemsIn(database, session), page, last)),
    readSessionItem: (session, id) => connection.transaction((database) => itemsIn(database, session).find((item) => item.id === id)),
    addItems: (turn) => connection.transaction((database) => addItems(database, turn)),
    deleteSessionItem: (session, id) =>
      connection.transaction((database) => {
        const turns = database.chainTo(session.leaf).filter((each) => itemsOf(each).some((item) => item.id === id));
        for (const turn of turns) {
          turn.input = turn.input.filter((item) => item.id !== id);
          turn.output = turn.output.filter((item) => item.id !== id);
          turn.hidden = (turn.hidden ?? []).filter(({ item }) => item !== id);
        }
        return turns.length > 0;
      }),
    findItems: (tenant, ids, maxChars) =>
      connection.transaction((database) => {
        const found = new Map<string, FoundItem>();
        for (const turn of database.turnsWhere(({ row }) => row.tenant === tenant)) {
          const model = modelOf(turn);
          for (const item of itemsOf(turn)) if (ids.includes(item.id)) found.set(item.id, { item, model });
        }
        const chars = ids.reduce((sum, id) => sum + (found.has(id) ? JSON.stringify(found.get(id)?.item).length : 0), 0);
        return chars > maxChars ? undefined : found;
      }),
    findUnknownCall: (tenant, leaf, callIds) =>
      connection.transaction((database) => {
        const chain = database.chainTo(leaf).filter(({ row }) => row.tenant === tenant);
        const calls = new Set(chain.flatMap(itemsOf).flatMap((item) => (isCall(item) ? [item.call_id] : [])));
        return callIds.find((callId) => !calls.has(callId));
      }),
    listUntitled: (limit) =>
      connection.transaction(({ sessions }) =>
        [...sessions.values()]
          .flatMap(({ row, titleTurn: turn, isTitleStarted }) => (turn === null || isTitleStarted ? [] : [{ session: row.id, turn }]))
          .slice(0, limit),
      ),
    markTitleStarted: (id) =>
      connection.transaction(({ sessions }) => {
        const session = sessions.get(id);
        if (session !== undefined) session.isTitleStarted = true;
      }),
    bookTitleRequest: (id) =>
      connection.transaction(({ sessions }) => {
        const session = sessions.get(id);
        if (session === undefined || session.isTitleRequested) return false;
        session.isTitleRequested = true;
        return true;
      }),
    releaseTitleRequest: (id) =>
      connection.transaction(({ sessions }) => {
        const session = sessions.get(id);
        if (session !== undefined) session.isTitleRequested = false;
      }),
    setTitle: (id, title) =>
      connection.transaction(({ sessions }) => {
        const session = sessions.get(id);
        if (session !== undefined) session.row = { ...session.row, metadata: { title, ...session.row.metadata } };
      }),
  };
}

/** undefined: the turn that it is to go on from is gone. */
function addSession(database: MemoryDatabase, session: NewSession | NewBranch, name: string | null): SessionRow | undefined {
  const { sessions } = database;
  const known = sessions.get(session.id);
  if (known !== undefined) return known.row;
  if ('leaf' in session && session.leaf !== null && !isThere(database, session.leaf)) return undefined;
  const row = { leaf: null, ...session };
  sessions.set(row.id, { row, name, touchedAtMs: row.createdAtMs, titleTurn: null, isTitleStarted: false, isTitleRequested: false });
  return row;
}

function isThere(database: MemoryDatabase, id: string): boolean {
  const row = database.turns.get(id)?.row;
  if (row?.erasedBy !== 'owner') return row?.erasedBy === null;
  const isLeaf = [...database.sessions.values()].some((session) => session.row.leaf === id);
  return row.session !== null || isLeaf || database.turnsWhere((next) => next.row.previous === id).length > 0;
}

function listed(database: MemoryDatabase, { row, name, touchedAtMs: usedAtMs }: StoredSession): ListedSession {
  const first = database.turnsWhere((turn) => turn.row.session === row.id && turn.row.kind === 'response' && turn.row.isStored)[0];
  const item = first?.row.erasedBy === null ? first.input[0] : undefined;
  const part = item?.type === 'message' ? item.content[0] : undefined;
  const firstWords = item === undefined ? null : part !== undefined && 'text' in part ? part.text.slice(0, firstWordsChars) : '';
  return { ...row, name, usedAtMs, firstWords };
}

function named({ sessions }: MemoryDatabase, tenant: string, name: string): StoredSession | undefined {
  return [...sessions.values()].find((session) => session.row.tenant === tenant && session.name === name);
}

function byUse(one: StoredSession, other: StoredSession): number {
  return one.touchedAtMs - other.touchedAtMs || (one.row.id < other.row.id ? -1 : 1);
}

function itemsIn(database: MemoryDatabase, { leaf }: SessionRow): Item[] {
  return database.chainTo(leaf).flatMap(itemsOf);
}

export function pageOf<T extends { readonly id: string }>(
  all: readonly T[],
  { limit, order, after, maxChars = Infinity }: Page,
): readonly T[] | undefined {
  const ordered = order === 'asc' ? all : all.toReversed();
  const from = after === undefined ? undefined : spotBehind(after, order, (id) => spotsIn(all, id));
  if (after !== undefined && from === undefined) return undefined;
  const at = from === undefined ? -1 : order === 'asc' ? from.position : all.length - 1 - from.position;
  const page: T[] = [];
  let chars = 0;
  for (const one of ordered.slice(at + 1, at + 1 + limit)) {
    if (chars >= maxChars) break;
    page.push(one);
    chars += JSON.stringify(one).length;
  }
  return page;
}

export function cursorIn(all: readonly { readonly id: string }[], { order, after }: Page, last: LastOfPage): string {
  const from = after === undefined ? undefined : spotBehind(after, order, (id) => spotsIn(all, id));
  return cursorBehind(last, spotsIn(all, last.id), order, from);
}

function spotsIn(all: readonly { readonly id: string }[], id: string): readonly ItemSpot[] {
  return all.flatMap((item, position) => (item.id === id ? [{ depth: 0, position }] : []));
}

function addItems(database: MemoryDatabase, turn: ItemsTurn): readonly Item[] | undefined {
  const { id, tenant, items, createdAtMs, creates } = turn;
  if (creates !== undefined) {
    if (database.sessions.has(creates.id) || addSession(database, creates, null) === undefined) return undefined;
  }
  const session = database.sessionOf(tenant, turn.session);
  if (session === undefined || items.length === 0) return session && items;
  const { leaf: previous } = session.row;
  const done = {
    kind: 'items',
    status: 'completed',
    isDispatched: true,
    isRecorded: true,
    readyAtMs: createdAtMs,
    settledAtMs: createdAtMs,
  } as const;
  const row = turnRow({
    ...done,
    id,
    tenant,
    session: turn.session,
    previous,
    settings: defaultSettings(turn.model ?? ''),
    bodyHash: '',
    createdAtMs,
  });
  database.addTurn(row, { input: items, isAcknowledged: true });
  session.row = { ...session.row, leaf: id };
  session.touchedAtMs = Math.max(session.touchedAtMs, createdAtMs);
  return items;
}
