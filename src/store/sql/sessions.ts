/** Sessions: named pointers to a turn, the newest of theirs. */
import { firstWordsChars, type ListedSession, type NewBranch, type NewSession, type SessionRow } from '../../domain/turn/session.ts';
import type { SessionPage } from '../ports/sessions.ts';
import { isThere } from './erase.ts';
import { all, lockSession, lockTurn, now, one, run, type SqlDatabase, type Work } from './work.ts';
import { parsed, sessionOf, text, textOrNull } from './rows.ts';
import { unsettledTurns } from './turns.ts';

export async function createSession(db: SqlDatabase, session: NewSession | NewBranch): Promise<SessionRow | undefined> {
  return db.commit('durable', function* () {
    if (yield* insertSession(session)) return { leaf: null, ...session };
    // Two at once whose ids are made of the same key.
    return yield* readSession(session.tenant, session.id);
  });
}

export async function openSession(db: SqlDatabase, session: NewSession, name: string): Promise<SessionRow> {
  return db.commit('durable', function* () {
    const known = yield* findSession(session.tenant, name);
    if (known !== undefined) return known;
    if (yield* insertSession(session, name)) return { ...session, leaf: null };
    // Another process has opened it meanwhile.
    return (yield* findSession(session.tenant, name)) ?? { ...session, leaf: null };
  });
}

export function* findSession(tenant: string, name: string): Work<SessionRow | undefined> {
  const row = yield* one('SELECT * FROM sessions WHERE tenant = ? AND name = ?', tenant, name);
  return row === undefined ? undefined : sessionOf(row);
}

/** @returns false where one of this id, or of this name, is there already, which stays as it is; and where it is to go on from a turn that is gone */
export function* insertSession(session: NewSession | NewBranch, name: string | null = null): Work<boolean> {
  const { id, tenant, metadata, createdAtMs } = session;
  const leaf = 'leaf' in session ? session.leaf : null;
  if (leaf !== null) {
    // Whoever drops it has done so before, or finds it a leaf.
    yield* lockTurn(leaf);
    if (!(yield* isThere(leaf))) return false;
  }
  const inserted = yield* run(
    'INSERT INTO sessions (id, tenant, name, leaf, metadata, created_at, touched_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    id,
    tenant,
    name,
    leaf,
    JSON.stringify(metadata),
    createdAtMs,
    createdAtMs,
  );
  return inserted > 0;
}

export function* readSession(tenant: string, id: string): Work<SessionRow | undefined> {
  const row = yield* one('SELECT * FROM sessions WHERE id = ? AND tenant = ?', id, tenant);
  return row === undefined ? undefined : sessionOf(row);
}

/** undefined when the page begins behind a session that is not there. */
export function* listSessions(tenant: string, { limit, order, after, sinceMs, untilMs }: SessionPage): Work<ListedSession[] | undefined> {
  const from = after === undefined ? undefined : yield* one('SELECT touched_at FROM sessions WHERE tenant = ? AND id = ?', tenant, after);
  if (after !== undefined && from === undefined) return undefined;
  const [than, direction] = order === 'asc' ? ['>', 'ASC'] : ['<', 'DESC'];
  const behind = from === undefined ? '' : `AND (touched_at, id) ${than} (?, ?)`;
  const cursor = from === undefined || after === undefined ? [] : [Number(from['touched_at']), after];
  const sql = `SELECT *, ${firstWords} AS first_words FROM sessions
    WHERE tenant = ? ${behind} ${sinceMs === undefined ? '' : 'AND touched_at >= ?'} ${untilMs === undefined ? '' : 'AND touched_at < ?'} ORDER BY touched_at ${direction}, id ${direction} LIMIT ?`;
  const times = [sinceMs, untilMs].filter((ms) => ms !== undefined);
  return (yield* all(sql, tenant, ...cursor, ...times, limit)).map((row) => ({
    ...sessionOf(row),
    name: textOrNull(row['name']),
    usedAtMs: Number(row['touched_at']),
    firstWords: textOrNull(row['first_words']),
  }));
}

/** Of a message of one text. A long one is not read: it would be, for each row of each list. */
const firstWords = `(
  SELECT substr(coalesce(CASE WHEN json_valid(item) THEN item ->> '$.content[0].text' END, ''), 1, ${firstWordsChars}) FROM items JOIN turns ON turns.id = turn
  WHERE turn = first_turn AND position = 0 AND octet_length(item) < 65536 AND erased_by IS NULL)`;

export async function updateSession(
  db: SqlDatabase,
  tenant: string,
  id: string,
  metadata: SessionRow['metadata'],
): Promise<SessionRow | undefined> {
  return db.commit('durable', function* () {
    yield* lockSession(id);
    yield* run('UPDATE sessions SET metadata = ? WHERE tenant = ? AND id = ?', JSON.stringify(metadata), tenant, id);
    return yield* readSession(tenant, id);
  });
}

export async function deleteSession(db: SqlDatabase, tenant: string, id: string): Promise<readonly string[] | undefined> {
  return db.commit('durable', function* () {
    yield* lockSession(id);
    if ((yield* run('DELETE FROM sessions WHERE tenant = ? AND id = ?', tenant, id)) === 0) return undefined;
    const unsettled = (yield* all(`SELECT id FROM ${unsettledTurns} AND session = ? ORDER BY ordinal`, tenant, id)).map((row) =>
      text(row['id']),
    );
    const sql = 'UPDATE turns SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE id = ?';
    const atMs = yield* now();
    for (const turn of unsettled) yield* run(sql, atMs, turn);
    return unsettled;
  });
}

export interface SessionUse {
  readonly atMs: number;
  /** The turn that its pointer moves to; it stays where it is without. */
  readonly leaf: string | undefined;
  /** A stored turn that the model answers, and whether the first of these is to give the session a title. */
  readonly turn?: { readonly id: string; readonly wantsTitle: boolean };
}

/** True: the turn is the first of the session, and is to give it a title. */
export function* useSession(id: string, { atMs, leaf, turn }: SessionUse): Work<boolean> {
  const session = yield* one(
    `UPDATE sessions SET touched_at = CASE WHEN touched_at < ? THEN ? ELSE touched_at END, leaf = coalesce(?, leaf),
       first_turn = coalesce(first_turn, ?), title_turn = CASE WHEN first_turn IS NULL THEN coalesce(?, title_turn) ELSE title_turn END
     WHERE id = ? RETURNING title_turn`,
    atMs,
    atMs,
    leaf ?? null,
    turn?.id ?? null,
    turn?.wantsTitle === true ? turn.id : null,
    id,
  );
  return turn !== undefined && session?.['title_turn'] === turn.id;
}

// Titles -----------------------------------------------------------------------------------------------

export function* listUntitled(limit: number): Work<{ session: string; turn: string }[]> {
  const sql = 'SELECT id, title_turn FROM sessions WHERE title_turn IS NOT NULL AND title_started = 0 LIMIT ?';
  return (yield* all(sql, limit)).map((row) => ({ session: text(row['id']), turn: text(row['title_turn']) }));
}

export async function markTitleStarted(db: SqlDatabase, id: string): Promise<void> {
  await db.commit('quick', () => run('UPDATE sessions SET title_started = 1 WHERE id = ?', id));
}

export async function bookTitleRequest(db: SqlDatabase, id: string): Promise<boolean> {
  const changed = await db.commit('durable', () => run('UPDATE sessions SET title_requested = 1 WHERE id = ? AND title_requested = 0', id));
  return changed > 0;
}

export async function releaseTitleRequest(db: SqlDatabase, id: string): Promise<void> {
  await db.commit('quick', () => run('UPDATE sessions SET title_requested = 0 WHERE id = ?', id));
}

export async function setTitle(db: SqlDatabase, id: string, title: string): Promise<void> {
  await db.commit('quick', function* () {
    yield* lockSession(id);
    const row = yield* one('SELECT metadata FROM sessions WHERE id = ?', id);
    const metadata = row && parsed<SessionRow['metadata']>(row['metadata']);
    // What the user has called it stays.
    if (metadata === undefined || metadata['title'] !== undefined) return;
    yield* run('UPDATE sessions SET metadata = ? WHERE id = ?', JSON.stringify({ ...metadata, title }), id);
  });
}
